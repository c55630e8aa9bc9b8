// What goes wrong inside: the jobs of the supervision, processes that crash, hang and end their node, foreign messages,
// a release node by node, many nodes at once.
import { Buffer } from 'node:buffer';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { assert, eventually, historyNow, msBetween, NODES, passed, SHARED, unnoticed, WITHIN_MS } from './ground.mjs';

const QUEUE = 'supervision';

function connectionOf({ redis }) {
  const { port, password } = new URL(redis.adminUrl);
  return { host: '127.0.0.1', port: Number(port), password: decodeURIComponent(password), maxRetriesPerRequest: null };
}
const prefixOf = (cluster) => cluster.key('').slice(0, -1);

/** Row 6: a worker has taken the job of a restart, and does nothing more. */
export async function heldJob(ground) {
  const { cluster } = ground;
  const options = { connection: connectionOf(cluster), prefix: prefixOf(cluster), autorun: false };
  const held = { skipStalledCheck: true, skipLockRenewal: true, lockDuration: 10_000, drainDelay: 30 };
  const thieves = Array.from({ length: 8 }, () => new Worker(QUEUE, null, { ...options, ...held }));
  try {
    // Once: who waits since an earlier try may be the one that gets it.
    const taken = Promise.any(thieves.map((thief, index) => restartJobOf(thief, `thief-${index}`)));
    taken.catch(() => undefined);
    for (let tries = 1; ; tries++) {
      // More crashes within a minute would be one too many.
      assert.ok(tries <= 4, 'the job of a restart was never ours');
      const patient = await ground.ownerOf('patient');
      const since = historyNow();
      ground.fault('a crash', { names: ['patient'], withinMs: 2 * WITHIN_MS });
      await patient.process.ask('fail', 'patient');
      await cluster.owner('patient', { above: patient.epoch, timeout: 2 * WITHIN_MS });
      const job = await Promise.race([taken, Promise.resolve()]).catch(() => undefined);
      if (job === undefined) continue;
      // None of them takes it again.
      await Promise.all(thieves.map((thief) => thief.close(true)));
      const scheduled = await cluster.event({ event: 'process.restart_scheduled', name: 'patient', after: since });
      const [started] = cluster.events({ event: 'process.started', name: 'patient', after: scheduled.at });
      ground.measured(
        'a job that is held: its restart is late by (5000 and what a beat adds)',
        msBetween(scheduled.at, started.at) - scheduled.payload.delayMs,
      );
      // Another worker gets it when its lock is over; by then it is nobody's.
      const queue = new Queue(QUEUE, { ...options, skipMetasUpdate: true });
      await eventually(async () => (await queue.getJob(job.id)) === undefined, {
        timeout: 40_000,
        what: 'The end of the job',
      });
      await queue.close();
      // Nothing has stopped for it: a plan may move it meanwhile, and a busy machine may lose its lease.
      const stops = cluster.events({ event: 'process.stopped', name: 'patient', after: started.at });
      for (const { payload } of stops) assert.ok(['move', 'lease-lost'].includes(payload.reason), payload.reason);
      assert.equal(ground.count('process.restart_scheduled', { name: 'patient', after: scheduled.at }), 0);
      return;
    }
  } finally {
    for (const thief of thieves) await thief.close(true);
  }
}

/** The next job of a restart; a sweep is given back as done. */
async function restartJobOf(worker, token) {
  while (worker.closing === undefined) {
    const job = await worker.getNextJob(token);
    if (job?.name === 'restart') return job;
    if (job !== undefined) await job.moveToCompleted('', token, false);
  }
  throw new Error('This worker is closed');
}

/** Row 6: the queue of restarts is paused, as somebody may who looks at it. */
export const queuePaused = (ground) => crashWith(ground, { before: (queue) => queue.pause() });
/** Row 6: it is emptied while a restart waits. */
export const queueEmptied = (ground) => crashWith(ground, { after: (queue) => queue.obliterate({ force: true }) });

