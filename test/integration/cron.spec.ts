// Cluster-wide cron jobs over a real Redis: what is remembered of them, and nodes that come, leave and agree.
import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { ClusterCron, type ClusterCronOptions, CronJobs, type CronRun, Telemetry } from 'nestjs-foundation';
import { LocalTicks } from '../../libs/foundation/src/backend/leases/local.ticks.js';
import { type KeptTicks, revisionOf, type Ticks } from '../../libs/foundation/src/backend/leases/ticks.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { command, type Ran } from './command.js';
import { backendOn, boot, type Booted, closeLater, formed, onOwnRedis, settle } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, keys } = ground));

async function onQuorum(): Promise<Ticks> {
  const others = await Promise.all([startRedis(), startRedis()]);
  closeLater(() => Promise.all(others.map((other) => other.stop())));
  await Promise.all(others.map((other) => settle(other, appName)));
  const quorum = [server, ...others].map(({ url }) => url);
  return (await backendOn(server, appName, { redis: { quorum } })).backend.ticks;
}

describe.each<[string, () => Promise<Ticks>]>([
  ['in Redis', async () => (await backendOn(server, appName)).backend.ticks],
  ['on a quorum of three', onQuorum],
  ['in one process', () => Promise.resolve(new LocalTicks(() => Date.now()))],
])('what a job remembers, %s', (_where, make) => {
  const tick = Math.floor(Date.now() / 1000) * 1000;

  it('is what its owner wrote last', async () => {
    const ticks = await make();
    expect(await ticks.open('job', 5)).toEqual({ claimed: 0, record: '' });
    expect(await ticks.write('job', 5, '{"rev":1}', { at: tick, id: 'a' })).toBe('done');
    expect(await ticks.write('job', 5, '{"rev":2}')).toBe('done');
    expect(await ticks.open('job', 6)).toEqual({ claimed: tick, record: '{"rev":2}' });
    expect(await ticks.read(['none', 'job'])).toEqual(['', '{"rev":2}']);
  });

  it('is written by no owner after a later one has begun', async () => {
    const ticks = await make();
    await ticks.open('job', 5);
    await ticks.open('job', 7);
    expect(await ticks.open('job', 6)).toBeUndefined();
    expect(await ticks.write('job', 5, '{"rev":1}')).toBe('stale');
    expect(await ticks.write('job', 5, '{"rev":1}', { at: tick, id: 'a' })).toBe('stale');
    expect(await ticks.open('job', 8)).toEqual({ claimed: 0, record: '' });
  });

  it('lets a time be claimed once, by one claim that may be tried again', async () => {
    const ticks = await make();
    await ticks.open('job', 5);
    expect(await ticks.write('job', 5, '{"rev":1}', { at: tick, id: 'a' })).toBe('done');
    expect(await ticks.write('job', 5, '{"rev":1}', { at: tick, id: 'a' })).toBe('done');
    expect(await ticks.write('job', 5, '{"rev":2}', { at: tick, id: 'b' })).toBe('taken');
    expect(await ticks.write('job', 9, '{"rev":2}', { at: tick - 1000, id: 'c' })).toBe('taken');
    expect(await ticks.read(['job'])).toEqual(['{"rev":1}']);
  });

  it('is not written over by what its owner wrote before, and arrives late', async () => {
    const ticks = await make();
    await ticks.open('job', 5);
    expect(await ticks.write('job', 5, '{"rev":9,"run":1}', { at: tick, id: 'a' })).toBe('done');
    expect(await ticks.write('job', 5, '{"rev":9,"run":1}', { at: tick, id: 'a' })).toBe('done');
    expect(await ticks.write('job', 5, '{"rev":10}')).toBe('done');
    expect(await ticks.write('job', 5, '{"rev":9,"run":1}', { at: tick, id: 'a' })).toBe('late');
    expect(await ticks.write('job', 5, '{"rev":9,"waiting":1}')).toBe('late');
    expect(await ticks.write('job', 5, '{"rev":9}', { at: tick + 1000, id: 'b' })).toBe('late');
    expect(await ticks.open('job', 6)).toEqual({ claimed: tick, record: '{"rev":10}' });
    // A revision is one of its epoch.
    expect(await ticks.write('job', 7, '{"rev":1}')).toBe('done');
    expect(await ticks.read(['job'])).toEqual(['{"rev":1}']);
  });

  it('lets no time be claimed that is far ahead', async () => {
    const ticks = await make();
    await ticks.open('job', 5);
    expect(await ticks.write('job', 5, '{"rev":1}', { at: tick + 3_600_000, id: 'a' })).toBe('early');
    expect(await ticks.open('job', 6)).toEqual({ claimed: 0, record: '' });
  });
});

