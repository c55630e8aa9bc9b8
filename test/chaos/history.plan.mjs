// Pure: a seed → the actions of a random test, each with its time. Nothing that happens while they are carried out
// changes them, so the same seed gives the same sequence; what is not possible by then is skipped, and said to be.

export const NODES = ['a', 'b', 'c', 'd', 'e'];
/** What is stopped, started and restarted as a whole, and the names that are owned one by one. */
export const SLOTS = {
  ledger: ['ledger'],
  mail: ['mail'],
  import: ['import'],
  trio: ['trio#0', 'trio#1', 'trio#2'],
  shard: ['shard/0', 'shard/1', 'shard/2', 'shard/3'],
};
export const ALL_SLOTS = Object.values(SLOTS).flat();

const WHOLES = Object.keys(SLOTS);
/** A node and Nest take so long to start on a busy machine of two cores. */
const START_MS = 3500;
/** How long a name is left alone after a change of it. */
const CHANGE_MS = 2500;
const REDIS_REST_MS = 3500;
/** How a node that comes back may differ from the others: see `VARIANTS` of history.actions.mjs. */
const VARIANTS = ['', '', 'capacity', 'services', 'times', 'leases'];
const HOUR_MS = 3_600_000;
/** So many nodes are always left alone. */
export const LEAST_UP = 2;
const MOST_AWAY = 2;

