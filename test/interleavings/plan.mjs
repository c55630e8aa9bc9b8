// What a run is made of, as values of fast-check, so that a run that fails is made shorter until it is as short as it
// can be: what is done to the cluster and when, how the network and the timers behave, and the seed of the rest.
import fc from 'fast-check';

export const NAMES = ['a', 'b', 'c'];
/** What is stopped, started and restarted as a whole, and the names that are owned one by one. */
export const WHOLES = { ledger: ['ledger'], trio: ['trio#0', 'trio#1', 'trio#2'] };
const HOUR_MS = 3_600_000;
/** After a change a name is left alone for so long, so that it is known what was asked for last. */
const CHANGE_MS = 2500;

const node = fc.constantFrom(...NAMES);
const whole = fc.constantFrom(...Object.keys(WHOLES));
const slot = fc.constantFrom(...Object.values(WHOLES).flat());
const between = (min, max) => fc.integer({ min, max });
const blip = fc.option(node, { nil: undefined, freq: 2 });

const away = (kind, from, to) => ({
  ...{ kind, weight: 5 },
  arbitrary: fc.record({ kind: fc.constant(kind), node, forMs: between(from, to) }),
});
const cut = (weight, [from, to], ...modes) => ({
  ...{ kind: modes[0], weight },
  arbitrary: fc.record({
    ...{ kind: fc.constant('cutOff'), node, mode: fc.constantFrom(...modes) },
    forMs: between(from, to),
  }),
});
const redis = (kind, from, to) => ({
  ...{ kind, weight: 3 },
  arbitrary: fc.record({ kind: fc.constant(kind), forMs: between(from, to) }),
});
const change = (kind, more) => ({
  kind,
  weight: 3,
  arbitrary: fc.record({ kind: fc.constant(kind), via: node, ...more }),
});

/**
 * The steps of a run. Half of the runs have a few kinds of faults only, drawn for each, and many of these hit one node:
 * what takes two faults one after the other is found far sooner so than where all are mixed ("swarm testing").
 */
function stepsOf(all, only, mostGapMs, maxLength) {
  const steps = (kinds) =>
    fc.array(fc.record({ gapMs: between(0, mostGapMs), action: fc.oneof(...kinds) }), { minLength: 1, maxLength });
  const few = (kinds) =>
    fc.tuple(steps(kinds), blip).map(([drawn, one]) => (one === undefined ? drawn : atOne(drawn, one)));
  if (only !== undefined) return few(all.filter(({ kind }) => only.includes(kind)));
  return fc.oneof(steps(all), fc.subarray(all, { minLength: 2, maxLength: 4 }).chain(few));
}

function atOne(steps, node) {
  return steps.map(({ action, ...step }) => ({ ...step, action: 'node' in action ? { ...action, node } : action }));
}

const actions = [
  away('kill', 200, 3000),
  away('terminate', 200, 3000),
  away('freeze', 50, 1200),
  away('freeze', 1300, 5000),
  cut(3, [20, 5000], 'cut'),
  cut(5, [20, 5000], 'blackhole', 'norequest', 'noreply'),
  cut(2, [20, 5000], 'astray'),
  redis('pauseRedis', 100, 3000),
  redis('flush', 0, 0),
  redis('restartRedis', 10, 2500),
  redis('reloadRedis', 10, 2500),
  redis('rewindRedis', 20, 3000),
  {
    ...{ kind: 'move', weight: 6 },
    arbitrary: fc.record({ kind: fc.constant('move'), name: slot, to: node, via: node }),
  },
  change('restart', { name: whole }),
  change('fail', { name: slot }),
  change('stop', { name: whole, forMs: between(500, 3000) }),
  change('job', { restart: fc.constantFrom('transient', 'temporary'), blip, forMs: between(0, 60) }),
  {
    ...{ kind: 'clock', weight: 1 },
    arbitrary: fc.record({
      kind: fc.constant('clock'),
      node,
      aheadMs: fc.constantFrom(-HOUR_MS, -5000, 5000, HOUR_MS),
      forMs: between(500, 4000),
    }),
  },
];

/** With links between nodes only; 0 is to the end, which changes nothing for a cluster that reaches Redis. */
const part = {
  ...{ kind: 'part', weight: 12 },
  arbitrary: fc.record({
    ...{ kind: fc.constant('part'), node, other: node, mode: fc.constantFrom('cut', 'blackhole', 'oneway') },
    forMs: fc.oneof(between(20, 1500), between(1500, 8000), fc.constant(0)),
  }),
};
/** The nodes that speak over Redis alone, of all that have links otherwise. */
const PLAIN = { redis: NAMES, direct: [], mixed: ['a'] };
const TRANSPORTS = Object.keys(PLAIN);

const GOSSIP = { strategy: 'gossip', secret: 'a secret of simulated nodes', every: 500 };

