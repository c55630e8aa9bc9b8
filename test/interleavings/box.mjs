// Runs code of the library, of an application or of a server for one actor of a world: the same code as ever, with
// the clock, the timers, the sockets and the random numbers of that actor, and with modules of its own.
import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import { Script } from 'node:vm';
import * as zlib from 'node:zlib';
import { build } from 'esbuild';
import { SimulatedDatagrams, SimulatedServer } from './simulated.sockets.mjs';

const requireHere = createRequire(import.meta.url);
/** What boxes share: it has no state of an actor, and starts no timer. */
export const SHARED = [
  ...['@nestjs/*', 'rxjs', 'rxjs/*', 'reflect-metadata', 'class-validator', 'class-transformer', 'js-redis-server'],
  ...['js-redis-server/*', '@kubernetes/client-node', 'multicast-dns', 'prom-client', '@opentelemetry/*'],
  ...['lua-redis-wasm', 'simulated'],
];
const PARAMETERS = [
  ...['require', 'module', 'exports', 'process', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
  ...['setImmediate', 'clearImmediate', 'performance', 'Date', 'Math', '__filename', '__dirname'],
];

/** The code behind an entry, in one text, so that it can be changed before it runs. */
export async function bundle(entry, shared = SHARED) {
  const { outputFiles } = await build({
    entryPoints: [entry],
    absWorkingDir: new URL('../..', import.meta.url).pathname,
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    external: shared,
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': '"file:///simulated/bundle.js"', 'import.meta.dirname': '"/simulated"' },
    alias: {
      'nestjs-foundation': './dist/libs/foundation/dist/index.js',
      'nestjs-foundation/testing': './dist/libs/foundation/dist/testing/index.js',
    },
    logLevel: 'error',
  });
  return outputFiles[0].text;
}

/** Compiled once, for every box. */
export function compile(code, filename) {
  return new Script(`(function (${PARAMETERS.join(', ')}) {${code}\n})`, { filename });
}

/** Runs it for an actor; returns what it exports. `more` is what the test hands in, as the module `simulated`. */
export function boot(script, { world, network, actor, env = {}, more = {} }) {
  const timers = timersOf(world, actor);
  const modules = modulesOf({ world, network, actor, timers, more });
  const require = (name) => modules[name.replace(/^node:/, '')] ?? requireHere(name);
  require.resolve = requireHere.resolve;
  const module = { exports: {} };
  const given = {
    ...{ require, module, exports: module.exports, process: processOf(world, actor, env), ...timers },
    ...{ performance: performanceOf(world), Date: dateOf(world, actor), Math: mathOf(actor) },
    ...{ __filename: '/simulated/bundle.js', __dirname: '/simulated' },
  };
  script.runInThisContext()(...PARAMETERS.map((name) => given[name]));
  return module.exports;
}

function timersOf(world, actor) {
  class Timer {
    #begin;
    constructor(begin) {
      this.#begin = begin;
      this.entry = begin();
    }
    ref() {
      return this;
    }
    unref() {
      return this;
    }
    hasRef() {
      return true;
    }
    refresh() {
      this.close();
      this.entry = this.#begin();
      return this;
    }
    close() {
      if (this.entry !== undefined) world.cancel(this.entry);
      return this;
    }
    [Symbol.toPrimitive]() {
      return this.entry?.count ?? 0;
    }
    [Symbol.dispose ?? 'dispose']() {
      this.close();
    }
  }
  const clear = (timer) => void (timer instanceof Timer && timer.close());
  const once = (work, ms = 1, ...args) => new Timer(() => world.after(Number(ms) || 1, actor, () => work(...args)));
  return {
    setTimeout: once,
    clearTimeout: clear,
    setInterval: (work, ms = 1, ...args) => {
      const timer = new Timer(() => world.after(ms, actor, again));
      function again() {
        timer.entry = world.after(ms, actor, again);
        work(...args);
      }
      return timer;
    },
    clearInterval: clear,
    setImmediate: (work, ...args) => new Timer(() => world.at(world.now, actor, () => work(...args))),
    clearImmediate: clear,
  };
}

/** Slow by design, and the same for all nodes of all runs. */
const scrypts = new Map();
function scrypted(secret, salt, length) {
  const key = `${secret} ${salt} ${length}`;
  if (!scrypts.has(key)) scrypts.set(key, requireHere('crypto').scryptSync(secret, salt, length));
  return Buffer.from(scrypts.get(key));
}

function modulesOf({ world, network, actor, timers, more }) {
  const waits = (begin) => (ms, value, options) =>
    new Promise((resolve, reject) => {
      const { signal } = (begin === timers.setImmediate ? value : options) ?? {};
      const aborted = () => {
        timers.clearTimeout(timer);
        reject(
          Object.assign(new Error('The operation was aborted'), {
            name: 'AbortError',
            code: 'ABORT_ERR',
            cause: signal.reason,
          }),
        );
      };
      const timer = begin === timers.setImmediate ? begin(() => done(ms)) : begin(() => done(value), ms);
      const done = (result) => {
        signal?.removeEventListener('abort', aborted);
        resolve(result);
      };
      if (signal?.aborted) aborted();
      else signal?.addEventListener('abort', aborted, { once: true });
    });
  const promises = { setTimeout: waits(timers.setTimeout), setImmediate: waits(timers.setImmediate) };
  const bytes = (count) => Buffer.from(Array.from({ length: count }, () => Math.floor(actor.random() * 256)));
  const uuid = () => {
    const hex = bytes(16).toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20)].join(
      '-',
    );
  };
  const between = (least, most) =>
    most === undefined ? between(0, least) : least + Math.floor(actor.random() * (most - least));
  const net = requireHere('net');
  const connect = (first, ...rest) =>
    network.connect(Number(typeof first === 'object' ? first.port : first), actor, ...rest);
  const createServer = (...given) => new SimulatedServer(network, actor, ...given);
  const crypto = requireHere('crypto');
  const os = requireHere('os');
  const later =
    (work) =>
    (data, ...rest) => {
      const done = rest.at(-1);
      let outcome;
      try {
        outcome = [null, work(data, ...rest.slice(0, -1))];
      } catch (error) {
        outcome = [error];
      }
      world.at(world.now + actor.random(), actor, () => done(...outcome));
    };
  return {
    net: { ...net, connect, createConnection: connect, createServer },
    os: { ...os, uptime: () => world.now / 1000, hostname: () => 'simulated', networkInterfaces: () => ({}) },
    dgram: { ...requireHere('dgram'), createSocket: () => new SimulatedDatagrams(network, actor) },
    crypto: { ...crypto, scrypt: later(scrypted), randomBytes: bytes, randomUUID: uuid, randomInt: between },
    timers: { ...timers, promises },
    'timers/promises': promises,
    zlib: { ...zlib, deflateRaw: later(zlib.deflateRawSync), inflateRaw: later(zlib.inflateRawSync) },
    perf_hooks: { ...requireHere('perf_hooks'), performance: performanceOf(world) },
    simulated: { world, network, actor, ...more },
  };
}

