// How the cost grows with nodes, singletons, services, and channels × subscribers: npm run bench -- growth --report
// What each costs Redis comes from its own counters; many nodes share a process, so that a machine has room for them.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from 'nestjs-foundation/testing';
import { startRedis } from '../../dist/test/support/redis-server.js';
import { difference, startAsked, trafficOf } from './asked.mjs';
import { median } from './figures.mjs';
import { growthPage, plotsOf } from './growth.page.mjs';
import { cpuOf, machineCpu, othersNow, sharedNow } from './machine.mjs';
import { aboutRun, writePage } from './pages.mjs';
import { saveSamples } from './samples.mjs';

const CHILD = join(import.meta.dirname, 'growth.child.mjs');
const PAGE = resolve(import.meta.dirname, '../../docs/guarantees/growth.md');
const IMAGES = resolve(import.meta.dirname, '../../docs/images');
/** More nodes than this share processes. */
const PROCESSES = 4;

export const about = 'what nodes, singletons, services, channels and churn cost Redis and a node, from few to many';

const PARTS = { nodes, singletons, services, channels };

export async function run(values) {
  const others = await othersNow();
  const began = performance.now();
  const document = { quick: values.quick === true, rows: {}, missing: [] };
  for (const key of values.phases?.split(',') ?? Object.keys(PARTS)) {
    try {
      document.rows[key] = await PARTS[key](document.quick);
    } catch (error) {
      document.missing.push(`${key}: ${error.message.split('\n')[0]}.`);
      process.exitCode = 1;
      console.error(`FAILED ${key}: ${error.stack}`);
    }
  }
  const minutes = ((performance.now() - began) / 60_000).toFixed(1);
  document.command = `npm run bench -- growth${values.quick ? ' --quick' : ''} --report`;
  document.about = await aboutRun(minutes, others);
  const text = growthPage(document);
  console.log(text);
  saveSamples('growth', document, values.out);
  if (!values.report) return;
  const page = values.page ?? PAGE;
  const images = values.page === undefined ? IMAGES : join(dirname(resolve(page)), '../images');
  mkdirSync(images, { recursive: true });
  for (const [name, svg] of Object.entries(plotsOf(document))) writeFileSync(join(images, `${name}.svg`), svg);
  await writePage(text, page);
}

async function nodes(quick) {
  const rows = [];
  for (const total of quick ? [3, 10] : [3, 10, 30, 100]) {
    const row = await withCluster({ singletons: 1 }, async ({ start, spent }) => {
      const victim = await start('victim', 1);
      await victim.ask('form', { total: 1 });
      await eventually(() => victim.ask('running'), { timeout: 20_000, every: 50, what: 'The singleton' });
      const churner = await start('churner', 1);
      const rest = total - 2;
      const processes = Math.min(PROCESSES, rest);
      const others = [];
      for (let index = 0; index < processes; index++)
        others.push(await start(`p${index}`, Math.floor((rest + index) / processes)));
      const all = [victim, churner, ...others];
      const before = await rss(others);
      const joining = await spent(all, () =>
        Promise.all([
          ...[churner, ...others].map(({ ask }) => ask('form', { total })),
          victim.ask('members', { total }),
        ]),
      );
      await delay(quick ? 1000 : 4000);
      const memory = (await rss(others)) - before;
      const resting = await spent(all, () => delay(quick ? 1500 : 5000));
      const churning = await spent(all, async () => {
        for (let time = 0; time < (quick ? 1 : 4); time++) await Promise.all([delay(2000), churner.ask('restart')]);
      });
      const failovers = [];
      for (let time = 0, owner = victim; time < (quick ? 1 : 3); time++) {
        await churner.ask('members', { total });
        const killedAt = sharedNow();
        owner.child.kill('SIGKILL');
        const survivors = [churner, ...others];
        const startedAt = await eventually(
          async () => {
            const times = await Promise.all(survivors.map(({ ask }) => ask('startedAt', { name: 'one-0' })));
            return times.find((at) => at > killedAt);
          },
          { timeout: 30_000, every: 20, what: 'The singleton elsewhere' },
        );
        failovers.push((startedAt - killedAt) / 1000);
        if (time === 2 || quick) break;
        owner = await start(`victim${time}`, 1);
        await owner.ask('form', { total });
        await churner.ask('move', { name: 'one-0', to: `victim${time}-0` });
      }
      return {
        nodes: total,
        joinSeconds: joining.seconds,
        joinBytes: joining.out / total,
        ...each('rest', resting, total),
        ...each('churn', churning, total),
        rssMb: memory / 2 ** 20 / rest,
        failoverMs: median(failovers),
        others: resting.others,
      };
    });
    rows.push(row);
    console.error(JSON.stringify(row));
  }
  return rows;
}

