// Measures what a node with many services costs the others when it leaves: npm run chaos:services -- --others 9000
// --leaving 1000 Real processes, real Redis. Prints the longest PING of another client meanwhile; a lease that is lost
// fails it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { eventually } from 'nestjs-foundation/testing';
import { startRedis } from '../../dist/test/support/redis-server.js';

const { values } = parseArgs({
  options: { others: { type: 'string', default: '9000' }, leaving: { type: 'string', default: '1000' } },
});
const [others, leaving] = [Number(values.others), Number(values.leaving)];
const server = await startRedis();
const nodes = { a: 0, b: leaving, c: others };
const children = Object.entries(nodes).map(([nodeName, offers]) => {
  const options = { redis: server.url, appName: 'chaos', nodeName, total: 3, offers };
  return fork(new URL('services.child.mjs', import.meta.url), [JSON.stringify(options)]);
});
const client = new Redis(server.adminUrl);
try {
  const [a, b, c] = children;
  await Promise.all(children.map((child) => once(child, 'message')));
  const ask = async (child) => {
    child.send('look');
    return (await once(child, 'message'))[0];
  };
  const see = (count) =>
    eventually(async () => (await ask(a)).services === count, {
      timeout: 60_000,
      every: 200,
      what: `${count} services`,
    });
  await see(others + leaving);
  await eventually(async () => (await ask(a)).owned > 0, { timeout: 30_000, every: 200, what: 'Leases' });

  const quiet = await pings(new Promise((resolve) => setTimeout(resolve, 2000)));
  b.send('leave');
  const left = once(b, 'message');
  const meanwhile = await pings(left);
  const [{ ms }] = await left;
  await see(others);
  const bad = (await Promise.all([a, c].map(ask))).flatMap((seen) => seen.bad);
  console.log(
    JSON.stringify({ others, leaving, leftInMs: Math.round(ms), pingMs: { quiet, meanwhile }, bad }, undefined, 2),
  );
  process.exitCode = bad.length > 0 ? 1 : 0;
} finally {
  client.disconnect();
  for (const child of children) child.kill();
  await server.stop();
}

/** The longest PING, one after the other, until `done`. */
async function pings(done) {
  let over = false;
  void done.then(() => (over = true));
  let longest = 0;
  while (!over) {
    const began = performance.now();
    await client.ping();
    longest = Math.max(longest, performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return Math.round(longest * 10) / 10;
}
