/**
 * Pure: the options of a node of a test, out of those of its application and those of the kit.
 */
import type { DirectOptions, FoundationOptions, RedisTransportOptions } from '../../config/options.js';

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/**
 * What the kit says wins, one level deep: `{ lease: { ttl: 1000 } }` leaves `lease.margin` as the application has it.
 * With a Redis of the kit, clients that the application hands over are left alone.
 */
export function withKitOptions(own: FoundationOptions, kit: FoundationOptions): FoundationOptions {
  const merged: Record<string, unknown> = { ...own };
  for (const [name, value] of Object.entries(kit)) {
    const before = merged[name];
    const isPart =
      isObject(before) && isObject(value) && !Array.isArray(value) && name !== 'redis' && name !== 'transport';
    merged[name] = isPart ? { ...before, ...value } : value;
  }
  if (kit.redis !== undefined) for (const name of ['redlock', 'queue']) delete merged[name];
  const { transport } = kit;
  if (isObject(transport)) merged['transport'] = withOwnLinks(own.transport, transport);
  return merged;
}

/** Where links listen is said in any case; whether there are any is up to the application, or to the kit. */
function withOwnLinks(
  own: FoundationOptions['transport'],
  kit: RedisTransportOptions | Partial<DirectOptions>,
): FoundationOptions['transport'] {
  if (kit.kind !== undefined) return kit as RedisTransportOptions | DirectOptions;
  const isDirect = own === 'direct' || (isObject(own) && own.kind === 'direct');
  return isDirect ? { ...(isObject(own) ? own : {}), ...kit, kind: 'direct' } : own;
}
