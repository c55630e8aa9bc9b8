// Cluster-wide cron jobs by their history: npm run chaos:cron -- --ticks 200 --seed 123
// The owner of a job that fires each second is killed, terminated or frozen for longer than its lease, around a tick,
// again and again. At the end each time was fired once or is reported. Exit code 1 otherwise.
import { parseArgs } from 'node:util';
import { eventually, historyNow } from 'nestjs-foundation/testing';
import { TestCluster } from '../../dist/test/support/cluster.js';
import { msBetween, passed } from '../../dist/test/support/history.time.js';
import { quantiles } from '../../dist/test/support/quantiles.js';
import { mulberry32 } from './history.plan.mjs';

const { values } = parseArgs({
  options: {
    ticks: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const [ticks, seed] = [Number(values.ticks), Number(values.seed)];
console.log(`Seed ${seed}, ${ticks} ticks: npm run chaos:cron -- --ticks ${ticks} --seed ${seed}`);

const NODES = ['a', 'b', 'c'];
/** Before and after a tick; some are in the middle of a run, which takes 150 ms. */
const AROUND_MS = [-120, -30, -5, 0, 3, 10, 60, 140, 300];
/** Longer than a lease, so that another node owns the job when it wakes up. */
const FROZEN_MS = 2500;
const random = mulberry32(seed);
const pick = (all) => all[Math.floor(random() * all.length)];

const cluster = await TestCluster.open({ processes: 'steady', env: { TEST_CRON: '1', TEST_QUIET: '1' } });
const faults = [];
let code = 1;
try {
  await cluster.start(NODES);
  await cluster.members(NODES);
  await firing(0);
  const began = historyNow();
  while (msBetween(began, historyNow()) < ticks * 1000) await fault();
  await cluster.members(NODES);
  await firing(historyNow());
  code = report();
} catch (error) {
  console.error(error);
} finally {
  await cluster.close();
}
process.exit(code);

/** Until a job was fired after that time; the event. */
async function firing(after, not) {
  return cluster.event(
    { event: 'test.cron_fired', after, where: ({ node, payload }) => payload.job === 'seconds' && node !== not },
    30_000,
  );
}

async function fault() {
  const owner = cluster
    .events({ event: 'test.cron_fired', where: ({ payload }) => payload.job === 'seconds' })
    .at(-1).node;
  const node = cluster.node(owner);
  const kind = pick(['kill -9', 'SIGTERM', 'freeze']);
  const around = pick(AROUND_MS);
  const tick = (Math.floor(Date.now() / 1000) + 2) * 1000 + around;
  await eventually(() => Date.now() >= tick, { timeout: 10_000, every: 1 });
  const at = historyNow();
  if (kind === 'kill -9') await node.kill();
  else if (kind === 'SIGTERM') await node.terminate();
  else await node.freeze();
  const next = await firing(at, owner);
  faults.push({ kind, around, takenOverMs: msBetween(at, next.at) });
  console.log(
    `  ${kind} of ${owner} ${around} ms from a tick: ${next.node} fires ${Math.round(msBetween(at, next.at))} ms later`,
  );
  if (kind === 'freeze') {
    await passed(at, FROZEN_MS);
    node.thaw();
  } else await cluster.start([owner]);
  await cluster.members(NODES);
}

function report() {
  const history = cluster.history();
  const of = (event, job) => history.filter((each) => each.event === event && each.payload.job === job);
  const rows = ['seconds', 'lagging'].map((job) => {
    const fired = of('test.cron_fired', job);
    const times = fired.map(({ payload }) => payload.scheduled);
    const missed = of('cron.missed', job).reduce((sum, { payload }) => sum + payload.count, 0);
    return {
      job,
      fired: fired.length,
      duplicates: times.length - new Set(times).size,
      missed,
      'caught up': of('cron.missed', job).filter(({ payload }) => payload.caughtUp).length,
      interrupted: of('cron.interrupted', job).length,
      skipped: of('cron.skipped', job).length,
      'late, median ms': quantiles(
        of('cron.started', job)
          .filter(({ payload }) => payload.cause === 'tick')
          .map(({ payload }) => payload.lateMs),
      ).p50,
    };
  });
  console.table(rows);
  console.table(
    ['kill -9', 'SIGTERM', 'freeze'].map((kind) => {
      const times = faults.filter((each) => each.kind === kind).map(({ takenOverMs }) => takenOverMs);
      return {
        fault: kind,
        times: times.length,
        'next fires after, median ms': quantiles(times).p50,
        'most ms': quantiles(times).max,
      };
    }),
  );
  const violations = cluster.violations();
  for (const each of violations) console.error(each);
  console.log(violations.length === 0 ? 'Each time was fired once or is reported.' : `${violations.length} violations`);
  return violations.length === 0 ? 0 : 1;
}
