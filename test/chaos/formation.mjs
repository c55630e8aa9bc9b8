// Measures how long many nodes need to see one another: npm run chaos:formation -- --nodes 100 --processes 5
// Each process holds several nodes, because a machine has no room for so many; all are begun at once. Prints JSON.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { historyNow } from 'nestjs-foundation/testing';
import { msBetween } from '../../dist/test/support/history.time.js';
import { startRedis } from '../../dist/test/support/redis-server.js';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '100' },
    processes: { type: 'string', default: '5' },
    runs: { type: 'string', default: '3' },
  },
});
const [total, processes, runs] = [values.nodes, values.processes, values.runs].map(Number);
const redis = await startRedis();
const figures = [];
try {
  for (let run = 0; run < runs; run++) figures.push(await form(`formation-${run}`));
} finally {
  await redis.stop();
}
console.log(JSON.stringify({ nodes: total, processes, figures }, undefined, 2));

async function form(appName) {
  const counts = Array.from({ length: processes }, (_, index) => Math.floor((total + index) / processes));
  const children = counts.map((count, index) =>
    fork(join(import.meta.dirname, 'formation.child.mjs'), [
      JSON.stringify({ redis: redis.url, appName, prefix: `p${index}`, count, total }),
    ]),
  );
  try {
    // Node and Nest have been loaded by then, which is what most of a start is.
    await Promise.all(children.map((child) => once(child, 'message')));
    const began = historyNow();
    for (const child of children) child.send('form');
    const ends = await Promise.all(children.map((child) => once(child, 'message')));
    const last = ends.map(([at]) => at).reduce((a, b) => (a > b ? a : b));
    const formedMs = Math.round(msBetween(began, last));
    console.error(`${total} nodes in ${processes} processes: ${formedMs} ms`);
    return { formedMs };
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}
