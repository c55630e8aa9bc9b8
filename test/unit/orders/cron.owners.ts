// The owners that a cron job goes through in specs in which `fc.scheduler` decides what comes next, and what must be so
// in the end. Shared by the specs on one server and on a quorum.
import { expect } from '@jest/globals';
import type { Scheduler } from 'fast-check';
import fc from 'fast-check';
import type { Ticks } from '../../../libs/foundation/src/backend/leases/ticks.js';
import type { JobRecord } from '../../../libs/foundation/src/cron/job.record.js';
import { JobRunner } from '../../../libs/foundation/src/cron/job.runner.js';
import type { JobSchedule } from '../../../libs/foundation/src/cron/job.schedule.js';
import { TickTimes } from '../../../libs/foundation/src/cron/tick.times.js';
import type { ProcessContext } from '../../../libs/foundation/src/processes/declaration/process.context.js';
import { Telemetry } from '../../../libs/foundation/src/telemetry/telemetry.js';
import { type OrdersClock, settled } from './orders.clock.js';

export const EVERY_MS = 1000;
const times = new TickTimes(
  { getNextDateFrom: (start) => ({ toMillis: () => (Math.floor(start.getTime() / EVERY_MS) + 1) * EVERY_MS }) },
  'UTC',
);

/** Whether a time waits for the run before, and how long runs take. */
export const JOB = {
  overlap: fc.constantFrom('skip' as const, 'queue' as const),
  takesMs: fc.constantFrom(0, 300, 1500),
};

interface Job {
  overlap: 'skip' | 'queue';
  takesMs: number;
}

/** What happens to the job: time passes, another owner begins, or nobody has it for a while. */
type Step<T> = { kind: 'pass'; ms: number } | { kind: 'owner'; given: T } | { kind: 'nobody' };

/** Steps, with what each owner is given. */
export function stepOf<T>(given: fc.Arbitrary<T>): fc.Arbitrary<Step<T>> {
  return fc.oneof<fc.MaybeWeightedArbitrary<Step<T>>[]>(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(100, 400, 1000, 3500) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('owner' as const), given }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('nobody' as const) }) },
  );
}

/** See the file header. */
export class JobOwners {
  readonly fired: number[] = [];
  /** Those that began on a node that had the job no more (I1). */
  readonly stale: number[] = [];
  epoch = 0;
  #end: () => void = () => undefined;

  constructor(
    private readonly s: Scheduler,
    private readonly clock: OrdersClock,
    private readonly job: Job,
    private readonly telemetry = new Telemetry(),
  ) {}

  /** @param aheadMs of the clock of its node. */
  begin(ticksOf: (epoch: number) => Pick<Ticks, 'open' | 'write'>, aheadMs = 0): void {
    this.#end();
    const epoch = (this.epoch += 1);
    const abort = new AbortController();
    let isOwner = true;
    this.#end = () => {
      isOwner = false;
      abort.abort(new Error('ended'));
    };
    const { clock, job, telemetry } = this;
    const schedule: JobSchedule = { text: 'each second', missed: 'skip', overlap: job.overlap, times };
    const runner = new JobRunner({
      ...{ name: 'close', schedule: () => schedule, ticks: ticksOf(epoch), telemetry },
      ...{ wallClock: () => clock.time + aheadMs, clock },
      call: async ({ scheduledAt }) => {
        this.fired.push(scheduledAt.getTime());
        if (!isOwner) this.stale.push(scheduledAt.getTime());
        if (job.takesMs > 0) await new Promise<void>((resolve) => clock.setTimeout(resolve, job.takesMs));
      },
    });
    runner.onProcessStart({
      ...{ node: `n${epoch}`, epoch, signal: abort.signal, isOwner: () => isOwner },
      run: (task: (signal: AbortSignal) => Promise<void>) => void task(abort.signal).catch(() => undefined),
    } as unknown as ProcessContext);
  }

  /** Has all steps come, in an order with everything else that the scheduler draws. */
  async go<T>(steps: readonly Step<T>[], own: (given: T) => void): Promise<void> {
    const { s, clock } = this;
    s.scheduleSequence(
      steps.map((each) => ({
        label: JSON.stringify(each),
        builder: async () => {
          if (each.kind === 'owner') own(each.given);
          else if (each.kind === 'nobody') this.#end();
          else for (const until = clock.time + each.ms; clock.time < until;) clock.pass(until - clock.time);
        },
      })),
    );
    while (s.count() > 0) {
      await s.waitOne();
      await settled();
    }
  }

  /** Lets the last owner have the job for so long, and ends it. */
  async finish(ms: number): Promise<void> {
    const { s, clock } = this;
    for (const until = clock.time + ms; clock.time < until;) {
      clock.pass(100);
      await settled();
    }
    this.#end();
    while (s.count() > 0) await s.waitOne();
    await settled();
  }

  /** Nothing was fired twice, or by a former owner. */
  requireOnce(): void {
    const { fired, stale } = this;
    expect(fired.filter((time, index) => fired.indexOf(time) !== index)).toEqual([]);
    expect(stale).toEqual([]);
  }

  /** Each time up to the claimed one was counted as something, and what was fired as that. */
  requireCounted({ counts, since, waiting, run }: JobRecord, claimed: number): void {
    const { fired } = this;
    const claimedTimes = Math.floor(claimed / EVERY_MS) - Math.floor(since / EVERY_MS);
    expect(counts.fired + counts.missed + counts.skipped + (waiting === undefined ? 0 : 1)).toBe(claimedTimes);
    const unsure = counts.interrupted + (run === undefined ? 0 : 1);
    expect(fired.length).toBeLessThanOrEqual(counts.fired);
    expect(fired.length).toBeGreaterThanOrEqual(counts.fired - unsure);
  }
}
