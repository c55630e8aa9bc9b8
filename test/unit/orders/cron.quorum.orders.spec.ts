// A cron job that goes from owner to owner on a quorum of three, under every order in which each server hears, loses or
// answers what they ask, and with clocks that differ (I27): a time is fired at most once, and none that was fired is
// reported as missed.
import { expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import { LeaseQuorum } from '../../../libs/foundation/src/backend/leases/lease.quorum.js';
import { RedisTicks } from '../../../libs/foundation/src/backend/leases/redis.ticks.js';
import { readRecord } from '../../../libs/foundation/src/cron/job.record.js';
import { createSigner } from '../../../libs/foundation/src/security/signer.js';
import { Telemetry } from '../../../libs/foundation/src/telemetry/telemetry.js';
import { EVERY_MS, JOB, JobOwners, stepOf } from './cron.owners.js';
import { ORDERS, OrdersClock } from './orders.clock.js';
import { type Fault, RemoteCalls } from './remote.calls.js';
import { TickServer } from './tick.server.js';

Logger.overrideLogger(false);
const SEAL = createSigner('app', undefined);

const kind = fc.record({
  ...JOB,
  /** Of the servers: one that is so far behind takes every claim for one from far ahead. */
  behindMs: fc.constantFrom([0, 0, 0], [90_000, 0, 0], [90_000, 0, 59_000]),
});

/** Of one server: what it hears of an owner, one question after the other. */
const fault: fc.Arbitrary<Fault> = fc.constantFrom(
  ...(['none', 'none', 'none', 'none', 'none', 'request', 'request', 'answer', 'late'] as const),
);
const faults = fc.array(fault, { maxLength: 16 });
const step = stepOf(
  fc.record({
    faults: fc.tuple(faults, faults, faults),
    aheadMs: fc.constantFrom(0, 0, 0, 2500),
  }),
);

it('fires each time at most once and reports none of them as missed, whatever each server hears', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), kind, fc.array(step, { minLength: 3, maxLength: 16 }), async (s, job, steps) => {
      const clock = new OrdersClock();
      // The quorum waits for stragglers by the timers of Node.
      const set = jest.spyOn(globalThis, 'setTimeout');
      set.mockImplementation(((work: () => void, ms: number) => clock.setTimeout(work, ms)) as never);
      const clear = jest.spyOn(globalThis, 'clearTimeout');
      clear.mockImplementation(((timer: never) => clock.clearTimeout(timer)) as never);
      const servers = job.behindMs.map((behind) => new TickServer(() => clock.time - behind));
      const missed: number[] = [];
      const telemetry = new Telemetry();
      telemetry.attach('cron.missed', (_event, { first, last }) => {
        for (let time = first; time <= last; time += EVERY_MS) missed.push(time);
      });
      const ticksOf = (node: string, callsOf: (server: number) => RemoteCalls): RedisTicks => {
        const clients = servers.map((server, index) => server.clientOf(callsOf(index), `${node} at ${index}`));
        return new RedisTicks(new LeaseQuorum(clients), { cron: (name) => name, hints: 'hints' }, SEAL);
      };
      const calm = (): RemoteCalls => Object.assign(new RemoteCalls(s, []), { isCalm: true });
      const owners = new JobOwners(s, clock, job, telemetry);
      try {
        owners.begin((epoch) => ticksOf(String(epoch), () => new RemoteCalls(s, [])));
        await owners.go(steps, ({ faults: given, aheadMs }) =>
          owners.begin((epoch) => ticksOf(String(epoch), (index) => new RemoteCalls(s, given[index]!)), aheadMs),
        );
        owners.begin((epoch) => ticksOf(String(epoch), calm));
        await owners.finish(8 * EVERY_MS);
      } finally {
        set.mockRestore();
        clear.mockRestore();
      }

      owners.requireOnce();
      expect(missed.filter((time) => owners.fired.includes(time))).toEqual([]);
      const [kept] = await ticksOf('people', calm).recall(['close']);
      expect(kept!.claimed).toBeGreaterThan(clock.time - 3 * EVERY_MS);
      owners.requireCounted(readRecord(kept!.record, clock.time)!, kept!.claimed);
    }),
    { numRuns: ORDERS },
  );
}, 120_000);
