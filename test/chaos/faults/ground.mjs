// What a check of the fault matrix stands on: a cluster, chance from a seed, and the ways to hurt it that the history
// checker knows of. Asserts nothing but that the cluster is whole again.
import assert from 'node:assert/strict';
import { ClusterHistory, eventually, historyNow } from 'nestjs-foundation/testing';
import { TestCluster } from '../../../dist/test/support/cluster.js';
import { msBetween, passed } from '../../../dist/test/support/history.time.js';
import { ALL_SLOTS, mulberry32, NODES, SLOTS } from '../history.plan.mjs';
import { oneView } from '../one.view.mjs';

export { assert, ClusterHistory, eventually, historyNow, msBetween, NODES, passed };

/** One of each kind, which act, write and are called all the time. */
export const WANTED = ['steady', 'slow', 'patient', 'fragile', ...ALL_SLOTS];
/** Every node offers it. */
export const SERVICE = 'offer-0';
/** A generous limit for everything that should be back after seconds. */
export const WITHIN_MS = 20_000;
/** The times of a lease and of a node, by default. */
export const LEASE_MS = 1500;
export const NODE_MS = 3000;
const WHOLE_MS = 60_000;

/** The cluster that most checks share. */
export const SHARED = {
  nodes: NODES,
  options: {
    processes: ['steady,slow,patient,fragile', ...Object.keys(SLOTS)].join(),
    env: { TEST_CALLS: '1', TEST_TALK: '1', TEST_LOOK_EVERY: '400', TEST_SERVICES: '2' },
    behindProxies: NODES,
    redis: { minimal: true, password: 'of the chaos tests', args: ['--enable-debug-command', 'yes'] },
  },
  wanted: WANTED,
};

/** Longer than this, and a busy machine may have ended leases by itself, where nothing else takes time of a renewal. */
const SLACK_MS = 400;
const LOOK_MS = 50;

/** The machine stood still meanwhile, so it cannot be said whether the fault was noticed. */
export class Disturbed extends Error {}

export class Ground {
  /** What was measured, as words for the page. */
  figures = [];
  /** Ownerships whose lease an operator took away: I1 cannot hold for these. */
  #givenAway = [];
  #settledAt;
  #looking;
  #stoodStillMs = 0;

