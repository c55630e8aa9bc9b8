// Nodes that end: by SIGKILL, by SIGTERM, many at once, under a name that is taken, while they start.
import { assert, eventually, historyNow, LEASE_MS, msBetween, NODE_MS, passed, SERVICE, WITHIN_MS } from './ground.mjs';

/** Row 1. */
export async function kill(ground) {
  const { cluster } = ground;
  const owner = await ground.ownerOf('steady');
  const { bootId } = await owner.process.ready;
  const observers = cluster.answering().filter(({ name }) => name !== owner.node);
  const at = await owner.process.kill();
  ground.fault('SIGKILL', { at });
  const next = await cluster.owner('steady', { not: owner.node, above: owner.epoch });
  const started = await cluster.event({ event: 'process.started', name: 'steady', after: at });
  assert.ok(next.epoch > owner.epoch);
  ground.measured(`SIGKILL to the next owner (ttl + 500 = ${LEASE_MS + 500})`, msBetween(at, started.at));
  await eventually(
    async () => {
      const found = await Promise.all(observers.map((node) => node.ask('discover', SERVICE)));
      return found.flat().every(({ node }) => node !== owner.node);
    },
    { timeout: WITHIN_MS, every: 50, what: `No service of ${owner.node}` },
  );
  ground.measured(`to the last of its services (node ttl + 1000 = ${NODE_MS + 1000})`, msBetween(at, historyNow()));
  await leftOnce(ground, { node: owner.node, bootId, at, reason: 'timeout', observers });
}

/** Each observer is told of the end once. */
async function leftOnce({ cluster }, { node, bootId, at, reason, observers }) {
  // In a soak it may have been taken for gone before, and been back, when Redis lost its data.
  const isEnd = ({ payload }) => payload.bootId === bootId;
  const of = ({ name }) => cluster.events({ event: 'cluster.node_left', node: name, after: at, where: isEnd });
  await eventually(() => observers.every((each) => of(each).length > 0), {
    timeout: WITHIN_MS,
    what: `The end of ${node} at ${observers.map(({ name }) => name).join()}`,
  });
  for (const each of observers)
    assert.deepEqual(
      of(each).map(({ payload }) => payload.reason),
      [reason],
      each.name,
    );
}

/** Row 2. */
export async function terminate(ground) {
  const { cluster } = ground;
  const owner = await ground.ownerOf('steady');
  const { bootId } = await owner.process.ready;
  const observers = cluster.answering().filter(({ name }) => name !== owner.node);
  const at = historyNow();
  ground.fault('SIGTERM');
  const exit = await owner.process.terminate(40_000);
  // Nest ends a terminated application by the signal itself, once its hooks are done.
  assert.deepEqual([exit.code, exit.signal], [null, 'SIGTERM']);
  await cluster.owner('steady', { not: owner.node, above: owner.epoch });
  const stopped = await cluster.event({ event: 'process.stopped', name: 'steady', node: owner.node, after: at });
  assert.equal(stopped.payload.clean, true);
  const started = await cluster.event({ event: 'process.started', name: 'steady', after: stopped.at });
  ground.measured('stop to start elsewhere (250)', msBetween(stopped.at, started.at));
  await leftOnce(ground, { node: owner.node, bootId, at, reason: 'shutdown', observers });
  for (const key of ['nodes', 'services']) {
    const fields = (await cluster.redis.cli('HKEYS', cluster.key(key))).split('\n');
    assert.deepEqual(
      fields.filter((field) => field === owner.node || field.includes(bootId)),
      [],
      key,
    );
  }
  // That it has left is remembered for a while, for heartbeats that come late.
  for (const key of (await cluster.keys()).filter((each) => each.includes(bootId))) {
    const lives = Number(await cluster.redis.cli('PTTL', cluster.key(key)));
    assert.ok(key.startsWith('left:') && lives > 0, `${key} is left, for ${lives} ms`);
  }
}

/** Row 3. */
export async function killOldest(ground) {
  const { cluster } = ground;
  const [sixth] = await cluster.start(['f']);
  await cluster.members([...ground.nodes, 'f'], 60_000);
  const members = await sixth.ask('members');
  const oldest = members.sort((a, b) => a.joinedAt - b.joinedAt).slice(0, 3);
  const at = historyNow();
  await Promise.all(oldest.map(({ name }) => cluster.node(name).kill()));
  ground.fault('SIGKILL of the three oldest', { at });
  for (const name of ground.wanted) await cluster.owner(name);
  ground.measured('three SIGKILLs to an owner of everything', msBetween(at, historyNow()));
  await cluster.start(oldest.map(({ name }) => name).filter((name) => name !== 'f'));
  if (sixth.alive) await sixth.terminate(40_000);
  cluster.nodes.delete('f');
}

