// The processes of one peer: one that sends and one or more that receive. Started, asked, measured and ended here.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { cpuOf, machineCpu, sharedNow } from './machine.mjs';

const CHILD = join(import.meta.dirname, 'child.mjs');
const CLOSE_MS = 8000;
const CHANNELS = ['events', 'control', 'data', 'telemetry'];

export class Team {
  #children = [];

  constructor(peer, brokers, { fan = 1, profile, program = process.execPath } = {}) {
    this.peer = peer;
    this.brokers = brokers;
    this.fan = fan;
    this.profile = profile;
    this.program = program;
  }

  /** `parts` is ['receive', 'send'] or ['serve', 'connect']. */
  async start([receiving, sending]) {
    const roles = Array.from({ length: this.fan }, (_, index) => `receiver${index + 1}`);
    const nodes = [];
    for (const role of [...roles, 'sender']) nodes.push({ role, port: await freePort() });
    const receivers = nodes.slice(0, -1);
    const common = { prefix: `bench-${this.peer.name}:`, channels: CHANNELS, nodes, receivers, ...this.brokers.urls };
    const start = (part, node) => this.#fork(part, { ...common, ...node });
    this.receivers = await Promise.all(receivers.map((node) => start(receiving, node)));
    this.sender = await start(sending, nodes.at(-1));
    this.receivers.forEach((receiver, from) => (receiver.onAck = (ack) => this.sender.child.send({ ack, from })));
    if (receiving === 'receive') await this.#reached();
    else await this.sender.ask('checkEcho');
  }

  /** Runs the work; adds CPU microseconds of sender, receivers and broker, and cores burnt by others. */
  async measure(work) {
    const before = await this.#usage();
    const result = await work();
    const after = await this.#usage();
    const spent = (key) => after[key] - before[key];
    const own = spent('sender') + spent('receivers') + (this.brokers.pid(this.peer) ? spent('broker') : 0);
    return {
      ...result,
      cpu: { sender: spent('sender'), receivers: spent('receivers'), broker: spent('broker') },
      others: (spent('machine') - own - spent('here')) / spent('at'),
    };
  }

  /** One-way messages from `begin` to the last one received. */
  async oneWay(load, options, { window, timed }) {
    const ackEvery = Math.max(1, Math.floor(window / 8));
    await Promise.all(this.receivers.map((receiver) => receiver.ask('beginReceiving', { ackEvery, timed })));
    await this.sender.ask('beginSending', { window });
    const sent = await this.sender.ask(load, options);
    const ends = await Promise.all(this.receivers.map((receiver) => receiver.ask('finish', { sent: sent.sent })));
    const lost = ends.reduce((sum, { received }) => sum + sent.sent - received, 0);
    const at = Math.max(...ends.map((end) => end.at));
    const worst = ends.reduce((a, b) => ((b.latency?.p99 ?? 0) > (a.latency?.p99 ?? 0) ? b : a));
    return { count: sent.sent, micros: at - sent.began, lost, latency: worst.latency, bursts: sent.bursts };
  }

  async close() {
    await Promise.all(
      this.#children.map(async ({ child, ask, exited }) => {
        const impatience = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS);
        await Promise.race([ask('close').catch(() => child.kill('SIGKILL')), exited]);
        await exited;
        clearTimeout(impatience);
      }),
    );
  }

  async #usage() {
    const cpu = (children) => Promise.all(children.map(({ ask }) => ask('cpu')));
    const [sender] = await cpu([this.sender]);
    const receivers = (await cpu(this.receivers)).reduce((sum, each) => sum + each, 0);
    const pid = this.brokers.pid(this.peer);
    const broker = pid === undefined ? undefined : cpuOf(pid);
    const { user, system } = process.cpuUsage();
    return { sender, receivers, broker, here: user + system, machine: machineCpu(), at: sharedNow() };
  }

  /** Until a message reaches everybody: subscriptions and connections are in place then. */
  async #reached() {
    const seen = this.receivers.map((receiver) => new Promise((resolve) => (receiver.onFirst = resolve)));
    const all = Promise.all(seen).then(() => true);
    for (const deadline = performance.now() + 30_000; performance.now() < deadline;) {
      await this.sender.ask('probe');
      const wait = delay(100, false);
      // A little more, so that a probe that is still on its way is not counted later.
      if (await Promise.race([all, wait])) return delay(200);
    }
    throw new Error(`${this.peer.name}: no message arrives`);
  }

  async #fork(part, env) {
    const { name, module } = this.peer;
    const profiling = this.profile && [
      ...['--cpu-prof', '--cpu-prof-dir', this.profile, '--cpu-prof-interval', '500'],
      ...['--cpu-prof-name', `${name}-${env.role}.cpuprofile`],
    ];
    const child = fork(CHILD, [JSON.stringify({ module, peer: name, part, env })], {
      // What a peer prints is no part of the report on stdout.
      stdio: ['ignore', 2, 2, 'ipc'],
      execPath: this.program,
      execArgv: ['--expose-gc', ...(profiling ?? [])],
      env: { ...process.env, NO_COLOR: '1', NODE_ENV: 'production' },
    });
    const pending = new Map();
    let lastId = 0;
    const exited = once(child, 'exit').then(([code, signal]) => {
      const error = new Error(`${name} ${env.role} ended with ${signal ?? code}`);
      for (const { reject } of pending.values()) reject(error);
      return error;
    });
    const one = {
      child,
      exited,
      onAck: () => undefined,
      onFirst: () => undefined,
      ask: (command, options) =>
        new Promise((resolve, reject) => {
          const id = ++lastId;
          pending.set(id, { resolve, reject });
          child.send({ id, command, options }, (error) => error && reject(error));
        }),
    };
    this.#children.push(one);
    const ready = new Promise((resolve) => {
      child.on('message', ({ id, result, error, ack, ready: isReady }) => {
        if (isReady) return resolve();
        if (ack !== undefined) {
          one.onFirst();
          return one.onAck(ack);
        }
        const { resolve: yes, reject: no } = pending.get(id);
        pending.delete(id);
        return error === undefined ? yes(result) : no(new Error(`${name} ${env.role}: ${error}`));
      });
    });
    const failed = await Promise.race([ready, exited]);
    if (failed) throw failed;
    return one;
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
