// Measures what ended processes cost: npm run chaos:rows -- --ended 30000 --jobs 20 --seconds 20
// Two nodes, one of which starts short jobs. Prints JSON: CPU and event loop (%) of both without jobs and with them.
import { fork } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { startRedis } from '../../dist/test/support/redis-server.js';

const { values } = parseArgs({
  options: {
    ended: { type: 'string', default: '30000' },
    jobs: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '20' },
    profile: { type: 'string' },
  },
});
const [ended, jobs, seconds] = [Number(values.ended), Number(values.jobs), Number(values.seconds)];
const appName = 'rows';
const redis = await startRedis();
const children = [];
try {
  await seed();
  for (const nodeName of ['worker', 'idle']) children.push(await start(nodeName));
  await delay(3000);
  await measure();
  await delay(seconds * 1000);
  const withoutJobs = await measure();
  children[0].send({ jobs });
  await delay(3000);
  await measure();
  await delay(seconds * 1000);
  const withJobs = await measure();
  console.log(JSON.stringify({ ended, jobs, seconds, withoutJobs, withJobs }, undefined, 2));
} finally {
  for (const child of children) child.disconnect();
  await delay(500);
  await redis.stop();
}

/** Rows as the table writes them, of jobs that ended a moment ago. */
async function seed() {
  const client = new Redis(redis.adminUrl);
  const tag = `{foundation:${appName}}`;
  const options = {
    ...{ restart: 'temporary', maxRestarts: 5, maxSeconds: 60, timeout: 10_000, stopTimeout: 5000 },
    backoff: { base: 200, cap: 10_000 },
  };
  const [s, us] = await client.time();
  const newest = Number(s) * 1_000_000 + Number(us);
  for (let at = 0; at < ended; at += 1000) {
    const pipeline = client.pipeline();
    for (let index = at; index < Math.min(ended, at + 1000); index++) {
      const name = `ended-${index}`;
      const spec = { name, type: 'Job', declared: false, kind: 'singleton', count: 1, args: [], options };
      const rest = { placement: { strategy: 'spread', labels: {} }, handoff: false, rebalance: 'off' };
      const stands = { status: 'completed', after: newest, confirmed: true };
      pipeline.hset(`${tag}:processes`, name, JSON.stringify({ ...spec, ...rest, ...stands }));
      pipeline.zadd(`${tag}:processes:versions`, newest - ended + index, name);
    }
    await pipeline.exec();
  }
  client.disconnect();
}

async function start(nodeName) {
  const profile = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`];
  const settings = JSON.stringify({ redis: redis.url, appName, nodeName });
  const child = fork(fileURLToPath(new URL('rows.child.mjs', import.meta.url)), [settings], { execArgv: profile });
  child.on('message', (message) => message.error !== undefined && console.error(nodeName, message.error));
  await new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${nodeName} ended with ${code}`)));
    child.on('message', (message) => message === 'ready' && resolve());
  });
  return child;
}

/** How busy each was since the last call; the worker goes on with its jobs. */
async function measure() {
  const figures = await Promise.all(
    children.map((child) => {
      const answer = new Promise((resolve) => {
        const hear = (message) => {
          if (message.cpuPercent === undefined) return;
          child.off('message', hear);
          resolve(message);
        };
        child.on('message', hear);
      });
      child.send({ tell: true });
      return answer;
    }),
  );
  return { worker: figures[0], idle: figures[1] };
}
