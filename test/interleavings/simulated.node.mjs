// A node of a simulated cluster as the test has it, with what a real process of the tests can do.
import { historyNow } from 'nestjs-foundation/testing';
import { bootNode, redisPort } from 'simulated';

const REDIS_URL = `redis://127.0.0.1:${redisPort}`;
/** With gossip, the others hear of it. */
const KNOWS_REDIS = 'a';
const COOKIE = 'the cookie of simulated nodes';

export class SimulatedNode {
  frozen = [];
  ending = false;
  exit;
  killedAt;

  constructor(name, cluster, options) {
    this.name = name;
    this.cluster = cluster;
    const env = {
      FOUNDATION_APP_NAME: 'e2e',
      ...(options.options.topologies === undefined || name === KNOWS_REDIS ? { FOUNDATION_REDIS_URL: REDIS_URL } : {}),
      FOUNDATION_COOKIE: COOKIE,
    };
    this.actor = bootNode({
      ...{ name, env: { ...env, FOUNDATION_NODE_NAME: name }, options },
      line: (line) => {
        cluster.lines.push(line);
        cluster.kept.note(line);
      },
      exited: (code) => this.#exits(code, null),
    });
    this.pid = this.actor.pid;
    this.exited = new Promise((resolve) => (this.toldExit = resolve));
    this.ready = this.actor.ready.then((node) => (this.running = node));
    this.ready.catch(() => undefined);
  }

  get alive() {
    return this.exit === undefined;
  }

  get answers() {
    const last = this.frozen.at(-1);
    return this.alive && !this.ending && (last === undefined || last.until !== undefined);
  }

  /** As over the IPC channel: the node answers when it gets to it. */
  async ask(command, ...args) {
    if (command === 'setClock') return this.actor.setClock(...args);
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`Node ${this.name} did not answer "${command}"`)), 15_000);
      const done = (settle) => (value) => {
        clearTimeout(timer);
        settle(value);
      };
      void this.exited.then(() => done(reject)(new Error(`Node ${this.name} has ended`)));
      this.actor.ask(command, args, done(resolve), done(reject));
    });
  }

  async kill() {
    this.ending = true;
    this.actor.kill();
    this.killedAt = historyNow();
    this.#exits(null, 'SIGKILL');
    return this.killedAt;
  }

  async terminate() {
    this.ending = true;
    await this.ask('terminate');
    this.#exits(0, null);
    this.actor.kill();
  }

  async freeze() {
    this.actor.freeze();
    this.frozen.push({ from: historyNow() });
  }

  thaw() {
    const last = this.frozen.at(-1);
    if (last !== undefined) last.until = historyNow();
    this.actor.thaw();
  }

  #exits(code, signal) {
    this.exit ??= { code, signal, at: historyNow() };
    this.toldExit(this.exit);
  }
}
