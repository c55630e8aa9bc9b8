/**
 * Changes of services as an async iterable, each instance's changes summed up while nobody reads.
 * Called by the facade.
 */
import type { Question } from './criteria.js';
import type { ServiceRegistry } from './service.registry.js';
import type { ServiceChange, ServiceInfo } from './service.js';

/** See the file header. */
export async function* watchServices(
  registry: Pick<ServiceRegistry, 'services' | 'onChange'>,
  { matches }: Pick<Question, 'matches'>,
): AsyncGenerator<ServiceChange, void, undefined> {
  /** What the reader knows. */
  const told = new Map<string, ServiceInfo>();
  /** Instances whose state is to be told, in the order of their first change. */
  const pending = new Map<string, ServiceInfo | undefined>();
  let wake = (): void => undefined;
  const stop = registry.onChange(({ type, service }) => {
    pending.set(service.instanceId, type !== 'removed' && matches(service) ? service : undefined);
    wake();
  });
  for (const service of registry.services()) if (matches(service)) pending.set(service.instanceId, service);
  try {
    for (;;) {
      for (const [instanceId, now] of pending) {
        pending.delete(instanceId);
        const before = told.get(instanceId);
        if (now === before) continue;
        if (now === undefined) told.delete(instanceId);
        else told.set(instanceId, now);
        if (now === undefined) yield { type: 'removed', service: before! };
        else yield { type: before === undefined ? 'added' : 'changed', service: now };
      }
      if (pending.size === 0) await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    stop();
  }
}
