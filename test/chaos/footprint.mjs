// Measures what Foundation adds to a Nest application: npm run chaos:footprint -- --pairs 3 --rest 30
// Pairs of a bare application and a node of a cluster run side by side; prints medians as JSON.
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startRedis } from '../../dist/test/support/redis-server.js';

const { values } = parseArgs({
  options: { pairs: { type: 'string', default: '3' }, rest: { type: 'string', default: '30' } },
});
const seconds = Number(values.rest);
const app = new URL('../../dist/test/apps/bare.js', import.meta.url);
const redis = await startRedis();
const children = [];
try {
  const kinds = Array.from({ length: Number(values.pairs) }, () => ['bare', 'foundation']).flat();
  for (const kind of kinds) children.push({ kind, child: await start(kind) });
  // Start-up work and its garbage are over by then.
  await delay(15_000);
  const before = children.map(({ child }) => ticks(child.pid));
  await delay(seconds * 1000);
  const samples = children.map(({ kind, child }, index) => ({
    kind,
    cpuPercent: (ticks(child.pid) - before[index]) / seconds,
    rssMb: rss(child.pid),
  }));
  const bare = median('bare', samples);
  const node = median('foundation', samples);
  console.log(
    JSON.stringify(
      {
        bare,
        node,
        added: { rssMb: round(node.rssMb - bare.rssMb), cpuPercent: round(node.cpuPercent - bare.cpuPercent) },
      },
      undefined,
      2,
    ),
  );
} finally {
  for (const { child } of children) child.kill('SIGKILL');
  await redis.stop();
}

function start(kind) {
  const env = { ...process.env, FOUNDATION_REDIS_URL: redis.url, FOUNDATION_APP_NAME: 'footprint' };
  const child = fork(app, [kind], { env });
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve(child));
    child.once('exit', (code) => reject(new Error(`${kind} ended with ${code}`)));
  });
}

/** User and system time; a tick is 10 ms, so ticks per second are percent of a core. */
function ticks(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function rss(pid) {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

function median(kind, samples) {
  const of = (key) =>
    samples
      .filter((sample) => sample.kind === kind)
      .map((sample) => sample[key])
      .sort((a, b) => a - b);
  const middle = (list) => list[Math.floor(list.length / 2)];
  return { rssMb: round(middle(of('rssMb'))), cpuPercent: round(middle(of('cpuPercent'))) };
}

function round(value) {
  return Math.round(value * 100) / 100;
}
