// What is left behind: npm run chaos:leaks -- --cycles 100 --names 10000 --reconnects 1000
// One node stays while others join, start something, leave and are killed, while names are started and stopped once
// each, and while its connections are cut again and again. Then it has the connections, keys, timers, listeners and
// memory that it had before. Exit code 1 when it has not.
import 'reflect-metadata';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Injectable, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import { Channels, FoundationModule, Membership, ProcessManager, ServiceMesh } from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';
import { startRedis } from '../../dist/test/support/redis-server.js';

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '100' },
    names: { type: 'string', default: '10000' },
    reconnects: { type: 'string', default: '1000' },
    /** Starts a node that joins, starts something and waits to be killed; used by this program itself. */
    victim: { type: 'string' },
  },
});
/** Names that are started and stopped at the same time. */
const AT_ONCE = 40;
/** Of each kind of work before the first look, for what is made once. */
const WARM_UP = 0.1;
/** For how long it is looked again: a node that was killed, and what hangs on it, is there for some seconds. */
const SETTLE_MS = 90_000;
/** Per cycle, name or reconnection, in bytes: far less than any object that is forgotten about. */
const MOST_BYTES_EACH = 200;
/** What was stopped is known as that for ten minutes, on each node and with an epoch of its own: a row has so many. */
const ENDED_BYTES = 4096;
/** The heap of a process that has just worked hard varies by so much, in bytes. */
const NOISE_BYTES = 6 * 1024 * 1024;

/** As `removeOnFail` says. */
const MOST_FAILED_JOBS = 110;
/** What ended more than ten minutes ago is marked as removed for an hour; see docs/reference/redis-keys.md. */
const MARKS = /:processes:marks$/;
const ENDED = new Set(['stopped', 'completed', 'failed', 'lost']);

Logger.overrideLogger(false);

class Worker {
  onProcessStart(ctx) {
    ctx.run((signal) => once(signal, 'abort'));
  }
}
Injectable()(Worker);

async function nodeOf(name, url) {
  class LeakModule {}
  const options = { cluster: true, topologies: [], appName: 'leaks', nodeName: name, redis: url };
  Module({ imports: [FoundationModule.forRoot(options)], providers: [Worker] })(LeakModule);
  const app = await NestFactory.createApplicationContext(LeakModule, { logger: false, abortOnError: false });
  await app.get(Channels).subscribe('events', () => undefined);
  return app;
}

