// The test of a run, in a box of its own: starts the nodes of a simulated cluster, does to them what a plan says, and
// knows what it did. The actions are those of `npm run chaos:history`.
import { checkHistory, describeViolations, eventually, historyNow, parseHistory } from 'nestjs-foundation/testing';
import { loadingMs, part, servers } from 'simulated';
import { msBetween, passed } from '../../dist/test/support/history.time.js';
import { Actions, LONGEST_LEASE_MS } from '../chaos/history.actions.mjs';
import { describeAction, SLOTS } from '../chaos/history.plan.mjs';
import { oneView } from '../chaos/one.view.mjs';
import { KeptMessages } from './kept.messages.mjs';
import { SimulatedNode } from './simulated.node.mjs';

const [redis] = servers;
const OWNED_WITHIN_MS = 20_000;
/** The ttl of a lease, and some time to take it. */
const LAST_LEASE_MS = 2500;
/** The loss of a message is reported so soon, where nothing is slow but what the world makes slow. */
const TOLD_WITHIN_MS = 5000;
/** What is due again is due after 3 s; what was delivered twice comes alone. */
const AGREED_WITHIN_MS = 40_000;

class SimulatedCluster {
  lines = [];
  nodes = new Map();
  all = [];
  kept = new KeptMessages();
  #facts = { cut: [], redisFrozen: [], wanted: [], dataLost: [], rewound: [] };
  #apart = new Set();
  redis = {
    kill: async () => {
      redis.kill();
      this.#loses();
    },
    restart: async ({ delayMs }) => {
      await passed(historyNow(), delayMs);
      redis.start();
    },
    cli: async () => {
      redis.flush();
      this.#loses();
    },
  };

  constructor(options) {
    this.options = options;
  }

  async start(names, env = {}) {
    const variant = env.TEST_OPTIONS === undefined ? {} : JSON.parse(env.TEST_OPTIONS);
    const started = names.map((name) => {
      const node = new SimulatedNode(name, this, {
        ...this.options,
        options: { ...this.options.nodeOptions[name], ...variant },
      });
      this.all.push(node);
      this.nodes.set(name, node);
      return node;
    });
    await Promise.all(started.map(({ ready }) => ready));
    return started;
  }

  async cutOff(name, mode, ms) {
    const fact = { node: name, from: historyNow() };
    this.#facts.cut.push(fact);
    const { actor } = this.nodes.get(name);
    actor.link(mode);
    try {
      await passed(fact.from, ms);
    } finally {
      actor.link('ok');
      fact.until = historyNow();
    }
  }

