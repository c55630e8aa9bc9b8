/**
 * Runs one job on the node that owns it: waits for its times, claims each, calls the method, and writes down how it
 * ended. Made for each lease of `cron:<name>`, as the instance of a process.
 */
import type { OwnedTicks } from '../backend/leases/ticks.js';
import { Callable } from '../calls/callable.decorator.js';
import { describe } from '../errors/describe.js';
import { awaitable, called } from '../foreign/gate.js';
import type { OnProcessStart, ProcessContext } from '../processes/declaration/process.context.js';
import type { CronCause } from '../telemetry/events.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { type Clock, clockOf, pauseFor } from '../time/clock.js';
import type { CronRun } from './cron.decorator.js';
import { emptyRecord, errorText, type JobRecord, type JobRun } from './job.record.js';
import { JobReports } from './job.reports.js';
import type { JobSchedule } from './job.schedule.js';
import { type Change, KeptRecord, RETRY_MS } from './kept.record.js';
import type { DueTicks } from './tick.times.js';

/** A time that is noticed so late still counts as met: it is run, not missed. */
const ON_TIME_MS = 1000;
/** A wait is never longer, so that a clock that jumps, and another schedule, are noticed. */
const LONGEST_WAIT_MS = 10_000;
/** From here on a wait ends when the time comes; before it is halved, for a clock that jumps. */
const LAST_WAIT_MS = 2000;
/** A record that nothing changes is written all the same: it expires 30 days after its last write. */
const PROLONG_MS = 3_600_000;
/** Clocks differ by less. */
const CLOCK_OFF_MS = 60_000;

/** What became of a wish to run at once. */
export type RunAnswer = 'started' | 'queued' | 'skipped';

/** What a runner needs. */
export interface JobRunnerParts {
  /** Of the job, without `cron:`. */
  name: string;
  /** What the cluster goes by at this moment. */
  schedule: () => JobSchedule;
  /** The method, on the provider's own object. */
  call: (run: CronRun) => unknown;
  ticks: OwnedTicks;
  telemetry: Pick<Telemetry, 'emit'>;
  wallClock: () => number;
  /** By which it waits. */
  clock?: Clock;
}

/** See the file header. */
export class JobRunner implements OnProcessStart {
  #ctx!: ProcessContext;
  #kept!: KeptRecord;
  #reports!: JobReports;
  /** The run that goes on here. */
  #running: JobRun | undefined;

  constructor(private readonly parts: JobRunnerParts) {}