if (values.victim !== undefined) {
  const [name, url] = values.victim.split(' ');
  const app = await nodeOf(name, url);
  await app.get(ServiceMesh).registerService(`offer-of-${name}`, {});
  await app.get(ProcessManager).startSingleton(Worker, [], { name: `of-${name}`, restart: 'temporary' });
  process.send('ready');
  await once(process, 'disconnect');
  process.exit();
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const redis = await startRedis();
const admin = new Redis(redis.adminUrl);
const stays = await nodeOf('stays', redis.url);
const manager = stays.get(ProcessManager);
const membership = stays.get(Membership);
let code;
try {
  const [cycles, names, reconnects] = [values.cycles, values.names, values.reconnects].map(Number);
  const findings = [
    ...(await compare('names', names, startAndStop)),
    ...(await compare('reconnects', reconnects, reconnect)),
    ...(await compare('cycles', cycles, joinAndGo)),
  ];
  for (const finding of findings) console.log(`LEAK: ${finding}`);
  code = findings.length === 0 ? 0 : 1;
} finally {
  await stays.close();
  admin.disconnect();
  await redis.stop();
}
const open = process.getActiveResourcesInfo().filter((kind) => !/^(TTY|Pipe|Process)Wrap$|^Immediate$/.test(kind));
if (open.length > 0) console.log(`LEAK: after the end ${open.join(', ')} stay open`);
process.exit(open.length > 0 ? 1 : (code ?? 1));

/** Does the work a few times, looks, does it `count` times, and looks again until it is as before, or for too long. */
async function compare(what, count, work) {
  if (count === 0) return [];
  await work(Math.max(1, Math.ceil(count * WARM_UP)), 'warm');
  await delay(3000);
  const before = await look();
  const began = performance.now();
  await work(count, 'run');
  const took = ((performance.now() - began) / 1000).toFixed(1);
  let after;
  let found;
  const until = performance.now() + SETTLE_MS;
  do {
    await delay(2000);
    after = await look();
    found = differences(before, after, count);
  } while (found.length > 0 && performance.now() < until);
  console.log(`${count} ${what} in ${took} s: ${show(before)} → ${show(after)}`);
  return found.map((each) => `${what}: ${each}`);
}

function show({ keys, ...figures }) {
  return JSON.stringify({ ...figures, keys: keys.length });
}

async function look() {
  // Twice, for what is freed by finalizers of the first.
  collect();
  await delay(50);
  collect();
  const kinds = process.getActiveResourcesInfo();
  const clients = (await admin.client('LIST')).trim().split('\n').length;
  const keys = await admin.keys('*');
  const listed = await manager.list();
  const ended = listed.filter(({ state }) => ENDED.has(state));
  // What a victim has started may run on the node that stays, where it goes on.
  const lost = listed.filter(({ state, node }) => !ENDED.has(state) && node !== 'stays');
  // What has a life of its own goes by itself; see docs/reference/redis-keys.md.
  const lives = await Promise.all(keys.map((key) => admin.pttl(key)));
  const { heapUsed, rss } = process.memoryUsage();
  return {
    clients,
    // The jobs of a scheduler follow one another, each under its time.
    keys: keys.filter((_, index) => lives[index] === -1).map((key) => key.replace(/\d{10,}/, '#')),
    timers: kinds.filter((kind) => kind === 'Timeout').length,
    sockets: kinds.filter((kind) => kind.startsWith('TCP')).length,
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
    members: membership.members().length,
    processes: lost.length,
    ended: ended.length,
    heapMb: Math.round(heapUsed / 1024 / 102.4) / 10,
    rssMb: Math.round(rss / 1024 / 1024),
  };
}

function differences(before, after, count) {
  const countOf = (keys, key) => keys.filter((each) => each === key).length;
  // BullMQ keeps the last jobs that failed, as those do whose connection is cut, in keys of their own.
  const mostOf = (key) => countOf(before.keys, key) + (key.includes(':supervision:') ? MOST_FAILED_JOBS : 0);
  const newKeys = [...new Set(after.keys)].filter((key) => !MARKS.test(key) && countOf(after.keys, key) > mostOf(key));
  const grown = ['clients', 'sockets', 'listeners', 'members', 'processes'].filter((key) => after[key] > before[key]);
  // A timer of a heartbeat or a poll is there or is just being set.
  if (after.timers > before.timers + 2) grown.push('timers');
  const most = NOISE_BYTES + MOST_BYTES_EACH * count + ENDED_BYTES * Math.max(0, after.ended - before.ended);
  if ((after.heapMb - before.heapMb) * 1024 * 1024 > most) grown.push('heapMb');
  return [
    ...grown.map((key) => `${key} grew from ${before[key]} to ${after[key]}`),
    ...newKeys.map((key) => `the key ${key} is new`),
  ];
}

async function startAndStop(count, prefix) {
  for (let from = 0; from < count; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, index) => `${prefix}-${from + index}`);
    await Promise.all(
      some.map(async (name) => {
        await manager.startSingleton(Worker, [], { name, restart: 'temporary' });
        await manager.stop(name);
      }),
    );
  }
}

async function reconnect(count) {
  for (let turn = 0; turn < count; turn++) {
    for (const type of ['normal', 'pubsub']) await admin.client('KILL', 'TYPE', type, 'SKIPME', 'yes');
    await eventually(async () => membership.state === 'up' && (await manager.list()) !== undefined, {
      ...{ timeout: 20_000, every: 20, what: 'The node to be back' },
    }).catch(() => undefined);
  }
  await eventually(() => membership.state === 'up', { timeout: 30_000, what: 'The node to be up' });
}

/** Another node joins, starts something and leaves, in this process; and one in a process of its own is killed. */
async function joinAndGo(count, prefix) {
  for (let turn = 0; turn < count; turn++) {
    const guest = await nodeOf(`${prefix}-guest`, redis.url);
    await guest.get(ServiceMesh).registerService('offer', {});
    await guest.get(ProcessManager).startSingleton(Worker, [], { name: `${prefix}-${turn}`, restart: 'temporary' });
    await guest.get(ProcessManager).stop(`${prefix}-${turn}`);
    await guest.close();
    const name = `${prefix}-victim-${turn}`;
    const child = fork(import.meta.filename, ['--victim', `${name} ${redis.url}`]);
    const [ready] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
    if (ready !== 'ready') throw new Error(`${name} ended before it was ready: ${ready}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await eventually(() => membership.members().length === 1, { timeout: 30_000, what: 'The victims to be gone' });
}
