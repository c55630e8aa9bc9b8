// A node for discovery.mjs: registers services, or looks them up and notes when they come and go.
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FoundationModule, ServiceMesh } from 'nestjs-foundation';
import { abreast, answer } from './answering.mjs';
import { median } from './figures.mjs';
import { sharedNow } from './machine.mjs';

const ABREAST = 100;
/** So many services have the same name, the same capability and the same region. */
const ALIKE = 10;
const BATCHES = 31;
const WARM_UP = 10;
const BATCH_MICROS = 10_000;

const { role, redis } = JSON.parse(process.argv[2]);
const options = { cluster: true, redis, appName: `discovery-${role.split('-')[1] ?? 'x'}`, nodeName: role };
// The propagation is among one cluster, whatever the number of the killed node.
if (role.startsWith('victim')) options.appName = 'discovery-x';

class Root {}
Module({ imports: [FoundationModule.forRoot(options)] })(Root);
const app = await NestFactory.createApplicationContext(Root, { logger: ['error', 'warn'], abortOnError: false });
app.enableShutdownHooks();
const mesh = app.get(ServiceMesh);
/** `added name` → when, or who waits for it. */
const seen = new Map();
const waiting = new Map();

const commands = {
  heap: () => {
    globalThis.gc();
    globalThis.gc();
    return process.memoryUsage().heapUsed;
  },
  register: ({ count }) =>
    abreast(count, ABREAST, (index) => {
      const group = Math.floor(index / ALIKE);
      const metadata = { region: `r${group}`, tier: index % 3, owner: `team-${index % 7}` };
      return mesh.registerService(`service-${group}`, {}, [`can-${group}`, 'all'], metadata);
    }),
  until: async ({ count }) => {
    while ((await mesh.discoverServices()).length < count) await delay(20);
  },
  lookups: async ({ size }) => {
    const groups = Math.ceil(size / ALIKE);
    return {
      name: await measure((index) => ({ name: `service-${index % groups}` })),
      capability: await measure((index) => ({ capabilities: `can-${index % groups}` })),
      scan: await measure((index) => ({ region: `r${index % groups}` })),
    };
  },
  registerOne: async ({ name }) => {
    const began = sharedNow();
    await mesh.registerService(name, {});
    return began;
  },
  watch: () => void note(),
  added: ({ name }) => when(`added ${name}`),
  removed: ({ name }) => when(`removed ${name}`),
  close: async () => {
    await app.close();
    setTimeout(() => process.exit(), 50);
  },
};

answer(commands);

/** The median of batches, in microseconds a lookup. The first ones warm up. */
async function measure(criteriaOf) {
  const micros = [];
  let next = 0;
  for (let batch = 0; batch < WARM_UP + BATCHES; batch++) {
    const began = sharedNow();
    let count = 0;
    for (; sharedNow() - began < BATCH_MICROS; count++) {
      const found = await mesh.discoverServices(criteriaOf(next++));
      if (found.length !== ALIKE) throw new Error(`${found.length} services instead of ${ALIKE}`);
    }
    micros.push((sharedNow() - began) / count);
  }
  return median(micros.slice(WARM_UP));
}

async function note() {
  for await (const { type, service } of mesh.watch()) {
    const at = sharedNow();
    const what = `${type} ${service.name}`;
    seen.set(what, at);
    waiting.get(what)?.(at);
  }
}

function when(what) {
  return seen.get(what) ?? new Promise((resolve) => waiting.set(what, resolve));
}