async function singletons(quick) {
  const rows = [];
  for (const total of quick ? [10, 100] : [10, 100, 1000, 10_000]) {
    const row = await withCluster({ singletons: total }, async ({ start, spent }) => {
      const children = [];
      for (const name of ['a', 'b', 'c']) children.push(await start(name, 1));
      const runs = async (some, timeout) =>
        eventually(
          async () => {
            const counts = await Promise.all(some.map(({ ask }) => ask('running')));
            return counts.reduce((sum, each_) => sum + each_, 0) >= total;
          },
          { timeout, every: 20, what: `${total} singletons` },
        );
      const began = performance.now();
      const starting = await spent(children, async () => {
        await Promise.all(children.map(({ ask }) => ask('form', { total: 3 })));
        await runs(children, 120_000);
      });
      const startSeconds = (performance.now() - began) / 1000;
      // A thousand are put right between the nodes for a while.
      await delay(quick ? 1000 : 5000);
      const resting = await spent(children, () => delay(quick ? 1500 : 5000));
      const memory = median(await Promise.all(children.map(async ({ ask }) => (await ask('cost')).rss)));
      const killedAt = performance.now();
      const lost = await children[2].ask('running');
      children[2].child.kill('SIGKILL');
      await runs(children.slice(0, 2), 120_000);
      return {
        ...{
          singletons: total,
          startSeconds,
          startCommands: starting.commands / total,
          startBytes: (starting.in + starting.out) / total,
        },
        ...each('rest', resting, 3),
        ...{ rssMb: memory / 2 ** 20, lost, failoverMs: performance.now() - killedAt, others: resting.others },
      };
    });
    rows.push(row);
    console.error(JSON.stringify(row));
  }
  return rows;
}

async function services(quick) {
  const rows = [];
  for (const total of quick ? [10, 100] : [10, 100, 1000, 10_000]) {
    const row = await withCluster({}, async ({ start, spent }) => {
      const children = [];
      for (const name of ['owner', 'b', 'c']) children.push(await start(name, 1));
      const [owner, ...others] = children;
      await Promise.all(children.map(({ ask }) => ask('form', { total: 3 })));
      const heap = async () => median(await Promise.all(others.map(({ ask }) => ask('heap'))));
      const seen = (count) =>
        eventually(
          async () => (await Promise.all(others.map(({ ask }) => ask('services')))).every((found) => found === count),
          { timeout: 60_000, every: 20, what: `${count} services` },
        );
      await delay(1000);
      const before = await heap();
      const registering = await spent(children, async () => {
        await owner.ask('register', { from: 0, services: total });
        await seen(total);
      });
      await delay(1000);
      const after = await heap();
      const resting = await spent(children, () => delay(quick ? 1000 : 3000));
      const killedAt = performance.now();
      owner.child.kill('SIGKILL');
      await seen(0);
      return {
        ...{ services: total, registerSeconds: registering.seconds },
        registerCommands: registering.commands / total,
        registerBytes: (registering.in + registering.out) / total,
        heapBytes: (after - before) / total,
        ...each('rest', resting, 3),
        ...{ goneMs: performance.now() - killedAt, others: resting.others },
      };
    });
    rows.push(row);
    console.error(JSON.stringify(row));
  }
  return rows;
}