  #loses() {
    const at = historyNow();
    this.#facts.dataLost.push({ at });
    this.kept.lost(at);
  }

  /** Between two nodes, which both reach Redis; nothing of it excuses anything. 0 is to the end. */
  async part(one, other, mode, ms) {
    const pair = [one, other].sort().join();
    if (one === other || this.#apart.has(pair)) return 'they cannot be taken apart';
    this.#apart.add(pair);
    const heal = part(one, other, mode);
    if (ms === 0) return;
    await passed(historyNow(), ms);
    heal();
    this.#apart.delete(pair);
  }

  /** It is away for so long, which cuts off everyone, and has lost nothing. */
  async reloadRedis(ms) {
    const cut = [...this.nodes.keys()].map((node) => ({ node, from: historyNow() }));
    this.#facts.cut.push(...cut);
    const saved = redis.save();
    redis.kill();
    await passed(historyNow(), ms);
    redis.start(saved);
    for (const fact of cut) fact.until = historyNow();
  }

  /** It goes back to what it was so long ago. */
  async rewindRedis(ms) {
    const fact = { from: historyNow() };
    this.#facts.rewound.push(fact);
    const saved = redis.save();
    await passed(fact.from, ms);
    redis.kill();
    await passed(historyNow(), loadingMs);
    redis.start(saved);
    fact.until = historyNow();
    // What was written meanwhile is, and the checks of the configuration and of durable messages know of no less.
    this.#facts.dataLost.push({ at: fact.until });
    this.kept.lost(fact.until, fact.from);
  }

  async freezeRedis(ms) {
    const fact = { from: historyNow() };
    this.#facts.redisFrozen.push(fact);
    redis.freeze();
    await passed(fact.from, ms);
    redis.thaw();
    fact.until = historyNow();
  }

  answering() {
    return [...this.nodes.values()].filter(({ answers }) => answers);
  }

  async members(names, timeout = 20_000) {
    const expected = [...names].sort().join();
    let last;
    await eventually(
      async () => {
        last = await Promise.all(
          this.answering().map(async (node) => {
            const [{ state }, members] = await Promise.all([node.ask('state'), node.ask('members')]);
            return `${node.name} is ${state} and sees ${members.map((m) => (m.state === 'up' ? m.name : `${m.name}(${m.state})`)).join()}`;
          }),
        );
        return this.answering().every(({ name }, index) => last[index] === `${name} is up and sees ${expected}`);
      },
      { timeout, every: 100, what: `Members ${expected} everywhere`, lastSeen: () => last },
    );
  }

  async owner(name, { timeout = 20_000 } = {}) {
    let last;
    return eventually(
      async () => {
        const owners = await Promise.all(this.answering().map((node) => node.ask('lookup', name)));
        last = owners;
        const [first] = owners;
        return first && owners.every((owner) => owner?.epoch === first.epoch && owner?.node === first.node);
      },
      { timeout, every: 100, what: `An owner of "${name}"`, lastSeen: () => last },
    );
  }

  /** All find the same services, one of each node, and have the same configuration, and no durable message is left. */
  async agrees({ services, config, durable }) {
    const nodes = this.answering();
    const ask = (command) => Promise.all(nodes.map((node) => node.ask(command)));
    let last;
    const all = async () => {
      last = {
        services: services && new Set((await ask('found')).map((found) => found.join())).size,
        offered: services && (await nodes[0].ask('found')).length,
        config: config && new Set(await ask('config')).size,
        left: durable && this.kept.size,
      };
      const isOffered = !services || (last.services === 1 && last.offered === nodes.length);
      return isOffered && (!config || last.config === 1) && (!durable || last.left === 0);
    };
    await Promise.all(nodes.map((node) => node.ask('quiet')));
    const what = 'Services, configuration and durable messages everywhere';
    await eventually(all, { timeout: AGREED_WITHIN_MS, every: 200, what, lastSeen: () => last });
  }

  noteFault(because, names, withinMs, at = historyNow()) {
    for (const name of names) this.#facts.wanted.push({ name, at, withinMs, because });
  }

  facts(more) {
    return {
      killed: this.all.flatMap(({ pid, killedAt }) => (killedAt === undefined ? [] : [{ pid, at: killedAt }])),
      frozen: this.all.flatMap(({ pid, frozen }) => frozen.map((one) => ({ pid, ...one }))),
      exits: this.all.flatMap(({ name, pid, exit, ending }) =>
        exit === undefined
          ? []
          : [{ node: name, pid, at: exit.at, how: exit.signal ?? `code ${exit.code}`, injected: ending }],
      ),
      ...this.#facts,
      ...more,
    };
  }
}

/** Carries the plan out; resolves with what was violated, as text. */
export async function run({ nodes: names, slots = SLOTS, plan, report, ...options }) {
  const allSlots = Object.values(slots).flat();
  const policies = { import: 'transient', 'job-*': 'transient', 'once-*': 'temporary' };
  const began = historyNow();
  const say = (what) => report?.(`[${(msBetween(began, historyNow()) / 1000).toFixed(3).padStart(8)} s] ${what}`);
  const cluster = new SimulatedCluster({ ...options, processes: Object.keys(slots).join() });
  const actions = new Actions(cluster, (action, what) => say(`  … ${describeAction(action)}: ${what}`), names);
  const check = (more) => {
    const history = parseHistory(cluster.lines.join('\n').concat('\n'));
    const facts = cluster.facts({ policies, leaseTtlMs: LONGEST_LEASE_MS, toldWithinMs: TOLD_WITHIN_MS, ...more });
    return describeViolations(checkHistory(history, facts), history);
  };
  try {
    await actions.start(names);
    await cluster.members(names);
    for (const name of allSlots) await cluster.owner(name);
    const from = historyNow();
    for (const action of plan) {
      await passed(from, action.at);
      say(describeAction(action));
      actions.begin(action);
    }
    await actions.heal();
    const healed = historyNow();
    const wanted = allSlots.filter((slot) => ![...actions.down].some((name) => slots[name]?.includes(slot)));
    cluster.noteFault('the end of all faults', wanted, OWNED_WITHIN_MS, healed);
    await actions.revive();
    // A lease that was lost at the very end is another node's by then.
    // And what was lost is reported.
    await passed(healed, Math.max(LAST_LEASE_MS, options.load?.talk ? TOLD_WITHIN_MS : 0));
    for (const name of allSlots) await cluster.owner(name, { timeout: 30_000 });
    await cluster.agrees(options.load ?? {});
    const settledAt = await oneView(cluster, names.length);
    return { violations: check({ settledAt }), lines: cluster.lines };
  } catch (error) {
    return { violations: [`It was not whole again: ${error.message}`, ...check({})], lines: cluster.lines };
  }
}
