// A random test of everything that can happen to processes: npm run chaos:history -- --seconds 60 --seed 123 Joins,
// leaves, kills, freezes, faults of Redis, moves, restarts, stops and crashes by a seed, calls all the time, and at the
// end the histories of all nodes are held to the invariants. Exit code 1 on a violation; the histories are kept then.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkHistory, describeViolations, historyNow } from 'nestjs-foundation/testing';
import { TestCluster } from '../../dist/test/support/cluster.js';
import { msBetween, passed } from '../../dist/test/support/history.time.js';
import { stallsOf } from '../../dist/test/support/stalls.js';
import { Actions, LONGEST_LEASE_MS } from './history.actions.mjs';
import { figuresOf } from './history.figures.mjs';
import { ALL_SLOTS, describeAction, NODES, planOf, SLOTS } from './history.plan.mjs';
import { oneView } from './one.view.mjs';

const LAST_ACTIONS = 40;
const MOST_SHOWN = 50;
const OWNED_WITHIN_MS = 20_000;
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const seed = Number(values.seed);
const seconds = Number(values.seconds);
console.log(`Seed ${seed}, ${seconds} s: npm run chaos:history -- --seconds ${seconds} --seed ${seed}`);

const cluster = await TestCluster.open({
  processes: Object.keys(SLOTS).join(),
  env: { TEST_CALLS: '1', TEST_TALK: '1', TEST_CRON: '1', TEST_STALE: '1', TEST_LOOK_EVERY: '400' },
  behindProxies: NODES,
});
const done = [];
let began = historyNow();
const actions = new Actions(cluster, (action, what) => say(`  … ${describeAction(action)}: ${what}`));
const interrupted = new Promise((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => resolve(signal));
});

let code = 1;
try {
  const outcome = await Promise.race([run(), interrupted]);
  code = typeof outcome === 'string' ? 130 : outcome.length > 0 ? 1 : 0;
} catch (error) {
  // First of all, because what follows reads the same histories and may fail in the same way.
  keepHistories();
  console.error(error);
  fail([`It was not whole again: ${error.message}`, ...violationsOf({})]);
} finally {
  actions.cancel();
  await cluster.close();
}
process.exit(code);

async function run() {
  await actions.start(NODES);
  await cluster.members(NODES);
  for (const name of ALL_SLOTS) await cluster.owner(name);
  began = historyNow();
  for (const action of planOf(seed, seconds)) {
    await passed(began, action.at);
    done.push(say(describeAction(action)));
    actions.begin(action);
  }
  await actions.heal();
  const healed = historyNow();
  say('every fault has ended');
  const wanted = ALL_SLOTS.filter((slot) => ![...actions.down].some((name) => SLOTS[name].includes(slot)));
  cluster.noteFault('the end of all faults', wanted, OWNED_WITHIN_MS, healed);
  await actions.revive();
  for (const name of ALL_SLOTS) await cluster.owner(name, { timeout: 30_000 });
  const settledAt = await oneView(cluster, NODES.length);
  say(`whole again after ${msBetween(healed, settledAt).toFixed(0)} ms`);
  const violations = violationsOf({ settledAt });
  if (violations.length > 0) fail(violations);
  report(violations);
  return violations;
}

/**
 * What the checker has to say; its facts are kept beside the histories, so that these can be checked again. The
 * histories are read once: nodes reach Redis by way of this process, and lose their leases while it reads.
 */
function violationsOf(more) {
  const events = cluster.history();
  const policies = { import: 'transient', 'job-*': 'transient', 'once-*': 'temporary' };
  const { frozen: byUs } = cluster.injuries();
  const isOurs = ({ pid, from, until }) =>
    byUs.some((one) => one.pid === pid && one.from < until && (one.until ?? Infinity) > from);
  const stalls = stallsOf(events).filter((one) => !isOurs(one));
  // A busy machine makes processes stand still; a product that does would show here as well.
  const longest = Math.max(0, ...stalls.map(({ from, until }) => msBetween(from, until)));
  say(`${stalls.length} times a process stood still by itself, ${longest.toFixed(0)} ms at the longest`);
  const frozen = [...byUs, ...stalls];
  const facts = cluster.facts({ policies, leaseTtlMs: LONGEST_LEASE_MS, frozen, ...more });
  writeFileSync(join(cluster.folder, 'facts.json'), JSON.stringify(facts, undefined, 2));
  return describeViolations(checkHistory(events, facts), events);
}

/**
 * I8: until every node has the same version of the view, and still has it at the next look: it says so a little later.
 */
function say(what) {
  const line = `[${(msBetween(began, historyNow()) / 1000).toFixed(2).padStart(7)} s] ${what}`;
  console.log(line);
  return line;
}

function keepHistories() {
  process.env.FOUNDATION_TEST_KEEP = '1';
}

function fail(violations) {
  keepHistories();
  console.log(`\nVIOLATED with seed ${seed}. The last actions were:\n${done.slice(-LAST_ACTIONS).join('\n')}\n`);
  console.log(violations.slice(0, MOST_SHOWN).join('\n'));
  if (violations.length > MOST_SHOWN) console.log(`… and ${violations.length - MOST_SHOWN} more`);
  console.log(`\nThe histories and logs of the nodes are in ${cluster.folder}`);
}

function report(violations) {
  const kinds = {};
  for (const { kind } of planOf(seed, seconds)) kinds[kind] = (kinds[kind] ?? 0) + 1;
  const figures = figuresOf(cluster.history(), cluster.injuries());
  console.log(JSON.stringify({ seed, seconds, violations: violations.length, actions: kinds, ...figures }));
}
