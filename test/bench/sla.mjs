// Every limit of the seed's tables beside what a run reaches: npm run bench -- sla --report. Ends with 1 only beyond a
// limit of the seed, or where a row could not be measured.
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startRedis } from '../../dist/test/support/redis-server.js';
import { form } from '../chaos/forming.mjs';
import { difference, startAsked, trafficOf } from './asked.mjs';
import { median, spread } from './figures.mjs';
import { othersNow } from './machine.mjs';
import { aboutRun, writePage } from './pages.mjs';
import { programOf, run as runScenario } from './run.mjs';
import { saveSamples } from './samples.mjs';
import { figuresOf, isBeyond, judged, servicePage } from './service.levels.mjs';
import { idle } from './whole.mjs';

const CHILD = join(import.meta.dirname, 'sla.child.mjs');
const PAGE = resolve(import.meta.dirname, '../../docs/guarantees/service-levels.md');
const SERVICES = 1000;
const CHANNELS = 200;
const LOOKUPS = 10_000;
const TOPICS = Array.from({ length: CHANNELS }, (_, index) => `topic-${index}`);

export const about = 'every limit of the seed: formation, latency, memory, CPU, bytes; with what this library reaches';

const PARTS = { formation: formations, spike: formationCpu, channels, memory, bytes, idle: resting };

export async function run(values) {
  const others = await othersNow();
  const began = performance.now();
  const figures = {};
  const missing = [];
  const part = async (title, work) => {
    console.error(`\n${title}`);
    try {
      Object.assign(figures, await work(values.quick === true));
    } catch (error) {
      missing.push(`${title}: ${error.message.split('\n')[0]}.`);
      console.error(`FAILED ${title}: ${error.stack}`);
    }
  };
  const asked = values.phases?.split(',') ?? Object.keys(PARTS);
  for (const key of asked) await part(key, PARTS[key]);
  const rows = judged(figures);
  const minutes = ((performance.now() - began) / 60_000).toFixed(1);
  const command = `npm run bench -- sla${values.quick ? ' --quick' : ''} --report`;
  const document = { rows, missing, quick: values.quick === true, command, about: await aboutRun(minutes, others) };
  const text = servicePage(document);
  console.log(text);
  saveSamples('sla', document, values.out);
  if (values.report) await writePage(text, values.page ?? PAGE);
  // Who asks for some of it misses the others on purpose.
  const held = values.phases === undefined ? rows : rows.filter(({ why }) => why === undefined);
  process.exitCode = isBeyond(held) || missing.length > 0 ? 1 : 0;
}

async function formations(quick) {
  const figures = {};
  const plan = quick
    ? [
        [5, 5, 1],
        [20, 5, 1],
        [100, 5, 1],
      ]
    : [
        [5, 5, 7],
        [20, 5, 4],
        [100, 5, 2],
      ];
  for (const [total, processes, runs] of plan) {
    const redis = await startRedis();
    const seconds = [];
    try {
      for (let index = 0; index < runs; index++) {
        const ms = await form({ redis, appName: `sla-${total}-${index}`, total, processes });
        seconds.push(ms / 1000);
        console.error(`${total} nodes: ${ms} ms`);
      }
    } finally {
      await redis.stop();
    }
    figures[`formation-${total}`] = { figure: median(seconds), n: runs };
    figures[`formation-${total}-worst`] = { figure: spread(seconds)[1], n: runs };
  }
  return figures;
}

/** A node with a process of its own, while the others join. */
async function formationCpu() {
  return withRedis(async (redis, start) => {
    const member = await start({ appName: 'spike', nodeName: 'member' });
    await delay(3000);
    // Until the others have loaded Node and Nest, the member has nothing to do: its idling is in the figure.
    const before = await member.ask('cpu');
    let spent;
    const joining = form({ redis, appName: 'spike', total: 19, processes: 5, more: 1 }, async () => {
      spent = (await member.ask('cpu')) - before;
    });
    const seconds = (await joining) / 1000;
    return {
      'cpu-formation': { figure: spent / 1e4 / seconds, n: 1 },
      'cpu-formation-seconds': { figure: seconds, n: 1 },
    };
  });
}

async function channels(quick) {
  const only = 'ioredis,foundation-redis,foundation-direct';
  return figuresOf(await runScenario('levels', { only, quick, ...(quick ? {} : { reps: 2 }) }));
}