  constructor(cluster, { nodes, wanted, seed, say }) {
    this.cluster = cluster;
    this.nodes = nodes;
    this.wanted = wanted;
    this.say = say;
    this.random = mulberry32(seed);
    let looked = performance.now();
    this.#looking = setInterval(() => {
      const now = performance.now();
      this.#stoodStillMs = Math.max(this.#stoodStillMs, now - looked - LOOK_MS);
      looked = now;
    }, LOOK_MS).unref();
  }

  /** For the next check. */
  begin() {
    this.figures = [];
    this.#stoodStillMs = 0;
  }

  /** How long this process was kept from running since {@link begin}, at most. */
  get stoodStillMs() {
    return Math.round(this.#stoodStillMs);
  }

  /** Starts the nodes, and returns when everything that is wanted runs. */
  static async open({ nodes, options, wanted }, { seed, say }) {
    const cluster = await TestCluster.open(options);
    const ground = new Ground(cluster, { nodes, wanted, seed, say });
    try {
      if (nodes.length > 0) {
        await cluster.start(nodes);
        await ground.whole();
      }
      return ground;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  pick(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  between(from, to) {
    return Math.round(from + this.random() * (to - from));
  }

  /** For the page. */
  measured(what, ms) {
    const figure = `${what} ${Math.round(ms)} ms`;
    this.figures.push(figure);
    this.say(figure);
  }

  others(...names) {
    return this.nodes.filter((name) => !names.includes(name));
  }

  /** Everything that is wanted must be owned again in time, counted from now or from `at`. */
  fault(because, { withinMs = WITHIN_MS, names = this.wanted, at = historyNow() } = {}) {
    this.cluster.noteFault(because, names, withinMs, at);
  }

  /** The node that owns a name. */
  async ownerOf(name) {
    const owner = await this.cluster.owner(name);
    return { ...owner, process: this.cluster.node(owner.node) };
  }

  /** Breaks the way of a node to Redis; what it returns heals it. */
  cut(name, mode) {
    return this.cluster.cut(name, mode);
  }

  giveAway({ name, epoch }) {
    this.#givenAway.push({ name, epoch });
  }

  async start(...names) {
    await this.cluster.start(names);
  }

  /** What is down is started; then all nodes are members, everything has one owner, and the view is one. */
  async whole() {
    const { cluster } = this;
    const missing = this.nodes.filter((name) => !cluster.nodes.get(name)?.alive);
    if (missing.length > 0) await cluster.start(missing);
    const began = historyNow();
    await cluster.members(this.nodes, WHOLE_MS);
    for (const name of this.wanted) await cluster.owner(name, { timeout: WHOLE_MS });
    this.#settledAt = await oneView(cluster, this.nodes.length, WHOLE_MS);
    // An owner that lasted until now has withstood what was done before; what a busy machine does to it later is no
    // consequence of that.
    cluster.noteFault('all was well', this.wanted, WITHIN_MS, this.#settledAt);
    return msBetween(began, this.#settledAt);
  }

  /** The facts that the checker is given besides those of the cluster. */
  facts() {
    const policies = { import: 'transient', 'job-*': 'transient' };
    return this.cluster.facts({ policies, ...(this.#settledAt === undefined ? {} : { settledAt: this.#settledAt }) });
  }

  /** Something has gone on since it was whole. */
  unsettle() {
    this.#settledAt = undefined;
  }

  /** True for a breach that the check itself has caused. */
  isExpected(violation) {
    return this.#givenAway.some(
      ({ name, epoch }) =>
        violation.startsWith('I1: ') && violation.includes(`"${name}"`) && violation.includes(`"epoch":${epoch}`),
    );
  }

  /** What breaks an invariant in everything so far. */
  violations() {
    return this.cluster.violations(this.facts()).filter((each) => !this.isExpected(each));
  }

  /** The same, once what was moving by a plan at that moment has an owner again, or has had its time (I5). */
  async verdict() {
    const from = historyNow();
    for (;;) {
      const found = this.violations();
      const isOver = msBetween(from, historyNow()) > WITHIN_MS;
      if (isOver || found.length === 0 || found.some((each) => !each.startsWith('I5: '))) return found;
      await passed(historyNow(), 500);
    }
  }

  /** Events of a name since then, on all nodes. */
  count(event, { name, node, after, where }) {
    return this.cluster.events({ event, name, node, after, where }).length;
  }

  async close() {
    clearInterval(this.#looking);
    await this.cluster.close();
  }
}

/**
 * Nobody may have noticed: no lease was lost, and the owner is the same, unless a plan has moved it meanwhile.
 * `slackMs` is how much later than by the fault alone a renewal may have been without the loss of a lease.
 */
export async function unnoticed(ground, { name = 'steady', owner, since, slackMs = SLACK_MS }) {
  const { cluster } = ground;
  const lost = cluster
    .events({ event: 'lease.lost', after: since })
    .map(({ node, payload }) => `${node} ${payload.name}`);
  if (lost.length > 0 && ground.stoodStillMs > slackMs) {
    throw new Disturbed(`the machine stood still for ${ground.stoodStillMs} ms`);
  }
  assert.deepEqual(lost, []);
  const stops = cluster.events({ event: 'process.stopped', name, after: since });
  for (const { payload } of stops) assert.equal(payload.reason, 'move');
  const now = await cluster.owner(name);
  if (stops.length === 0) assert.deepEqual([now.node, now.epoch], [owner.node, owner.epoch]);
}
