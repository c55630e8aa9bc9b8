/**
 * What an instance is given, and the two hooks it may have.
 * Made by `instance.ts`.
 */
import type { StopReason } from '../../telemetry/events.js';
import type { Duration } from '../../time/duration.js';

/** The view of its own ownership that a running instance has. */
export interface ProcessContext {
  /** Name of the process in the cluster. */
  readonly name: string;
  /** The arguments of the start; a copy. */
  readonly args: readonly unknown[];
  /** Which replica or partition this is, from 0; `undefined` for a singleton and where one runs on every node. */
  readonly index: number | undefined;
  /** Name of the node. */
  readonly node: string;
  /** What the instance before this one returned from `onHandoff`, after a planned move; `undefined` otherwise. */
  readonly handoff: unknown;
  /**
   * The fencing token: higher than every one before it for this name. Send it with each effect, and read it each time:
   * it rises while the instance runs when Redis lost its data and the owner reclaimed the lease.
   */
  readonly epoch: number;
  /** Aborted when the instance must stop: on request, or because the lease is lost (`reason` is a `LeaseLostError`). */
  readonly signal: AbortSignal;
  /**
   * True while this node is the owner, by its own monotonic clock and without a question to anybody. Ask before each
   * effect; a process that was frozen learns here that its time is over.
   */
  isOwner(): boolean;
  /**
   * Runs a task for as long as the instance lives: it is given the signal, a rejection is a crash of the process, and
   * the stop waits for it. Use it for loops, so that an error in one is seen. Once the instance has ended it begins
   * none, and the log says so.
   *
   * @throws ArgumentError for what is no function, `LimitError` from 100,000 under way.
   */
  run(task: (signal: AbortSignal) => Promise<void>): void;
  /** Ends the instance as crashed; the restart policy decides what follows. */
  fail(error: Error): void;
  /** Ends the instance as finished: `transient` and `temporary` processes do not come back. */
  complete(): void;
  /** Effects that Redis refuses once a newer owner has made one. */
  readonly fenced: FencedEffects;
}

/**
 * Implement it, and an operator sees in the dashboard what it returns: of the state of the instance, what may be seen.
 *
 * ```ts
 * inspect() {
 *   return { open: this.orders.size, last: this.lastOrder?.id };
 * }
 * ```
 *
 * Called on the node that owns the process whenever an operator asks, once at a time. Let it change nothing and wait
 * for nothing long: it has two seconds, and the end of the instance waits for it as for a call. It returns JSON, or a
 * promise for it, of 64 KiB and 10,000 values at most; what it throws is shown, logged and counted
 * (`callback.failed`), and harms no other code. Other nodes and Redis never get the value by themselves.
 *
 * Underneath: a call to the node, as that of a `@Callable` method.
 */
export interface Inspectable {
  inspect(): unknown;
}

/** Writes that a stale owner cannot make. */
export interface FencedEffects {
  /**
   * Sets a value that only an owner with this epoch or a higher one may replace. A key has 1 to 512 characters, a value
   * at most 1 MiB.
   *
   * Value and epoch are forgotten 30 days after the last write, or after `ttl`, at least a minute. From
   * then on nothing refuses an owner that is staler than that, so give no ttl that is shorter than a write may be late.
   *
   * Underneath: Lua over the hash `…:fenced:<key>` { epoch, value } with `PEXPIRE`, readable with `HGETALL`.
   *
   * An epoch from before Redis lost its data is refused as well; an owner has it raised then, and writes once more.
   *
   * @throws StaleEpochError when a newer owner has written, or may have, `LeaseLostError` when this node knows that it
   * is no owner, `ArgumentError` for a key, value or ttl that cannot be, `RedisUnavailableError` when it is not known
   * whether it was written.
   */
  set(key: string, value: string, options?: FencedOptions): Promise<void>;
  /**
   * Deletes a value, under the same condition. Its epoch is remembered for a day, so that no stale owner brings it
   * back.
   *
   * Underneath: the same Lua; `HDEL` and `PEXPIRE`.
   *
   * @throws as `set` does.
   */
  delete(key: string): Promise<void>;
}

/** What a fenced write may say besides the value. */
export interface FencedOptions {
  /** Milliseconds without a write after which value and epoch are forgotten; 60,000 to a year. Default 30 days. */
  ttl?: Duration;
}

/** Implement to be notified that the instance begins; the start is over when it resolves. */
export interface OnProcessStart {
  onProcessStart(ctx: ProcessContext): void | Promise<void>;
}

/**
 * Implement to be notified that the instance must end; it may take `stopTimeout`. Also called after a start that
 * failed, so that what was opened before the failure can be closed.
 *
 * `reason`: `stop`, `restart`, `move`, `shutdown`, `crash`, `complete`, `lease-lost`.
 */
export interface OnProcessStop {
  onProcessStop(reason: StopReason): void | Promise<void>;
}

/**
 * Implement, and set `handoff: true`, to leave a state to the next instance on a planned move (drain, deploy, `move`,
 * `restart`, rebalancing). Called after `onProcessStop` and after the tasks have ended, so that nothing changes any
 * more; what it returns must survive JSON and have at most 1 MiB of it.
 */
export interface OnProcessHandoff {
  onHandoff(): unknown;
}

export type { StopReason };