describe.each<[string, () => Promise<Ticks>]>([
  ['in Redis', async () => (await backendOn(server, appName)).backend.ticks],
  ['on a quorum of three', onQuorum],
  ['in one process', () => Promise.resolve(new LocalTicks(() => Date.now()))],
])('what a job remembers and Redis has lost, %s', (_where, make) => {
  const tick = Math.floor(Date.now() / 1000) * 1000;
  const epoch = tick * 1000 - 60_000_000;
  const kept = { job: 'job', epoch, claimed: tick, record: '{"rev":2}' };

  it('is put back: its times are claimed, its record counts', async () => {
    const ticks = await make();
    expect(await ticks.recall(['job'])).toEqual([]);
    await ticks.restore([kept, { ...kept, job: 'other', claimed: 0 }]);
    expect(await ticks.recall(['none', 'other', 'job'])).toEqual([{ ...kept, job: 'other', claimed: 0 }, kept]);
    expect(await ticks.open('job', epoch + 1)).toEqual({ claimed: tick, record: '{"rev":2}' });
    expect(await ticks.write('job', epoch + 1, '{"rev":3}', { at: tick, id: 'b' })).toBe('taken');
    expect(await ticks.write('job', epoch + 1, '{"rev":3}', { at: tick + 1000, id: 'b' })).toBe('done');
  });

  it('is put back over what is earlier, and not over what is later', async () => {
    const ticks = await make();
    await ticks.open('job', epoch);
    expect(await ticks.write('job', epoch, '{"rev":1}', { at: tick - 1000, id: 'a' })).toBe('done');
    await ticks.restore([kept]);
    expect(await ticks.recall(['job'])).toEqual([kept]);
    await ticks.restore([{ ...kept, record: '{"rev":1}', claimed: tick - 1000 }]);
    expect(await ticks.recall(['job'])).toEqual([kept]);
    await ticks.open('job', epoch + 1);
    await ticks.restore([{ ...kept, record: '{"rev":9}', claimed: tick + 1000 }]);
    expect(await ticks.recall(['job'])).toEqual([{ ...kept, epoch: epoch + 1 }]);
  });

  it('is put back over what is earlier by its writer, whoever has begun since', async () => {
    const ticks = await make();
    const by = (writer: number, rev: number): string => `{"rev":${rev},"by":${writer}}`;
    await ticks.write('job', epoch, by(epoch, 5));
    await ticks.open('job', epoch + 1);
    // The next owner found the fifth, where the sixth was written.
    await ticks.restore([{ ...kept, epoch: epoch + 1, record: by(epoch, 6) }]);
    expect(await ticks.recall(['job'])).toEqual([{ ...kept, epoch: epoch + 1, record: by(epoch, 6) }]);
    // It may have fewer revisions than the one before.
    await ticks.restore([{ ...kept, epoch: epoch + 1, record: by(epoch + 1, 2) }]);
    await ticks.restore([{ ...kept, epoch: epoch + 2, record: by(epoch, 9) }]);
    expect(await ticks.recall(['job'])).toEqual([{ ...kept, epoch: epoch + 2, record: by(epoch + 1, 2) }]);
  });
});

