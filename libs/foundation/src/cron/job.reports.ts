/**
 * What is told of a job: events for programs, lines of the log for people.
 * Called by the runner, when what it tells is written.
 */
import { describe, plain } from '../errors/describe.js';
import { isAnswer, isOfRedis, refusalIn } from '../errors/refusal.js';
import { Log } from '../logging/log.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { JobRun } from './job.record.js';

/** See the file header. */
export class JobReports {
  readonly #log = new Log();
  readonly #repeated = new ThrottledLog();

  readonly #ids: { job: string; node: string };

  constructor(
    private readonly telemetry: Pick<Telemetry, 'emit'>,
    /** Name of the job, and of the node. */
    ids: { job: string; node: string },
  ) {
    this.#ids = ids;
  }

  began({ scheduled, cause, epoch, started }: JobRun): void {
    const lateMs = Math.max(0, started - scheduled);
    this.telemetry.emit('cron.started', { ...this.#ids, epoch, scheduled, cause, lateMs });
  }

  ended({ scheduled, cause, epoch }: JobRun, durationMs: number, failure?: { error: string; thrown: unknown }): void {
    const { job } = this.#ids;
    const outcome = failure === undefined ? 'done' : 'failed';
    const why = failure === undefined ? {} : { error: failure.error };
    if (failure !== undefined) this.#log.error('Cron job "{job}" failed: {error}', { job, ...why }, failure.thrown);
    this.telemetry.emit('cron.ended', { ...this.#ids, epoch, scheduled, cause, outcome, durationMs, ...why });
  }

  missed(count: number, first: number, last: number, caughtUp: boolean): void {
    const { job } = this.#ids;
    this.telemetry.emit('cron.missed', { ...this.#ids, count, first, last, caughtUp });
    const message = caughtUp
      ? 'Cron job "{job}" missed {count} of its times, the last of them is run now'
      : 'Cron job "{job}" missed {count} of its times';
    const details = { job, count, first: textOf(first), last: textOf(last) };
    this.#repeated.warn(message, details, job);
  }

  skipped(scheduled: number): void {
    const { job } = this.#ids;
    this.telemetry.emit('cron.skipped', { ...this.#ids, scheduled });
    this.#repeated.warn('Cron job "{job}" still runs, so a time of it was skipped', { job }, job);
  }

  interrupted({ scheduled, node: ranOn, epoch }: JobRun): void {
    const { job } = this.#ids;
    this.telemetry.emit('cron.interrupted', { ...this.#ids, scheduled, ranOn, epoch });
    const message = 'Cron job "{job}" for {scheduled} began on {node} and did not end there; it is not repeated';
    this.#log.warn(message, { job, scheduled: textOf(scheduled), node: ranOn });
  }

  rescheduled(schedule: string): void {
    this.#log.log('Cron job "{job}" goes by another schedule from now on: {schedule}', {
      job: this.#ids.job,
      schedule,
    });
  }

  claimedAhead(until: number): void {
    const message = 'A clock was wrong: the times of cron job "{job}" are claimed until {until}';
    this.#log.warn(message, { job: this.#ids.job, until: textOf(until) });
  }

  claimDoubted(said: string, until: number): void {
    const message =
      'The times of cron job "{job}" were claimed until {said}, which no clock said; it goes on after {until}';
    const details = { job: this.#ids.job, said: plain(said, 40), until: textOf(until) };
    this.#repeated.warn(message, details, this.#ids.job);
  }

  /** `part` of the record, or all of it, has a time that no clock said, or is none. */
  doubted(part: string): void {
    const message = 'The record of cron job "{job}" was written by somebody else; passed over: {part}';
    this.#repeated.warn(message, { job: this.#ids.job, part }, `${this.#ids.job} ${part}`);
  }

  early(at: number): void {
    const message = 'The clock of this node is ahead of Redis: cron job "{job}" waits with {at}';
    this.#repeated.warn(message, { job: this.#ids.job, at: textOf(at) }, this.#ids.job);
  }

  hasLaterOwner(): void {
    const message = 'Cron job "{job}" has a later owner, so this node fires nothing';
    this.#repeated.warn(message, { job: this.#ids.job }, this.#ids.job);
  }

  /** A connection that is lost is told of elsewhere, once for all; what Redis refuses, and a bug, is told here. */
  unreachable(thrown: unknown): void {
    const { job } = this.#ids;
    const error = describe(thrown);
    if (isOfRedis(thrown) && !isAnswer(thrown) && refusalIn(error) === undefined) {
      this.#repeated.debug('The record of a cron job is out of reach; retrying', { job, error });
      return;
    }
    this.#repeated.warn(
      'Cron job "{job}" cannot use its record and fires nothing; retrying: {error}',
      { job, error },
      job,
    );
  }
}

function textOf(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString();
}
