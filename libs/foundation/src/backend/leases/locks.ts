/**
 * Contract: locks that are taken for a moment, under any key, and are nobody's processes. Implemented by
 * `redis.locks.ts` and `local.locks.ts`; used by the store for `@nestjs/locks`.
 */

/** Each method is one atomic step; a lock whose time is over does not exist. */
export interface Locks {
  /**
   * The token of the new lock, above every one before of this application; `undefined` while somebody has the key, the
   * same owner included.
   */
  acquire(key: string, owner: string, ttl: number): Promise<number | undefined>;
  /** False when the owner does not have the key any longer. */
  renew(key: string, owner: string, ttl: number): Promise<boolean>;
  /** False when the owner does not have the key any longer. */
  release(key: string, owner: string): Promise<boolean>;
}