/** The options of a node. */
export function nodeOptionsOf(name, { transport, gossip }) {
  return {
    ...(PLAIN[transport].includes(name) ? {} : { transport: 'direct' }),
    ...(gossip ? { topologies: [GOSSIP] } : {}),
  };
}

/** How long packets take, and by how much timers are late. */
const pace = fc.constantFrom(
  { leastMs: 0.05, mostMs: 1, slowChance: 0.01, slowMs: 30 },
  { leastMs: 0.05, mostMs: 5, slowChance: 0.05, slowMs: 150 },
  { leastMs: 0.2, mostMs: 20, slowChance: 0.02, slowMs: 400 },
);
const lateness = fc.constantFrom({ chance: 0.02, mostMs: 8 }, { chance: 0.05, mostMs: 120 });

/** With `only` of some kinds of faults, and over one transport, if given. */
export const clusters = ({ kinds, transport } = {}, most = 8) => {
  const over = (name) =>
    fc.record({
      seed: fc.noShrink(fc.integer({ min: 0, max: 2 ** 31 - 1 })),
      transport: fc.constant(name),
      gossip: fc.constantFrom(false, false, true),
      steps: stepsOf(name === 'redis' ? actions : [...actions, part], kinds, 1500, most),
      pace,
      lateness,
    });
  return transport === undefined ? fc.oneof(...TRANSPORTS.map(over)) : over(transport);
};

const server = between(0, 2);
const name = fc.constantFrom('job', 'mail');
const onServer = (kind, more = {}) => ({
  ...{ kind, weight: 4 },
  arbitrary: fc.record({ kind: fc.constant(kind), server, ...more }),
});
const leaseActions = [
  away('kill', 50, 2500),
  away('terminate', 50, 1500),
  away('freeze', 30, 900),
  away('freeze', 1000, 4000),
  cut(3, [20, 5000], 'cut'),
  cut(10, [20, 5000], 'blackhole', 'norequest', 'noreply'),
  // So short that its lease outlives it.
  cut(4, [20, 900], 'astray'),
  onServer('pauseRedis', { forMs: between(50, 2500) }),
  onServer('restartRedis', { forMs: between(1, 1500) }),
  onServer('reloadRedis', { forMs: between(1, 1500) }),
  onServer('rewindRedis', { forMs: between(20, 2500) }),
  onServer('flush'),
  { kind: 'move', weight: 6, arbitrary: fc.record({ kind: fc.constant('move'), name }) },
  {
    ...{ kind: 'clock', weight: 2 },
    arbitrary: fc.record({
      kind: fc.constant('clock'),
      node,
      aheadMs: fc.constantFrom(-HOUR_MS, -5000, 5000, HOUR_MS),
      forMs: between(200, 2000),
    }),
  },
];

/** The same of the leases alone, on one server or on three. */
export const leaseRuns = ({ kinds } = {}, most = 10) =>
  fc.record({
    seed: fc.noShrink(fc.integer({ min: 0, max: 2 ** 31 - 1 })),
    steps: stepsOf(leaseActions, kinds, 900, most),
    redisCount: fc.constantFrom(1, 1, 3),
    stopMs: fc.constantFrom(0, 30, 300),
    pace,
    lateness,
  });

/** The steps as `Actions` takes them, each at its time; changes of one name do not overlap. */
export function planOf(steps) {
  const plan = [];
  const free = new Map();
  let at = 200;
  let redisFree = 0;
  for (const [index, { gapMs, action }] of steps.entries()) {
    at += gapMs;
    const { kind, forMs, name } = action;
    const changed =
      name === undefined ? undefined : Object.keys(WHOLES).find((each) => WHOLES[each].includes(name) || each === name);
    if (changed !== undefined && free.get(changed) > at) continue;
    if (changed !== undefined) free.set(changed, at + CHANGE_MS + (kind === 'stop' ? forMs : 0));
    const isRedis = /redis$|^flush$/i.test(kind);
    if (isRedis && redisFree > at) continue;
    if (isRedis) redisFree = at + forMs + CHANGE_MS;
    if (kind === 'kill' || kind === 'terminate') {
      plan.push({ at, kind, node: action.node }, { at: at + forMs, kind: 'start', node: action.node });
    } else if (kind === 'clock') {
      plan.push({ at, ...action, forMs: undefined }, { at: at + forMs, kind, node: action.node, aheadMs: 0 });
    } else if (kind === 'stop') {
      plan.push({ at, kind, name: changed, whole: changed, via: action.via });
      plan.push({ at: at + forMs, kind: 'again', name: changed, whole: changed, via: action.via });
    } else if (kind === 'job') {
      plan.push({ at, ...action, name: `${action.restart === 'transient' ? 'job' : 'once'}-${index}` });
    } else plan.push({ at, ...action, ...(changed === undefined ? {} : { whole: changed }) });
  }
  return plan.sort((one, other) => one.at - other.at);
}
