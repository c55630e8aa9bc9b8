// Measures many singletons on three nodes: npm run chaos:thousand -- --singletons 1000 Prints JSON: time until all run,
// and until nothing moves any more, CPU of Foundation at rest (%), and time until all run again after a SIGKILL.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { eventually, historyNow } from 'nestjs-foundation/testing';
import { TestCluster } from '../../dist/test/support/cluster.js';
import { msBetween } from '../../dist/test/support/history.time.js';

const { values } = parseArgs({
  options: { singletons: { type: 'string', default: '1000' }, rest: { type: 'string', default: '20' } },
});
const total = Number(values.singletons);
const NAMES = ['a', 'b', 'c'];
const ticksPerSecond = 100;

const cluster = await TestCluster.open({ processes: `idle:${total}` });
try {
  const spawned = historyNow();
  const nodes = await cluster.start(NAMES, { TEST_HISTORY: '/dev/null', TEST_QUIET: '1' });
  await cluster.members(NAMES, 120_000);
  const first = await allRunning(nodes[0]);
  const upMs = msBetween(spawned, historyNow());
  const balancedMs = await balanced(nodes[0], spawned);
  const idle = await cpuPercent([...nodes.map(({ pid }) => pid), cluster.redis.pid], Number(values.rest));
  const held = NAMES.map((name, index) => `${name} ${idle[index]} %`).join(', ');
  console.log(`${total} singletons: all run after ${seconds(upMs)} s; held with ${held} CPU, Redis ${idle[3]} %`);
  const victim = nodes.find(({ name }) => name === NAMES[2]);
  const lost = first.get(victim.name) ?? 0;
  const killed = historyNow();
  await victim.kill();
  const after = await allRunning(nodes[0], victim.name);
  const backMs = msBetween(killed, historyNow());
  console.log(
    JSON.stringify(
      {
        singletons: total,
        perNode: Object.fromEntries(first),
        spawnToAllRunningMs: Math.round(upMs),
        spawnToBalancedMs: balancedMs,
        idleCpuPercentOfOneCore: { a: idle[0], b: idle[1], c: idle[2], redis: idle[3] },
        lostByKill: lost,
        killToAllRunningMs: Math.round(backMs),
        perNodeAfter: Object.fromEntries(after),
      },
      undefined,
      2,
    ),
  );
} finally {
  await cluster.close();
}

function seconds(ms) {
  return (ms / 1000).toFixed(1);
}

/** Until every singleton runs, none on `not`; returns how many each node has. */
async function allRunning(node, not) {
  let seen;
  return eventually(
    async () => {
      // A list of thousands costs its node and Redis more than what is measured, so it is asked for at the end only.
      const members = (await node.ask('members')).filter(({ name }) => name !== not);
      seen = members.map(({ name, load }) => `${name} owns ${load}`);
      if (members.reduce((sum, { load }) => sum + load, 0) < total) return undefined;
      const list = await node.ask('list');
      const running = list.filter((info) => info.state === 'running' && info.node !== not);
      seen = running.length;
      if (running.length < total) return undefined;
      const counts = new Map();
      for (const info of running) counts.set(info.node, (counts.get(info.node) ?? 0) + 1);
      return counts;
    },
    { timeout: 120_000, every: 100, what: `${total} running singletons`, lastSeen: () => seen },
  );
}

/** Until nothing has moved for ten seconds: what is held at rest is measured after that. */
async function balanced(node, spawned) {
  let before;
  let since = historyNow();
  return eventually(
    async () => {
      const now = JSON.stringify((await node.ask('members')).map(({ name, load }) => [name, load]));
      if (now !== before) since = historyNow();
      before = now;
      return msBetween(since, historyNow()) > 10_000 ? Math.round(msBetween(spawned, since)) : undefined;
    },
    { timeout: 600_000, every: 500, what: 'A balance', lastSeen: () => before },
  );
}

async function cpuPercent(pids, seconds) {
  await delay(5000);
  const before = pids.map(ticks);
  await delay(seconds * 1000);
  return pids.map((pid, index) => Number((((ticks(pid) - before[index]) / ticksPerSecond / seconds) * 100).toFixed(2)));
}

function ticks(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
