/**
 * The locks of names: Redlock takes and frees them, and is never waited for longer than its servers may take to answer.
 * Underneath `redlock.acquire`, `redlock.release`, EVALSHA.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import Redlock, { type ExecutionError, type Lock } from 'redlock';
import type { LeaseTimes } from '../../config/config.js';
import { asError, describe, isError } from '../../errors/describe.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import { within } from '../../time/timeout.js';
import type { Lives } from '../../wire/key.lifetimes.js';
import type { Keys } from '../../wire/keys.js';
import type { LeaseQuorum } from './lease.quorum.js';
import { ACQUIRE_GUARD, farewellScript } from './lease.scripts.js';

/** One attempt, at once: Redlock's waiting acquire can hand out a lock that has expired (its issue #274). */
const ONCE = { retryCount: 0 };
/** A farewell that fails is tried again, because until the lease expires no other node can have the name. */
const FAREWELLS = 3;
const FAREWELL_RETRY_MS = 100;

/** Makes the Redlock instance, whose acquire also respects the grace after data loss. */
export function createRedlock(clients: readonly Redis[]): Redlock {
  return new Redlock(clients, ONCE, { acquireScript: (script) => ACQUIRE_GUARD + script });
}

/** See the file header. */
export class NameLocks {
  readonly #logger = new ThrottledLog();

  constructor(
    private readonly quorum: LeaseQuorum,
    private readonly redlock: Redlock,
    private readonly keys: Keys,
    private readonly times: LeaseTimes,
    private readonly lives: Lives,
  ) {}

  async take(name: string): Promise<Lock | undefined> {
    const attempt = this.redlock.acquire([this.keys.lease(name)], this.times.ttl, ONCE);
    try {
      // Redlock's promise may never settle (split votes, a throwing listener), so it does not get to decide how long we
      // wait.
      return await this.#settled(attempt);
    } catch (error) {
      // Its votes are complete only when every server has answered, which a client without a timeout may never do.
      const failure = await this.#settled(failureOf(error, this.quorum.majority)).catch((late: Error) => late);
      if (failure === undefined) return undefined;
      attempt.then((late) => this.free(name, late)).catch(() => undefined);
      throw failure;
    }
  }

  #settled<T>(work: Promise<T>): Promise<T> {
    const ms = 4 * this.times.commandTimeout;
    return within(ms, work, `Redlock did not settle in ${ms} ms`);
  }

  /** `node` says which node had it, if any. */
  async free(name: string, lock: Lock, node?: string): Promise<void> {
    try {
      await this.#settled(this.redlock.release(lock, ONCE));
    } catch (error) {
      // Already expired, or Redis is away: either way the key is not ours for longer than its ttl.
      this.#logger.debug('Failed to release a lease; it expires', { name, error: describe(error) });
    }
    await this.#farewell(name, lock.value, node);
  }

  async #farewell(name: string, token: string, node?: string): Promise<void> {
    const hint = JSON.stringify({ t: 'released', name, ...(node === undefined ? {} : { node }) });
    const keys = [this.keys.lease(name), this.keys.owner(name), this.keys.epoch(name)];
    const args = [token, this.keys.hints, hint, this.lives.releasedEpoch];
    for (let attempt = 1; ; attempt++) {
      try {
        await this.quorum.run(farewellScript, keys, args);
        return;
      } catch (error) {
        if (attempt === FAREWELLS) {
          this.#logger.debug('Failed to announce the end of a lease; other nodes see it when it expires', {
            name,
            error: describe(error),
          });
          return;
        }
        await sleep(FAREWELL_RETRY_MS);
      }
    }
  }
}

/** `undefined` when enough servers said that another node holds the key; otherwise what went wrong. */
async function failureOf(error: unknown, majority: number): Promise<Error | undefined> {
  const attempts = isError(error) && 'attempts' in error ? (error as ExecutionError).attempts : undefined;
  if (attempts === undefined) return asError(error);
  const votes = (await Promise.all(attempts)).flatMap(({ votesAgainst }) => [...votesAgainst.values()]);
  const isLocked = ({ name }: Error): boolean => name === 'ResourceLockedError';
  return votes.filter(isLocked).length >= majority ? undefined : votes.find((vote) => !isLocked(vote));
}
