// A node that stands still: by SIGSTOP, or because its event loop is blocked.
import { assert, historyNow, msBetween, passed, unnoticed } from './ground.mjs';

/** Row 4. */
export async function freezeShort(ground) {
  const owner = await ground.ownerOf('steady');
  const since = historyNow();
  await freeze(ground, owner, 500);
  await passed(since, 2500); // longer than a lease lives: whoever would take it over would have done so
  await unnoticed(ground, { owner, since });
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
