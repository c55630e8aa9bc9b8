/**
 * Writes that Redis refuses from a stale owner, checked before they are sent.
 * Made by `instance.ts` for the context of an instance; underneath `Leases.fencedSet` and `fencedDelete`.
 */
import type { Lease, Leases } from '../../backend/leases/leases.js';
import { ArgumentError } from '../../errors/config.errors.js';
import { isA, show } from '../../errors/describe.js';
import { LeaseLostError, StaleEpochError } from '../../errors/process.errors.js';
import { inRedis } from '../../errors/refusal.js';
import { givenOptions, givenTime } from '../../foreign/given.options.js';
import type { FencedEffects, FencedOptions } from '../declaration/process.context.js';

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
  lease: Pick<Lease, 'epoch' | 'isHeld' | 'refresh'>;
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
  /** What a refresh said: of a lease without an epoch in Redis it alone rises. */
  let least = 0;
  /**
   * An owner whose lease outlived a loss of data has an epoch from before it, which is raised once: then the write is
   * tried again. INVARIANT (I4): only an owner has a lease that Redis renews, so a stale one is refused all the same.
   */
  const fenced = async (work: (epoch: number) => Promise<void>): Promise<void> => {
    try {
      await work(Math.max(lease.epoch, least));
    } catch (error) {
      if (!isA(error, StaleEpochError) || error.why !== 'lost') throw error;
      least = await lease.refresh(error.storedEpoch);
      checkOwner();
      await work(Math.max(lease.epoch, least));
    }
  };
  const write = (call: string, work: (epoch: number) => Promise<void>): Promise<void> =>
    inRedis(owner.endpoint ?? 'unknown', `${call} of "${owner.name}"`, () => fenced(work));
  return {
    set: async (key, value, options) => {
      checkKey('fenced.set', key);
      checkValue(value);
      const ttl = ttlOf(options);
      checkOwner();
      await write('fenced.set', (epoch) => leases.fencedSet(key, value, epoch, ttl));
    },
    delete: async (key) => {
      checkKey('fenced.delete', key);
      checkOwner();
      await write('fenced.delete', (epoch) => leases.fencedDelete(key, epoch));
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
  const { ttl } = givenOptions<FencedOptions>('fenced.set', options, ['ttl']);
  if (ttl === undefined) return undefined;
  // Redis takes whole milliseconds.
  return Math.ceil(givenTime('fenced.set', 'ttl', ttl, { least: MIN_TTL_MS, most: MAX_TTL_MS }));
}