function processOf(world, actor, env) {
  const nothing = () => given;
  const rss = () => 1e8;
  const bigint = () => BigInt(Math.floor(world.now * 1e6));
  const hrtime = () => [Math.floor(world.now / 1000), Math.floor((world.now % 1000) * 1e6)];
  const own = {
    ...{ env: { NODE_ENV: 'test', ...env }, pid: actor.pid, argv: ['node', 'simulated'], execArgv: [] },
    ...{ on: nothing, once: nothing, off: nothing, addListener: nothing, removeListener: nothing },
    ...{ uptime: () => world.now / 1000, exit: (code) => actor.exited?.(code), cwd: () => '/simulated' },
    hrtime: Object.assign(hrtime, { bigint }),
    memoryUsage: Object.assign(() => ({ rss: 1e8, heapUsed: 1e7, heapTotal: 2e7, external: 0, arrayBuffers: 0 }), {
      rss,
    }),
    cpuUsage: () => ({ user: 0, system: 0 }),
  };
  const given = Object.create(process, Object.getOwnPropertyDescriptors(own));
  return given;
}

function performanceOf(world) {
  return {
    now: () => world.now,
    timeOrigin: 0,
    mark: () => undefined,
    measure: () => undefined,
    eventLoopUtilization: () => ({ idle: 1, active: 0, utilization: 0 }),
  };
}

function dateOf(world, actor) {
  class SimulatedDate extends Date {
    constructor(...given) {
      if (given.length === 0) super(world.wall(actor));
      else super(...given);
    }
    static now() {
      return world.wall(actor);
    }
    static [Symbol.hasInstance](value) {
      return Date.prototype.isPrototypeOf.call(Date.prototype, value);
    }
  }
  return SimulatedDate;
}

function mathOf(actor) {
  return Object.create(Math, { random: { value: () => actor.random() } });
}
