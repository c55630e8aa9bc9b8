/**
 * Writes that Redis refuses from a stale owner, checked before they are sent.
 * Made by `instance.ts` for the context of an instance; underneath `Leases.fencedSet` and `fencedDelete`.
 */
import type { Lease, Leases } from '../../backend/leases/leases.js';
import { ArgumentError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import { LeaseLostError } from '../../errors/process.errors.js';
import { inRedis } from '../../errors/refusal.js';
import { givenTime } from '../../foreign/given.times.js';
import type { Duration } from '../../time/duration.js';
import type { FencedEffects } from '../declaration/process.context.js';

/** A key is part of the name of a Redis key. */
const MAX_KEY = 512;
/** As much as a state that is handed over. */
const MAX_VALUE = 1024 * 1024;
/** Longer than any write can be under way: an owner that is stale for longer would not be refused. */
const MIN_TTL_MS = 60_000;
const MAX_TTL_MS = 366 * 86_400_000;

/** See the file header. */
export function fencedEffects(owner: {
  leases: Pick<Leases, 'fencedSet' | 'fencedDelete'>;
  lease: Pick<Lease, 'epoch' | 'isHeld'>;
  /** Of the process, and of the node, for errors. */
  name: string;
  node: string;
  /** Of Redis, for errors. */
  endpoint?: string;
}): FencedEffects {
  const { lease, leases } = owner;
  const checkOwner = (): void => {
    if (lease.isHeld()) return;
    throw new LeaseLostError(owner.name, owner.node, lease.epoch, 'a fenced write was tried after it');
  };
  const write = (call: string, work: () => Promise<void>): Promise<void> =>
    inRedis(owner.endpoint ?? 'unknown', `${call} of "${owner.name}"`, work);
  return {
    set: async (key, value, options) => {
      checkKey('fenced.set', key);
      checkValue(value);
      const ttl = ttlOf(options);
      checkOwner();
      await write('fenced.set', () => leases.fencedSet(key, value, lease.epoch, ttl));
    },
    delete: async (key) => {
      checkKey('fenced.delete', key);
      checkOwner();
      await write('fenced.delete', () => leases.fencedDelete(key, lease.epoch));
    },
  };
}

function checkKey(call: string, key: unknown): void {
  if (typeof key === 'string' && key !== '' && key.length <= MAX_KEY) return;
  throw new ArgumentError(call, 'key', show(key), `a text of 1 to ${MAX_KEY} characters`);
}

function checkValue(value: unknown): void {
  const bytes = typeof value === 'string' ? Buffer.byteLength(value) : undefined;
  if (bytes !== undefined && bytes <= MAX_VALUE) return;
  const received = bytes === undefined ? show(value) : `a text of ${bytes} bytes`;
  throw new ArgumentError('fenced.set', 'value', received, `a text of at most ${MAX_VALUE} bytes`);
}

function ttlOf(options: unknown): number | undefined {
  if (options === undefined) return undefined;
  const ttl: unknown = typeof options === 'object' && options !== null ? (options as { ttl?: unknown }).ttl : options;
  if (ttl === undefined) return undefined;
  // Redis takes whole milliseconds.
  return Math.ceil(givenTime('fenced.set', 'ttl', ttl as Duration, { least: MIN_TTL_MS, most: MAX_TTL_MS }));
}
