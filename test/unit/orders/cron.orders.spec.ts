// A cron job that goes from owner to owner, under every order in which they end and Redis hears, loses or answers what
// they ask (I27): a time is fired at most once, and what is not fired is counted as missed, skipped or interrupted.
import { expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import { LocalTicks } from '../../../libs/foundation/src/backend/leases/local.ticks.js';
import type { Ticks } from '../../../libs/foundation/src/backend/leases/ticks.js';
import { readRecord } from '../../../libs/foundation/src/cron/job.record.js';
import { JobRunner } from '../../../libs/foundation/src/cron/job.runner.js';
import type { JobSchedule } from '../../../libs/foundation/src/cron/job.schedule.js';
import { TickTimes } from '../../../libs/foundation/src/cron/tick.times.js';
import type { ProcessContext } from '../../../libs/foundation/src/processes/declaration/process.context.js';
import { Telemetry } from '../../../libs/foundation/src/telemetry/telemetry.js';
import { ORDERS, OrdersClock, settled } from './orders.clock.js';
import { fault, RemoteCalls } from './remote.calls.js';

Logger.overrideLogger(false);

const EVERY_MS = 1000;
const times = new TickTimes(
  { getNextDateFrom: (start) => ({ toMillis: () => (Math.floor(start.getTime() / EVERY_MS) + 1) * EVERY_MS }) },
  'UTC',
);
/** Whether a time waits for the run before, and how long runs take. */
const kind = fc.record({
  overlap: fc.constantFrom('skip' as const, 'queue' as const),
  takesMs: fc.constantFrom(0, 300, 1500),
});

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(100, 400, 1000, 3500) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('owner' as const), faults: fc.array(fault, { maxLength: 24 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('nobody' as const) }) },
);

it('fires each time at most once and loses count of none, in whatever order everything comes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), kind, fc.array(step, { minLength: 3, maxLength: 14 }), async (s, job, steps) => {
      const schedule: JobSchedule = { text: 'each second', missed: 'skip', overlap: job.overlap, times };
      const clock = new OrdersClock();
      const kept = new LocalTicks(clock.wall);
      const fired: number[] = [];
      /** Those that began on a node that had the job no more (I1). */
      const stale: number[] = [];
      const began = clock.time;
      let epoch = 0;
      let end: () => void = () => undefined;
      const own = (calls: RemoteCalls): void => {
        end();
        epoch += 1;
        const mine = epoch;
        const abort = new AbortController();
        let isOwner = true;
        end = () => {
          isOwner = false;
          abort.abort(new Error('ended'));
        };
        const ticks: Pick<Ticks, 'open' | 'write'> = {
          open: (name, as) => calls.call(`${mine} opens`, () => kept.open(name, as)),
          write: (name, as, text, claim) => calls.call(`${mine} writes`, () => kept.write(name, as, text, claim)),
        };
        const runner = new JobRunner({
          ...{ name: 'close', schedule: () => schedule, ticks, telemetry: new Telemetry() },
          ...{ wallClock: clock.wall, clock },
          call: async ({ scheduledAt }) => {
            fired.push(scheduledAt.getTime());
            if (!isOwner) stale.push(scheduledAt.getTime());
            if (job.takesMs > 0) await new Promise<void>((resolve) => clock.setTimeout(resolve, job.takesMs));
          },
        });
        runner.onProcessStart({
          ...{ node: `n${mine}`, epoch: mine, signal: abort.signal, isOwner: () => isOwner },
          run: (task: (signal: AbortSignal) => Promise<void>) => void task(abort.signal).catch(() => undefined),
        } as unknown as ProcessContext);
      };
      own(new RemoteCalls(s, []));
      s.scheduleSequence(
        steps.map((each) => ({
          label: JSON.stringify(each),
          builder: async () => {
            if (each.kind === 'owner') own(new RemoteCalls(s, each.faults));
            else if (each.kind === 'nobody') end();
            else for (const until = clock.time + each.ms; clock.time < until;) clock.pass(until - clock.time);
          },
        })),
      );
      while (s.count() > 0) {
        await s.waitOne();
        await settled();
      }
      const last = new RemoteCalls(s, []);
      last.isCalm = true;
      own(last);
      for (const until = clock.time + 5 * EVERY_MS; clock.time < until;) {
        clock.pass(100);
        await settled();
      }
      end();
      while (s.count() > 0) await s.waitOne();
      await settled();

      expect(fired.filter((time, index) => fired.indexOf(time) !== index)).toEqual([]);
      expect(stale).toEqual([]);
      const record = readRecord((await kept.read(['close']))[0]!, clock.time)!;
      const { counts, since, waiting, run } = record;
      // The job is there from the first time on that an owner has written it down.
      expect(since).toBeGreaterThanOrEqual(began);
      const claimed = (await kept.open('close', epoch + 1))!.claimed;
      expect(claimed).toBeGreaterThan(clock.time - 2 * EVERY_MS);
      const claimedTimes = Math.floor(claimed / EVERY_MS) - Math.floor(since / EVERY_MS);
      expect(counts.fired + counts.missed + counts.skipped + (waiting === undefined ? 0 : 1)).toBe(claimedTimes);
      const unsure = counts.interrupted + (run === undefined ? 0 : 1);
      expect(fired.length).toBeLessThanOrEqual(counts.fired);
      expect(fired.length).toBeGreaterThanOrEqual(counts.fired - unsure);
    }),
    { numRuns: ORDERS },
  );
}, 60_000);