async function channels(quick) {
  const counts = quick ? [1, 10] : [1, 10, 100];
  const subscribers = quick ? [1, 3] : [1, 3, 9];
  const topics = (count, nodes_) => Array.from({ length: count }, (_, index) => `c${count}s${nodes_}-${index}`);
  const names = counts.flatMap((count) => subscribers.flatMap((nodes_) => topics(count, nodes_)));
  const most = subscribers.at(-1);
  return withCluster({ channels: names }, async ({ start, spent }) => {
    const [sender, receivers] = [await start('sender', 1), await start('receiver', most)];
    await Promise.all([sender, receivers].map(({ ask }) => ask('form', { total: most + 1 })));
    await delay(2000);
    const rest = await spent([sender], () => delay(2000));
    const rows = [];
    for (const count of counts) {
      for (const nodes_ of subscribers) {
        const own = topics(count, nodes_);
        await receivers.ask('subscribe', { nodes: nodes_, topics: own });
        await delay(500);
        const before = await receivers.ask('received');
        let sent = 0;
        const used = await spent([sender], async () => {
          sent = await sender.ask('broadcast', { topics: own, rate: 1000, seconds: quick ? 0.5 : 2 });
          await eventually(async () => (await receivers.ask('received')) - before >= sent * nodes_, {
            timeout: 10_000,
            every: 10,
            what: 'All messages',
          });
        });
        const without = (key) => Math.max(0, used[key] - (rest[key] / rest.seconds) * used.seconds) / sent;
        const row = {
          ...{ channels: count, subscribers: nodes_, commands: without('commands') },
          ...{ inBytes: without('in'), outBytes: without('out'), redisMicros: without('redisMicros') },
          ...{ senderMicros: without('micros'), others: used.others },
        };
        rows.push(row);
        console.error(JSON.stringify(row));
      }
    }
    return rows;
  });
}

/** What a node costs a second, of what all have cost. */
function each(prefix, { commands, in: read, out, micros, redisMicros, seconds }, count) {
  return {
    [`${prefix}Commands`]: commands / seconds / count,
    [`${prefix}In`]: read / seconds / count,
    [`${prefix}Out`]: out / seconds / count,
    [`${prefix}Cpu`]: micros / seconds / count / 1e4,
    [`${prefix}RedisCpu`]: redisMicros / seconds / 1e4,
  };
}

async function rss(children) {
  const costs = await Promise.all(children.map(({ ask }) => ask('cost')));
  return costs.reduce((sum, cost) => sum + cost.rss, 0);
}

async function withCluster(common, work) {
  const redis = await startRedis();
  const children = [];
  const start = async (prefix, count) => {
    const what = { redis: redis.url, appName: 'growth', prefix, count, ...common };
    const child = await startAsked(CHILD, what, { execArgv: ['--expose-gc'], name: prefix });
    children.push(child);
    return child;
  };
  /** What the work costs Redis, and the given processes. */
  const spent = async (of, during) => {
    const reading = async () => ({
      ...(await trafficOf(redis)),
      micros: (await Promise.all(of.map(({ ask }) => ask('cost')))).reduce((sum, { cpu }) => sum + cpu, 0),
      redisMicros: cpuOf(redis.pid) ?? NaN,
      machine: machineCpu() ?? NaN,
      at: sharedNow(),
    });
    const before = await reading();
    await during();
    const { machine, at, ...used } = difference(await reading(), before);
    return { ...used, seconds: at / 1e6, others: (machine - used.micros - used.redisMicros) / at };
  };
  try {
    return await work({ redis, start, spent });
  } finally {
    for (const { child } of children) child.kill('SIGKILL');
    await redis.stop();
  }
}