async function crashWith(ground, { before, after }) {
  const { cluster } = ground;
  const options = { connection: connectionOf(cluster), prefix: prefixOf(cluster), skipMetasUpdate: true };
  const queue = new Queue(QUEUE, options);
  try {
    const { process, epoch } = await ground.ownerOf('patient');
    const since = historyNow();
    ground.fault('a crash', { names: ['patient'], withinMs: 3 * WITHIN_MS });
    await before?.(queue);
    await process.ask('fail', 'patient');
    const scheduled = await cluster.event({ event: 'process.restart_scheduled', name: 'patient', after: since });
    await after?.(queue);
    await cluster.owner('patient', { above: epoch, timeout: 3 * WITHIN_MS });
    const started = await cluster.event({ event: 'process.started', name: 'patient', after: scheduled.at });
    const late = msBetween(scheduled.at, started.at) - scheduled.payload.delayMs;
    ground.measured('its restart is late by (5000 and what a beat adds)', late);
  } finally {
    await queue.resume();
    await queue.close();
  }
}

/** Row 24. */
export async function poison(ground) {
  const { cluster } = ground;
  const queue = new Queue(QUEUE, {
    connection: connectionOf(cluster),
    prefix: prefixOf(cluster),
    skipMetasUpdate: true,
  });
  try {
    const jobs = [];
    const kinds = [
      ['restart', {}],
      ['restart', { name: 'x'.repeat(5000), epoch: 1 }],
      ['restart', { name: { length: 3 }, epoch: -1 }],
      ['restart', { name: 'steady', epoch: 1e300 }],
      ['restart', [1, 2, 3]],
      ['__proto__', { __proto__: null, constructor: 1 }],
      ['nonsense', 'text'],
    ];
    for (const [name, data] of kinds) jobs.push(await queue.add(name, data));
    for (const job of jobs) {
      await eventually(async () => (await queue.getJob(job.id))?.finishedOn !== undefined && job.isFailed(), {
        timeout: WITHIN_MS,
        what: `The failure of ${job.name} ${JSON.stringify(job.data)}`,
      });
    }
    for (const job of jobs) await job.remove();
  } finally {
    await queue.close();
  }
  // The workers go on.
  const { process, epoch } = await ground.ownerOf('fragile');
  ground.fault('a crash', { names: ['fragile'] });
  await process.ask('fail', 'fragile');
  await cluster.owner('fragile', { above: epoch });
}

const few = (more) => ({
  nodes: ['a', 'b', 'c'],
  options: { processes: 'steady,fragile', redis: SHARED.options.redis, ...more },
  wanted: ['steady'],
});

/** Row 22: a start that ends its node, on whichever node it begins. */
export const startExits = Object.assign(
  async (ground) => {
    const { cluster } = ground;
    await cluster.owner('fragile');
    // An end of a node that is the doing of its code; anything else stays one that nobody expected (I10).
    const deadly = cluster.answering();
    for (const node of deadly) {
      await node.ask('crash', 'exit');
      node.isEnding = true;
    }
    const since = historyNow();
    cluster
      .node('a')
      .ask('restart', 'fragile')
      .catch(() => undefined);
    const ends = await Promise.race([
      Promise.all(deadly.map(({ exited }) => exited)).then(() => 'all'),
      passed(since, 40_000).then(() => 'some'),
    ]);
    const left = deadly.filter(({ alive }) => alive).length;
    ground.figures.push(`${deadly.length - left} of ${deadly.length} nodes ended`);
    assert.equal(ends, 'some', 'one process has ended every node');
    await cluster.event({ event: 'process.escalated', name: 'fragile', after: since });
    for (const node of deadly.filter(({ alive }) => alive)) node.isEnding = false;
  },
  { ground: () => ({ ...few(), nodes: NODES }) },
);

/** Row 23. */
export const startHangs = Object.assign(
  async (ground) => {
    const { cluster } = ground;
    await cluster.owner('fragile');
    for (const node of cluster.answering()) await node.ask('crash', 'hang');
    const since = historyNow();
    cluster
      .node('a')
      .ask('restart', 'fragile')
      .catch(() => undefined);
    const crashed = await cluster.event({ event: 'process.crashed', name: 'fragile', after: since });
    assert.match(String(crashed.payload.error), /did not finish onProcessStart/);
    await cluster.event({ event: 'process.escalated', name: 'fragile', after: since }, 60_000);
    for (const node of cluster.answering()) await node.ask('crash', 'none');
    assert.equal((await cluster.node('b').ask('restart', 'fragile')).name, 'fragile');
  },
  { ground: () => few({ env: { TEST_OPTIONS: JSON.stringify({ processes: { timeout: 1000, stopTimeout: 500 } }) } }) },
);

