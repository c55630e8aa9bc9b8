// What an operator can do to a Redis that works: keys of leases taken away, no room for clients, connections killed,
// rights taken away, writes held up, another primary.
import { Redis } from 'ioredis';
import { startServer } from '../../../dist/test/support/redis-server.js';
import { assert, eventually, historyNow, msBetween, passed, unnoticed, WITHIN_MS } from './ground.mjs';
import { allFenced, ownedAbove, ownersOf, pauseLong, refusing } from './redis.mjs';

/** How long Redis refuses everybody, in milliseconds. */
const SHORT = { forMs: 5000 };

/** Row 19. */
export async function deleteLease(ground) {
  await takeAway(ground, (cluster, key) => cluster.redis.cli('DEL', key));
}
/** Row 19. */
export async function stealLease(ground) {
  await takeAway(ground, (cluster, key) => cluster.redis.cli('SET', key, 'an operator', 'PX', '3000'));
}
/** Row 19: until its owner writes the record again, which it does each minute, no node finds it. */
export async function deleteOwner(ground) {
  const { cluster } = ground;
  const owner = await ground.ownerOf('steady');
  const since = historyNow();
  await cluster.redis.cli('DEL', cluster.key('owner:steady'));
  await passed(since, 1000);
  await cluster.owner('steady', { timeout: 60_000 + WITHIN_MS });
  ground.measured('deleted until every node finds the owner', msBetween(since, historyNow()));
  await unnoticed(ground, { owner, since });
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

/** Row 10: what reads is answered, what writes waits. */
export const pauseWrites = (ground) =>
  pauseLong(
    ground,
    'CLIENT PAUSE WRITE',
    ({ redis }, ms) =>
      () =>
        redis.cli('CLIENT', 'PAUSE', String(ms), 'WRITE'),
  );

/** Row 10: a script of somebody else runs for 5 s, and Redis answers BUSY. */
export async function busy(ground) {
  const { redis } = ground.cluster;
  await refusing(ground, 'BUSY', {
    ...SHORT,
    begin: async () => {
      await redis.cli('CONFIG', 'SET', 'lua-time-limit', '100');
      redis.cli('EVAL', 'while true do end', '0').catch(() => undefined);
    },
    end: () => redis.cli('SCRIPT', 'KILL'),
  });
}

/** Row 29: as a primary that has lost its replicas. */
export async function noReplicas(ground) {
  const { redis } = ground.cluster;
  await refusing(ground, 'NOREPLICAS', {
    ...SHORT,
    begin: () => redis.cli('CONFIG', 'SET', 'min-replicas-to-write', '1'),
    end: () => redis.cli('CONFIG', 'SET', 'min-replicas-to-write', '0'),
  });
}

/** Row 28: the user of the nodes is switched off, and on again. */
export async function userOff(ground) {
  const { redis } = ground.cluster;
  await refusing(ground, 'WRONGPASS', {
    ...SHORT,
    begin: async () => {
      await redis.cli('ACL', 'SETUSER', 'node', 'off');
      await redis.cli('CLIENT', 'KILL', 'USER', 'node');
    },
    end: () => giveBack(redis, 'on'),
  });
}

/** Row 28: rights are taken away and given back. */
export async function rightsTaken(ground) {
  const { redis } = ground.cluster;
  const rights = ['evalsha', 'eval', 'publish'];
  await refusing(ground, 'NOPERM', {
    ...SHORT,
    begin: () => redis.cli('ACL', 'SETUSER', 'node', ...rights.map((right) => `-${right}`)),
    end: () => giveBack(redis, ...rights.map((right) => `+${right}`)),
  });
}

async function giveBack(redis, ...rules) {
  await redis.cli('ACL', 'SETUSER', 'node', ...rules);
  await passed(historyNow(), 2000);
  await redis.cli('ACL', 'LOG', 'RESET'); // what it was refused meanwhile is meant
}

/** Row 29: Redis becomes a replica of another one, which has nothing, and is promoted: data gone without a restart. */
export async function otherPrimary(ground) {
  const { redis } = ground.cluster;
  const other = await startServer({});
  try {
    const before = await ownersOf(ground);
    ground.fault('the data of another Redis', { withinMs: 2 * WITHIN_MS });
    await redis.cli('REPLICAOF', '127.0.0.1', String(other.port));
    await eventually(async () => /master_link_status:up/.test(await redis.cli('INFO', 'replication')), {
      timeout: WITHIN_MS,
      what: 'A replica',
    });
    await passed(historyNow(), ground.between(0, 2500));
    await redis.cli('REPLICAOF', 'NO', 'ONE');
    await ownedAbove(ground, before);
  } finally {
    await other.stop();
  }
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
