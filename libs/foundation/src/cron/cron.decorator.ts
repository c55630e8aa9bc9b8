/**
 * Marks a method as a job that runs by the clock, once in the cluster. Sets metadata and nothing else; the explorer
 * reads it.
 */
import { markMethod } from '../decorated.js';
import type { CronCause } from '../telemetry/events.js';

/** Metadata key; `Symbol.for`, so that two copies of the package see each other's marks. */
export const CRON_METADATA = Symbol.for('foundation:cron');

/** What becomes of the times that passed while no node ran the job. */
export type MissedTicks = 'skip' | 'run-once';

/** What becomes of a time that comes while the run before goes on. */
export type OverlappingTicks = 'skip' | 'queue';

/** Options of {@link ClusterCron}. */
export interface ClusterCronOptions {
  /**
   * Default: `Class.method`. What is remembered of the job goes by it, so name it yourself when you may rename those,
   * or when the code is minified.
   */
  name?: string;
  /** Such as `Europe/Berlin`. Default: that of the node; all nodes must have the same one then. */
  timeZone?: string;
  /**
   * `skip` (default): they are reported, and nothing else. `run-once`: the last of them is run as soon as a node can,
   * once for all.
   */
  missed?: MissedTicks;
  /** `skip` (default): it is reported, and nothing else. `queue`: one waits for the run before, others are skipped. */
  overlap?: OverlappingTicks;
}

/** What the decorator leaves on the method. */
export interface CronMetadata {
  expression: string;
  options: ClusterCronOptions;
}

/** What the method is called with. */
export interface CronRun {
  /** Name of the job. */
  readonly name: string;
  /** The time that it runs for; of a manual run the time at which it was asked for. */
  readonly scheduledAt: Date;
  /** `catch-up`: for the last of those that were missed; `queued`: it waited for the run before. */
  readonly cause: CronCause;
  /** The fencing token: higher than that of every owner before. Send it with each effect. */
  readonly epoch: number;
  /** Aborted when the run must end: its node leaves, the job moves, or its lease is lost. */
  readonly signal: AbortSignal;
  /** True while this node is the owner of the job, by its own monotonic clock. Ask before each effect. */
  isOwner(): boolean;
}

/**
 * Calls the method at the times of a cron expression, on one node of the cluster: `(run: CronRun)`. Each job has an
 * owner of its own, so jobs spread over the nodes, and it moves when its node leaves or dies.
 *
 * A time is claimed in Redis before the method is called, so it is fired at most once, whatever happens to the nodes.
 * What could not be fired is reported: `cron.missed`, `cron.skipped` and `cron.interrupted` of `Telemetry`.
 *
 * ```ts
 * @ClusterCron('0 3 * * *', { timeZone: 'Europe/Berlin', missed: 'run-once' })
 * async closeTheDay({ scheduledAt, signal }: CronRun) { … }
 * ```
 *
 * The run is over when what the method returns is: a promise, or an Observable, which is subscribed.
 *
 * Underneath: a singleton `cron:<name>`, the hash `…:cron:<name>`, and `CronTime` of the package `cron`
 * (`npm i cron`; @nestjs/schedule brings it). On a method of any provider or controller that is shared; the start fails
 * with a `DeclarationError` for what is no expression, time zone or option, and for a name that two have.
 *
 * A method has one of them: for two times, write them in one expression, or a method for each.
 *
 * @throws DeclarationError on a static method, on what is no method, and on a method that has one already.
 */
export function ClusterCron(expression: string, options: ClusterCronOptions = {}): MethodDecorator {
  const metadata: CronMetadata = { expression, options };
  return markMethod(CRON_METADATA, '@ClusterCron', () => metadata);
}