/** Row 25. */
export async function nonsense(ground) {
  const { cluster } = ground;
  const client = new Redis(cluster.redis.adminUrl);
  const owner = await ground.ownerOf('steady');
  const since = historyNow();
  try {
    const topics = (await client.call('PUBSUB', 'CHANNELS', '*')).filter((topic) => topic.includes('foundation'));
    assert.ok(topics.length > 0);
    const texts = [
      ...[
        '',
        '{',
        'null',
        '[]',
        '{"v":99}',
        '{"__proto__":{"x":1}}',
        '{"constructor":{"prototype":{"x":1}}}',
        '"\\u0000"',
      ],
      ...[
        Buffer.from([0xff, 0xfe, 0, 1, 2]),
        Buffer.alloc(300_000, 0x7b),
        `{"v":1,"seq":1e999,"from":"${'x'.repeat(10_000)}"}`,
      ],
    ];
    for (let times = 0; times < 20; times++) {
      for (const topic of topics) for (const text of texts) await client.publish(topic, text);
    }
    ground.figures.push(`${20 * topics.length * texts.length} messages on ${topics.length} topics`);
  } finally {
    client.disconnect();
  }
  for (const name of ground.nodes) await cluster.event({ event: 'test.heard', node: name, after: historyNow() });
  // So much of it takes the event loops their time; what it must not do is end or change anything.
  if (ground.count('lease.lost', { after: since }) === 0) await unnoticed(ground, { owner, since });
}

/** Row 21: every node is replaced, one after the other, by one with other settings; one does not have the classes. */
export async function rolling(ground) {
  const { cluster } = ground;
  const [poor] = await cluster.start(['f'], { TEST_PROCESSES: 'slow', TEST_CALLS: '' });
  const since = historyNow();
  for (const name of ground.nodes) {
    ground.fault('a release');
    await cluster.node(name).terminate(40_000);
    await cluster.start([name], { TEST_OPTIONS: JSON.stringify({ capacity: 40, labels: { release: '2' } }) });
  }
  for (const name of ground.wanted) await cluster.owner(name);
  const foreign = cluster.events({
    event: 'lease.acquired',
    node: 'f',
    where: ({ payload }) => payload.name !== 'slow',
  });
  assert.deepEqual(
    foreign.map(({ payload }) => payload.name),
    [],
  );
  // Each start has its reason: the one before was stopped for a shutdown or a planned move, never for a lost lease.
  const stops = cluster.events({ event: 'process.stopped', name: 'steady', after: since });
  for (const { payload } of stops) assert.ok(['shutdown', 'move'].includes(payload.reason), payload.reason);
  ground.figures.push(`${stops.length} moves of a singleton over ${ground.nodes.length} restarts`);
  await poor.terminate(40_000);
  cluster.nodes.delete('f');
}

const HERD = Array.from({ length: 20 }, (_, index) => `n${index}`);
const MANY = Array.from({ length: 20 }, (_, index) => `many-${index + 1}`);

/** Row 31: twenty nodes at once, before there is a Redis. */
export const herd = Object.assign(
  async (ground) => {
    const { cluster } = ground;
    await cluster.redis.kill();
    const nodes = await cluster.start(HERD);
    for (const node of nodes) assert.equal((await node.ready).state, 'joining');
    ground.nodes = HERD;
    ground.wanted = MANY;
    await cluster.redis.restart();
    const back = historyNow();
    ground.fault('Redis came', { at: back, withinMs: 60_000 });
    await cluster.members(HERD, 60_000);
    ground.measured('Redis came, until all twenty see twenty (2000)', msBetween(back, historyNow()));
    for (const name of MANY) await cluster.owner(name, { timeout: 60_000 });
    ground.measured('until all twenty singletons are owned', msBetween(back, historyNow()));
  },
  {
    ground: () => ({
      nodes: [],
      options: { processes: 'many:20', env: { TEST_LOOK_EVERY: '2000' }, redis: SHARED.options.redis },
      wanted: [],
    }),
  },
);
