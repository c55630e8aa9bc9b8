// A node for test/versions: copied beside the version of Foundation that it runs, so it uses only what both have.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Callable,
  Channels,
  ClusterCron,
  FoundationModule,
  Membership,
  ProcessManager,
  Replicated,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';

const { which, classes, ...options } = JSON.parse(process.env.VERSIONS_NODE);
const [heard, gaps, consumed, ticks] = [[], [], [], []];

class Ledger {
  #total = 0;
  onProcessStart({ handoff, node }) {
    this.#total = typeof handoff === 'number' ? handoff : 0;
    this.node = node;
  }
  onHandoff() {
    return this.#total;
  }
  add(amount) {
    this.#total += amount;
    return { total: this.#total, node: this.node, which };
  }
}
called(Ledger, 'add');
Singleton({ name: 'ledger', handoff: true })(Ledger);

class Shift {
  onProcessStart({ node }) {
    this.node = node;
  }
  where() {
    return this.node;
  }
}
called(Shift, 'where');
Replicated({ name: 'shift', replicas: 2 })(Shift);

/** Each version has one that the other does not know. */
class Newcomer {}
Singleton({ name: 'newcomer' })(Newcomer);
class Bygone {}
Singleton({ name: 'bygone' })(Bygone);

class Offer {
  asked(word) {
    return `${word} from ${which}`;
  }
}
called(Offer, 'asked');

class Jobs {
  tick() {
    ticks.push(Date.now());
  }
}
ClusterCron('* * * * * *', { name: 'every-second' })(
  Jobs.prototype,
  'tick',
  Object.getOwnPropertyDescriptor(Jobs.prototype, 'tick'),
);

class Root {}
const extra = { Newcomer, Bygone };
Module({
  imports: [
    FoundationModule.forRoot({ cluster: true, ...options, channels: { names: { events: {}, paid: { durable: {} } } } }),
  ],
  providers: [Ledger, Shift, Jobs, ...classes.map((name) => extra[name])],
})(Root);

const app = await NestFactory.createApplicationContext(Root, { logger: ['error', 'warn'], abortOnError: false });
app.enableShutdownHooks();
const [channels, processes, mesh] = [app.get(Channels), app.get(ProcessManager), app.get(ServiceMesh)];
await channels.subscribe('events', (payload) => void heard.push(payload), { onGap: (gap) => void gaps.push(gap) });
await channels.subscribe('paid', (payload) => void consumed.push(payload), { group: 'books' });

const questions = {
  members: () =>
    app
      .get(Membership)
      .members()
      .map(({ name, version, state }) => ({ name, version, state })),
  states: async () =>
    Object.fromEntries((await processes.list()).map(({ name, state, node }) => [name, { state, node }])),
  add: async (amount) => (await processes.lookupSingleton('ledger')).call('add', amount),
  shifts: async () => (await processes.all('shift').call('where')).answers.length,
  move: async (name, node) => (await processes.move(name, node)).node,
  forget: (name) => processes.forget(name),
  say: (index) => channels.broadcast('events', { from: which, index }),
  pay: (index) => channels.broadcast('paid', { from: which, index }),
  offer: async () => (await mesh.registerService(`of-${which}`, new Offer())).name,
  ask: (name) => mesh.call(name, 'asked', ['hello']),
  heard: () => heard,
  gaps: () => gaps.length,
  consumed: () => consumed,
  ticks: () => ticks,
};
process.on('message', ([id, question, ...args]) => {
  Promise.resolve()
    .then(() => questions[question](...args))
    .catch((error) => ({ error: String(error?.message ?? error) }))
    .then((answer) => process.send([id, answer ?? null]));
});
process.on('disconnect', () => process.exit());
process.send('ready');

function called(type, method) {
  const { prototype } = type;
  Callable()(prototype, method, Object.getOwnPropertyDescriptor(prototype, method));
}
