// A node for idle.mjs that does nothing, or an application without Foundation: says what it has cost since it started.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { folder, options, trace } = JSON.parse(process.argv[2]);
const fired = new Map();
if (trace) for (const name of ['setTimeout', 'setInterval', 'setImmediate']) countCallsOf(name);

// From the checkout that is measured, with the packages that it has.
const from = createRequire(join(folder, 'package.json'));
const load = (name) => import(pathToFileURL(from.resolve(name)));
await load('reflect-metadata');
const { Injectable, Module } = await load('@nestjs/common');
const { NestFactory } = await load('@nestjs/core');

const parts = { imports: [], providers: [] };
if (options !== undefined) {
  const { FoundationModule, Singleton } = await import(pathToFileURL(join(folder, 'libs/foundation/dist/index.js')));
  class One {}
  class Other {}
  for (const each of [One, Other]) {
    Injectable()(each);
    Singleton()(each);
    parts.providers.push(each);
  }
  parts.imports.push(FoundationModule.forRoot(options));
}
class Root {}
Module(parts)(Root);
const app = await NestFactory.create(Root, { logger: ['error', 'warn'], abortOnError: false });
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');

process.on('message', ({ id, command }) => {
  if (command === 'cost') process.send({ id, result: cost() });
  else void app.close().then(() => process.send({ id }, () => process.exit()));
});
process.on('disconnect', () => process.exit());
process.send({ id: 0 });

function cost() {
  const { user, system } = process.cpuUsage();
  return {
    cpuMicros: user + system,
    /** How often the event loop slept and woke; Node 20.18 and later. */
    turns: performance.nodeTiming.uvMetricsInfo?.loopCount,
    switches: switches(),
    fired: Object.fromEntries(fired),
  };
}

/** How often a thread of this process had to wait and was woken: Linux only. */
function switches() {
  try {
    return readdirSync('/proc/self/task')
      .map((thread) => readFileSync(`/proc/self/task/${thread}/status`, 'utf8'))
      .reduce((sum, text) => sum + Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(text)[1]), 0);
  } catch {
    return undefined;
  }
}

/** Counts the timers that fire by where they were set, which costs more than the timers. */
function countCallsOf(name) {
  const original = globalThis[name];
  const counted = (callback, ...rest) => {
    const key = `${name} ${caller()}`;
    const count = (...args) => {
      fired.set(key, (fired.get(key) ?? 0) + 1);
      return callback(...args);
    };
    return original(count, ...rest);
  };
  globalThis[name] = Object.assign(counted, original);
}

function caller() {
  const lines = new Error().stack.split('\n').slice(3, 6);
  const short = lines.map((line) =>
    line.replace(/^\s+at /, '').replace(/\(?(?:file:\/\/)?\/.*?((?:[^/]+\/){0,2}[^/]+:\d+):\d+\)?$/, '$1'),
  );
  return short.join(' < ');
}
