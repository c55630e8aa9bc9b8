// Carries out the actions of a plan on a cluster, and ends every fault. Knows what it has done, and nothing of the rules.
import { eventually, historyNow } from 'nestjs-foundation/testing';
import { passed } from '../../dist/test/support/cluster.js';
import { NODES } from './history.plan.mjs';

export class Actions {
  /** Names of processes that were stopped or completed and not started again yet. */
  down = new Set();
  #running = new Set();
  #changing = new Map();
  #over = false;

  constructor(cluster, report) {
    this.cluster = cluster;
    this.report = report;
  }

  /** Begins an action; what becomes of it is reported, and never rejects. */
  begin(action) {
    const work = this.#carryOut(action)
      .then((skipped) => skipped && this.report(action, `skipped: ${skipped}`))
      .catch((error) => this.report(action, `${error.name}: ${error.message.split('\n')[0].slice(0, 160)}`))
      .finally(() => this.#running.delete(work));
    this.#running.add(work);
  }

  /** Begins nothing more; resolves when all that was begun has ended. */
  async end() {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** For an end in a hurry. */
  cancel() {
    this.#over = true;
  }

  /** Starts what does not run. */
  async heal() {
    await this.end();
    const missing = NODES.filter((name) => !this.cluster.nodes.get(name)?.alive);
    await this.cluster.start(missing);
    await this.cluster.members(NODES, 60_000);
  }

  /** Brings back what was ended by a call. */
  async revive() {
    for (const name of [...this.down])
      await eventually(() => this.#again(name), { timeout: 60_000, what: `${name} to be back` });
  }

  async #carryOut(action) {
    const { kind, node: nodeName, forMs, whole } = action;
    const node = nodeName === undefined ? undefined : this.cluster.nodes.get(nodeName);
    switch (kind) {
      case 'kill':
        return this.#usable(node) ? void (await node.kill()) : `${nodeName} cannot be killed`;
      case 'terminate':
        return this.#usable(node) ? void (await node.terminate(40_000)) : `${nodeName} cannot be terminated`;
      case 'start':
        return this.#start(nodeName, node);
      case 'freeze':
        return this.#usable(node) ? this.#freeze(node, forMs) : `${nodeName} cannot be frozen`;
      case 'pauseRedis':
        return this.#pauseRedis(forMs);
      case 'restartRedis':
        await this.cluster.redis.kill();
        return void (await this.cluster.redis.restart({ delayMs: forMs }));
      case 'flush':
        return void (await this.cluster.redis.cli('FLUSHALL'));
      default:
        return this.#oneAtATime(whole, () => this.#change(action));
    }
  }

  #usable(node) {
    return node?.answers === true;
  }

  async #start(name, before) {
    // Its predecessor may still be on its way out.
    await before?.exited;
    if (this.#over || this.cluster.nodes.get(name) !== before) return 'it was started already';
    await this.cluster.start([name]);
  }

  async #freeze(node, forMs) {
    await node.freeze();
    await passed(historyNow(), forMs);
    node.thaw();
  }

  async #pauseRedis(forMs) {
    this.cluster.redis.pause();
    await passed(historyNow(), forMs);
    this.cluster.redis.resume();
  }

  /** So that it is known in which order a process was stopped and started. */
  async #oneAtATime(whole, change) {
    const before = this.#changing.get(whole);
    const work = (async () => {
      await before?.catch(() => undefined);
      return this.#over ? 'the test is over' : change();
    })();
    this.#changing.set(whole, work);
    return work;
  }

  async #change({ kind, name, whole, to, via }) {
    if (kind !== 'again' && this.down.has(whole)) return `${whole} is down`;
    switch (kind) {
      case 'move':
        return void (await this.#asked(via).ask('move', name, to));
      case 'restart':
        return void (await this.#asked(via).ask('restart', name));
      case 'fail':
        return void (await (await this.#ownerOf(name, via)).ask('fail', name));
      case 'complete': {
        const owner = await this.#ownerOf(name, via);
        this.down.add(whole);
        return void (await owner.ask('complete', name));
      }
      case 'stop':
        // Down from here on, because nobody knows how far a call that fails has come.
        this.down.add(whole);
        return void (await this.#asked(via).ask('stop', name));
      case 'again':
        return this.down.has(whole) ? void (await this.#again(whole, via)) : `${whole} is not down`;
    }
  }

  async #again(name, via) {
    await this.#asked(via).ask('restart', name);
    return this.down.delete(name);
  }

  async #ownerOf(name, via) {
    const owner = await this.#asked(via).ask('lookup', name);
    const node = owner === null ? undefined : this.cluster.nodes.get(owner.node);
    if (!this.#usable(node)) throw new Error(`No owner of ${name} can be asked`);
    return node;
  }

  /** The node of the plan, or the first one that can be asked. */
  #asked(name) {
    const wanted = this.cluster.answering();
    const node = wanted.find((each) => each.name === name) ?? wanted[0];
    if (node === undefined) throw new Error('No node can be asked');
    return node;
  }
}
