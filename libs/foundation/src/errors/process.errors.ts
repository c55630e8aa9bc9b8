/** A process was not declared, started or found, or lost its name to another owner. */
import { FoundationError } from './foundation.error.js';

/** The reason of an aborted `ctx.signal`, and what guarded calls throw, once a process no longer owns its name. */
export class LeaseLostError extends FoundationError {
  constructor(
    readonly processName: string,
    readonly node: string,
    readonly epoch: number,
    readonly why: string,
  ) {
    super(
      'FOUNDATION_LEASE_LOST',
      'redlock',
      `Singleton "${processName}" (epoch ${epoch}) lost its lease on node "${node}" (${why}). It was stopped here and ` +
        `will start where the lease is won next. If this repeats, check the latency of Redis and of this event loop, ` +
        `or raise lease.ttl.`,
    );
  }
}

/**
 * A fenced write was refused because a newer owner has written already, or because Redis has lost data since the epoch
 * began and cannot know whether one has.
 */
export class StaleEpochError extends FoundationError {
  /**
   * @param storedEpoch the epoch that has written; where data was lost, the least one that Redis accepts.
   * @param why `written`: by a newer owner. `lost`: the epoch is older than the data of this Redis.
   */
  constructor(
    readonly key: string,
    readonly epoch: number,
    readonly storedEpoch: number,
    readonly why: 'written' | 'lost' = 'written',
  ) {
    const because =
      why === 'written'
        ? `epoch ${storedEpoch} has already written`
        : `Redis has lost data since that epoch began, and accepts none below ${storedEpoch}`;
    super(
      'FOUNDATION_STALE_EPOCH',
      'redis HSET',
      `The fenced write to "${key}" with epoch ${epoch} was rejected: ${because}. ` +
        `Nothing was changed. Stop working: another node ${why === 'written' ? 'owns' : 'may own'} this process now.`,
    );
  }
}

/** A class cannot be a process, or two classes claim one process name. */
export class ProcessDeclarationError extends FoundationError {
  constructor(
    readonly subject: string,
    problem: string,
    advice: string,
  ) {
    super(
      'FOUNDATION_PROCESS_DECLARATION',
      'foundation',
      `Process ${subject} cannot be declared: ${problem}. Foundation started no process of this application. ${advice}`,
    );
  }
}

/** `onProcessStart`, or the construction of the instance, failed. */
export class ProcessStartError extends FoundationError {
  constructor(
    readonly processName: string,
    readonly node: string,
    readonly reason: string,
    cause?: unknown,
  ) {
    super(
      'FOUNDATION_PROCESS_START',
      'foundation',
      `Process "${processName}" did not start on node "${node}" (${reason}). What had started was stopped and its ` +
        `lease released. Correct the cause and start it again.`,
      cause,
    );
  }
}

/** A temporary process was started, and its node died or was cut off before its end was recorded. */
export class ProcessLostError extends FoundationError {
  constructor(readonly processName: string) {
    super(
      'FOUNDATION_PROCESS_LOST',
      'foundation',
      `Process "${processName}" was started, and no node has it any more: its node died or was cut off before its end was ` +
        `recorded. It may or may not have run to its end; Foundation starts a temporary process once. Start it again if ` +
        `that may be done twice, or let it be "transient".`,
    );
  }
}

/** Something about a process did not happen in the time that was allowed. */
export class ProcessTimeoutError extends FoundationError {
  constructor(
    readonly processName: string,
    what: string,
    readonly timeoutMs: number,
    did: string,
    advice: string,
  ) {
    super(
      'FOUNDATION_PROCESS_TIMEOUT',
      'foundation',
      `Process "${processName}" ${what} within ${Math.round(timeoutMs)} ms. ${did} ${advice}`,
    );
  }
}

/** No process, or cron job, of that name is known to the cluster. */
export class UnknownProcessError extends FoundationError {
  constructor(
    readonly processName: string,
    known: readonly string[],
    job?: string,
  ) {
    const subject = job === undefined ? `Process "${processName}"` : `Cron job "${job}"`;
    super(
      'FOUNDATION_PROCESS_UNKNOWN',
      'foundation',
      `${subject} is not known to this cluster. Nothing was done. ` +
        `Known ${job === undefined ? 'processes' : 'cron jobs'}: ` +
        `${known.length === 0 ? 'none' : known.slice(0, 20).join(', ')}.`,
    );
  }
}
