// The way of nodes to Redis, and to each other: cut, half-open, in one direction only, slow, and a cluster in two
// parts.
import {
  assert,
  eventually,
  historyNow,
  msBetween,
  NODES,
  passed,
  SERVICE,
  SHARED,
  unnoticed,
  WITHIN_MS,
} from './ground.mjs';

const SOON_MS = 10_000;
const HEAL_MS = 30_000; // the seed's
const DOWN_MS = 10_000;

/** Row 11. */
export const reset = (ground) => cutOwner(ground, 'cut');
/** Row 12. */
export const halfOpen = (ground) => cutOwner(ground, 'blackhole');
/** Row 13. */
export const repliesLost = (ground) => cutOwner(ground, 'noreply');
/** Row 14. */
export const requestsLost = (ground) => cutOwner(ground, 'norequest');

async function cutOwner(ground, mode) {
  const { cluster } = ground;
  const owner = await ground.ownerOf('steady');
  const since = historyNow();
  ground.fault(mode);
  const heal = ground.cut(owner.node, mode);
  try {
    const lost = await cluster.event({ event: 'lease.lost', name: 'steady', node: owner.node, after: since }, SOON_MS);
    await cluster.event({ event: 'cluster.isolated', node: owner.node, after: since }, SOON_MS);
    assert.equal(await owner.process.ask('fencedSet', 'steady'), 'LeaseLostError');
    const ask = ground.others(owner.node);
    await cluster.owner('steady', { not: owner.node, above: owner.epoch, ask });
    const taken = await cluster.event({ event: 'lease.acquired', name: 'steady', after: since });
    assert.ok(taken.at > lost.at, 'fenced before it is taken over');
    ground.measured('cut to the fence', msBetween(since, lost.at));
    ground.measured('fence to the next owner', msBetween(lost.at, taken.at));
  } finally {
    heal();
  }
  const healed = historyNow();
  await cluster.event({ event: 'cluster.rejoined', node: owner.node, after: healed });
  ground.measured('heal to a member', msBetween(healed, historyNow()));
}

/** Rows 11 and 12: what is over before the lease is changes nothing. */
export async function blip(ground) {
  const owner = await ground.ownerOf('steady');
  const since = historyNow();
  await ground.cluster.cutOff(owner.node, 'cut', 0);
  await passed(since, 2500);
  await unnoticed(ground, { owner, since });
}

/** Row 11: cut and healed again and again, each time in another way. */
export async function flapping(ground) {
  const { node } = await ground.ownerOf('steady');
  const since = historyNow();
  ground.fault('a way that comes and goes', { withinMs: 12_000 + WITHIN_MS });
  while (historyNow() - since < 12_000_000) {
    const heal = ground.cut(node, ground.pick(['blackhole', 'noreply', 'norequest', 'cut']));
    await passed(historyNow(), ground.between(50, 600));
    heal();
    await passed(historyNow(), ground.between(20, 400));
  }
  ground.figures.push(`${ground.count('lease.lost', { node, after: since })} leases lost`);
}

/** Row 14: what a node sent comes when it no longer owns anything, or when Redis has lost its data meanwhile. */
export async function requestsLate(ground) {
  const { cluster } = ground;
  for (const isLost of [false, true]) {
    const owner = await ground.ownerOf('steady');
    ground.fault('late requests', { withinMs: 5000 + WITHIN_MS });
    const heal = ground.cut(owner.node, ground.pick(['norequest', 900, 1500, 3000]));
    await passed(historyNow(), ground.between(300, 3000));
    if (isLost) await cluster.redis.cli('FLUSHALL');
    await passed(historyNow(), ground.between(300, 2000));
    heal();
    await passed(historyNow(), 1000);
  }
}

/** Row 15: no node reaches Redis, and each comes back at its own time. */
export async function allCut(ground) {
  ground.fault('a network that is away', { withinMs: 10_000 + WITHIN_MS });
  const heals = ground.nodes.map((name) => ground.cut(name, ground.pick(['blackhole', 'noreply', 'norequest', 'cut'])));
  await passed(historyNow(), 4000);
  for (const heal of heals) {
    heal();
    await passed(historyNow(), ground.between(0, 1200));
  }
}

/** Row 15: two of five lose Redis. */
export async function partition(ground) {
  await split(ground, (few) => {
    const mode = ground.pick(['cut', 'blackhole']);
    ground.say(`${few.join()} by ${mode}`);
    const heals = few.map((name) => ground.cut(name, mode));
    return () => heals.forEach((heal) => heal());
  });
}

