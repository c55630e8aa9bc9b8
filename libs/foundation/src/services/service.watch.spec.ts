import { describe, expect, it } from '@jest/globals';
import type { ServiceChange, ServiceInfo } from './service.js';
import { ServiceWatch } from './service.watch.js';

const service = (instanceId: string, more: Partial<ServiceInfo> = {}): ServiceInfo => ({
  ...{ name: 'till', instanceId, node: 'n', bootId: 'b', capabilities: [], metadata: {} },
  ...{ registeredAt: 1, status: 'healthy' },
  ...more,
});
const told = (result: IteratorResult<ServiceChange, undefined>) =>
  result.done === true ? 'end' : `${result.value.type} ${result.value.service.instanceId}`;

function watching(...there: ServiceInfo[]) {
  const listeners = new Set<(change: ServiceChange) => void>();
  const leaving = new Set<() => void>();
  const registry = {
    services: () => there,
    onChange: (listener: (change: ServiceChange) => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    onLeft: (heard: () => void) => {
      leaving.add(heard);
      return () => void leaving.delete(heard);
    },
  };
  const watch = new ServiceWatch(registry, { matches: ({ name }) => name === 'till' });
  const tell = (type: ServiceChange['type'], of: ServiceInfo) => listeners.forEach((listener) => listener({ type, service: of })); // prettier-ignore
  return { watch, listeners, leaving, tell, next: async () => told(await watch.next()) };
}

describe('ServiceWatch', () => {
  it('ends when its node leaves the cluster, also for who waits', async () => {
    const { next, leaving, listeners } = watching();
    const waiting = next();
    for (const heard of [...leaving]) heard();
    expect([await waiting, await next()]).toEqual(['end', 'end']);
    expect([leaving.size, listeners.size]).toEqual([0, 0]);
  });

  it('tells what there is, then what changes, of what it is about only', async () => {
    const { next, tell } = watching(service('1'), service('2', { name: 'printer' }));
    expect(await next()).toBe('added 1');
    const waiting = next();
    tell('added', service('3', { name: 'printer' }));
    tell('added', service('4'));
    expect(await waiting).toBe('added 4');
    tell('changed', service('4', { status: 'unhealthy' }));
    expect(await next()).toBe('changed 4');
    tell('removed', service('4'));
    expect(await next()).toBe('removed 4');
  });

  it('sums up changes that were not read', async () => {
    const { next, tell } = watching();
    const first = next();
    tell('added', service('1'));
    await first;
    tell('changed', service('1', { status: 'unhealthy' }));
    tell('added', service('2'));
    tell('removed', service('2'));
    tell('removed', service('1'));
    tell('added', service('3'));
    expect([await next(), await next()]).toEqual(['removed 1', 'added 3']);
  });

  it('keeps nothing of what came and went between two reads', async () => {
    const { watch, next, tell } = watching();
    const first = next();
    tell('added', service('1'));
    await first;
    for (let index = 2; index < 10_000; index++) {
      tell('added', service(`${index}`));
      tell('removed', service(`${index}`));
    }
    expect(watch.pending).toBe(0);
    tell('removed', service('1'));
    expect(watch.pending).toBe(1);
    expect(await next()).toBe('removed 1');
  });

  it('ends at once by return(), for pending reads, too, and stops listening', async () => {
    const { watch, listeners, tell, next } = watching();
    const waiting = [next(), next()];
    expect(listeners.size).toBe(1);
    expect(told(await watch.return())).toBe('end');
    expect(await Promise.all(waiting)).toEqual(['end', 'end']);
    expect(listeners.size).toBe(0);
    tell('added', service('1'));
    expect(await next()).toBe('end');
  });

  it('ends with the loop, and listens only once it is read', async () => {
    const { watch, listeners } = watching(service('1'), service('2'));
    expect(listeners.size).toBe(0);
    for await (const { service: first } of watch) {
      expect(first.instanceId).toBe('1');
      expect(listeners.size).toBe(1);
      break;
    }
    expect(listeners.size).toBe(0);
  });

  it('answers several readers in their order', async () => {
    const { next } = watching(service('1'), service('2'));
    expect(await Promise.all([next(), next()])).toEqual(['added 1', 'added 2']);
  });
});
