// One run: a whole cluster in this process, on simulated Redis servers, network and clock. The same seed and the same
// steps give the same history.
import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { boot, bundle, compile } from './box.mjs';
import { Network } from './network.mjs';
import { compileRedis, PORT, SimulatedRedis } from './redis.mjs';
import { World } from './world.mjs';

/** Longer than any run takes, in milliseconds of its world. */
const LONGEST_MS = 300_000;
/** How long a server takes to read its data. */
const LOADING_MS = 30;
/** The code of a node and of its test, by what is simulated. */
const ENTRIES = {
  cluster: { node: './test/interleavings/node.entry.mjs', test: './test/interleavings/cluster.entry.mjs' },
  leases: { node: './test/interleavings/leases.entry.mjs', test: './test/interleavings/leases.test.entry.mjs' },
};

// Of all nodes: what they do is in their histories.
Logger.overrideLogger(false);

/** The code of nodes, of Redis and of the test, compiled once. */
export async function compileParts(level) {
  const { node, test } = ENTRIES[level];
  const [nodeCode, testCode, redis] = await Promise.all([
    bundle(node),
    bundle(test, ['simulated', '@nestjs/*']),
    compileRedis(),
  ]);
  return { nodeCode, node: compile(nodeCode, 'node.js'), test: compile(testCode, 'test.js'), redis };
}

/** With the code of the nodes changed, to see that a bug is found. */
export function withBug({ nodeCode, ...parts }, { name, find, put, more = [] }) {
  const code = [{ find, put }, ...more].reduce((text, change) => {
    const count = text.split(change.find).length - 1;
    if (count !== 1) throw new Error(`The bug "${name}" has ${count} places in the code: ${change.find}`);
    return text.replace(change.find, () => change.put);
  }, nodeCode);
  return { ...parts, nodeCode: code, node: compile(code, 'node.js') };
}

/** Resolves with what was violated, the history, and a fingerprint of everything that happened. */
export async function simulate(parts, { seed, pace, lateness, redisCount = 1, ...options }) {
  const world = new World(seed, lateness);
  const began = world.now;
  const network = new Network(world, pace);
  const ports = Array.from({ length: redisCount }, (_, index) => PORT + index);
  const servers = ports.map((port) => new SimulatedRedis(parts.redis, world, network, port));
  for (const server of servers) {
    await server.prepare();
    server.start();
  }
  const nodes = new Nodes(parts.node, world, network);
  let outcome;
  const more = {
    bootNode: (node) => nodes.boot(node),
    redisPort: PORT,
    loadingMs: LOADING_MS,
    part: (one, other, mode) => network.part(one, other, mode),
    servers: servers.map((server) => ({
      save: () => server.save(),
      kill: () => server.kill(),
      start: (saved) => server.start(saved),
      flush: () => server.flush(),
      freeze: () => world.freeze(server.actor),
      thaw: () => world.thaw(server.actor),
    })),
  };
  const stray = (error) => nodes.stray(error);
  process.on('unhandledRejection', stray);
  boot(parts.test, { world, network, actor: nodes.test, more })
    .run({ ...options, ports })
    .then(
      (result) => (outcome = result),
      (error) => (outcome = { violations: [`The test failed: ${error?.stack}`], lines: [] }),
    );
  try {
    await world.run(() => outcome !== undefined || world.now > LONGEST_MS);
  } finally {
    process.off('unhandledRejection', stray);
  }
  outcome ??= { violations: [`Nothing happens any more, or for too long: ${world.now} ms`], lines: [] };
  if (nodes.strays.length > 0)
    outcome.violations.push(`I10: a promise was rejected and nobody heard: ${nodes.strays[0]}`);
  return { ...outcome, trace: fingerprint(world, outcome), steps: world.steps, ms: world.now - began };
}

/** Of every step and when it came, and of every line of the history. */
function fingerprint({ trace }, { lines }) {
  return createHash('sha256')
    .update(`${trace}\n${lines.join('\n')}`)
    .digest()
    .readUInt32BE();
}

class Nodes {
  strays = [];

  constructor(script, world, network) {
    Object.assign(this, { script, world, network, test: world.actor('test') });
  }

  stray(error) {
    this.strays.push(error?.stack ?? String(error));
  }

  boot({ name, env, line, exited, options }) {
    const { world, network, script, test } = this;
    const actor = world.actor(name);
    actor.exited = exited;
    let node;
    const ready = new Promise((resolve, reject) => {
      const begin = async () => boot(script, { world, network, actor, env, more: { tell: { line } } }).run(options);
      world.at(world.now, actor, () => void begin().then((running) => resolve((node = running)), reject));
    });
    ready.catch(() => undefined);
    return {
      pid: actor.pid,
      ready,
      /** As over the IPC channel: both have their turn for it. */
      ask(command, args, resolve, reject) {
        const later = (settle) => (value) => void world.at(world.now, test, () => settle(value));
        const carryOut = async () => {
          if (node === undefined) throw new Error('It has not started');
          return (node.commands ?? node)[command](...args);
        };
        world.at(world.now, actor, () => void carryOut().then(later(resolve), later(reject)));
      },
      setClock: (aheadMs) => (actor.aheadMs = aheadMs),
      kill() {
        world.kill(actor);
        network.drop(actor);
      },
      freeze: () => world.freeze(actor),
      thaw: () => world.thaw(actor),
      link: (mode) => network.link(actor, mode),
    };
  }
}
