// Several nodes in one process for growth.mjs, with singletons, services and subscriptions, that say what they cost.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Channels, FoundationModule, Membership, ProcessManager, ServiceMesh, Singleton } from 'nestjs-foundation';
import { abreast, answer } from './answering.mjs';
import { sharedNow } from './machine.mjs';
import { payloads } from './payloads.mjs';

const ABREAST = 200;

const { redis, appName, prefix, count, singletons = 0, channels: names = [] } = JSON.parse(process.argv[2]);
/** Instances of the singletons that run here, and when the newest of each began. */
let running = 0;
const startedAt = new Map();
let received = 0;
const apps = [];

const commands = {
  async form({ total }) {
    await Promise.all(Array.from({ length: count }, (_, index) => start(index)));
    await Promise.all(apps.map((app) => app.get(Membership).whenReady({ minNodes: total, timeout: 120_000 })));
    return sharedNow();
  },
  members: ({ total }) =>
    Promise.all(apps.map((app) => app.get(Membership).whenReady({ minNodes: total, timeout: 120_000 }))),
  cost() {
    const { user, system } = process.cpuUsage();
    return { cpu: user + system, rss: process.memoryUsage().rss };
  },
  heap() {
    globalThis.gc();
    globalThis.gc();
    return process.memoryUsage().heapUsed;
  },
  /** Its first node leaves, and joins again. */
  async restart() {
    await apps[0].close();
    await start(0);
  },
  running: () => running,
  startedAt: ({ name }) => startedAt.get(name),
  async move({ name, to }) {
    await apps[0].get(ProcessManager).move(name, to);
  },
  async register({ from, services }) {
    const mesh = apps[0].get(ServiceMesh);
    await abreast(services, ABREAST, (index) =>
      mesh.registerService(`service-${from + index}`, {}, ['can'], { tier: index % 3 }),
    );
  },
  services: async () => (await apps[0].get(ServiceMesh).discoverServices()).length,
  async subscribe({ nodes, topics }) {
    for (const app of apps.slice(0, nodes))
      await abreast(topics.length, ABREAST, (index) =>
        app.get(Channels).subscribe(topics[index], () => void (received += 1)),
      );
  },
  async broadcast({ topics, rate, seconds }) {
    const [channels, pool, began] = [apps[0].get(Channels), payloads(100), sharedNow()];
    let sent = 0;
    while (sharedNow() - began < seconds * 1e6) {
      const due = Math.floor(((sharedNow() - began) / 1e6) * rate);
      for (; sent < due; sent++) void channels.broadcast(topics[sent % topics.length], pool[sent % pool.length]);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return sent;
  },
  received: () => received,
};

async function start(index) {
  const classes = Array.from({ length: singletons }, (_, each) => {
    const name = `one-${each}`;
    class One {
      onProcessStart() {
        running += 1;
        startedAt.set(name, sharedNow());
      }
      onProcessStop() {
        running -= 1;
      }
    }
    // Nodes name classes to each other.
    Object.defineProperty(One, 'name', { value: `One${each}` });
    Singleton({ name })(One);
    return One;
  });
  const options = { cluster: true, redis, appName, nodeName: `${prefix}-${index}`, channels: { names } };
  class Root {}
  Module({ imports: [FoundationModule.forRoot(options)], providers: classes })(Root);
  const app = await NestFactory.createApplicationContext(Root, { logger: ['error'], abortOnError: false });
  apps[index] = app.enableShutdownHooks();
}

answer(commands);
