// Carries out the actions of a plan on a cluster, and ends every fault. Knows what it has done, and nothing of the
// rules.
import { eventually, historyNow } from 'nestjs-foundation/testing';
import { passed } from '../../dist/test/support/history.time.js';
import { LEAST_UP, NODES } from './history.plan.mjs';

/** Of a node that is not like the others; theirs is 1500. */
export const LONGEST_LEASE_MS = 3000;
/** The environment of a node that is not like the others. */
const VARIANTS = {
  capacity: { TEST_OPTIONS: JSON.stringify({ capacity: 3 }) },
  services: { TEST_SERVICES: '300' },
  leases: { TEST_OPTIONS: JSON.stringify({ lease: { ttl: LONGEST_LEASE_MS } }) },
  times: { TEST_OPTIONS: JSON.stringify({ membership: { ttl: 6000, beatEvery: 2000 } }) },
};

export class Actions {
  /** Names of processes that were stopped or completed and not started again yet. */
  down = new Set();
  /** Nodes whose start is over; the others take longer on a busy machine than any plan can know. */
  #ready = new Set();
  #running = new Set();
  #changing = new Map();
  #over = false;
  #redisTurn = Promise.resolve();

  constructor(cluster, report, nodes = NODES) {
    this.cluster = cluster;
    this.report = report;
    this.names = nodes;
  }

  /** Starts nodes, and returns when they are ready. */
  async start(names, variant) {
    for (const node of await this.cluster.start(names, VARIANTS[variant])) this.#ready.add(node);
  }

  /** Begins an action; what becomes of it is reported, and never rejects. */
  begin(action) {
    if (this.#over) return;
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
    const missing = this.names.filter((name) => !this.cluster.nodes.get(name)?.alive);
    await this.start(missing);
    await this.cluster.members(this.names, 60_000);
  }

  /** Brings back what was ended by a call. */
  async revive() {
    for (const name of this.down) await this.#back(name);
  }

  async #carryOut(action) {
    const { kind, node: nodeName, forMs } = action;
    const node = nodeName === undefined ? undefined : this.cluster.nodes.get(nodeName);
    switch (kind) {
      case 'kill':
        return this.#maySpare(node) ? void (await node.kill()) : `${nodeName} cannot be spared`;
      case 'terminate':
        return this.#maySpare(node) ? void (await node.terminate(40_000)) : `${nodeName} cannot be spared`;
      case 'start':
        return this.#start(nodeName, node, action.variant);
      case 'freeze':
        return this.#maySpare(node) ? this.#freeze(node, forMs) : `${nodeName} cannot be spared`;
      case 'cutOff':
        return this.#maySpare(node)
          ? this.cluster.cutOff(nodeName, action.mode, forMs)
          : `${nodeName} cannot be spared`;
      case 'part':
        return this.cluster.part(nodeName, action.other, action.mode, forMs);
      case 'clock':
        return this.#usable().includes(node)
          ? void (await node.ask('setClock', action.aheadMs))
          : `${nodeName} cannot be asked`;
      case 'job':
        return this.#job(action);
      case 'pauseRedis':
        return this.#breakRedis(() => this.cluster.freezeRedis(forMs));
      case 'restartRedis':
        return this.#breakRedis(async () => {
          await this.cluster.redis.kill();
          await this.cluster.redis.restart({ delayMs: forMs });
        });
      case 'reloadRedis':
        return this.#breakRedis(() => this.cluster.reloadRedis(forMs));
      case 'rewindRedis':
        return this.#breakRedis(() => this.cluster.rewindRedis(forMs));
      case 'flush':
        return void (await this.cluster.redis.cli('FLUSHALL'));
      default:
        return this.#oneAtATime(action, () => this.#change(action));
    }
  }

  /** The nodes that are members and can be asked. */
  #usable() {
    return this.cluster.answering().filter((node) => this.#ready.has(node));
  }

  /** Without any node left there would be nothing to see. */
  #maySpare(node) {
    const usable = this.#usable();
    return usable.includes(node) && usable.length > LEAST_UP;
  }

  /** One fault of Redis at a time: on a busy machine one may take longer than the plan gives it. */
  async #breakRedis(fault) {
    const turn = this.#redisTurn.then(fault);
    this.#redisTurn = turn.catch(() => undefined);
    await turn;
  }

  /** The blip comes while the job starts, runs or ends. */
  async #job({ name, restart, via, blip, forMs }) {
    const asked = historyNow();
    const answer = this.#asked(via).ask('job', name, restart);
    if (blip !== undefined) {
      await passed(asked, forMs);
      await this.cluster.cutOff(blip, 'cut', 0);
    }
    await answer;
  }

  async #start(name, before, variant) {
    // Its predecessor may still be on its way out.
    if (before?.isEnding === true) await before.exited;
    if (this.#over || before?.alive === true || this.cluster.nodes.get(name) !== before) return `${name} runs`;
    await this.start([name], variant);
  }

  async #freeze(node, forMs) {
    await node.freeze();
    await passed(historyNow(), forMs);
    node.thaw();
  }

  /** One change of a process at a time, so that it is known in which order it was stopped and started. */
  async #oneAtATime({ kind, whole }, change) {
    const before = this.#changing.get(whole);
    if (before !== undefined && kind !== 'again') return `${whole} is being changed`;
    const work = (before ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => (this.#over ? 'it is over' : change()));
    this.#changing.set(whole, work);
    try {
      return await work;
    } finally {
      if (this.#changing.get(whole) === work) this.#changing.delete(whole);
    }
  }

  async #change({ kind, name, whole, to, via, number }) {
    if (kind !== 'again' && this.down.has(whole)) return `${whole} is down`;
    switch (kind) {
      case 'move':
        return void (await this.#asked(via).ask('move', name, to));
      case 'restart':
        return void (await this.#asked(via).ask('restart', name));
      case 'fail':
        return void (await (await this.#ownerOf(name, via)).ask('fail', name));
      case 'failBadly':
        return void (await (await this.#ownerOf(name, via)).ask('failBadly', name, number));
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
        return this.down.has(whole) ? this.#back(whole, via) : `${whole} is not down`;
    }
  }

  /** Asks until it has worked: nobody else would start it. */
  async #back(name, via) {
    const ask = async () => {
      if (!this.#over) await this.#asked(via).ask('restart', name);
      return true;
    };
    await eventually(ask, { timeout: 60_000, every: 200, what: `${name} to be back` });
    this.down.delete(name);
  }

  async #ownerOf(name, via) {
    const owner = await this.#asked(via).ask('lookup', name);
    const node = owner === null ? undefined : this.cluster.nodes.get(owner.node);
    if (!this.#usable().includes(node)) throw new Error(`No owner of ${name} can be asked`);
    return node;
  }

  /** The node of the plan, or the first one that can be asked. */
  #asked(name) {
    const wanted = this.#usable();
    const node = wanted.find((each) => each.name === name) ?? wanted[0];
    if (node === undefined) throw new Error('No node can be asked');
    return node;
  }
}
