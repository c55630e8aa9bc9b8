// Measures how long many nodes need to see one another: npm run chaos:formation -- --nodes 100 --processes 5
// Each process holds several nodes, because a machine has no room for so many; all are begun at once. Prints JSON.
import { parseArgs } from 'node:util';
import { startRedis } from '../../dist/test/support/redis-server.js';
import { form } from './forming.mjs';

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
  for (let run = 0; run < runs; run++) {
    const formedMs = await form({ redis, appName: `formation-${run}`, total, processes });
    console.error(`${total} nodes in ${processes} processes: ${formedMs} ms`);
    figures.push({ formedMs });
  }
} finally {
  await redis.stop();
}
console.log(JSON.stringify({ nodes: total, processes, figures }, undefined, 2));
