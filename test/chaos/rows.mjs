// Measures what ended processes cost: npm run chaos:rows -- --ended 30000 --jobs 20 --seconds 20
// Three nodes: the worker starts short jobs, it and the peer run them, the idle one does not have their class.
// Prints JSON: CPU and event loop (%) of each without jobs and with them, and what each said to Redis for one job.
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
const NODES = ['worker', 'peer', 'idle'];
const redis = await startRedis();
const children = [];
try {
  await seed();
  for (const nodeName of NODES) children.push(await start(nodeName));
  await delay(3000);
  await measure();
  await delay(seconds * 1000);
  const withoutJobs = await measure();
  children[0].send({ jobs });
  await delay(3000);
  await measure();
  await delay(seconds * 1000);
  const withJobs = await measure();
  const rest = { withoutJobs: busy(withoutJobs), withJobs: busy(withJobs), lost: await notCompleted() };
  console.log(JSON.stringify({ ended, jobs, seconds, ...rest, perJob: perJob(withoutJobs, withJobs) }, undefined, 2));
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
  const settings = JSON.stringify({ redis: redis.url, appName, nodeName, runsJobs: nodeName !== 'idle' });
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
  return Object.fromEntries(NODES.map((name, index) => [name, figures[index]]));
}

function busy(figures) {
  const short = ([name, { cpuPercent, loopPercent, started, failed, lost, ran }]) => {
    return [name, { cpuPercent, loopPercent, started, failed, lost, ran }];
  };
  return Object.fromEntries(Object.entries(figures).map(short));
}

/** What each node said to Redis, and heard of it, for one job: without what it says all the time. */
function perJob(before, after) {
  const started = after.worker.started;
  const share = (name, command) => {
    const usual = ((before[name].commands[command] ?? 0) * after[name].seconds) / before[name].seconds;
    return Math.round(((after[name].commands[command] - usual) / started) * 100) / 100;
  };
  const of = (name) => {
    const all = Object.keys(after[name].commands).map((command) => [command, share(name, command)]);
    const shown = all.filter(([, each]) => Math.abs(each) >= 0.02).sort(([, a], [, b]) => b - a);
    const total = shown.reduce((sum, [command, each]) => (command === 'heard' ? sum : sum + each), 0);
    return { total: Math.round(total * 100) / 100, ...Object.fromEntries(shown) };
  };
  return Object.fromEntries(NODES.map((name) => [name, of(name)]));
}

/** How many jobs have another end than `completed`, or none, once no more are started. */
async function notCompleted() {
  children[0].send({ jobs: 0 });
  await delay(2000);
  const client = new Redis(redis.adminUrl);
  const rows = Object.values(await client.hgetall(`{foundation:${appName}}:processes`)).map((row) => JSON.parse(row));
  client.disconnect();
  return rows.filter(({ status }) => status !== 'completed').length;
}
