/**
 * Contract: exclusive ownership of a name for a limited time, with a fencing token.
 * Implemented by `redlock.leases.ts` (cluster) and `local.leases.ts` (one process); used by the supervisor.
 */

/** Ownership of one name by this node. */
export interface Lease {
  readonly name: string;
  /**
   * The fencing token: strictly increasing per name over failover, data loss and FLUSHALL. It may rise while the lease
   * is held (reclaimed after data loss), so read it again for each effect.
   */
  readonly epoch: number;
  /** The node that owned the name before, where that is known: a hint, by which nothing is owned. */
  before?: string | undefined;
  /**
   * The epoch of the owner before, another node, where that neither started what it owned nor gave the name back: it
   * ended in the start, or lost the lease in it.
   */
  readonly unstarted?: number | undefined;
  /** Aborted, with a `LeaseLostError`, at the moment this node stops being the owner. */
  readonly signal: AbortSignal;
  /** True while this node is the owner by its own monotonic clock; synchronous, so that it can guard each effect. */
  isHeld(): boolean;
  /**
   * Renews it at once, and raises its epoch where that is older than this life of the data of Redis: after a restart or
   * a failover that the lease outlived. Resolves with the epoch to write with, at least `above` unless the lease is
   * lost; rejects when Redis cannot say.
   */
  refresh(above: number): Promise<number>;
  /** Makes the owner visible to lookups as running. */
  announce(): Promise<void>;
  /** Leaves a value for the successor; only its last value counts, and only for a minute. */
  leave(state: string): Promise<void>;
  /**
   * Takes what the predecessor left. The first owner that calls this gets it, and gets it again when it calls again,
   * because the answer may have been lost; no later owner does. Rejects when it is not certain what was left.
   */
  inherit(): Promise<string | undefined>;
  /**
   * Releases the name and hints at it. Call it only after the instance has stopped.
   * Never rejects: what cannot be released expires.
   */
  release(): Promise<void>;
  /**
   * Stops renewing without releasing, for an instance that did not stop: the name stays taken until the ttl has run.
   */
  abandon(): void;
}

/** When a name can next be had. */
export interface Standing {
  name: string;
  /** 0 = free now; otherwise milliseconds until the lease expires unless its owner renews. */
  freeInMs: number;
  /** Nobody has it, and nobody may yet, because Redis lost its data a moment ago. */
  isGrace?: true;
}

/** Who owns a name now. */
export interface OwnerRecord {
  name: string;
  node: string;
  bootId: string;
  epoch: number;
  state: 'starting' | 'running';
  /** Milliseconds since 1970 by the Redis clock, when ownership began. */
  since: number;
}

/** The leases of one node. */
export interface Leases {
  /**
   * One attempt; `undefined` when another node owns the name. Rejects when Redis cannot say.
   *
   * @param above an epoch that the new one must be above, even where Redis no longer knows it.
   */
  acquire(name: string, above?: number): Promise<Lease | undefined>;
  /** When each name can be had; one round trip for all of them. */
  standing(names: readonly string[]): Promise<Standing[]>;
  /**
   * For how many milliseconds the Redis that has the table may still be one that has just lost its data; 0 = no longer.
   */
  grace(): Promise<number>;
  /** The owners, `undefined` for a name without one; one round trip for all of them. */
  owners(names: readonly string[]): Promise<(OwnerRecord | undefined)[]>;
  /** The last epoch that was minted for a name, 0 where none is known; says whether it was owned since. */
  lastEpoch(name: string): Promise<number>;
  /**
   * Forgets the last epochs of names without an owner and a row; the next epoch of one is above
   * them all the same. For names that are used once: each would be a key of its own for a day.
   */
  forget(names: readonly string[]): Promise<void>;
  /**
   * Writes `value` if no higher epoch has written `key`, and the epoch is of this life of the data; rejects with
   * `StaleEpochError` otherwise. Value and epoch are forgotten `life` ms after the last write; without it, see
   * `Lives.fenced`.
   */
  fencedSet(key: string, value: string, epoch: number, life?: number): Promise<void>;
  /** Removes the value likewise. The epoch is remembered for a while, so that a stale owner does not bring it back. */
  fencedDelete(key: string, epoch: number): Promise<void>;
  /** How many leases this node holds at this moment; no network. */
  held(): number;
  /** Ends every lease at once because this node's name was taken. */
  loseAll(): void;
  /** Stops the timers. Leases still held are left to expire. */
  close(): void;
}