describe.each<[string, () => Promise<Ticks>]>([
  ['in Redis', async () => (await backendOn(server, appName)).backend.ticks],
  ['on a quorum of three', onQuorum],
  ['in one process', () => Promise.resolve(new LocalTicks(() => Date.now()))],
])('what a job has claimed and Redis has lost, %s', (_where, make) => {
  it('is put back beside the last words of its owner, which claim nothing', async () => {
    const tick = Math.floor(Date.now() / 1000) * 1000;
    const epoch = tick * 1000 - 60_000_000;
    const ticks = await make();
    // The first that Redis hears after the loss.
    expect(await ticks.write('job', epoch, '{"rev":3}')).toBe('done');
    await ticks.restore([{ job: 'job', epoch, claimed: tick, record: '{"rev":2}' }]);
    expect(await ticks.recall(['job'])).toEqual([{ job: 'job', epoch, claimed: tick, record: '{"rev":3}' }]);
    expect(await ticks.open('job', epoch + 1)).toEqual({ claimed: tick, record: '{"rev":3}' });
    expect(await ticks.write('job', epoch + 1, '{"rev":4}', { at: tick, id: 'b' })).toBe('taken');
    // Not where a later owner has begun in this life of the data.
    await ticks.restore([{ job: 'job', epoch, claimed: tick + 5000, record: '{"rev":9}' }]);
    expect((await ticks.recall(['job']))[0]).toMatchObject({ claimed: tick, record: '{"rev":3}' });
  });
});

describe('what a job remembers on some servers only', () => {
  it('refuses nothing that the next owner writes', async () => {
    const ticks = await onQuorum();
    await ticks.open('job', 5);
    await ticks.write('job', 5, '{"rev":1}');
    await server.cli('HSET', keys.cron('job'), 'record', '{"rev":7}', 'epoch', '3');
    const opened = (await ticks.open('job', 6))!;
    expect([opened.record, opened.revision]).toEqual(['{"rev":1}', 7]);
  });

  it('counts by who wrote it, not by who has begun there since', async () => {
    const ticks = await onQuorum();
    const [tick, before, last] = [1_700_000_000_000, '{"rev":2,"by":3,"waiting":9}', '{"rev":3,"by":3}'];
    await ticks.open('job', 3);
    await ticks.write('job', 3, before, { at: tick, id: 'a' });
    await ticks.write('job', 3, last);
    // As if the last write had not reached this server, and the first try of the next owner to begin this one alone.
    await server.cli('HSET', keys.cron('job'), 'record', before, 'epoch', '4');
    expect(await ticks.recall(['job'])).toEqual([{ job: 'job', epoch: 4, claimed: tick, record: last }]);
    expect(await ticks.open('job', 4)).toEqual({ claimed: tick, record: last });
    // A claim that this server alone has heard of brings no earlier record with it.
    await server.cli('HSET', keys.cron('job'), 'claimed', String(tick + 1000));
    expect(await ticks.open('job', 5)).toEqual({ claimed: tick + 1000, record: last });
  });
});

