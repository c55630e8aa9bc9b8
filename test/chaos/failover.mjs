// Measures what the reliability tests only bound: npm run chaos:failover -- --kills 40 --terms 20 --runs 5 --nodes
// 3,5,20 Prints JSON, then the same as Markdown. Real processes, real Redis; times come from the histories of the
// nodes.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { eventually, historyNow } from 'nestjs-foundation/testing';
import { TestCluster } from '../../dist/test/support/cluster.js';
import { msBetween } from '../../dist/test/support/history.time.js';
import { quantiles } from '../../dist/test/support/quantiles.js';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '40' },
    terms: { type: 'string', default: '20' },
    runs: { type: 'string', default: '5' },
    nodes: { type: 'string', default: '3,5,20' },
  },
});
const NAMES = ['a', 'b', 'c'];
const rows = [];
const violations = [];

rows.push(row('SIGKILL of the owner → process.started elsewhere', await failovers(Number(values.kills))));
rows.push(
  row('SIGTERM of the owner, process.stopped → process.started elsewhere', await handovers(Number(values.terms))),
);
for (const count of values.nodes.split(',').map(Number)) {
  const formed = await formations(count, Number(values.runs));
  rows.push(row(`${count} nodes spawned at once → full view everywhere`, formed.spawned));
  rows.push(row(`${count} nodes, first member → full view everywhere`, formed.joined));
}

const report = { node: process.version, cores: cpus().length, rows, violations };
console.log(JSON.stringify(report, undefined, 2));
console.log(`\n| what | n | p50 ms | p99 ms | max ms |\n| --- | ---: | ---: | ---: | ---: |`);
for (const { what, n, p50, p99, max } of rows) console.log(`| ${what} | ${n} | ${p50} | ${p99} | ${max} |`);
console.log(`\nNode ${report.node}, ${report.cores} cores. Broken invariants: ${violations.length}.`);
process.exitCode = violations.length > 0 ? 1 : 0;

function row(what, samples) {
  return { what, ...quantiles(samples) };
}

async function withCluster(names, work) {
  const cluster = await TestCluster.open();
  try {
    if (names.length > 0) {
      await cluster.start(names);
      await cluster.members(names);
    }
    const result = await work(cluster);
    violations.push(...cluster.violations());
    return result;
  } finally {
    await cluster.close();
  }
}

function failovers(count) {
  return withCluster(NAMES, async (cluster) => {
    const samples = [];
    while (samples.length < count) {
      const owner = await cluster.owner('steady');
      const killedAt = await cluster.node(owner.node).kill();
      const started = await cluster.event({ event: 'process.started', name: 'steady', after: killedAt });
      samples.push(msBetween(killedAt, started.at));
      await cluster.start([owner.node]);
      await cluster.members(NAMES);
      progress('kill', samples);
    }
    return samples;
  });
}

function handovers(count) {
  return withCluster(NAMES, async (cluster) => {
    const samples = [];
    while (samples.length < count) {
      const owner = await cluster.owner('steady');
      const since = historyNow();
      await cluster.node(owner.node).terminate();
      const stopped = await cluster.event({ event: 'process.stopped', name: 'steady', node: owner.node, after: since });
      const started = await cluster.event({ event: 'process.started', name: 'steady', after: stopped.at });
      samples.push(msBetween(stopped.at, started.at));
      await cluster.start([owner.node]);
      await cluster.members(NAMES);
      progress('SIGTERM', samples);
    }
    return samples;
  });
}

async function formations(count, runs) {
  const spawned = [];
  const joined = [];
  const names = Array.from({ length: count }, (_, index) => `n${index}`);
  for (let run = 0; run < runs; run++) {
    await withCluster([], async (cluster) => {
      const began = historyNow();
      await Promise.all(cluster.spawn(names).map(({ ready }) => ready));
      const full = await eventually(() => {
        const events = cluster.events({
          event: 'cluster.view_changed',
          where: ({ payload }) => payload.members === count,
        });
        const firsts = new Map(events.toReversed().map((event) => [event.node, event.at]));
        return firsts.size === count && Math.max(...firsts.values());
      });
      spawned.push(msBetween(began, full));
      joined.push(msBetween(cluster.events({ event: 'cluster.node_joined' })[0].at, full));
    });
    progress(`${count} nodes`, spawned);
  }
  return { spawned, joined };
}

function progress(what, samples) {
  console.error(`${what} ${samples.length}: ${samples.at(-1).toFixed(0)} ms`);
}