/** Of 1000 services and 200 channels, and what lookups cost Redis. */
async function memory() {
  return withRedis(async (redis, start) => {
    const [owner, other] = [await start({ nodeName: 'owner' }), await start({ nodeName: 'other' })];
    await Promise.all([owner, other].map(({ ask }) => ask('members', { count: 2 })));
    const nodes = [owner, other];
    const weigh = () => Promise.all(nodes.map(async ({ ask }) => (await ask('weigh')).heapUsed));
    await settled(nodes);
    const before = await weigh();
    await owner.ask('register', { count: SERVICES });
    await other.ask('services', { count: SERVICES });
    await settled(nodes);
    const after = await weigh();
    const idleRate = await trafficIn(redis, () => delay(3000));
    const began = performance.now();
    const looked = await trafficIn(redis, () => other.ask('lookups', { count: LOOKUPS, of: SERVICES }));
    const idling = ((idleRate.in + idleRate.out) / 3000) * (performance.now() - began);
    await settled(nodes);
    const empty = (await weigh())[1];
    await other.ask('subscribe', { count: CHANNELS });
    await owner.ask('subscribe', { count: 1 });
    await other.ask('broadcast', { count: CHANNELS, rate: 1000, seconds: 1 });
    await settled(nodes);
    const full = (await weigh())[1];
    return {
      'memory-service': { figure: (after[0] - before[0]) / SERVICES / 1000, n: SERVICES },
      'memory-service-other': { figure: (after[1] - before[1]) / SERVICES / 1000, n: SERVICES },
      'memory-channel': { figure: (full - empty) / CHANNELS / 1000, n: CHANNELS },
      'bytes-discovery': {
        // Less than the idling varies by is nothing.
        figure: Math.max(0, Math.round((looked.in + looked.out - 2 * idling) / LOOKUPS)),
        n: LOOKUPS,
        note: `${looked.in + looked.out} B passed meanwhile, where idling makes about ${Math.round(idling)}`,
      },
    };
  });
}

async function bytes(quick) {
  const seconds = quick ? 2 : 15;
  const figures = {};
  await withRedis(async (redis) => {
    const pairs = (20 * 19) / 2;
    await form({ redis, appName: 'heartbeats', total: 20, processes: 4 }, async () => {
      await delay(quick ? 1000 : 5000);
      const passed = await trafficIn(redis, () => delay(seconds * 1000));
      const beats = await beatsIn(redis, seconds);
      const [all, ours] = [passed.in + passed.out, beats.bytes + passed.out];
      figures['bytes-heartbeat'] = {
        figure: ours / seconds / pairs,
        n: beats.count,
        note: `${Math.round(ours / seconds / 20)} B a second and node; ${Math.round(all / seconds / 20)} B with everything else that a node does at rest, in ${precise1(passed.commands / seconds / 20)} commands`,
      };
    });
  });
  await withRedis(async (redis, start) => {
    const [sender, receiver] = [await start({ nodeName: 'sender' }), await start({ nodeName: 'receiver' })];
    await receiver.ask('subscribe', { name: 'control' });
    await Promise.all([sender, receiver].map(({ ask }) => ask('members', { count: 2 })));
    await delay(2000);
    const rest = await trafficIn(redis, () => delay(3000));
    // So few that none shares its packet with another.
    const options = { name: 'control', rate: 100, seconds: quick ? 1 : 5 };
    let sent = 0;
    const passed = await trafficIn(redis, async () => void (sent = await sender.ask('broadcast', options)));
    figures['bytes-control'] = { figure: (passed.in - (rest.in / 3) * options.seconds) / sent, n: sent };
  });
  return figures;
}

async function resting(quick) {
  const { rows, others } = idle({ quick, seconds: quick ? undefined : '15' }, programOf(undefined));
  const none = rows.find(({ transport }) => transport === 'none');
  const of = (own) => rows.find(({ transport }) => transport === own);
  const figure = (value, note) => ({ figure: value, n: 3, others, ...(note ? { note } : {}) });
  return {
    'memory-core': figure(
      of('redis').rssMb - none.rssMb,
      `${Math.round(of('redis').rssMb)} MB against ${Math.round(none.rssMb)} MB of RSS`,
    ),
    'cpu-idle-redis': figure(of('redis').cpuPercent - none.cpuPercent),
    'cpu-idle-direct': figure(of('direct').cpuPercent - none.cpuPercent),
  };
}

async function withRedis(work) {
  const redis = await startRedis();
  const children = [];
  const start = async (what) => {
    const child = await startAsked(
      CHILD,
      { redis: redis.url, appName: 'sla', channels: TOPICS, ...what },
      { execArgv: ['--expose-gc'], name: what.nodeName },
    );
    children.push(child);
    return child;
  };
  try {
    return await work(redis, start);
  } finally {
    for (const { child } of children) child.kill('SIGKILL');
    await redis.stop();
  }
}

async function trafficIn(redis, work) {
  const before = await trafficOf(redis);
  await work();
  return difference(await trafficOf(redis), before);
}

/** The heartbeats of all nodes as they are on the wire, by MONITOR. */
async function beatsIn(redis, seconds) {
  const client = new Redis(redis.adminUrl, { retryStrategy: () => null });
  const monitor = await client.monitor();
  const beats = { bytes: 0, count: 0 };
  monitor.on('monitor', (_time, words, source) => {
    if (source === 'lua' || !/^evalsha$/i.test(words[0]) || words[3]?.endsWith(':nodes') !== true) return;
    beats.bytes += [`*${words.length}`, ...words.map((word) => `$${word.length}\r\n${word}`), ''].join('\r\n').length;
    beats.count += 1;
  });
  await delay(seconds * 1000);
  monitor.disconnect();
  client.disconnect();
  return beats;
}

/** What a start or a burst leaves on the heap is collected only when its timers are over. */
async function settled(nodes) {
  await delay(2000);
  await Promise.all(nodes.map(({ ask }) => ask('weigh')));
}

function precise1(value) {
  return value.toFixed(1);
}
