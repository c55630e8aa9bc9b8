// A cron job that goes from owner to owner, under every order in which they end and Redis hears, loses or answers what
// they ask (I27): a time is fired at most once, and what is not fired is counted as missed, skipped or interrupted.
import { expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import { LocalTicks } from '../../../libs/foundation/src/backend/leases/local.ticks.js';
import { readRecord } from '../../../libs/foundation/src/cron/job.record.js';
import { EVERY_MS, JOB, JobOwners, stepOf } from './cron.owners.js';
import { ORDERS, OrdersClock } from './orders.clock.js';
import { fault, RemoteCalls } from './remote.calls.js';

Logger.overrideLogger(false);

const kind = fc.record(JOB);
const step = stepOf(fc.array(fault, { maxLength: 24 }));

it('fires each time at most once and loses count of none, in whatever order everything comes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), kind, fc.array(step, { minLength: 3, maxLength: 14 }), async (s, job, steps) => {
      const clock = new OrdersClock();
      const kept = new LocalTicks(clock.wall);
      const owners = new JobOwners(s, clock, job);
      const began = clock.time;
      const own = (calls: RemoteCalls): void =>
        owners.begin((epoch) => ({
          open: (name, as) => calls.call(`${epoch} opens`, () => kept.open(name, as)),
          write: (name, as, text, claim) => calls.call(`${epoch} writes`, () => kept.write(name, as, text, claim)),
        }));
      own(new RemoteCalls(s, []));
      await owners.go(steps, (faults) => own(new RemoteCalls(s, faults)));
      const last = new RemoteCalls(s, []);
      last.isCalm = true;
      own(last);
      await owners.finish(5 * EVERY_MS);

      owners.requireOnce();
      const record = readRecord((await kept.read(['close']))[0]!, clock.time)!;
      // The job is there from the first time on that an owner has written it down.
      expect(record.since).toBeGreaterThanOrEqual(began);
      const claimed = (await kept.open('close', owners.epoch + 1))!.claimed;
      expect(claimed).toBeGreaterThan(clock.time - 2 * EVERY_MS);
      owners.requireCounted(record, claimed);
    }),
    { numRuns: ORDERS },
  );
}, 60_000);
