// Redis fails: killed and empty, or with its log, flushed, frozen, full, read-only, loading.
import {
  assert,
  eventually,
  historyNow,
  LEASE_MS,
  msBetween,
  passed,
  SHARED,
  unnoticed,
  WITHIN_MS,
} from './ground.mjs';

const LOST = 'cluster.data_loss';

/** The owners of now. */
export async function ownersOf({ cluster, wanted }) {
  const owners = [];
  for (const name of wanted) owners.push(await cluster.owner(name));
  return owners;
}

/** Every owner has a higher epoch than before. */
export async function ownedAbove({ cluster }, before, options = {}) {
  for (const { name, epoch } of before) await cluster.owner(name, { above: epoch, timeout: WITHIN_MS, ...options });
}

/** When the last of these owners had fenced itself; one that was moving by a plan at that moment has stopped anyway. */
export async function allFenced({ cluster }, owners, since) {
  let last = since;
  for (const { name, epoch } of owners) {
    const above = ({ payload }) => payload.epoch > epoch;
    const hasStopped = () =>
      cluster.events({ event: 'lease.released', name, where: ({ payload }) => payload.epoch === epoch }).length > 0 &&
      cluster.events({ event: 'lease.acquired', name, where: above }).length === 0;
    const end = () => cluster.events({ event: 'lease.lost', name, after: since })[0]?.at ?? (hasStopped() && since);
    last = Math.max(last, await eventually(end, { timeout: WITHIN_MS, what: `The fence of ${name}` }));
  }
  return last;
}

/** The tables are in Redis again, from what the nodes know, and so is the sweep. */
async function rebuilt({ cluster, nodes }) {
  const has = async (key, count) => Number(await cluster.redis.cli('HLEN', cluster.key(key))) >= count;
  await eventually(
    async () => (await has('nodes', nodes.length)) && has('processes', 5) && has('services', 2 * nodes.length),
    {
      timeout: WITHIN_MS,
      what: 'The tables in Redis',
    },
  );
  await eventually(async () => (await cluster.keys()).some((key) => /^supervision:repeat/.test(key)), {
    timeout: WITHIN_MS,
    what: 'The sweep',
  });
}

/** Row 7. */
export const emptyAtOnce = (ground) => restartEmpty(ground, 100);
/** Row 7. */
export const emptyLate = (ground) => restartEmpty(ground, 3000);

async function restartEmpty(ground, delayMs) {
  const { cluster } = ground;
  const before = await ownersOf(ground);
  const since = historyNow();
  ground.fault(`Redis was killed for ${delayMs} ms`, { withinMs: delayMs + WITHIN_MS });
  await cluster.redis.kill();
  await cluster.redis.restart({ delayMs });
  const back = historyNow();
  await cluster.event({ event: LOST, after: since });
  await ownedAbove(ground, before);
  ground.measured(`back after ${delayMs} ms, until everything is owned`, msBetween(back, historyNow()));
  const lost = ground.count('lease.lost', { after: since });
  ground.figures.push(`${ground.count('lease.reclaimed', { after: since })} leases reclaimed, ${lost} lost`);
  if (delayMs > LEASE_MS) assert.ok(lost >= before.length, 'every owner has fenced itself');
  await rebuilt(ground);
}

/** Row 7: it is killed again and again, each time before everything is well. */
export async function restartsFlap(ground) {
  const { cluster } = ground;
  ground.fault('Redis comes and goes', { withinMs: 10_000 + WITHIN_MS });
  for (let times = 0; times < 6; times++) {
    await cluster.redis.kill();
    await cluster.redis.restart({ delayMs: ground.between(0, 400) });
    await passed(historyNow(), ground.between(100, 900));
  }
  const back = historyNow();
  await rebuilt(ground);
  ground.measured('back for good, until its tables are', msBetween(back, historyNow()));
}

/** Row 9: again and again. */
export async function flushStorm(ground) {
  ground.fault('FLUSHALL again and again', { withinMs: 10_000 + WITHIN_MS });
  for (let times = 0; times < 30; times++) {
    await ground.cluster.redis.cli('FLUSHALL');
    await passed(historyNow(), ground.between(20, 300));
  }
  await rebuilt(ground);
}

/** Row 8. */
export const withLog = Object.assign(
  async (ground) => {
    const { cluster } = ground;
    const before = await ownersOf(ground);
    const patient = before.find(({ name }) => name === 'patient');
    const since = historyNow();
    await cluster.node(patient.node).ask('fail', 'patient');
    const scheduled = await cluster.event({ event: 'process.restart_scheduled', name: 'patient', after: since });
    ground.fault('Redis was restarted with its log');
    await cluster.redis.kill();
    await cluster.redis.restart({ delayMs: ground.pick([100, 2500]) });
    const back = historyNow();
    await cluster.event({ event: LOST, after: since });
    await cluster.owner('patient', { above: patient.epoch, timeout: WITHIN_MS });
    ground.measured('back, until what waited for its restart runs', msBetween(back, historyNow()));
    assert.equal(ground.count('process.started', { name: 'patient', after: scheduled.at }), 1);
    await rebuilt(ground);
  },
  {
    ground: () => {
      const { redis } = SHARED.options;
      // What Redis has written outlives its SIGKILL, on the disk or not; it must not wait for a disk that others use.
      const args = [...redis.args, '--appendonly', 'yes', '--appendfsync', 'no'];
      return { ...SHARED, options: { ...SHARED.options, redis: { ...redis, args } } };
    },
  },
);

/** Row 9. */
export const flushAll = (ground) => flush(ground, 'FLUSHALL');
/** Row 9. */
export const flushDb = (ground) => flush(ground, 'FLUSHDB');

