// A node that stands still: by SIGSTOP, or because its event loop is blocked.
import { assert, eventually, historyNow, msBetween, passed, unnoticed, WITHIN_MS } from './ground.mjs';
import { ownedAbove, ownersOf } from './redis.mjs';

/** A lease ends 1233 ms after the last renewal was sent, and that may be 350 ms before it is frozen for 500. */
const FREEZE_SLACK_MS = 300;

/** Row 4. */
export async function freezeShort(ground) {
  const owner = await ground.ownerOf('steady');
  const since = historyNow();
  await freeze(ground, owner, 500);
  await passed(since, 2500); // longer than a lease lives: whoever would take it over would have done so
  await unnoticed(ground, { owner, since, slackMs: FREEZE_SLACK_MS });
}

/** Row 4. */
export const freezeLong = (ground) => freezeAndReplace(ground, 5000);

/** Row 4. */
export const freezeMinute = (ground) => freezeAndReplace(ground, 60_000);

async function freeze(_ground, { process }, ms) {
  const from = historyNow();
  await process.freeze();
  await passed(from, ms);
  process.thaw();
}

async function freezeAndReplace(ground, ms) {
  const { cluster } = ground;
  const owner = await ground.ownerOf('steady');
  const node = owner.process;
  const before = historyNow();
  await node.freeze();
  ground.fault('SIGSTOP', { at: before });
  const next = await cluster.owner('steady', { not: owner.node, above: owner.epoch });
  const taken = await cluster.event({ event: 'lease.acquired', name: 'steady', node: next.node, after: before });
  ground.measured(`SIGSTOP to the next owner`, msBetween(before, taken.at));
  await passed(before, ms);
  const thawed = historyNow();
  node.thaw();
  const lost = await cluster.event({ event: 'lease.lost', name: 'steady', node: owner.node, after: thawed });
  assert.equal(lost.payload.epoch, owner.epoch);
  await cluster.event({ event: 'process.stopped', name: 'steady', node: owner.node, after: thawed });
  ground.measured('SIGCONT to lease.lost', msBetween(thawed, lost.at));
  assert.equal(await node.ask('fencedSetUnguarded', 'steady'), 'StaleEpochError');
  const acts = cluster.events({ event: 'test.effect', name: 'steady', node: owner.node, after: thawed });
  assert.deepEqual(
    acts.filter(({ payload }) => payload.epoch === owner.epoch),
    [],
  );
}

/** Row 4: every node at once; whoever wakes up first finds all leases over. */
export async function freezeAll(ground) {
  const before = await ownersOf(ground);
  const thaw = await freezeNodes(ground);
  await passed(historyNow(), 5000);
  thaw();
  const thawed = historyNow();
  await ownedAbove(ground, before);
  ground.measured('SIGCONT of all to an owner of everything', msBetween(thawed, historyNow()));
}

/** Row 4: a machine that has everything on it sleeps, Redis included, whose clock goes on. */
export async function sleep(ground) {
  const thaw = await freezeNodes(ground);
  await ground.cluster.freezeRedis(5000);
  thaw();
  await passed(historyNow(), 3000);
}

async function freezeNodes(ground) {
  const { cluster, nodes } = ground;
  ground.fault('SIGSTOP of all', { withinMs: 5000 + WITHIN_MS });
  await Promise.all(nodes.map((name) => cluster.node(name).freeze()));
  return () => {
    ground.fault('SIGCONT of all');
    for (const name of nodes) cluster.node(name).thaw();
  };
}

/** Row 4: Redis loses its data while an owner is frozen, which knows nothing of it when it wakes up. */
export async function freezeThroughLoss(ground) {
  const { cluster } = ground;
  const owner = await ground.ownerOf('steady');
  ground.fault('SIGSTOP and a loss of data', { withinMs: 2 * WITHIN_MS });
  await owner.process.freeze();
  await passed(historyNow(), ground.between(0, 800));
  if (ground.pick([true, false])) {
    await cluster.redis.cli('FLUSHALL');
  } else {
    await cluster.redis.kill();
    await cluster.redis.restart({ delayMs: 500 });
  }
  await cluster.owner('steady', { not: owner.node, above: owner.epoch, ask: ground.others(owner.node) });
  owner.process.thaw();
  let outcome;
  await eventually(
    async () => {
      outcome = await owner.process.ask('fencedSetUnguarded', 'steady');
      return outcome === 'accepted' || outcome === 'StaleEpochError';
    },
    { timeout: WITHIN_MS, what: 'An answer to its write', lastSeen: () => outcome },
  );
  assert.equal(outcome, 'StaleEpochError');
}

/** Row 5. */
export async function block(ground) {
  const { cluster } = ground;
  const owner = await ground.ownerOf('steady');
  const before = historyNow();
  ground.fault('a blocked event loop');
  await owner.process.ask('block', 10_000);
  // It executes nothing meanwhile, as if it were frozen; and cannot be asked.
  const from = historyNow();
  const until = from + 10_000_000;
  owner.process.injuries.frozen.push({ from, until });
  const ask = ground.others(owner.node);
  await cluster.owner('steady', { not: owner.node, above: owner.epoch, ask });
  const taken = await cluster.event({ event: 'lease.acquired', name: 'steady', after: before });
  ground.measured('a blocked loop to the next owner', msBetween(before, taken.at));
  const lost = await cluster.event({ event: 'lease.lost', name: 'steady', node: owner.node, after: before });
  await cluster.event({ event: 'process.stopped', name: 'steady', node: owner.node, after: before });
  await passed(until, 0);
  const acts = cluster.events({ event: 'test.effect', name: 'steady', node: owner.node, after: lost.at });
  assert.deepEqual(
    acts.filter(({ payload }) => payload.epoch === owner.epoch),
    [],
  );
}

/** Row 17: clocks jump all the time, by up to thirty years. */
export async function clocksJump(ground) {
  const owner = await ground.ownerOf('steady');
  const since = historyNow();
  const jumps = [0, 0.5, -1e12, 1e12, -86_400_000, 86_400_000, -60_000, 60_000];
  while (historyNow() - since < 8_000_000) {
    await ground.cluster.node(ground.pick(ground.nodes)).ask('setClock', ground.pick(jumps));
    await passed(historyNow(), ground.between(20, 400));
  }
  for (const name of ground.nodes) await ground.cluster.node(name).ask('setClock', 0);
  await unnoticed(ground, { owner, since });
}

/** Row 17. */
export async function setClock(ground) {
  const { cluster } = ground;
  const owner = await ground.ownerOf('steady');
  const { process } = owner;
  const since = historyNow();
  for (const aheadMs of [3_600_000, -3_600_000, 5000, -5000, 0]) {
    await process.ask('setClock', aheadMs);
    await passed(historyNow(), 2500);
  }
  await unnoticed(ground, { owner, since });
  // A restart that is planned by that clock comes once, and not an hour later.
  const patient = await ground.ownerOf('patient');
  await patient.process.ask('setClock', ground.pick([-3_600_000, 3_600_000]));
  const at = historyNow();
  ground.fault('a crash under a wrong clock', { names: ['patient'] });
  await patient.process.ask('fail', 'patient');
  await cluster.owner('patient', { above: patient.epoch });
  ground.measured('a crash under a wrong clock to its restart (backoff 1500 to 3000)', msBetween(at, historyNow()));
  await patient.process.ask('setClock', 0);
}
