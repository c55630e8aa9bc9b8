// Cluster-wide cron jobs over a real Redis: what nodes hear of them, and nodes that come, leave and agree. What is
// remembered of a job has a spec of its own, `ticks.contract.spec.ts`.
import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { ClusterCron, type ClusterCronOptions, CronJobs, type CronRun, Telemetry } from 'nestjs-foundation';
import type { KeptTicks } from '../../libs/foundation/src/backend/leases/ticks.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { command, type Ran } from './command.js';
import { backendOn, boot, type Booted, formed, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, keys } = ground));

describe('what a job remembers', () => {
  const tick = Math.floor(Date.now() / 1000) * 1000;

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
    expect((await foundation('run', 'cron:close')).err).toContain('Known cron jobs: close.');
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
    expect(unknown.err).toBe(
      'Cron job "other" is not known to this cluster. Nothing was done. Known cron jobs: none.\n',
    );
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