/** Row 3: every node at once, and some of them come back. */
export async function killAll(ground) {
  const { cluster, nodes, wanted } = ground;
  const before = await Promise.all(wanted.map((name) => cluster.owner(name)));
  const at = historyNow();
  await Promise.all(nodes.map((name) => cluster.node(name).kill()));
  ground.fault('SIGKILL of all', { at, withinMs: 3 * WITHIN_MS });
  await passed(at, ground.between(0, 3000));
  const started = historyNow();
  await cluster.start(nodes.slice(0, 2));
  for (const { name, epoch } of before) await cluster.owner(name, { above: epoch, timeout: 2 * WITHIN_MS });
  ground.measured('two nodes start, until everything is owned', msBetween(started, historyNow()));
}

/** Row 2: what ends in order is killed in the middle of it. */
export async function killLeaving(ground) {
  const { cluster } = ground;
  for (let times = 0; times < 3; times++) {
    const { node, process, name, epoch } = await ground.ownerOf(ground.pick(['slow', 'ledger', 'steady']));
    ground.fault('SIGTERM and SIGKILL');
    const ended = process.terminate(40_000).catch(() => undefined);
    await passed(historyNow(), ground.between(0, 250));
    ground.fault('SIGKILL', { at: await process.kill() });
    await ended;
    await cluster.owner(name, { above: epoch });
    await cluster.start([node]);
  }
}

/** Row 20: two of one name start at the same moment. */
export async function sameNameAtOnce(ground) {
  const { cluster } = ground;
  const both = [...cluster.spawn(['twin']), ...cluster.spawn(['twin'])];
  const outcomes = await Promise.allSettled(both.map(({ ready }) => ready));
  const [won, lost] = outcomes[0].status === 'fulfilled' ? both : both.toReversed();
  lost.isEnding = true;
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  assert.equal(outcomes.find(({ status }) => status === 'rejected').reason.code, 'FOUNDATION_DUPLICATE_NODE');
  ground.fault('SIGTERM');
  await won.terminate(40_000);
  cluster.nodes.delete('twin');
}

/** Row 20. */
export async function sameName(ground) {
  const { cluster } = ground;
  const first = ground.pick(cluster.answering());
  const { name, pid } = first;
  const since = historyNow();
  const [second] = cluster.spawn([name]);
  second.isEnding = true;
  await assert.rejects(second.ready, { name: 'DuplicateNodeError', code: 'FOUNDATION_DUPLICATE_NODE' });
  assert.equal((await second.exited).code, 1);
  cluster.nodes.set(name, first);
  const noticed = cluster
    .history()
    .filter(
      (each) => each.at > since && each.pid === pid && /^(lease\.lost|cluster\.(isolated|name_taken))/.test(each.event),
    );
  assert.deepEqual(noticed, []);
  ground.fault('SIGKILL', { at: await first.kill() });
  await cluster.start([name]); // the retry
}

/** Row 32. */
export async function twoSignals(ground) {
  const { cluster } = ground;
  const node = ground.pick(cluster.answering());
  ground.fault('SIGTERM twice');
  const at = historyNow();
  const ended = node.terminate(40_000);
  process.kill(node.pid, 'SIGTERM');
  process.kill(node.pid, 'SIGINT');
  await ended;
  ground.measured('two signals to the end (stopTimeout + 1000 = 6000)', msBetween(at, historyNow()));
}

/** Row 32. */
export async function stopWhileStarting(ground) {
  const { cluster } = ground;
  const name = ground.pick(ground.nodes);
  ground.fault('SIGTERM');
  await cluster.node(name).terminate(40_000);
  const [node] = cluster.spawn([name]);
  await eventually(() => node.tail().includes('dependencies initialized'), { timeout: 60_000, what: 'Its start' });
  await passed(historyNow(), ground.between(0, 400));
  const at = historyNow();
  await node.terminate(40_000);
  ground.measured('SIGTERM in the start to the end', msBetween(at, historyNow()));
}

/** Row 32. */
export async function stopWhileFencing(ground) {
  const { cluster } = ground;
  const { node, process } = await ground.ownerOf('slow');
  const at = historyNow();
  ground.fault('a cut and a SIGTERM');
  const heal = ground.cut(node, 'blackhole');
  try {
    await cluster.event({ event: 'lease.lost', name: 'slow', node, after: at });
    const asked = historyNow();
    const ended = process.terminate(40_000);
    await passed(asked, ground.between(0, 1000));
    heal();
    await ended;
    ground.measured('SIGTERM while it fences to the end', msBetween(asked, historyNow()));
  } finally {
    heal();
  }
}
