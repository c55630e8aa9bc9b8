/**
 * Prolongs what belongs to the leases that a node holds: their owner records and epochs. Used by `lease.renewal.ts`;
 * underneath EVALSHA.
 */
import type { LeaseTimes } from '../../config/config.js';
import { describe } from '../../errors/describe.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { Lives } from '../../wire/key.lifetimes.js';
import type { Keys } from '../../wire/keys.js';
import type { NodeIdentity } from '../../wire/node.identity.js';
import { callsOf } from '../redis/lua.script.js';
import { type HeldLease, stateOf } from './held.lease.js';
import type { LeaseQuorum } from './lease.quorum.js';
import { prolongScript } from './lease.scripts.js';

/** Leases whose records are prolonged by one script: it takes Redis less than a millisecond. */
const PROLONG_BATCH = 100;
/** After a failure; the lives are many hours. */
const PROLONG_RETRY_MS = 60_000;

/** What the records need. */
export interface LeaseRecordsParts {
  readonly control: LeaseQuorum;
  readonly keys: Keys;
  readonly times: LeaseTimes;
  readonly node: NodeIdentity;
  readonly now: () => number;
  readonly lives: Lives;
}

/** See the file header. */
export class LeaseRecords {
  readonly #logger = new ThrottledLog();
  #prolongAt: number;

  constructor(private readonly parts: LeaseRecordsParts) {
    const { now, lives } = parts;
    this.#prolongAt = now() + lives.prolongEvery;
  }

  get areDue(): boolean {
    return this.parts.now() >= this.#prolongAt;
  }

  /**
   * INVARIANT (I14): the owner record and the epoch of a lease that is held never expire, however long it is held. They
   * live many times longer than the time between two of these, so that some may fail.
   */
  async prolong(leases: readonly HeldLease[]): Promise<void> {
    this.#prolongAt = this.parts.now() + this.parts.lives.prolongEvery;
    try {
      for (const some of callsOf(leases, PROLONG_BATCH)) {
        const held = some.filter((lease) => lease.isHeld());
        if (held.length === 0) continue;
        const keys = held.flatMap(({ key, name }) => [key, this.parts.keys.epoch(name), this.parts.keys.owner(name)]);
        const args = held.flatMap((lease) => [lease.token, lease.epoch, stateOf(lease)]);
        const { epoch, owner } = this.parts.lives;
        await this.parts.control.run(prolongScript, keys, [
          this.parts.node.name,
          this.parts.node.bootId,
          this.parts.times.ttl,
          epoch,
          owner,
          ...args,
        ]);
      }
    } catch (error) {
      this.#prolongAt = Math.min(this.#prolongAt, this.parts.now() + PROLONG_RETRY_MS);
      this.#logger.debug('Failed to prolong the records of leases; retrying in a minute', {
        error: describe(error),
      });
    }
  }
}