/** Two nodes lose Redis by `cut`, which returns what heals them; the others take over, and it is one cluster after. */
export async function split(ground, cut) {
  const { cluster } = ground;
  const owner = await ground.ownerOf('steady');
  const few = [owner.node, ground.pick(ground.others(owner.node))];
  const many = ground.others(...few);
  const since = historyNow();
  ground.fault('a partition');
  const heal = cut(few);
  try {
    for (const node of few) await cluster.event({ event: 'cluster.isolated', node, after: since }, SOON_MS);
    for (const name of ground.wanted) {
      // Until its lease is over, Redis names the owner that has fenced itself.
      await eventually(async () => many.includes((await cluster.owner(name, { ask: many })).node), {
        timeout: SOON_MS,
        what: `An owner of ${name} among ${many.join()}`,
      });
    }
    // The few go on with what they know, and say so.
    for (const name of few) {
      const found = await cluster.node(name).ask('discover', SERVICE);
      assert.ok(found.length > 0 && found.every(({ stale }) => stale), `${name}: ${JSON.stringify(found)}`);
    }
    await eventually(
      async () => {
        const seen = await Promise.all(many.map((name) => cluster.node(name).ask('discover', SERVICE)));
        return seen.every(
          (found) =>
            found
              .map(({ node }) => node)
              .sort()
              .join() === many.toSorted().join(),
        );
      },
      { timeout: SOON_MS, what: `Services of ${many.join()} alone` },
    );
    await passed(since, DOWN_MS);
  } finally {
    heal();
  }
  const healed = historyNow();
  await cluster.members(ground.nodes, HEAL_MS);
  ground.measured('heal to one cluster (3000; the seed: 30000)', msBetween(healed, historyNow()));
}

/** A renewal has 200 ms, of which the way takes 100. */
const SLOW_SLACK_MS = 75;

/** Row 16: as far as a node can be from Redis. */
export async function slow(ground) {
  const owner = await ground.ownerOf('steady');
  const since = historyNow();
  const heals = ground.nodes.map((name) => ground.cut(name, 50)); // in each direction
  await passed(since, 6000);
  heals.forEach((heal) => heal());
  await unnoticed(ground, { owner, since, slackMs: SLOW_SLACK_MS });
}

/** Row 16: farther than its time for a command allows. */
export async function tooSlow(ground) {
  const { cluster } = ground;
  const owner = await ground.ownerOf('steady');
  const since = historyNow();
  ground.fault('300 ms to Redis');
  const heal = ground.cut(owner.node, 150);
  try {
    await cluster.owner('steady', { not: owner.node, above: owner.epoch, ask: ground.others(owner.node) });
    await passed(since, 12_000);
  } finally {
    heal();
  }
  const flaps = ground.count('lease.acquired', { node: owner.node, after: since });
  ground.figures.push(`${flaps} leases taken by the slow node in 12 s`);
  assert.ok(flaps <= 2 * ground.wanted.length, `${flaps} leases taken by a node that cannot keep them`);
}

/** Row 15, with links: two parts of the cluster do not reach each other, and all reach Redis. */
export const parted = Object.assign((ground) => partLinks(ground), {
  ground: () => ({ ...SHARED, options: { ...SHARED.options, linked: NODES } }),
});

export async function partLinks(ground) {
  const { cluster } = ground;
  const owner = await ground.ownerOf('steady');
  const few = [owner.node, ground.pick(ground.others(owner.node))];
  const pairs = few.flatMap((one) => ground.others(...few).map((other) => [one, other]));
  const since = historyNow();
  for (const pair of pairs) await cluster.part(...pair);
  await passed(since, DOWN_MS);
  await unnoticed(ground, { owner, since });
  // They reach each other through Redis: what was said by now has been heard, or was reported as missing (I21).
  const [one, other] = pairs[0];
  await heardFrom(ground, one, other, since + 5_000_000);
  await heardFrom(ground, other, one, since + 5_000_000);
  const healed = historyNow();
  for (const pair of pairs) await cluster.join(...pair);
  await passed(healed, 3000);
  await heardFrom(ground, one, other, healed);
  await unnoticed(ground, { owner, since });
}

/** Row 15: links come and go between pairs that are drawn. */
export const linksFlap = Object.assign(
  async (ground) => {
    const { cluster } = ground;
    const owner = await ground.ownerOf('steady');
    const since = historyNow();
    while (historyNow() - since < 12_000_000) {
      const one = ground.pick(ground.nodes);
      const other = ground.pick(ground.others(one));
      await cluster.part(one, other);
      await passed(historyNow(), ground.between(20, 1500));
      await cluster.join(one, other);
      await passed(historyNow(), ground.between(0, 200));
    }
    const after = historyNow();
    for (const one of ground.nodes) for (const other of ground.others(one)) await heardFrom(ground, one, other, after);
    await unnoticed(ground, { owner, since });
  },
  { ground: parted.ground },
);

/** Until one node has heard something of another one after that time. */
async function heardFrom({ cluster }, listener, sender, after) {
  const { bootId } = await cluster.node(sender).ready;
  const where = ({ payload }) => payload.sender === bootId;
  await cluster.event({ event: 'test.heard', node: listener, after, where }, SOON_MS);
}