/** Random numbers from 0 to 1, always the same for one seed. */
export function mulberry32(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The actions of `seconds`, in the order of their times (ms): `{ at, kind, … }`. */
export function planOf(seed, seconds) {
  const random = mulberry32(seed);
  const between = (from, to) => Math.round(from + random() * (to - from));
  const pick = (list) => list[Math.floor(random() * list.length)];
  const away = new Map(NODES.map((node) => [node, 0])); // until when a node is down, starting or frozen
  const busy = new Map(WHOLES.map((name) => [name, 0]));
  let redisBusy = 2000;
  const plan = [];

  const free = (at) => NODES.filter((node) => away.get(node) <= at);
  const someNode = (at) => {
    const up = free(at);
    return up.length > LEAST_UP && NODES.length - up.length < MOST_AWAY ? pick(up) : undefined;
  };
  const someName = (at, names = WHOLES) => pick(names.filter((name) => busy.get(name) <= at));
  const kinds = {
    kill: (at) => goes(at, 'kill'),
    terminate: (at) => goes(at, 'terminate'),
    freeze: (at) => freezes(at, between(100, 900)),
    freezeLong: (at) => freezes(at, between(1300, 5000)),
    pauseRedis: (at) => breaksRedis(at, { kind: 'pauseRedis', forMs: between(500, 3000) }),
    flush: (at) => breaksRedis(at, { kind: 'flush', forMs: 0 }),
    restartRedis: (at) => breaksRedis(at, { kind: 'restartRedis', forMs: between(50, 2500) }),
    rewindRedis: (at) => breaksRedis(at, { kind: 'rewindRedis', forMs: between(50, 3000) }),
    move: (at) => changes(at, (whole) => ({ kind: 'move', name: pick(SLOTS[whole]), to: pick(NODES) })),
    restart: (at) => changes(at, (whole) => ({ kind: 'restart', name: whole })),
    fail: (at) => changes(at, (whole) => ({ kind: 'fail', name: pick(SLOTS[whole]) })),
    failBadly: (at) =>
      changes(at, (whole) => ({ kind: 'failBadly', name: pick(SLOTS[whole]), number: between(0, 100) })),
    stop: (at) => ends(at, 'stop'),
    complete: (at) => ends(at, 'complete', ['import']),
    cut: (at) => cutsOff(at, 'cut', between(20, 900)),
    cutLong: (at) => cutsOff(at, 'cut', between(1300, 8000)),
    halfOpen: (at) => cutsOff(at, pick(['blackhole', 'norequest', 'noreply']), between(300, 4000)),
    job: (at) => startsJob(at),
    clock: (at) => setsClock(at),
  };
  const weights = {
    ...{ kill: 10, terminate: 8, freeze: 8, freezeLong: 6, pauseRedis: 6, flush: 5, restartRedis: 5, rewindRedis: 4 },
    ...{ move: 16, restart: 8, fail: 7, failBadly: 3, stop: 5, complete: 3 },
    ...{ cut: 6, cutLong: 3, halfOpen: 5, job: 8, clock: 4 },
  };
  const wheel = Object.entries(weights).flatMap(([kind, weight]) => Array(weight).fill(kind));

  function goes(at, kind) {
    const node = someNode(at);
    if (node === undefined) return false;
    const back = at + between(300, 3000);
    away.set(node, back + START_MS);
    plan.push({ at, kind, node }, { at: back, kind: 'start', node, variant: pick(VARIANTS) });
    return true;
  }
  function cutsOff(at, mode, forMs) {
    const node = someNode(at);
    if (node === undefined) return false;
    away.set(node, at + forMs);
    plan.push({ at, kind: 'cutOff', node, mode, forMs });
    return true;
  }
  /** A job that ends at once, at a moment at which some node has a blip, or none. */
  function startsJob(at) {
    const restart = pick(['transient', 'temporary']);
    const name = `${restart === 'transient' ? 'job' : 'once'}-${plan.length}`;
    const blip = random() < 0.7 ? pick(free(at)) : undefined;
    plan.push({ at, kind: 'job', name, restart, via: pick(free(at)), blip, forMs: between(0, 60) });
    return true;
  }
  /** Of a node, by seconds or by hours, in either direction; and back. */
  function setsClock(at) {
    const node = pick(free(at));
    const aheadMs = pick([-HOUR_MS, -5000, 5000, HOUR_MS]);
    plan.push({ at, kind: 'clock', node, aheadMs }, { at: at + between(500, 4000), kind: 'clock', node, aheadMs: 0 });
    return true;
  }
  function freezes(at, forMs) {
    const node = someNode(at);
    if (node === undefined) return false;
    away.set(node, at + forMs);
    plan.push({ at, kind: 'freeze', node, forMs });
    return true;
  }
  function breaksRedis(at, action) {
    if (redisBusy > at) return false;
    redisBusy = at + action.forMs + REDIS_REST_MS;
    plan.push({ at, ...action });
    return true;
  }
  function changes(at, make) {
    const whole = someName(at);
    if (whole === undefined) return false;
    busy.set(whole, at + CHANGE_MS);
    plan.push({ at, ...make(whole), whole, via: pick(free(at)) });
    return true;
  }
  function ends(at, kind, names = WHOLES) {
    const whole = someName(at, names);
    if (whole === undefined) return false;
    const again = at + between(1500, 4000);
    busy.set(whole, again + CHANGE_MS);
    plan.push({ at, kind, name: whole, whole, via: pick(free(at)) });
    plan.push({ at: again, kind: 'again', name: whole, whole, via: pick(NODES) });
    return true;
  }

  for (let at = 500; at < seconds * 1000; at += between(300, 800)) {
    // Some kinds are not possible at all times; another one is drawn then.
    for (let draw = 0; draw < 20 && !kinds[pick(wheel)](at); draw++);
  }
  return plan.sort((one, other) => one.at - other.at);
}

/** An action as one line. */
export function describeAction({ kind, node, name, to, forMs, via, mode, variant, aheadMs, blip, other }) {
  const target = [node, name].find((one) => one !== undefined);
  const words = [
    ...[kind, target, mode, variant && `with other ${variant}`, aheadMs !== undefined && `${aheadMs} ms ahead`],
    ...[
      to && `to ${to}`,
      other && `from ${other}`,
      blip && `blip of ${blip}`,
      forMs ? `for ${forMs} ms` : undefined,
      via && `(asked of ${via})`,
    ],
  ];
  return words.filter(Boolean).join(' ');
}