describe('what a job remembers', () => {
  const tick = Math.floor(Date.now() / 1000) * 1000;

  it('never keeps the owners to come from it, though the clock of Redis was set back', async () => {
    const ticks = (await backendOn(server, appName)).backend.ticks;
    await ticks.restore([{ job: 'job', epoch: (tick + 3_600_000) * 1000, claimed: tick, record: '{"rev":2}' }]);
    const epoch = (await ticks.recall(['job']))[0]!.epoch + 1;
    await eventually(() => Date.now() * 1000 > epoch);
    expect(await ticks.open('job', epoch)).toEqual({ claimed: tick, record: '{"rev":2}' });
    // Nor is it put in the place of what they write.
    expect(await ticks.write('job', epoch, '{"rev":3}', { at: tick + 1000, id: 'b' })).toBe('done');
    await ticks.restore([{ job: 'job', epoch: (tick + 3_600_000) * 1000, claimed: tick, record: '{"rev":2}' }]);
    expect(await ticks.recall(['job'])).toEqual([{ job: 'job', epoch, claimed: tick + 1000, record: '{"rev":3}' }]);
  });

  it.each<[string, string | undefined]>([
    ['with a cookie', 'a cookie of thirty-two characters!'],
    ['without one', undefined],
  ])('is heard on other nodes, %s, and nowhere else', async (_what, cookie) => {
    const options = cookie === undefined ? {} : { security: { cookie } };
    const [a, b] = [await backendOn(server, appName, options), await backendOn(server, appName, options)];
    const stranger = await backendOn(server, appName, {
      security: { cookie: 'another cookie, also long enough to be one' },
    });
    const heard: KeptTicks[] = [];
    const elsewhere: KeptTicks[] = [];
    b.backend.ticks.onWritten((kept) => heard.push(kept));
    stranger.backend.ticks.onWritten((kept) => elsewhere.push(kept));
    await server.cli('PUBLISH', keys.hints, '{"t":"cron","said":"{\\"job\\":\\"job\\"}"}');
    await a.backend.ticks.write('job', 5, '{"rev":1}', { at: tick, id: 'a' });
    await a.backend.ticks.write('job', 5, JSON.stringify({ rev: 2, long: 'x'.repeat(5000) }));
    await a.backend.ticks.write('job', 5, '{"rev":3}');
    await eventually(() => heard.length >= 2, { lastSeen: () => heard });
    expect(heard).toEqual([
      { job: 'job', epoch: 5, claimed: tick, record: '{"rev":1}' },
      { job: 'job', epoch: 5, claimed: 0, record: '{"rev":3}' },
    ]);
    expect(elsewhere).toEqual([]);
  });
});

describe('the hash of a job that another client wrote', () => {
  const tick = Math.floor(Date.now() / 1000) * 1000;
  const claimedOf = (): Promise<string> => server.cli('HGET', keys.cron('job'), 'claimed');

  it.each(['9007199254740991', '8640000000000000', '253402300799000', '-1', '1e300', 'nan', 'never'])(
    'keeps no time from being claimed: claimed %s',
    async (said) => {
      for (const make of [async () => (await backendOn(server, appName)).backend.ticks, onQuorum]) {
        const ticks = await make();
        await ticks.open('job', 5);
        expect(await ticks.write('job', 5, '{"rev":1}', { at: tick, id: 'a' })).toBe('done');
        await server.cli('HSET', keys.cron('job'), 'claimed', said);
        const before = Date.now();
        const opened = (await ticks.open('job', 6))!;
        expect(opened).toMatchObject({ record: '{"rev":1}', doubt: { said } });
        // No honest claim is further ahead of Redis.
        expect(opened.doubt!.most).toBeGreaterThanOrEqual(before + 59_000);
        expect(opened.doubt!.most).toBeLessThanOrEqual(Date.now() + 61_000);
        expect(await ticks.write('job', 6, '{"rev":2}', { at: tick + 1000, id: 'b' })).toBe('done');
        expect(await claimedOf()).toBe(String(tick + 1000));
        expect(await ticks.open('job', 7)).toEqual({ claimed: tick + 1000, record: '{"rev":2}' });
        await server.cli('DEL', keys.cron('job'));
      }
    },
  );

  it.each(['999999999999999', '1000000000000000', '9007199254740991', '9'.repeat(400)])(
    'keeps no record from being written: revision %s',
    async (rev) => {
      const ticks = (await backendOn(server, appName)).backend.ticks;
      await server.cli('HSET', keys.cron('job'), 'record', `{"rev":${rev}}`);
      const { record, revision = revisionOf(record) } = (await ticks.open('job', 5))!;
      for (const next of [revision + 1, revision + 2]) {
        expect(await ticks.write('job', 5, `{"rev":${next}}`)).toBe('done');
      }
    },
  );

  it('is begun anew where it is no hash', async () => {
    const ticks = (await backendOn(server, appName)).backend.ticks;
    await server.cli('SET', keys.cron('job'), 'x');
    expect(await ticks.open('job', 5)).toEqual({ claimed: 0, record: '' });
    await server.cli('SET', keys.cron('job'), 'x');
    expect(await ticks.write('job', 5, '{"rev":1}', { at: tick, id: 'a' })).toBe('done');
    expect(await ticks.open('job', 6)).toEqual({ claimed: tick, record: '{"rev":1}' });
  });
});

