// A cron job that goes from owner to owner on a quorum of three, under every order in which each server hears, loses or
// answers what they ask, and with clocks that differ (I27): a time is fired at most once, and none that was fired is
// reported as missed.
import { expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import { LeaseQuorum } from '../../../libs/foundation/src/backend/leases/lease.quorum.js';
import { RedisTicks } from '../../../libs/foundation/src/backend/leases/redis.ticks.js';
import { readRecord } from '../../../libs/foundation/src/cron/job.record.js';
import { JobRunner } from '../../../libs/foundation/src/cron/job.runner.js';
import type { JobSchedule } from '../../../libs/foundation/src/cron/job.schedule.js';
import { TickTimes } from '../../../libs/foundation/src/cron/tick.times.js';
import type { ProcessContext } from '../../../libs/foundation/src/processes/declaration/process.context.js';
import { Telemetry } from '../../../libs/foundation/src/telemetry/telemetry.js';
import { ORDERS, OrdersClock, settled } from './orders.clock.js';
import { type Fault, RemoteCalls } from './remote.calls.js';
import { TickServer } from './tick.server.js';

Logger.overrideLogger(false);

const EVERY_MS = 1000;
const times = new TickTimes(
  { getNextDateFrom: (start) => ({ toMillis: () => (Math.floor(start.getTime() / EVERY_MS) + 1) * EVERY_MS }) },
  'UTC',
);
const kind = fc.record({
  overlap: fc.constantFrom('skip' as const, 'queue' as const),
  takesMs: fc.constantFrom(0, 300, 1500),
  /** Of the servers: one that is so far behind takes every claim for one from far ahead. */
  behindMs: fc.constantFrom([0, 0, 0], [90_000, 0, 0], [90_000, 0, 59_000]),
});

/** Of one server: what it hears of an owner, one question after the other. */
const fault: fc.Arbitrary<Fault> = fc.constantFrom(
  ...(['none', 'none', 'none', 'none', 'none', 'request', 'request', 'answer', 'late'] as const),
);
const faults = fc.array(fault, { maxLength: 16 });
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(100, 400, 1000, 3500) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('owner' as const),
      faults: fc.tuple(faults, faults, faults),
      aheadMs: fc.constantFrom(0, 0, 0, 2500),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('nobody' as const) }) },
);

it('fires each time at most once and reports none of them as missed, whatever each server hears', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), kind, fc.array(step, { minLength: 3, maxLength: 16 }), async (s, job, steps) => {
      const schedule: JobSchedule = { text: 'each second', missed: 'skip', overlap: job.overlap, times };
      const clock = new OrdersClock();
      // The quorum waits for stragglers by the timers of Node.
      const set = jest.spyOn(globalThis, 'setTimeout');
      set.mockImplementation(((work: () => void, ms: number) => clock.setTimeout(work, ms)) as never);
      const clear = jest.spyOn(globalThis, 'clearTimeout');
      clear.mockImplementation(((timer: never) => clock.clearTimeout(timer)) as never);
      const servers = job.behindMs.map((behind) => new TickServer(() => clock.time - behind));
      const fired: number[] = [];
      /** Those that began on a node that had the job no more (I1). */
      const stale: number[] = [];
      const missed: number[] = [];
      const telemetry = new Telemetry();
      telemetry.attach('cron.missed', (_event, { first, last }) => {
        for (let time = first; time <= last; time += EVERY_MS) missed.push(time);
      });
      let epoch = 0;
      let end: () => void = () => undefined;
      const own = (given: readonly (readonly Fault[])[], aheadMs: number): void => {
        end();
        epoch += 1;
        const mine = epoch;
        const abort = new AbortController();
        let isOwner = true;
        end = () => {
          isOwner = false;
          abort.abort(new Error('ended'));
        };
        const clients = servers.map((server, index) => {
          const calls = new RemoteCalls(s, given[index] ?? []);
          calls.isCalm = given.length === 0;
          return server.clientOf(calls, `${mine} at ${index}`);
        });
        const ticks = new RedisTicks(new LeaseQuorum(clients), { cron: (name) => name, hints: 'hints' });
        const runner = new JobRunner({
          ...{ name: 'close', schedule: () => schedule, ticks, telemetry },
          ...{ wallClock: () => clock.time + aheadMs, clock },
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
      try {
        own([[], [], []], 0);
        s.scheduleSequence(
          steps.map((each) => ({
            label: JSON.stringify(each),
            builder: async () => {
              if (each.kind === 'owner') own(each.faults, each.aheadMs);
              else if (each.kind === 'nobody') end();
              else for (const until = clock.time + each.ms; clock.time < until;) clock.pass(until - clock.time);
            },
          })),
        );
        while (s.count() > 0) {
          await s.waitOne();
          await settled();
        }
        own([], 0);
        for (const until = clock.time + 8 * EVERY_MS; clock.time < until;) {
          clock.pass(100);
          await settled();
        }
        end();
        while (s.count() > 0) await s.waitOne();
        await settled();
      } finally {
        set.mockRestore();
        clear.mockRestore();
      }

      expect(fired.filter((time, index) => fired.indexOf(time) !== index)).toEqual([]);
      expect(stale).toEqual([]);
      expect(missed.filter((time) => fired.includes(time))).toEqual([]);
      const calm = new RemoteCalls(s, []);
      calm.isCalm = true;
      const all = new LeaseQuorum(servers.map((server) => server.clientOf(calm, 'people')));
      const ticks = new RedisTicks(all, { cron: (name) => name, hints: 'hints' });
      const [kept] = await ticks.recall(['close']);
      expect(kept!.claimed).toBeGreaterThan(clock.time - 3 * EVERY_MS);
      const { counts, since, waiting, run } = readRecord(kept!.record, clock.time)!;
      const claimedTimes = Math.floor(kept!.claimed / EVERY_MS) - Math.floor(since / EVERY_MS);
      expect(counts.fired + counts.missed + counts.skipped + (waiting === undefined ? 0 : 1)).toBe(claimedTimes);
      const unsure = counts.interrupted + (run === undefined ? 0 : 1);
      expect(fired.length).toBeLessThanOrEqual(counts.fired);
      expect(fired.length).toBeGreaterThanOrEqual(counts.fired - unsure);
    }),
    { numRuns: ORDERS },
  );
}, 120_000);