async function flush(ground, command) {
  const { cluster } = ground;
  const before = await ownersOf(ground);
  const at = historyNow();
  ground.fault(command);
  await cluster.redis.cli(command);
  await ownedAbove(ground, before);
  ground.measured(`${command} until everything is owned`, msBetween(at, historyNow()));
  ground.figures.push(`${ground.count('lease.reclaimed', { after: at })} leases reclaimed`);
  await rebuilt(ground);
}

/** Row 9. */
export async function scriptFlush(ground) {
  const owner = await ground.ownerOf('steady');
  const since = historyNow();
  for (let times = 0; times < 5; times++) {
    await ground.cluster.redis.cli('SCRIPT', 'FLUSH');
    await passed(historyNow(), 300);
  }
  await passed(since, 3000);
  await unnoticed(ground, { owner, since });
}

const PAUSES = {
  SIGSTOP: () => undefined,
  'CLIENT PAUSE': (cluster, ms) => () => cluster.redis.cli('CLIENT', 'PAUSE', String(ms)),
  // Answers when it is over.
  'DEBUG SLEEP': (cluster, ms) => async () =>
    void cluster.redis.cli('DEBUG', 'SLEEP', String(ms / 1000)).catch(() => undefined),
};

/** Row 10. */
export async function pauseShort(ground) {
  for (const [how, pause] of Object.entries(PAUSES)) {
    const owner = await ground.ownerOf('steady');
    const since = historyNow();
    await ground.cluster.freezeRedis(500, pause(ground.cluster, 500));
    await passed(since, 2500);
    await unnoticed(ground, { owner, since });
    ground.say(`${how}: unnoticed`);
  }
}

/** Row 10. */
export const stopLong = (ground) => pauseLong(ground, 'SIGSTOP');
/** Row 10. */
export const clientPause = (ground) => pauseLong(ground, 'CLIENT PAUSE');
/** Row 10. */
export const debugSleep = (ground) => pauseLong(ground, 'DEBUG SLEEP');

export async function pauseLong(ground, how, pause = PAUSES[how]) {
  const { cluster } = ground;
  const before = await ownersOf(ground);
  const since = historyNow();
  ground.fault(how, { withinMs: 5000 + WITHIN_MS });
  const paused = cluster.freezeRedis(5000, pause(cluster, 5000));
  const fenced = await allFenced(ground, before, since);
  await paused;
  const back = historyNow();
  await ownedAbove(ground, before);
  ground.measured(`${how}: until all have fenced`, msBetween(since, fenced));
  ground.measured('back until everything is owned (ttl + 500 = 2000)', msBetween(back, historyNow()));
}

/** Row 29. */
export async function full(ground) {
  const { cluster } = ground;
  await refusing(ground, 'OOM', {
    begin: () => cluster.redis.cli('CONFIG', 'SET', 'maxmemory', '1'),
    end: () => cluster.redis.cli('CONFIG', 'SET', 'maxmemory', '0'),
    // A renewal needs no memory, so an owner may go on.
    mayGoOn: true,
  });
}

/** Row 29: as after a failover to a replica that nobody promoted. */
export async function readOnly(ground) {
  const { cluster } = ground;
  await refusing(ground, 'READONLY', {
    begin: () => cluster.redis.cli('REPLICAOF', '127.0.0.1', '1'),
    end: () => cluster.redis.cli('REPLICAOF', 'NO', 'ONE'),
  });
}

/** Redis answers, and refuses what writes: owners fence themselves, and all goes on once it does not. */
export async function refusing(ground, what, { begin, end, forMs = 8000, mayGoOn = false }) {
  const before = await ownersOf(ground);
  const since = historyNow();
  ground.fault(what, { withinMs: 5000 + WITHIN_MS });
  await begin();
  try {
    if (!mayGoOn) {
      const fenced = await allFenced(ground, before, since);
      ground.measured(`${what}: until all have fenced`, msBetween(since, fenced));
    }
    await passed(since, forMs);
  } finally {
    await end();
  }
  const back = historyNow();
  await ownedAbove(ground, mayGoOn ? [] : before);
  ground.figures.push(`${ground.count('lease.lost', { after: since })} leases lost`);
  await ground.whole();
  ground.measured(`${what} is over, until everything is owned`, msBetween(back, historyNow()));
}

/** Row 29: for seconds it answers LOADING to everything. */
export const loading = Object.assign(
  async (ground) => {
    const { cluster } = ground;
    const before = await ownersOf(ground);
    await cluster.redis.cli('DEBUG', 'POPULATE', '20000', 'ballast');
    await cluster.redis.cli('BGREWRITEAOF');
    await eventually(async () => /aof_rewrite_in_progress:0/.test(await cluster.redis.cli('INFO', 'persistence')), {
      timeout: WITHIN_MS,
      what: 'A log with everything',
    });
    const since = historyNow();
    ground.fault('LOADING', { withinMs: 2 * WITHIN_MS });
    await cluster.redis.kill();
    await cluster.redis.restart();
    const back = historyNow();
    ground.measured('Redis was killed, and loaded what it had for', msBetween(since, back));
    assert.ok(msBetween(since, back) > 2 * LEASE_MS, 'it has loaded for longer than two leases');
    await ownedAbove(ground, before);
    ground.measured('loaded, until everything is owned', msBetween(back, historyNow()));
  },
  {
    ground: () => {
      const { redis } = SHARED.options;
      // Microseconds for each key.
      const args = [
        ...redis.args,
        '--appendonly',
        'yes',
        '--key-load-delay',
        '200',
        '--loading-process-events-interval-bytes',
        '1024',
      ];
      return { ...SHARED, options: { ...SHARED.options, redis: { ...redis, args } } };
    },
  },
);