  /** The start is over at once: while Redis is away a job waits, and is no process that crashes. */
  onProcessStart(ctx: ProcessContext): void {
    const { name: job, ticks, telemetry, wallClock } = this.parts;
    const clock = clockOf(this.parts);
    this.#ctx = ctx;
    this.#reports = new JobReports(telemetry, { job, node: ctx.node });
    this.#kept = new KeptRecord({ job, ticks, ctx, reports: this.#reports, wallClock, clock });
    ctx.run(() => this.#live());
  }

  /** Runs it now, beside its times; what `overlap` says of a run that goes on holds. */
  @Callable()
  async runNow(): Promise<RunAnswer> {
    let answer: RunAnswer | undefined;
    const now = this.parts.wallClock();
    const isWritten = await this.#kept.change((record) => {
      answer = this.#actionIn(record);
      return this.#acted(record, answer, now, 'manual');
    });
    if (isWritten && answer !== undefined) return answer;
    throw new Error(`Cron job "${this.parts.name}" is just coming to this node, or leaving it. Run it again.`);
  }

  async #live(): Promise<void> {
    const { signal } = this.#ctx;
    while (!signal.aborted) {
      const waitMs = await this.#goOn();
      if (waitMs > 0) await pauseFor(clockOf(this.parts), waitMs, signal);
    }
  }

  /**
   * INVARIANT (I1): between the end of a lease by the clock and the timer that tells of it there is nothing to do. To
   * go on without a wait would never let that timer come: where nothing may be written, nothing else is waited for.
   */
  async #goOn(): Promise<number> {
    if (!this.#ctx.isOwner()) return RETRY_MS;
    return this.#kept.current === undefined ? this.#begin() : this.#look(this.#kept.current);
  }

  // -- taking over --------------------------------------------------------------------------------------------------

  /** Makes the record this owner's, and looks at what the one before left. Returns how long to wait then. */
  async #begin(): Promise<number> {
    const { schedule, wallClock } = this.parts;
    if (!(await this.#kept.open(() => emptyRecord(schedule().text, wallClock())))) return RETRY_MS;
    if (this.#kept.claimed > wallClock() + CLOCK_OFF_MS) this.#reports.claimedAhead(this.#kept.claimed);
    await this.#kept.change(({ run, ...record }) => {
      if (run === undefined || this.#running !== undefined) return undefined;
      const last: JobRun = { ...run, outcome: 'interrupted' };
      const counts = { ...record.counts, interrupted: record.counts.interrupted + 1 };
      return { record: { ...record, last, counts }, then: () => this.#reports.interrupted(last) };
    });
    // INVARIANT (I27): the owner that claimed them may have ended before it reported them.
    await this.#kept.change(({ untold, ...record }) => {
      const { missed } = record;
      if (untold === undefined || missed === undefined) return undefined;
      return { record, then: () => this.#reports.missed(missed.count, missed.first, missed.last, untold) };
    });
    await this.#reportUnknown();
    await this.#kept.change((record) => (record.run === undefined ? this.#nextInLine(record) : undefined));
    return 0;
  }

  /**
   * INVARIANT (I27): what is claimed and the record does not know of was never fired: who fires a time has written that
   * it is claimed, and writes nothing after it that does not know of it, and neither does an owner after it. So it is
   * missed. On a quorum the same holds of the latest record of a majority: who fires has written to one, so the record
   * that is found is that one or a later one. Nor is fired later what is reported: from then on the record knows of it,
   * also for an owner that does not reach the few servers that the claim was on.
   */
  async #reportUnknown(): Promise<void> {
    const { current, claimed } = this.#kept;
    const { text, times } = this.parts.schedule();
    if (current?.until === undefined || current.until >= claimed || current.schedule !== text) return;
    const due = await times.due(Math.max(current.until, current.since), claimed);
    const { count = 0, first = 0, latest: last = 0 } = due ?? {};
    const isDone = await this.#kept.change((record) => {
      const known = { ...record, until: claimed };
      if (due === undefined) return { record: known };
      const counts = { ...record.counts, missed: record.counts.missed + count };
      const missed = { count, first, last };
      const then = (): void => this.#reports.missed(count, first, last, false);
      return { record: { ...known, counts, missed, untold: false }, then };
    });
    if (isDone && due !== undefined) await this.#kept.change(({ untold: _told, ...record }) => ({ record }));
  }

  // -- the clock ----------------------------------------------------------------------------------------------------

  /** Looks at the clock once, and meets what is due. Returns how long to wait then. */
  async #look(record: JobRecord): Promise<number> {
    const schedule = this.parts.schedule();
    const now = this.parts.wallClock();
    if (record.schedule !== schedule.text) return this.#reschedule(schedule, now);
    const after = Math.max(this.#kept.claimed, record.since);
    const next = schedule.times.next(after);
    if (next > now) {
      const isOld = this.#kept.age > PROLONG_MS;
      if (record.next !== next || isOld) await this.#kept.change((current) => ({ record: { ...current, next } }));
      const left = next - this.parts.wallClock();
      if (!clockOf(this.parts).mayBeSet) return Math.max(1, left);
      return Math.max(1, Math.min(left > LAST_WAIT_MS ? left / 2 : left, LONGEST_WAIT_MS));
    }
    const due = await schedule.times.due(after, now);
    if (due !== undefined) await this.#meet(schedule, due, now);
    return 0;
  }

  /** Another schedule begins with its first time after now: none before was ever a time of this job. */
  async #reschedule({ text }: JobSchedule, now: number): Promise<number> {
    const then = (): void => this.#reports.rescheduled(text);
    await this.#kept.change((record) => ({ record: { ...record, schedule: text, since: now }, then }));
    return 0;
  }

  /** Decides about times that have come: all of them are claimed with the last one, in one step, whatever follows. */
  async #meet(schedule: JobSchedule, due: DueTicks, now: number): Promise<void> {
    const isOnTime = now - due.latest <= ON_TIME_MS;
    const last = isOnTime ? due.before : due.latest;
    const missed = isOnTime ? due.count - 1 : due.count;
    const isRun = isOnTime || schedule.missed === 'run-once';
    const isDone = await this.#kept.change((record) => {
      const counts = { ...record.counts, missed: record.counts.missed + missed };
      const untold = isRun && !isOnTime;
      const span = last === undefined ? {} : { missed: { count: missed, first: due.first, last }, untold };
      const met = { ...record, ...span, counts, next: schedule.times.next(due.latest) };
      const acted = isRun
        ? this.#acted(met, this.#actionIn(met), due.latest, isOnTime ? 'tick' : 'catch-up')
        : { record: met };
      const then = (): void => {
        if (last !== undefined) this.#reports.missed(missed, due.first, last, isRun && !isOnTime);
        acted.then?.();
      };
      return { record: acted.record, claim: due.latest, then };
    });
    if (isDone && last !== undefined) await this.#kept.change(({ untold: _told, ...record }) => ({ record }));
  }

  // -- runs ---------------------------------------------------------------------------------------------------------

  #actionIn({ run, waiting }: JobRecord): RunAnswer {
    if (run === undefined) return 'started';
    return this.parts.schedule().overlap === 'queue' && waiting === undefined ? 'queued' : 'skipped';
  }

  #acted(record: JobRecord, action: RunAnswer, scheduled: number, cause: CronCause): Change {
    if (action === 'queued') return { record: { ...record, waiting: scheduled } };
    if (action === 'skipped') {
      const counts = { ...record.counts, skipped: record.counts.skipped + 1 };
      return { record: { ...record, counts }, then: () => this.#reports.skipped(scheduled) };
    }
    const { epoch, node } = this.#ctx;
    const run: JobRun = { scheduled, cause, started: this.parts.wallClock(), node, epoch };
    const counts = { ...record.counts, fired: record.counts.fired + 1 };
    return { record: { ...record, run, counts }, then: () => this.#ctx.run(() => this.#carryOut(run)) };
  }

  /** What waits for the run before, once there is none. */
  #nextInLine({ waiting, ...record }: JobRecord): Change | undefined {
    if (waiting === undefined || !this.#ctx.isOwner()) return undefined;
    return this.#acted(record, 'started', waiting, 'queued');
  }

  async #carryOut(run: JobRun): Promise<void> {
    // INVARIANT (I1): no user code begins for a node that is no longer the owner. What this node claimed and has not
    // begun is left to the next owner; where that cannot be written, it finds a run that was interrupted.
    if (!this.#ctx.isOwner()) return this.#giveBack(run);
    this.#reports.began(run);
    this.#running = run;
    let failure: { error: string; thrown: unknown } | undefined;
    try {
      const running = called(() => awaitable(this.parts.call(this.#asSeen(run))));
      clockOf(this.parts).underWay(running);
      await running;
    } catch (thrown) {
      failure = { error: describe(thrown), thrown };
    }
    this.#running = undefined;
    const ended = this.parts.wallClock();
    this.#reports.ended(run, Math.max(0, ended - run.started), failure);
    const outcome =
      failure === undefined
        ? { outcome: 'done' as const }
        : { outcome: 'failed' as const, error: errorText(failure.error) };
    await this.#kept.change(({ run: _run, ...record }) => {
      const counts = { ...record.counts, failed: record.counts.failed + (failure === undefined ? 0 : 1) };
      const over = { ...record, last: { ...run, ended, ...outcome }, counts };
      return this.#nextInLine(over) ?? { record: over };
    });
  }

  async #giveBack({ scheduled }: JobRun): Promise<void> {
    await this.#kept.change(({ run: _run, ...record }) => {
      const counts = { ...record.counts, fired: record.counts.fired - 1 };
      return { record: { ...record, counts, waiting: scheduled } };
    });
  }

  #asSeen({ scheduled, cause }: JobRun): CronRun {
    const ctx = this.#ctx;
    return {
      name: this.parts.name,
      scheduledAt: new Date(scheduled),
      cause,
      get epoch() {
        return ctx.epoch;
      },
      signal: ctx.signal,
      isOwner: () => ctx.isOwner(),
    };
  }
}