/** A class with one job that counts its runs. */
function jobsOf(runs: CronRun[], expression: string, options: ClusterCronOptions = {}): new () => object {
  @Injectable()
  class Jobs {
    @ClusterCron(expression, { name: 'close', timeZone: 'UTC', ...options })
    close(run: CronRun): void {
      runs.push(run);
    }
  }
  return Jobs;
}

async function nodes(count: number, make: () => new () => object): Promise<Booted[]> {
  const booted = await Promise.all(Array.from({ length: count }, () => boot(server.url, appName, [make()])));
  await formed(...booted);
  return booted;
}

describe('a cluster-wide cron job', () => {
  it('fires each time once on three nodes, and goes on with the next owner', async () => {
    const runs: CronRun[] = [];
    const booted = await nodes(3, () => jobsOf(runs, '* * * * * *'));
    await eventually(() => runs.length >= 3, { lastSeen: () => runs.length });
    const [job] = await booted[0]!.app.get(CronJobs).list();
    const owner = booted.find(({ name }) => job!.node === name)!;
    await owner.app.close();
    const before = runs.length;
    await eventually(() => runs.length >= before + 2, { lastSeen: () => runs.length });
    const times = runs.map(({ scheduledAt }) => scheduledAt.getTime());
    expect(new Set(times).size).toBe(times.length);
    // A planned move takes less than the second that a time may be late.
    expect((times.at(-1)! - times[0]!) / 1000 + 1).toBe(times.length);
    const left = booted.find((each) => each !== owner)!;
    const [moved] = await left.app.get(CronJobs).list();
    expect(moved).toMatchObject({ name: 'close', state: 'running', counts: { missed: 0, interrupted: 0 } });
    expect(moved!.node).not.toBe(job!.node);
  });

  it('runs by hand from any node, on its owner', async () => {
    const runs: CronRun[] = [];
    const booted = await nodes(2, () => jobsOf(runs, '0 3 1 1 *'));
    for (const { app } of booted) {
      await eventually(async () => (await app.get(CronJobs).list())[0]?.next !== undefined);
      expect(await app.get(CronJobs).runNow('close')).toBe('started');
      await eventually(async () => (await app.get(CronJobs).list())[0]?.run === undefined);
    }
    expect(runs).toHaveLength(2);
    expect(runs[0]!.epoch).toBe(runs[1]!.epoch);
  });

  it('goes by the schedule that was there first until all nodes have the other one', async () => {
    const runs: CronRun[] = [];
    const [old] = await nodes(1, () => jobsOf(runs, '0 3 1 1 *'));
    await eventually(async () => (await old!.app.get(CronJobs).list())[0]?.next !== undefined);
    const next = await boot(server.url, appName, [jobsOf(runs, '* * * * * *')]);
    await formed(old!, next);
    expect((await next.app.get(CronJobs).list())[0]).toMatchObject({ expression: '0 3 1 1 *' });
    await old!.app.close();
    await eventually(() => runs.length > 0, { timeout: 60_000 });
    expect((await next.app.get(CronJobs).list())[0]).toMatchObject({
      expression: '* * * * * *',
      counts: { missed: 0 },
    });
  });

  it('does not fire again, when Redis loses its data, what its owner fired', async () => {
    const runs: CronRun[] = [];
    const [node] = await nodes(1, () => jobsOf(runs, '* * * * * *'));
    await eventually(() => runs.length >= 2);
    await server.cli('FLUSHALL');
    const before = runs.length;
    await eventually(() => runs.length >= before + 2, { lastSeen: () => runs.length });
    const times = runs.map(({ scheduledAt }) => scheduledAt.getTime());
    expect(new Set(times).size).toBe(times.length);
    await eventually(async () => (await node!.app.get(CronJobs).list())[0]?.last !== undefined);
    expect(Number(await server.cli('PTTL', keys.cron('close')))).toBeGreaterThan(29 * 86_400_000);
  });

  it.each<[string, ClusterCronOptions, () => Promise<unknown>]>([
    ['comes back empty', {}, () => server.kill().then(() => server.restart({ delayMs: 2000 }))],
    ['comes back empty', { missed: 'run-once' }, () => server.kill().then(() => server.restart({ delayMs: 2000 }))],
    ['is flushed as a job has no owner', {}, () => server.cli('FLUSHALL')],
  ])('fires or reports each time, once, when Redis %s: %j', async (_what, options, lose) => {
    const runs: CronRun[] = [];
    const booted = await nodes(2, () => jobsOf(runs, '* * * * * *', options));
    const missed: { first: number; last: number; caughtUp: boolean }[] = [];
    for (const { app } of booted) app.get(Telemetry).attach('cron.missed', (_, payload) => missed.push(payload));
    await eventually(() => runs.length >= 2);
    // The owner goes with it, and says nothing to the next one.
    const [job] = await booted[0]!.app.get(CronJobs).list();
    const owner = booted.find(({ name }) => job!.node === name)!;
    const [, leaves] = await Promise.all([lose(), owner.app.close().catch(() => undefined)]);
    expect(leaves).toBeUndefined();
    const before = runs.length;
    await eventually(() => runs.length >= before + 2, { timeout: 30_000, lastSeen: () => runs.length });
    const times = runs.map(({ scheduledAt }) => scheduledAt.getTime());
    expect(new Set(times).size).toBe(times.length);
    const reported = missed.flatMap(({ first, last }) =>
      Array.from({ length: (last - first) / 1000 + 1 }, (_, index) => first + index * 1000),
    );
    const caughtUp = new Set(missed.filter((each) => each.caughtUp).map(({ last }) => last));
    expect(reported.filter((time) => times.includes(time) && !caughtUp.has(time))).toEqual([]);
    const all = new Set([...times, ...reported]);
    expect(all.size).toBe((Math.max(...times) - Math.min(...times)) / 1000 + 1);
  });

  it.each<[string, string[]]>([
    ['claims a time that no clock says', ['HSET', 'claimed', '9007199254740991']],
    ['puts another thing there', ['SET', 'x']],
  ])('goes on when another client %s', async (_what, [word, ...rest]) => {
    const runs: CronRun[] = [];
    await nodes(1, () => jobsOf(runs, '* * * * * *'));
    await eventually(() => runs.length >= 2);
    await server.cli(word!, keys.cron('close'), ...rest);
    const before = runs.length;
    await eventually(() => runs.length >= before + 2, { lastSeen: () => runs.length });
    const times = runs.map(({ scheduledAt }) => scheduledAt.getTime());
    expect(new Set(times).size).toBe(times.length);
    expect((times.at(-1)! - times[0]!) / 1000 + 1).toBe(times.length);
  });

  it('that never ends is left when its node leaves, and reported by the next owner', async () => {
    const hangs: CronRun[] = [];
    const runs: CronRun[] = [];
    @Injectable()
    class Hanging {
      @ClusterCron('* * * * * *', { name: 'close', timeZone: 'UTC' })
      close(run: CronRun): Promise<void> {
        hangs.push(run);
        return new Promise(() => undefined);
      }
    }
    const options = { processes: { stopTimeout: 300 } };
    const first = await boot(server.url, appName, [Hanging], options);
    await eventually(() => hangs.length === 1);
    const second = await boot(server.url, appName, [jobsOf(runs, '* * * * * *')], options);
    await formed(first, second);
    const interrupted: unknown[] = [];
    second.app.get(Telemetry).attach('cron.interrupted', (_, payload) => interrupted.push(payload));
    await first.app.close();
    expect(hangs[0]!.signal.aborted).toBe(true);
    await eventually(() => runs.length > 0 && interrupted.length > 0, { lastSeen: () => ({ runs, interrupted }) });
    expect(interrupted).toEqual([
      expect.objectContaining({ job: 'close', scheduled: hangs[0]!.scheduledAt.getTime() }),
    ]);
    const times = [...hangs, ...runs].map(({ scheduledAt }) => scheduledAt.getTime());
    expect(new Set(times).size).toBe(times.length);
  });
});

