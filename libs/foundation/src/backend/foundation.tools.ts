/**
 * Layer 3: injection tokens for the raw tools, for code that needs to go below the facade.
 * Provided by `foundation.module.ts` out of the backend.
 */

/**
 * Tokens for `@Inject(FoundationTools.…)`; each resolves to `undefined` with the local backend, which has none of them.
 *
 * Underneath: the very objects that Foundation uses. What you do with them is seen by Foundation: do not close them,
 * and do not subscribe on `subscriber` or block on `leases`.
 *
 * ```ts
 * constructor(@Inject(FoundationTools.queue) private readonly queue: Queue | undefined) {}
 * ```
 */
export const FoundationTools = {
  /**
   * ioredis `Redis`: leases and beats. Fails fast: no offline queue, `commandTimeout` of 200 ms. Nothing slow belongs
   * on it.
   */
  leases: Symbol.for('foundation:tools:leases'),
  /** ioredis `Redis`: the table of processes, lookups, fenced values. No offline queue, `commandTimeout` of 2 s. */
  control: Symbol.for('foundation:tools:control'),
  /** ioredis `Redis` in subscriber mode. */
  subscriber: Symbol.for('foundation:tools:subscriber'),
  /** ioredis `Redis` that publishes, and serves the queue. */
  publisher: Symbol.for('foundation:tools:publisher'),
  /** `Redlock` on the `leases` client. */
  redlock: Symbol.for('foundation:tools:redlock'),
  /** BullMQ `Queue` "supervision". */
  queue: Symbol.for('foundation:tools:queue'),
  /** BullMQ `Worker` of that queue on this node. */
  worker: Symbol.for('foundation:tools:worker'),
} as const;
