// The rest of the control plane on real Redis: the directory of nodes, the table of processes, the restarts.
import { describe, expect, it, jest } from '@jest/globals';
import { type Job, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { NodeRecord } from '../../libs/foundation/src/backend/directory/directory.js';
import { PUT_BACK } from '../../libs/foundation/src/backend/tables/table.js';
import type { ClusterView } from '../../libs/foundation/src/cluster/cluster.view.js';
import type { MembershipListener } from '../../libs/foundation/src/cluster/member.js';
import { processDefaults } from '../../libs/foundation/src/config/resolve.js';
import { type ProcessEntry, ProcessTable } from '../../libs/foundation/src/processes/table/process.table.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Hint } from '../../libs/foundation/src/wire/hint.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { backendOn, type Bench, CapturedLog, closeLater, MEMBERSHIP, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;
let log: CapturedLog;

onOwnRedis((ground) => ({ server, appName, keys, log } = ground));

const record = (name: string, bootId: string, more: Partial<NodeRecord> = {}): NodeRecord => ({
  ...{ name, bootId, host: 'h', pid: 1, version: '0.1.0', state: 'up', classes: ['Feed'], load: 0 },
  ...{ lag: 0, labels: {}, replicas: {}, listens: {}, leaseServers: 1, joinedAt: 0 },
  ...more,
});

describe('Nodes', () => {
  it('join, are seen, beat and leave; the version rises with each change and not with a beat', async () => {
    const { directory } = (await backendOn(server, appName)).backend;
    const versions: number[] = [];
    const look = async () => {
      const view = await directory.view();
      versions.push(view.version);
      return view.members.map(({ name }) => name).sort();
    };
    expect(await directory.join(record('a', 'boot-a'))).toEqual({ joined: true, now: expect.any(Number) });
    expect(await look()).toEqual(['a']);
    expect((await directory.join(record('b', 'boot-b', { load: 2 }))).joined).toBe(true);
    expect(await look()).toEqual(['a', 'b']);
    const beat = await directory.beat('a', 'boot-a');
    expect(beat).toEqual({
      ...{ status: 'ok', viewVersion: versions[1], tableVersion: 0, late: [] },
      ...{ incarnation: expect.stringMatching(/^\w+ \d+$/), now: expect.any(Number) },
    });
    await directory.beat('a', 'boot-a', { record: record('a', 'boot-a', { state: 'draining' }), changed: true });
    expect((await directory.view()).members.find(({ name }) => name === 'a')?.state).toBe('draining');
    await look();
    await directory.leave('b', 'boot-b');
    expect(await look()).toEqual(['a']);
    expect(versions).toEqual([...new Set(versions)].sort((x, y) => x - y));
    expect(await directory.reasons(['boot-b', 'boot-x'])).toEqual(['shutdown', 'timeout']);
    expect(await directory.reasons([])).toEqual([]);
  });

  it('refuse a name that is alive, and give it once its owner is gone', async () => {
    const { directory } = (await backendOn(server, appName)).backend;
    await directory.join(record('a', 'boot-1'));
    const refused = await directory.join(record('a', 'boot-2'));
    expect(refused).toEqual({ joined: false, otherBootId: 'boot-1', beatAt: expect.any(Number) });
    expect((await directory.join(record('a', 'boot-1'))).joined).toBe(true);
    const began = performance.now();
    await eventually(async () => (await directory.join(record('a', 'boot-2'))).joined);
    expect(performance.now() - began).toBeGreaterThan(MEMBERSHIP.ttl * 0.9);
    expect(await directory.beat('a', 'boot-1')).toMatchObject({ status: 'replaced', otherBootId: 'boot-2' });
    // The one that was replaced must not take the record of the other one with it.
    await directory.leave('a', 'boot-1');
    expect((await directory.view()).members).toMatchObject([{ bootId: 'boot-2' }]);
    expect((await directory.beat('a', 'boot-2')).status).toBe('ok');
  });

  it('are late first, then gone, by the beat of any other one', async () => {
    const bench = await backendOn(server, appName);
    const { directory } = bench.backend;
    const hints: Hint[] = [];
    bench.backend.onHint((hint) => hints.push(hint));
    await directory.join(record('a', 'boot-a'));
    await directory.join(record('silent', 'boot-s'));
    const before = (await directory.view()).version;
    await eventually(async () => (await directory.beat('a', 'boot-a')).late.includes('silent'));
    await eventually(
      async () => (await directory.view()).members.length === 1 || !(await directory.beat('a', 'boot-a')),
    );
    expect((await directory.view()).version).toBeGreaterThan(before);
    expect((await directory.beat('silent', 'boot-s')).status).toBe('gone');
    expect(await directory.reasons(['boot-s'])).toEqual(['timeout']);
    await eventually(() => hints.some(({ t }) => t === 'view'));
  });

  it('send their load as a hint', async () => {
    const bench = await backendOn(server, appName);
    const hints: Hint[] = [];
    bench.backend.onHint((hint) => hints.push(hint));
    const { directory } = bench.backend;
    await directory.join(record('a', 'boot-a'));
    await directory.beat('a', 'boot-a', { record: record('a', 'boot-a', { load: 4 }), changed: false });
    await eventually(() => hints.some((hint) => hint.t === 'load' && hint.node === 'a' && hint.load === 4));
  });

  it('see the loss of data by another life of Redis', async () => {
    const { directory } = (await backendOn(server, appName)).backend;
    await directory.join(record('a', 'boot-a'));
    const before = await directory.beat('a', 'boot-a');
    const versions = [(await directory.view()).version];
    await server.cli('FLUSHALL');
    const after = await directory.beat('a', 'boot-a');
    expect(after.status).toBe('gone');
    expect(after.incarnation).not.toBe(before.incarnation);
    await directory.join(record('a', 'boot-a'));
    versions.push((await directory.view()).version);
    expect(versions[1]).toBeGreaterThan(versions[0]!);
  });

  it('skip records that nobody can read', async () => {
    const { directory } = (await backendOn(server, appName)).backend;
    await directory.join(record('a', 'boot-a'));
    await server.cli('HSET', keys.nodes, 'x', 'garbage', 'y', 'boot {"name":5}', 'z', 'boot null', 'w', '');
    expect((await directory.view()).members.map(({ name }) => name)).toEqual(['a']);
    expect((await directory.beat('a', 'boot-a')).status).toBe('ok');
  });
});

describe('Table', () => {
  const tableOf = async () => {
    const { table } = (await backendOn(server, appName)).backend;
    return {
      ...{ table, since: (version: number) => table.since(version) },
      put: async (key: string, value: string, expected: number) =>
        (await table.put([{ key, value, expected }])).versions[0],
    };
  };

  it('writes only over the version that was read', async () => {
    const [a, b] = [await tableOf(), await tableOf()];
    const first = (await a.put('feed', 'one', 0))!;
    expect(await b.put('feed', 'two', 0)).toBeUndefined();
    expect(await b.put('feed', 'two', first - 1)).toBeUndefined();
    const second = (await b.put('feed', 'two', first))!;
    expect(second).toBeGreaterThan(first);
    expect(await a.put('feed', 'three', first)).toBeUndefined();
    const won = await Promise.all(Array.from({ length: 20 }, (_, index) => a.put('feed', `${index}`, second)));
    expect(won.filter((version) => version !== undefined)).toHaveLength(1);
  });

  it('gives what is newer than a version, and only that', async () => {
    const { put, since } = await tableOf();
    const a = (await put('a', '1', 0))!;
    const b = (await put('b', 'é {"x":[1]}', 0))!;
    expect(await since(0)).toMatchObject({
      ...{ version: b, more: false, floor: 0 },
      rows: [
        { key: 'a', value: '1', version: a },
        { key: 'b', value: 'é {"x":[1]}', version: b },
      ],
    });
    expect((await since(a)).rows.map(({ key }) => key)).toEqual(['b']);
    expect(await since(b)).toMatchObject({ version: b, rows: [] });
  });

  it('is put back after FLUSHALL by whoever has a copy, each row where no newer one is, with the version it had', async () => {
    const { table, put, since } = await tableOf();
    await put('a', 'old', 0);
    await put('b', 'b', 0);
    const { rows: copy, life } = await since(0);
    await server.cli('FLUSHALL');
    expect(await since(copy[1]!.version)).toMatchObject({ version: 0, rows: [], life: '' });
    const newer = (await put('a', 'new', 0))!;
    expect(newer).toBeGreaterThan(copy[0]!.version);
    await table.restore(copy, copy[1]!.version);
    const page = await since(0);
    await table.restore(copy, copy[1]!.version);
    // The second time there was nothing to do, and nobody is told anything.
    expect(await since(0)).toEqual(page);
    expect(page.life).not.toBe(life);
    expect(page.floor).toBe(copy[1]!.version);
    expect(page.rows.map(({ key, value, version }) => [key, value, version])).toEqual([
      ['b', 'b', copy[1]!.version],
      ['a', 'new', newer],
      [PUT_BACK, '', page.version],
    ]);
  });

  it('removes a row of one version', async () => {
    const { table, put, since } = await tableOf();
    const version = (await put('a', '1', 0))!;
    expect(await table.remove([{ key: 'a', version: version - 1 }])).toEqual([]);
    expect((await since(0)).rows).toHaveLength(1);
    expect(await table.remove([{ key: 'a', version }])).toEqual(['a']);
    // The mark tells the copies of other nodes; a new row of that key starts from nothing.
    expect((await since(0)).rows).toMatchObject([{ key: 'a', value: '' }]);
    expect(await put('a', '2', version)).toBeUndefined();
    expect(await put('a', '2', 0)).toBeGreaterThan(version);
    // And its mark is none any more.
    expect(await server.cli('ZCARD', `{foundation:${appName}}:processes:marks`)).toBe('0');
  });
});

describe('ProcessTable', () => {
  const entry = (name: string, more: Partial<ProcessEntry> = {}): ProcessEntry => ({
    ...{ name, type: 'Feed', declared: false, kind: 'singleton', count: 1, args: [], options: processDefaults({}) },
    ...{ placement: { strategy: 'spread', labels: {} }, handoff: false, rebalance: 'off' },
    ...{ status: 'wanted', after: 0, confirmed: true },
    ...more,
  });
  const copyOf = ({ backend }: Bench, now: () => number = Date.now) => {
    const listeners: MembershipListener[] = [];
    const membership = { listen: (each: MembershipListener) => listeners.push(each), clusterNow: now };
    return { table: new ProcessTable(backend, membership as unknown as ClusterView), listeners };
  };

  it('put back by a node that has missed a stop does not undo the stop', async () => {
    const fresh = copyOf(await backendOn(server, appName));
    const bench = await backendOn(server, appName);
    // Its hints get lost.
    const stale = copyOf({ ...bench, backend: { ...bench.backend, onHint: () => () => undefined } });
    await fresh.table.change('other', () => entry('other'));
    await fresh.table.change('feed', () => entry('feed'));
    await stale.table.sync();
    await fresh.table.change('other', (current) => ({ ...current!, after: 1 }));
    await stale.table.sync();
    await fresh.table.change('feed', (current) => ({ ...current!, status: 'stopped' }));
    await server.cli('FLUSHALL');
    for (const { listeners, table } of [stale, fresh]) {
      for (const listener of listeners) listener.dataLoss?.();
      await eventually(async () => (await table.sync(), table.get('feed') !== undefined));
      await eventually(
        async () => (await bench.backend.table.since(0)).rows.filter(({ value }) => value !== '').length === 2,
      );
    }
    await eventually(async () => {
      await stale.table.sync();
      return [stale, fresh].every(({ table }) => table.get('feed')?.status === 'stopped');
    });
    expect((await bench.backend.table.since(0)).rows.find(({ key }) => key === 'feed')?.value).toContain('stopped');
  });

  it('is one for all nodes', async () => {
    const [a, b] = [copyOf(await backendOn(server, appName)), copyOf(await backendOn(server, appName))];
    await a.table.change('feed', () => entry('feed', { args: ['EUR'] }));
    await eventually(() => b.table.get('feed') !== undefined);
    await Promise.all(
      [a, b, a, b, a, b].map(({ table }) =>
        table.change('feed', (current) => entry('feed', { after: (current?.after ?? 0) + 1 })),
      ),
    );
    await Promise.all([a.table.sync(), b.table.sync()]);
    expect(a.table.get('feed')).toMatchObject({ after: 6 });
    expect(b.table.get('feed')).toEqual(a.table.get('feed'));
  });

  it('comes back after FLUSHALL', async () => {
    const [a, b] = [copyOf(await backendOn(server, appName)), copyOf(await backendOn(server, appName))];
    await a.table.change('feed', () => entry('feed'));
    await eventually(() => b.table.get('feed') !== undefined);
    await server.cli('FLUSHALL');
    b.listeners[0]!.dataLoss!();
    await eventually(async () => (await server.cli('HLEN', keys.processes)) === '1');
    await b.table.change('second', () => entry('second'));
    await a.table.sync();
    expect(
      a.table
        .processes()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['feed', 'second']);
  });

  it('forgets a pruned entry on all nodes', async () => {
    const later = () => Date.now() + 11 * 60_000;
    const [a, b] = [copyOf(await backendOn(server, appName), later), copyOf(await backendOn(server, appName), later)];
    await a.table.change('feed', () => entry('feed', { status: 'completed' }));
    await eventually(() => b.table.get('feed') !== undefined);
    await a.table.prune();
    expect(await server.cli('HLEN', keys.processes)).toBe('0');
    await b.table.sync();
    expect(await server.cli('HLEN', keys.processes)).toBe('0');
  });
});

describe('Restarts', () => {
  const handlers = () => ({
    restart: jest.fn<(name: string, epoch: number) => Promise<void>>().mockResolvedValue(undefined),
    sweep: jest.fn<() => Promise<void>>().mockResolvedValue(undefined),
  });
  /** A queue of the test's own on the same keys. */
  const queueOf = () => {
    const connection = new Redis(server.adminUrl, { maxRetriesPerRequest: null });
    const queue = new Queue('supervision', { connection, prefix: keys.tag });
    closeLater(async () => {
      await queue.close();
      connection.disconnect();
    });
    return queue;
  };
  const opened = async () => {
    const { restarts } = (await backendOn(server, appName)).backend;
    const heard = handlers();
    await restarts.open(heard);
    return { restarts, heard, queue: queueOf() };
  };

  it('count a crash once for each epoch, within the window, on whichever node', async () => {
    const [a, b] = [(await backendOn(server, appName)).backend, (await backendOn(server, appName)).backend];
    expect(await a.restarts.crashed('feed', 1, 60_000)).toBe(1);
    expect(await b.restarts.crashed('feed', 1, 60_000)).toBe(1);
    expect(await b.restarts.crashed('feed', 2, 60_000)).toBe(2);
    expect(await a.restarts.crashed('other', 2, 60_000)).toBe(1);
    await eventually(async () => (await a.restarts.crashed('feed', 2, 300)) <= 1);
    await a.restarts.forget('feed');
    expect(await b.restarts.crashed('feed', 9, 60_000)).toBe(1);
  });

  it('call for a restart once, after its delay, on one of the nodes', async () => {
    const [a, b] = [(await backendOn(server, appName)).backend, (await backendOn(server, appName)).backend];
    const [heardA, heardB] = [handlers(), handlers()];
    await Promise.all([a.restarts.open(heardA), b.restarts.open(heardB)]);
    const began = performance.now();
    await Promise.all([
      a.restarts.schedule('feed', 7, 300),
      b.restarts.schedule('feed', 7, 300),
      a.restarts.schedule('feed', 7, 300),
      a.restarts.schedule('feed', 8, 300),
    ]);
    const calls = () => [...heardA.restart.mock.calls, ...heardB.restart.mock.calls];
    await eventually(() => calls().length >= 2);
    expect(performance.now() - began).toBeGreaterThan(290);
    const queue = queueOf();
    await eventually(async () => (await queue.getJobCounts('delayed', 'waiting', 'active')).active === 0);
    expect(calls().sort((x, y) => x[1] - y[1])).toEqual([
      ['feed', 7],
      ['feed', 8],
    ]);
  });

  it('have at most one job for each name and epoch, with an id that is neither a number nor has a colon', async () => {
    const { restarts } = (await backendOn(server, appName)).backend;
    for (const name of ['feed', 'with:colon', '123', 'é'.repeat(100)]) {
      for (let time = 0; time < 3; time++) await restarts.schedule(name, 7, 60_000);
    }
    const jobs = await queueOf().getDelayed();
    expect(jobs).toHaveLength(4);
    for (const { id } of jobs) expect(id).toMatch(/^restart_[0-9a-f]+_7$/);
  });

  it('move a malformed job to failed at once, and go on with the next one', async () => {
    const { heard, queue } = await opened();
    const bad: [string, unknown][] = [
      ['restart', {}],
      ['restart', { name: 'feed' }],
      ['restart', { name: 5, epoch: 1 }],
      ['restart', { name: 'feed', epoch: '1' }],
      ['restart', { name: 'feed', epoch: 1.5 }],
      ['restart', null],
      ['restart', 'text'],
      ['explode', { name: 'feed', epoch: 1 }],
      ['restart', JSON.parse('{"__proto__":{"name":"feed","epoch":1}}')],
    ];
    for (const [name, data] of bad) await queue.add(name, data, { attempts: 3 });
    await queue.add('restart', { name: 'feed', epoch: 7 });
    await eventually(() => heard.restart.mock.calls.length === 1);
    const failed: Job[] = await eventually(async () => {
      const jobs = await queue.getFailed();
      return jobs.length === bad.length ? jobs : undefined;
    });
    for (const job of failed)
      expect(job).toMatchObject({ attemptsMade: 1, failedReason: expect.stringMatching(/not one of/) });
    expect(heard.restart.mock.calls).toEqual([['feed', 7]]);
    // Said once in a while; the jobs say it all.
    expect(log.lines.filter((line) => line.includes('A supervision job failed'))).toHaveLength(1);
  });

  it('do not lose the worker when a handler throws', async () => {
    const { restarts } = (await backendOn(server, appName)).backend;
    const heard = handlers();
    heard.restart.mockRejectedValueOnce(new Error('Redis blinked'));
    await restarts.open(heard);
    await restarts.schedule('a', 1, 0);
    await restarts.schedule('b', 1, 0);
    await eventually(() => heard.restart.mock.calls.length === 2);
  });

  it('have their sweep planned anew where a clock that was an hour ahead planned it', async () => {
    const { restarts, heard, queue } = await opened();
    const HOUR = 3_600_000;
    await queue.removeJobScheduler('sweep');
    const real = Date.now.bind(Date);
    const ahead = jest.spyOn(Date, 'now').mockImplementation(() => real() + HOUR);
    await queue.upsertJobScheduler('sweep', { every: 5000 }, { name: 'sweep', data: {} });
    ahead.mockRestore();
    const planned = async () => ((await queue.getJobScheduler('sweep'))?.next ?? 0) - Date.now();
    expect(await planned()).toBeGreaterThan(HOUR / 2);
    const before = heard.sweep.mock.calls.length;
    await restarts.ensureSweep();
    expect(await planned()).toBeLessThanOrEqual(10_000);
    await eventually(() => heard.sweep.mock.calls.length > before);
    // What is planned well is left alone.
    const next = (await queue.getJobScheduler('sweep'))?.next;
    await restarts.ensureSweep();
    expect((await queue.getJobScheduler('sweep'))?.next).toBeGreaterThanOrEqual(next!);
    expect(await queue.getJobSchedulersCount()).toBe(1);
  });

  it('have their sweep planned again where an operator has deleted its job', async () => {
    const { restarts, heard, queue } = await opened();
    await eventually(() => heard.sweep.mock.calls.length >= 1);
    await eventually(async () => (await queue.getDelayedCount()) === 1);
    await server.cli('DEL', `${keys.tag}:supervision:delayed`);
    // What its plan looks like so much later.
    await server.cli('ZADD', `${keys.tag}:supervision:repeat`, 'XX', String(Date.now() - 20_000), 'sweep');
    const before = heard.sweep.mock.calls.length;
    await restarts.ensureSweep();
    await eventually(() => heard.sweep.mock.calls.length > before);
  });

  it('add at most one sweep to a queue that an operator has paused', async () => {
    const { restarts, heard, queue } = await opened();
    await eventually(() => heard.sweep.mock.calls.length >= 1);
    await queue.pause();
    await eventually(async () => (await queue.getActiveCount()) === 0);
    const real = Date.now.bind(Date);
    const later = jest.spyOn(Date, 'now').mockImplementation(() => real() + 20_000);
    for (let time = 0; time < 10; time++) await restarts.ensureSweep();
    later.mockRestore();
    const ids = await server.cli('KEYS', `${keys.tag}:supervision:repeat:sweep:*`);
    expect(ids.split('\n').length).toBeLessThanOrEqual(2);
    await queue.resume();
  });

  it('have one sweep for all nodes, which is put back after data loss', async () => {
    const [a, b] = [(await backendOn(server, appName)).backend, (await backendOn(server, appName)).backend];
    const [heardA, heardB] = [handlers(), handlers()];
    await Promise.all([a.restarts.open(heardA), b.restarts.open(heardB)]);
    const queue = queueOf();
    expect(await queue.getJobSchedulersCount()).toBe(1);
    await eventually(() => heardA.sweep.mock.calls.length + heardB.sweep.mock.calls.length >= 1);
    await server.cli('FLUSHALL');
    expect(await queue.getJobSchedulersCount()).toBe(0);
    await a.restarts.ensureSweep();
    expect(await queue.getJobSchedulersCount()).toBe(1);
  });
});
