// A node for sla.mjs and growth.mjs: registers services, subscribes, broadcasts, looks up, and says what it weighs.
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Channels, FoundationModule, Membership, ServiceMesh } from 'nestjs-foundation';
import { abreast, answer } from './answering.mjs';
import { sharedNow } from './machine.mjs';
import { payloads } from './payloads.mjs';

const ABREAST = 100;

const { channels: names = [], ...options } = JSON.parse(process.argv[2]);
class Root {}
Module({ imports: [FoundationModule.forRoot({ cluster: true, ...options, channels: { names } })] })(Root);
const app = await NestFactory.createApplicationContext(Root, { logger: ['error', 'warn'], abortOnError: false });
app.enableShutdownHooks();
const [mesh, channels] = [app.get(ServiceMesh), app.get(Channels)];
let received = 0;

const commands = {
  weigh() {
    globalThis.gc?.();
    globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    return { heapUsed, rss };
  },
  cpu() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  members: ({ count }) => app.get(Membership).whenReady({ minNodes: count, timeout: 120_000 }),
  register: ({ count, prefix = 'service' }) =>
    abreast(count, ABREAST, (index) => mesh.registerService(`${prefix}-${index}`, {}, ['can'], { tier: index % 3 })),
  async services({ count }) {
    while ((await mesh.discoverServices()).length < count) await delay(20);
  },
  async lookups({ count, of }) {
    const began = sharedNow();
    for (let index = 0; index < count; index++) {
      const found = await mesh.discoverServices({ name: `service-${index % of}` });
      if (found.length !== 1) throw new Error(`${found.length} services instead of one`);
    }
    return sharedNow() - began;
  },
  subscribe: ({ name, count = 1, each = 1 }) =>
    abreast(count * each, ABREAST, (index) =>
      channels.subscribe(name ?? `topic-${index % count}`, () => void (received += 1)),
    ),
  /** `rate` messages a second, to `count` channels in turn. */
  async broadcast({ name, count = 1, rate, seconds, size = 100 }) {
    const pool = payloads(size);
    const began = sharedNow();
    let sent = 0;
    while (sharedNow() - began < seconds * 1e6) {
      const due = Math.floor(((sharedNow() - began) / 1e6) * rate);
      for (; sent < due; sent++) void channels.broadcast(name ?? `topic-${sent % count}`, pool[sent % pool.length]);
      await delay(Math.min(5, 1000 / rate));
    }
    return sent;
  },
  received: () => received,
  async close() {
    await app.close();
    setTimeout(() => process.exit(), 50);
  },
};

answer(commands);
