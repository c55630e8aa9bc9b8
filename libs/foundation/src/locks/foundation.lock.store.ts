/**
 * The store of `@nestjs/locks` over the Redis of Foundation. It has the methods of their `LockStore`, and imports
 * nothing of that package.
 */
import { Inject, Injectable } from '@nestjs/common';
import { FoundationTools } from '../backend/foundation.tools.js';
import { LocalLocks } from '../backend/leases/local.locks.js';
import type { Locks } from '../backend/leases/locks.js';
import { RedisLocks } from '../backend/leases/redis.locks.js';
import { Membership } from '../cluster/membership.js';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { machineClock } from '../time/clock.js';
import { keysOf } from '../wire/keys.js';

/** What an attempt to take a lock comes to; that of `@nestjs/locks`. */
export type LockAcquireResult = { acquired: true; fencingToken: number } | { acquired: false };

/** Of a key and of an owner, in characters. */
const LONGEST_KEY = 500;
/** 100 years; Redis takes no more than about that from now. */
const MAX_TTL_MS = 3_155_760_000_000;
/** Of a renewal whose answers come too late. */
const ATTEMPTS = 3;

/**
 * Injectable. Locks of all nodes of the application, in its Redis; without a cluster, in this process.
 *
 * ```ts
 * @Injectable()
 * class Locking {
 *   constructor(storage: LocksStorage, store: FoundationLockStore) {
 *     storage.registerSource(store); // of @nestjs/locks
 *   }
 * }
 * ```
 *
 * Underneath: EVALSHA over the client `FoundationTools.control`, on `…:lock:key:<key>` and `…:lock:tokens`. The fencing
 * token is above every one that this application was given before, also after Redis has lost its data: it is at least
 * the time of Redis in microseconds. With `redis.quorum` the locks are in the first Redis, not in the majority.
 *
 * After Redis has lost its data a key is free at once, while its holder learns of it with its next renewal, a third of
 * its time later: until then the token alone tells the two apart.
 */
@Injectable()
export class FoundationLockStore {
  readonly #locks: Locks;

  constructor(@Inject(FoundationTools.control) control: unknown, @Inject(Membership) membership: Membership) {
    this.#locks =
      control === undefined
        ? new LocalLocks(machineClock)
        : new RedisLocks(control as ConstructorParameters<typeof RedisLocks>[0], keysOf(membership.appName));
  }

  /**
   * Takes the key for `ttl` milliseconds, unless somebody has it, the same owner included. Where the answer comes after
   * that time, because Redis was slow or this process stood still, it is taken only if a renewal says so.
   *
   * @throws ArgumentError for a key or an owner that is no text of 1 to 500 characters, or a ttl that is no whole
   * number of milliseconds from 1 to 100 years; `NotReadyError` once this node has left; `RedisUnavailableError`:
   * whether it was taken is then unknown, and a lock that nobody has goes with its time.
   */
  async acquire(key: string, owner: string, ttl: number): Promise<LockAcquireResult> {
    checkTexts('acquire', { key, owner });
    checkTime('acquire', ttl);
    const { value: fencingToken, isLate } = await timed(ttl, () => this.#locks.acquire(key, owner, ttl));
    if (fencingToken === undefined || (isLate && !(await this.renew(key, owner, ttl)))) return { acquired: false };
    return { acquired: true, fencingToken };
  }

  /**
   * Gives the lock `ttl` milliseconds from now. False when the owner does not have it any longer, or when Redis answers
   * more slowly than the lock lasts.
   *
   * @throws as {@link acquire}.
   */
  async renew(key: string, owner: string, ttl: number): Promise<boolean> {
    checkTexts('renew', { key, owner });
    checkTime('renew', ttl);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { value: isOwner, isLate } = await timed(ttl, () => this.#locks.renew(key, owner, ttl));
      if (!isOwner || !isLate) return isOwner;
    }
    return false;
  }

  /**
   * Frees the key. False when the owner does not have it any longer.
   *
   * @throws as {@link acquire}.
   */
  async release(key: string, owner: string): Promise<boolean> {
    checkTexts('release', { key, owner });
    return this.#locks.release(key, owner);
  }
}

/** True of `isLate` when the time of the lock may be over by the time this is known. */
async function timed<T>(ttl: number, ask: () => Promise<T>): Promise<{ value: T; isLate: boolean }> {
  const began = machineClock.monotonic();
  const value = await ask();
  return { value, isLate: machineClock.monotonic() - began >= ttl };
}

function checkTexts(call: string, texts: { key: string; owner: string }): void {
  for (const [name, value] of Object.entries(texts) as [string, unknown][]) {
    // What is not well-formed would become another key on its way.
    if (typeof value === 'string' && value !== '' && value.length <= LONGEST_KEY && !/\p{Cs}/u.test(value)) continue;
    throw new ArgumentError(call, name, show(value), `a text of 1 to ${LONGEST_KEY} characters`);
  }
}

function checkTime(call: string, ttl: number): void {
  if (Number.isSafeInteger(ttl) && ttl >= 1 && ttl <= MAX_TTL_MS) return;
  throw new ArgumentError(call, 'ttl', show(ttl), `a whole number of milliseconds from 1 to ${MAX_TTL_MS}`);
}