describe('foundation cron', () => {
  const foundation = (...argv: string[]): Promise<Ran> =>
    command(['cron', ...argv, '--app', appName], { FOUNDATION_REDIS_URL: server.url });

  it('lists the jobs with their times, and runs one on its owner', async () => {
    const runs: CronRun[] = [];
    const [node] = await nodes(1, () => jobsOf(runs, '0 3 1 1 *'));
    await eventually(async () => (await node!.app.get(CronJobs).list())[0]?.next !== undefined);
    const ran = await foundation('run', 'close');
    expect([ran.code, ran.out.trim()]).toEqual([0, 'close has begun']);
    await eventually(async () => (await node!.app.get(CronJobs).list())[0]?.last !== undefined);
    expect(runs.map(({ cause }) => cause)).toEqual(['manual']);
    const list = await foundation();
    expect(list.code).toBe(0);
    const [titles, row] = list.out.split('\n');
    expect(titles).toMatch(/^JOB +NODE +SCHEDULE +NEXT +LAST +TOOK +OUTCOME +MISSED$/);
    expect(row).toMatch(/^close +node-\d+ +0 3 1 1 \* UTC +in \d+ d +.* ago +\d+ ms +done +0$/);
    expect(JSON.parse((await foundation('--json')).out)).toMatchObject({
      ok: true,
      jobs: [{ name: 'close', last: { outcome: 'done' } }],
    });
  });

  it('says what is wrong: an unknown job, words that mean nothing, no jobs', async () => {
    await nodes(1, () => class {});
    const unknown = await foundation('run', 'other');
    expect(unknown.code).toBe(1);
    expect(unknown.err).toContain('Process "cron:other" is not known to this cluster');
    const words = await foundation('start', 'other');
    expect([words.code, words.err.split('\n')[0]]).toEqual([2, 'Write: cron, or: cron run JOB']);
    expect((await foundation()).out.trim()).toBe('No cron jobs.');
  });
});

describe('jobs', () => {
  it('spread over the nodes', async () => {
    const make = (): new () => object => {
      @Injectable()
      class Many {
        @ClusterCron('0 3 1 1 *', { name: 'a' }) a(): void {}
        @ClusterCron('0 3 1 1 *', { name: 'b' }) b(): void {}
        @ClusterCron('0 3 1 1 *', { name: 'c' }) c(): void {}
        @ClusterCron('0 3 1 1 *', { name: 'd' }) d(): void {}
      }
      return Many;
    };
    const booted = await nodes(2, make);
    const { app } = booted[0]!;
    const counts = async (): Promise<number[]> => {
      const jobs = await app.get(CronJobs).list();
      return booted.map((each) => jobs.filter(({ node }) => node === each.name).length);
    };
    await eventually(async () => (await counts()).every((count) => count === 2), { lastSeen: counts });
  });
});
