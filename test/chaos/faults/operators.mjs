// What an operator can do to a Redis that works: keys of leases taken away, no room for clients, connections killed.
import { Redis } from 'ioredis';
import { assert, historyNow, msBetween, passed, WITHIN_MS } from './ground.mjs';
import { allFenced, ownedAbove, ownersOf } from './redis.mjs';

/** Row 19. */
export async function deleteLease(ground) {
  await takeAway(ground, (cluster, key) => cluster.redis.cli('DEL', key));
}
/** Row 19. */
export async function stealLease(ground) {
  await takeAway(ground, (cluster, key) => cluster.redis.cli('SET', key, 'an operator', 'PX', '3000'));
}
/** Row 18: what a clock of Redis that is set forward does to a lease. */
export async function endLease(ground) {
  await takeAway(ground, (cluster, key) => cluster.redis.cli('PEXPIRE', key, '1'));
}

async function takeAway(ground, take) {
  const { cluster } = ground;
  const owner = await ground.ownerOf('steady');
  ground.giveAway(owner);
  const since = historyNow();
  ground.fault('a lease that was taken away', { names: ['steady'] });
  await take(cluster, cluster.key('lease:steady'));
  const lost = await cluster.event({ event: 'lease.lost', name: 'steady', node: owner.node, after: since });
  ground.measured('taken away to the fence (renewal + command = 550)', msBetween(since, lost.at));
  await cluster.owner('steady', { above: owner.epoch });
}

/** Row 30. */
export async function noClients(ground) {
  await asAdmin(ground, async (admin) => {
    const before = await ownersOf(ground);
    const since = historyNow();
    ground.fault('maxclients', { withinMs: 5000 + WITHIN_MS });
    await admin.call('CONFIG', 'SET', 'maxclients', '1');
    try {
      for (const type of ['normal', 'pubsub']) await admin.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
      const fenced = await allFenced(ground, before, since);
      ground.measured('no room: until all have fenced', msBetween(since, fenced));
      await passed(since, 5000);
    } finally {
      await admin.call('CONFIG', 'SET', 'maxclients', '10000');
    }
    const back = historyNow();
    await ownedAbove(ground, before);
    ground.measured('room again, until everything is owned', msBetween(back, historyNow()));
  });
}

/** Row 30. */
export async function killClients(ground) {
  await asAdmin(ground, async (admin) => {
    for (let times = 0; times < 20; times++) {
      ground.fault('CLIENT KILL');
      await admin.call('CLIENT', 'KILL', 'TYPE', times % 2 === 0 ? 'pubsub' : 'normal', 'SKIPME', 'yes');
      await passed(historyNow(), ground.between(20, 400));
    }
    // What was lost is told (I21), and what comes from now on is heard.
    const since = historyNow();
    for (const name of ground.nodes) await ground.cluster.event({ event: 'test.heard', node: name, after: since });
    const connections = Number(/connected_clients:(\d+)/.exec(await admin.info('clients'))?.[1]);
    ground.figures.push(`${connections} connections after 20 kills`);
    assert.ok(connections < 20 * ground.nodes.length, `${connections} connections`);
  });
}

async function asAdmin({ cluster }, work) {
  const admin = new Redis(cluster.redis.adminUrl);
  admin.on('error', () => undefined);
  try {
    await work(admin);
  } finally {
    admin.disconnect();
  }
}
