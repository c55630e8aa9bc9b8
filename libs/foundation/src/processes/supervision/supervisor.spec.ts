import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Backend } from '../../backend/backend.js';
import { createBackend } from '../../backend/create.backend.js';
import type { Lease } from '../../backend/leases/leases.js';
import type { TableRow, TableWrite } from '../../backend/tables/table.js';
import { ClusterView } from '../../cluster/cluster.view.js';
import { LocalNode } from '../../cluster/local.node.js';
import type { Member } from '../../cluster/member.js';
import { MembershipProtocol } from '../../cluster/membership.protocol.js';
import { rendezvous } from '../../cluster/rendezvous.js';
import { processDefaults, resolve } from '../../config/resolve.js';
import type { FoundationEvents } from '../../telemetry/events.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { eventually } from '../../testing/eventually.js';
import type { ProcessContext, StopReason } from '../declaration/process.context.js';
import type { ProcessSpec } from '../declaration/process.specification.js';
import { ProcessTable } from '../table/process.table.js';
import { Supervisor } from './supervisor.js';

class Feed {}

const config = resolve({ nodeName: 'n1' }, {}, { host: 'h', pid: 1 });
const quick = { backoff: { base: 1, cap: 2 }, stopTimeout: 200 };
const spec = (more: Partial<ProcessSpec> = {}): ProcessSpec => ({
  name: 'feed',
  type: 'Feed',
  declared: true,
  kind: 'singleton',
  count: 1,
  args: [],
  options: processDefaults(quick),
  placement: { strategy: 'spread', labels: {} },
  handoff: false,
  rebalance: 'off',
  ...more,
});

describe('Supervisor on the local backend', () => {
  let backend: Backend;
  let membership: ClusterView;
  let protocol: MembershipProtocol;
  let table: ProcessTable;
  let telemetry: Telemetry;
  let supervisor: Supervisor;
  let events: { event: string; payload: unknown }[];
  let lives: { ctx: ProcessContext; reason?: StopReason }[];
  let clock: number | undefined;
  let onStop: () => void | Promise<void>;
  let onStart: (ctx: ProcessContext) => void | Promise<void>;

  beforeEach(async () => {
    Logger.overrideLogger(false);
    telemetry = new Telemetry();
    events = [];
    telemetry.attach('*', (event, payload) => events.push({ event, payload }));
    const node = new LocalNode(config);
    backend = await createBackend(config, node, telemetry);
    membership = new ClusterView(node, config, backend, telemetry);
    protocol = new MembershipProtocol(membership, config, backend, telemetry);
    table = new ProcessTable(backend, membership);
    // The clock goes on unless a test holds it.
    clock = undefined;
    supervisor = new Supervisor({ backend, membership, table, telemetry, now: () => clock ?? performance.now() });
    lives = [];
    onStart = () => undefined;
    onStop = () => undefined;
    const create = () => {
      const life: (typeof lives)[number] = { ctx: undefined as unknown as ProcessContext };
      return Promise.resolve({
        onProcessStart: (ctx: ProcessContext) => {
          life.ctx = ctx;
          lives.push(life);
          return onStart(ctx);
        },
        onProcessStop: (reason: StopReason) => {
          life.reason = reason;
          return onStop();
        },
      });
    };
    supervisor.know(new Map([['Feed', { type: Feed, create }]]));
  });

  afterEach(async () => {
    await supervisor.drain();
    await protocol.leave();
    await backend.close();
  });

  const begin = async (...specs: ProcessSpec[]) => {
    await protocol.join(['Feed']);
    await supervisor.declare(specs);
    await supervisor.start();
  };
  const running = (count = 1) => eventually(() => lives.length === count && supervisor.hosted()[0]?.running === true);
  const payloads = <E extends keyof FoundationEvents>(name: E) =>
    events.filter(({ event }) => event === name).map(({ payload }) => payload as FoundationEvents[E]);

  it('runs what is declared and reports its load', async () => {
    await begin(spec(), spec({ name: 'second', args: [1] }));
    await eventually(() => supervisor.hosted().filter((each) => each.running).length === 2);
    expect(lives.map(({ ctx }) => ctx.args)).toEqual(expect.arrayContaining([[], [1]]));
    expect(membership.members()[0]!.load).toBe(2);
  });

  it('runs nothing before its start, and nothing of a class it does not know', async () => {
    await protocol.join(['Feed']);
    await supervisor.declare([spec(), spec({ name: 'other', type: 'Unknown' })]);
    supervisor.wake();
    await new Promise((done) => setImmediate(done));
    expect(lives).toEqual([]);
    await supervisor.start();
    await running();
    expect(supervisor.hosted().map(({ name }) => name)).toEqual(['feed']);
    class Unknown {}
    expect(supervisor.knows(Unknown)).toBe(false);
  });

  it('knows a class by itself, and not another one of its name', async () => {
    const known = Feed;
    const other = (() => {
      class Feed {}
      return Feed;
    })();
    expect(other.name).toBe(known.name);
    expect(supervisor.knows(known)).toBe(true);
    expect(supervisor.knows(other)).toBe(false);
  });

  it('goes on knowing what it was told before', async () => {
    class Other {}
    const create = jest.fn<() => Promise<object>>().mockResolvedValue({});
    supervisor.know(new Map([['Other', { type: Other, create }]]));
    expect([Feed, Other].map((type) => supervisor.knows(type))).toEqual([true, true]);
    await begin(spec());
    await running();
    expect(create).not.toHaveBeenCalled();
  });

  it('stops what is stopped in the table, and gives its lease back', async () => {
    await begin(spec());
    await running();
    await table.change('feed', (current) => ({ ...current!, status: 'stopped' }));
    await eventually(async () => (await backend.leases.owners(['feed']))[0] === undefined);
    expect(lives[0]!.reason).toBe('stop');
    expect(supervisor.hosted()).toEqual([]);
  });

  const beats = (count: number) => {
    let heard = 0;
    const stop = membership.listen({ beat: () => void (heard += 1) });
    return eventually(() => heard >= count).finally(() => stop());
  };
  const drop = async (name: string) => {
    const { version } = table.get(name)!;
    await backend.table.remove([{ key: name, version }]);
    await table.sync();
  };

  it('stops an instance whose row is gone, and no longer takes its name (H3)', async () => {
    await begin(spec());
    await running();
    await drop('feed');
    await eventually(() => lives[0]!.reason === 'stop' && supervisor.hosted().length === 0);
    expect((await backend.leases.owners(['feed']))[0]).toBeUndefined();
    await beats(3);
    expect(lives).toHaveLength(1);
  });

  it.each<[string, Partial<TableRow>]>([
    ['that a stranger wrote', { isForeign: true }],
    ['that it cannot read', { value: '{"status":"of a later version"}' }],
  ])('goes on with a row in whose place lies one %s, and records its end over it (H3)', async (_what, there) => {
    await begin(spec({ options: processDefaults({ ...quick, restart: 'transient' }) }));
    await running();
    const since = backend.table.since.bind(backend.table);
    jest.spyOn(backend.table, 'since').mockImplementation(async (version) => {
      const page = await since(version);
      const hostile = ({ value, ...row }: TableRow): TableRow =>
        value === 'hostile' ? { value: '', ...row, ...there } : { ...row, value };
      return { ...page, rows: page.rows.map(hostile) };
    });
    // In so short a time it is written back once; the second one stays.
    for (let time = 0; time < 2; time++) {
      const { version } = (await backend.table.since(0)).rows.find(({ key }) => key === 'feed')!;
      await backend.table.put([{ key: 'feed', value: 'hostile', expected: version }]);
      await table.sync();
    }
    await beats(3);
    expect(supervisor.hosted()).toMatchObject([{ name: 'feed', running: true }]);
    expect(table.get('feed')).toMatchObject({ status: 'wanted' });
    lives[0]!.ctx.complete();
    await eventually(() => supervisor.hosted().length === 0);
    const row = (await backend.table.since(0)).rows.find(({ key }) => key === 'feed');
    expect(JSON.parse(row!.value)).toMatchObject({ status: 'completed' });
    await beats(2);
    expect(lives).toHaveLength(1);
  });

  it('lets an instance without a row be while a loss of data is being mended', async () => {
    await begin(spec());
    await running();
    const mending = jest.spyOn(table, 'isMending', 'get').mockReturnValue(true);
    await drop('feed');
    await beats(3);
    expect(supervisor.hosted()).toHaveLength(1);
    mending.mockRestore();
    await eventually(() => supervisor.hosted().length === 0);
  });

  describe('what was there before a loss of data', () => {
    /** Redis lost its data a moment ago, and this node has restored its row. */
    const afterLoss = async (restart: 'permanent' | 'transient' | 'temporary') => {
      clock = 1000;
      await protocol.join(['Feed']);
      const earlier = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 60_000);
      const options = processDefaults({ ...quick, restart });
      await table.change('feed', () => ({ ...spec({ options }), status: 'wanted', after: 0, confirmed: true }));
      earlier.mockRestore();
      membership.notify('dataLoss');
      await supervisor.start();
      await beats(3);
    };

    it('starts at once where it runs indefinitely', async () => {
      await afterLoss('permanent');
      await running();
    });

    it.each(['transient', 'temporary'] as const)(
      'waits where it is %s, and starts when all have restored',
      async (restart) => {
        await afterLoss(restart);
        expect(lives).toEqual([]);
        clock! += 3 * membership.beatEvery;
        await running();
      },
    );

    it('does not start where it has ended, of which only another node knew (I13)', async () => {
      await afterLoss('temporary');
      await table.change('feed', (current) => ({ ...current!, status: 'completed', after: 5 }));
      clock! += 3 * membership.beatEvery;
      await beats(3);
      expect([lives, payloads('lease.acquired')]).toEqual([[], []]);
    });

    it('lets what is newer start', async () => {
      await afterLoss('temporary');
      await table.change('feed', (current) => ({ ...current!, after: 1 }));
      await running();
    });
  });

  it('stops the partitions beyond a lower number, and the instance of what runs everywhere with its report', async () => {
    const all = spec({ name: 'all', kind: 'replicated', count: 'all' });
    await begin(all);
    // Not declared here: what this node declares, it would put back.
    const part = spec({ name: 'part', kind: 'partitioned', count: 4 });
    await table.change('part', () => ({ ...part, status: 'wanted', after: 0, confirmed: true }));
    await eventually(() => supervisor.hosted().filter((each) => each.running).length === 5);
    await table.change('part', (current) => ({ ...current!, count: 2 }));
    await drop('all');
    await eventually(() => supervisor.hosted().length === 2, { lastSeen: () => supervisor.hosted() });
    expect(supervisor.hosted().map(({ name }) => name)).toEqual(['part/0', 'part/1']);
    await eventually(() => membership.members()[0]!.replicas['all'] === undefined);
  });

  it('looks at what changed only, however many have ended (H10)', async () => {
    await begin(spec());
    await running();
    const rows = Array.from({ length: 5000 }, (_, index): TableWrite => {
      const entry = {
        ...spec({ name: `job-${index}`, declared: false }),
        status: 'completed',
        after: 0,
        confirmed: true,
      };
      return { key: entry.name, value: JSON.stringify(entry), expected: 0 };
    });
    const [one, read] = [jest.spyOn(table, 'slotsOf'), jest.spyOn(table, 'get')];
    await backend.table.put(rows);
    await table.sync();
    // Each is looked at once, when it comes.
    await eventually(() => one.mock.calls.length >= rows.length);
    await beats(1);
    for (const spy of [one, read]) spy.mockClear();
    await table.change('feed', (current) => ({ ...current!, error: 'a change' }));
    supervisor.wake();
    await beats(2);
    expect(one.mock.calls.length).toBeLessThan(10);
    expect(read.mock.calls.length).toBeLessThan(30);
  });

  it('lives on whatever a row makes it do, and compares the others', async () => {
    await begin(spec());
    await running();
    jest.spyOn(table, 'slotsOf').mockImplementationOnce(() => {
      throw new RangeError('Invalid array length');
    });
    await table.change('feed', (current) => ({ ...current!, error: 'a change' }));
    await beats(1);
    await table.change('feed', (current) => ({ ...current!, status: 'stopped' }));
    await eventually(() => supervisor.hosted().length === 0);
  });

  it('forgets a temporary process whose node died, once it was listed as lost for long enough', async () => {
    await begin();
    const write = (name: string, status: string): TableWrite => {
      const entry = { ...spec({ name, declared: false }), status, after: 0, confirmed: true };
      return { key: name, value: JSON.stringify(entry), expected: 0 };
    };
    await backend.table.put([write('lost', 'once'), write('wanted', 'backing-off')]);
    await table.sync();
    const start = Date.now();
    const cluster = jest.spyOn(membership, 'clusterNow').mockReturnValue(start + 61_000);
    await beats(1);
    clock = performance.now() + 10_000;
    await beats(2);
    expect(table.get('lost')?.status).toBe('once');
    clock += 10_000;
    cluster.mockReturnValue(start + 12 * 60_000);
    await eventually(() => table.get('lost') === undefined);
    expect(table.get('wanted')).toBeDefined();
  });

  it('restarts in place when the epoch is called old', async () => {
    await begin(spec());
    await running();
    const { epoch } = lives[0]!.ctx;
    await table.change('feed', (current) => ({ ...current!, after: epoch }));
    await running(2);
    expect(lives[0]!.reason).toBe('restart');
    expect(lives[1]!.ctx.epoch).toBeGreaterThan(epoch);
  });

  it('restarts also one that has a new epoch since, because it took its lease back after data loss', async () => {
    const acquire = jest.spyOn(backend.leases, 'acquire');
    await begin(spec());
    await running();
    const lease = (await acquire.mock.results.at(-1)!.value) as { epoch: number };
    const asked = lease.epoch;
    lease.epoch += 1;
    await table.change('feed', (current) => ({ ...current!, after: asked }));
    await running(2);
    expect(lives[0]!.reason).toBe('restart');
  });

  it('restarts a crash with backoff, and escalates the one too many exactly once', async () => {
    onStart = (ctx) => ctx.fail(new Error(`crash ${lives.length}`));
    await begin(spec({ options: processDefaults({ ...quick, maxRestarts: 3 }) }));
    await eventually(() => table.get('feed')?.status === 'escalated');
    expect(lives).toHaveLength(4);
    expect(payloads('process.crashed').map(({ error }) => error)).toEqual(['crash 1', 'crash 2', 'crash 3', 'crash 4']);
    expect(payloads('process.restart_scheduled').map(({ crashes }) => crashes)).toEqual([1, 2, 3]);
    expect(payloads('process.escalated')).toHaveLength(1);
    expect(table.get('feed')).toMatchObject({ error: 'crash 4', avoid: 'n1' });
    const epochs = lives.map(({ ctx }) => ctx.epoch);
    expect([...epochs].sort((a, b) => a - b)).toEqual(epochs);
    expect(new Set(epochs).size).toBe(4);
  });

  it.each([
    ['permanent', 'wanted'],
    ['transient', 'completed'],
    ['temporary', 'completed'],
  ] as const)('after completion a %s process is %s', async (restart, status) => {
    onStart = (ctx) => (lives.length === 1 ? ctx.complete() : undefined);
    await begin(spec({ options: processDefaults({ ...quick, restart }) }));
    await eventually(() => lives[0]?.reason === 'complete' && table.get('feed')?.status === status);
    if (status === 'wanted') await running(2);
    else expect(supervisor.hosted().length).toBeLessThanOrEqual(1);
  });

  it('does not restart a temporary process after a crash', async () => {
    onStart = (ctx) => ctx.fail(new Error('once'));
    await begin(spec({ options: processDefaults({ ...quick, restart: 'temporary' }) }));
    await eventually(() => table.get('feed')?.status === 'failed');
    expect(lives).toHaveLength(1);
    expect(table.get('feed')?.error).toBe('once');
  });

  it('marks a temporary process as started before it starts', async () => {
    let status: string | undefined;
    onStart = () => void (status = table.get('feed')?.status);
    await begin(spec({ options: processDefaults({ ...quick, restart: 'temporary' }) }));
    await running();
    expect(status).toBe('once');
  });

  const says = (writes: readonly { value: string }[], text: string) => writes.some(({ value }) => value.includes(text));

  it.each(['lost request', 'lost reply'])('starts a temporary process once when its mark has a %s', async (fault) => {
    const put = backend.table.put.bind(backend.table);
    let failures = 2;
    backend.table.put = async (writes) => {
      if (!says(writes, '"once"') || failures-- <= 0) return put(writes);
      if (fault === 'lost reply') await put(writes);
      throw new Error('Command timed out');
    };
    await begin(spec({ options: processDefaults({ ...quick, restart: 'temporary' }) }));
    await running();
    expect(table.get('feed')).toMatchObject({ status: 'once', after: lives[0]!.ctx.epoch - 1 });
    expect(payloads('lease.acquired')).toHaveLength(1);
  });

  it('runs a temporary process after all whose mark was written and whose lease was lost before that was known', async () => {
    const put = backend.table.put.bind(backend.table);
    let failures = 1;
    backend.table.put = async (writes) => {
      const version = await put(writes);
      if (!says(writes, '"once"') || failures-- <= 0) return version;
      backend.leases.loseAll();
      throw new Error('Command timed out');
    };
    await begin(spec({ options: processDefaults({ ...quick, restart: 'temporary' }) }));
    await running();
    expect(lives).toHaveLength(1);
    expect(payloads('lease.acquired')).toHaveLength(2);
  });

  it('gives up a temporary process that was restarted before it was marked, and starts it again (I18)', async () => {
    const put = backend.table.put.bind(backend.table);
    let forbidden = 0;
    backend.table.put = async (writes) => {
      if (forbidden === 0 && says(writes, '"once"')) {
        forbidden = payloads('lease.acquired')[0]!.epoch;
        const { version, ...row } = table.get('feed')!;
        // As the node does that was asked for the restart.
        await put([{ key: 'feed', value: JSON.stringify({ ...row, after: forbidden }), expected: version }]);
      }
      return put(writes);
    };
    await begin(spec({ options: processDefaults({ ...quick, restart: 'temporary' }) }));
    await running();
    expect(lives).toHaveLength(1);
    expect(lives[0]!.ctx.epoch).toBeGreaterThan(forbidden);
    expect(table.get('feed')).toMatchObject({ status: 'once', after: lives[0]!.ctx.epoch - 1 });
  });

  it('records how an instance ended although Redis does not answer at first, and runs nothing meanwhile', async () => {
    const put = backend.table.put.bind(backend.table);
    let failures = 3;
    backend.table.put = (writes) =>
      says(writes, '"completed"') && failures-- > 0 ? Promise.reject(new Error("Stream isn't writeable")) : put(writes);
    onStart = (ctx) => ctx.complete();
    await begin(spec({ options: processDefaults({ ...quick, restart: 'transient' }) }));
    await eventually(() => table.get('feed')?.status === 'completed');
    expect(lives).toHaveLength(1);
    expect(payloads('process.end_unrecorded')).toEqual([]);
  });

  it('writes an end with its last word when it is drained, and does not run it again in between', async () => {
    const put = backend.table.put.bind(backend.table);
    let isAway = true;
    backend.table.put = (writes) => {
      if (!says(writes, '"completed"') || !isAway) return put(writes);
      backend.leases.loseAll();
      return Promise.reject(new Error("Stream isn't writeable"));
    };
    onStart = (ctx) => ctx.complete();
    await begin(spec({ options: processDefaults({ ...quick, restart: 'transient' }) }));
    await eventually(() => payloads('process.end_unrecorded').length === 1);
    supervisor.wake();
    await new Promise((done) => setImmediate(done));
    expect(payloads('lease.acquired')).toHaveLength(1);
    const drained = supervisor.drain();
    isAway = false;
    await drained;
    expect(table.get('feed')).toMatchObject({ status: 'completed', after: lives[0]!.ctx.epoch });
    expect(lives).toHaveLength(1);
  });

  it('writes later that a process has come up, when that was not written at the time', async () => {
    const put = backend.table.put.bind(backend.table);
    let failures = 2;
    backend.table.put = (writes) =>
      says(writes, '"confirmed":true') && failures-- > 0
        ? Promise.reject(new Error("Stream isn't writeable"))
        : put(writes);
    await begin();
    await table.change('feed', () => ({ ...spec({ declared: false }), status: 'wanted', after: 0, confirmed: false }));
    await running();
    await eventually(() => {
      supervisor.wake();
      return table.get('feed')?.confirmed === true;
    });
    expect(lives).toHaveLength(1);
  });

  it('starts again elsewhere, here on the same node, when a lease is lost', async () => {
    await begin(spec());
    await running();
    backend.leases.loseAll();
    expect(lives[0]!.ctx.signal.aborted).toBe(true);
    await running(2);
    expect(lives[0]!.reason).toBe('lease-lost');
    expect(payloads('process.crashed')).toEqual([]);
  });

  it('gives nothing back while user code still runs', async () => {
    onStart = (ctx) => ctx.run(() => new Promise(() => undefined));
    await begin(spec({ options: processDefaults({ ...quick, stopTimeout: 50 }) }));
    await running();
    await table.change('feed', (current) => ({ ...current!, status: 'stopped' }));
    await eventually(() => payloads('lease.lost').length === 1);
    expect(payloads('lease.lost')[0]!.reason).toBe('abandoned');
    expect(payloads('lease.released')).toEqual([]);
    expect(payloads('process.stopped')[0]).toMatchObject({ clean: false, reason: 'stop' });
  });

  it('attaches its hooks to each instance, and undoes them with the stop', async () => {
    const order: string[] = [];
    supervisor.onInstance(() => {
      order.push('attach');
      return Promise.resolve(async () => void order.push('detach'));
    });
    await begin(spec());
    await running();
    await eventually(() => order.length === 1);
    await supervisor.drain();
    expect(order).toEqual(['attach', 'detach']);
    expect(lives[0]!.reason).toBe('shutdown');
  });

  it('drains: stops everything, then takes nothing new', async () => {
    await begin(spec());
    await running();
    await supervisor.drain();
    expect(lives[0]!.reason).toBe('shutdown');
    expect((await backend.leases.owners(['feed']))[0]).toBeUndefined();
    supervisor.wake();
    await new Promise((done) => setImmediate(done));
    await new Promise((done) => setImmediate(done));
    expect(supervisor.hosted()).toEqual([]);
    expect(payloads('lease.released')).toHaveLength(1);
    expect(payloads('drain.progress')).toEqual([
      { node: 'n1', left: 1, total: 1 },
      { node: 'n1', left: 0, total: 1 },
    ]);
  });

  it('goes on wanting what fills it up when a hint comes while it tries to get it', async () => {
    const node = new LocalNode(config);
    membership = new ClusterView(node, { ...config, capacity: 1 }, backend, telemetry);
    protocol = new MembershipProtocol(membership, config, backend, telemetry);
    table = new ProcessTable(backend, membership);
    supervisor = new Supervisor({ backend, membership, table, telemetry });
    const create = () => Promise.resolve({ onProcessStart: (ctx: ProcessContext) => void lives.push({ ctx }) });
    supervisor.know(new Map([['Feed', { type: Feed, create }]]));
    const acquire = backend.leases.acquire.bind(backend.leases);
    let others: Lease | undefined;
    backend.leases.acquire = async (name, above) => {
      if (others !== undefined) return acquire(name, above);
      // Another node had it for a moment, and the next one is quicker.
      await (await acquire(name, above))?.release();
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      others = await acquire(name, above);
      return undefined;
    };
    await begin(spec());
    await eventually(() => others !== undefined);
    await others?.release();
    await running();
  });

  it('drains also what is being acquired', async () => {
    let go!: () => void;
    const acquire = backend.leases.acquire.bind(backend.leases);
    const asked = jest.spyOn(backend.leases, 'acquire').mockImplementation(async (name): Promise<Lease | undefined> => {
      const lease = await acquire(name);
      await new Promise<void>((done) => (go = done));
      return lease;
    });
    await begin(spec());
    await eventually(() => asked.mock.calls.length === 1 && typeof go === 'function');
    let drained = false;
    const draining = supervisor.drain().then(async () => {
      drained = true;
      return (await backend.leases.owners(['feed']))[0];
    });
    await new Promise((done) => setImmediate(done));
    const early = drained;
    go();
    expect(await draining).toBeUndefined();
    expect(early).toBe(false);
    expect(lives).toEqual([]);
  });

  describe('a declaration over a process that was stopped', () => {
    const stopBefore = async () => {
      const earlier = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 60_000);
      await table.change('feed', () => ({ ...spec(), status: 'stopped', after: 0, confirmed: true }));
      earlier.mockRestore();
    };

    it('forgets the stop at a cold start', async () => {
      await stopBefore();
      await protocol.join(['Feed']);
      await supervisor.declare([spec()]);
      expect(table.get('feed')?.status).toBe('wanted');
    });

    it('keeps it where another node was there before', async () => {
      await stopBefore();
      await protocol.join(['Feed']);
      const [self] = membership.members();
      const older = { ...self!, name: 'n0', bootId: 'b0', joinedAt: self!.joinedAt - 1000, self: false };
      const members = jest.spyOn(membership, 'members').mockImplementation(() => [self!, older]);
      await supervisor.declare([spec()]);
      members.mockRestore();
      expect(table.get('feed')?.status).toBe('stopped');
    });

    /** Redis lost its data a moment ago; `n0` is older when it is said to be so. */
    const afterLoss = async (joinedBefore: number) => {
      await protocol.join(['Feed']);
      const [self] = membership.members();
      const other = { ...self!, name: 'n0', bootId: 'b0', joinedAt: self!.joinedAt - joinedBefore, self: false };
      const spies = [
        jest.spyOn(membership, 'members').mockImplementation(() => [self!, other]),
        jest.spyOn(membership, 'beatEvery', 'get').mockReturnValue(20),
        jest.spyOn(backend.leases, 'grace').mockResolvedValue(1),
      ];
      const sync = jest.spyOn(table, 'sync');
      return { sync, restore: () => [...spies, sync].forEach((spy) => spy.mockRestore()) };
    };

    it('waits two beats more after a loss for what members of long standing put back late', async () => {
      const { sync, restore } = await afterLoss(61_000);
      let looks = 0;
      sync.mockImplementation(async () => {
        looks += 1;
        if (looks === 2) await stopBefore();
      });
      await supervisor.declare([spec()]);
      restore();
      expect([looks, table.get('feed')?.status]).toEqual([2, 'stopped']);
    });

    it('keeps it where the nodes that were there before seem to be gone by then (I17)', async () => {
      await stopBefore();
      const { restore, sync } = await afterLoss(61_000);
      const [self] = membership.members();
      // Redis hung: their heartbeats are late, and they are alive.
      sync.mockImplementation(async () => {
        jest.spyOn(membership, 'members').mockImplementation(() => [self!]);
      });
      await supervisor.declare([spec()]);
      restore();
      expect(table.get('feed')?.status).toBe('stopped');
    });

    it('waits no longer than that', async () => {
      const older = await afterLoss(61_000);
      await supervisor.declare([spec()]);
      expect(older.sync).toHaveBeenCalledTimes(3);
      older.restore();
      expect(table.get('feed')?.status).toBe('wanted');
    });

    it('does not wait for members that joined lately, as at a cold start', async () => {
      const younger = await afterLoss(1000);
      await supervisor.declare([spec()]);
      expect(younger.sync).toHaveBeenCalledTimes(1);
      younger.restore();
    });

    it('keeps it when it was stopped since this node joined', async () => {
      await protocol.join(['Feed']);
      await supervisor.declare([spec()]);
      await table.change('feed', (current) => ({ ...current!, status: 'stopped' }));
      await supervisor.declare([spec()]);
      expect(table.get('feed')?.status).toBe('stopped');
    });
  });

  it('replaces the entry when the declaration has changed', async () => {
    await protocol.join(['Feed']);
    await supervisor.declare([spec()]);
    const before = table.get('feed')!.version;
    await supervisor.declare([spec()]);
    expect(table.get('feed')!.version).toBe(before);
    await supervisor.declare([spec({ args: ['new'] })]);
    expect(table.get('feed')).toMatchObject({ args: ['new'], status: 'wanted' });
  });

  describe('rebalancing', () => {
    /** Names that a node `n2` would have by hash. */
    const names = Array.from({ length: 40 }, (_, index) => `job-${index}`)
      .filter((name) => rendezvous(name, 'n2') > rendezvous(name, 'n1'))
      .slice(0, 6);
    const placement = { strategy: 'hash' as const, labels: {} };
    let others: Member[];
    let letGo: () => void;
    let asked: unknown[][];
    let taken: boolean;

    const moved = () => lives.filter(({ reason }) => reason === 'move').length;
    /** Several looks, so that one more than is allowed would show. */
    const look = async () => {
      // Looks are not made in one and the same moment.
      clock! += 500;
      for (let times = 0; times < 5; times++) {
        supervisor.wake();
        await new Promise((done) => setImmediate(done));
        await new Promise((done) => setImmediate(done));
      }
    };

    beforeEach(async () => {
      clock = 1_000_000;
      await begin(...names.map((name) => spec({ name, placement, rebalance: 'on-join' })));
      await eventually(() => supervisor.hosted().filter((each) => each.running).length === names.length);
      const [self] = membership.members();
      others = [];
      jest.spyOn(membership, 'members').mockImplementation(() => [self!, ...others]);
      onStop = () => new Promise((done) => (letGo = chained(letGo, done)));
      letGo = () => undefined;
      asked = [];
      supervisor.onMove(async (...question) => {
        asked.push(question);
        return taken;
      });
      taken = true;
    });
    afterEach(() => {
      jest.restoreAllMocks();
      onStop = () => undefined;
      letGo();
    });
    const chained = (first: () => void, second: () => void) => () => {
      first();
      second();
    };
    const second = (): Member => ({ ...membership.members()[0]!, name: 'n2', bootId: 'b2', self: false });

    it('waits until another node has suited better for a while, then moves four at once at most', async () => {
      others = [second()];
      await look();
      clock! += 3900;
      await look();
      expect(moved()).toBe(0);
      clock! += 500;
      await look();
      expect(moved()).toBe(4);
      clock! += 60_000;
      await look();
      expect(moved()).toBe(4);
    });

    it('moves nothing that the other node does not take, and asks again a little later', async () => {
      taken = false;
      others = [second()];
      await look();
      clock! += 5000;
      await look();
      expect(asked).toEqual(expect.arrayContaining([['n2', expect.any(String), undefined]]));
      clock! += 900;
      await look();
      const names = asked.map(([, name]) => name);
      expect([moved(), names.length]).toEqual([0, new Set(names).size]);
      clock! += 1000;
      taken = true;
      await look();
      expect(moved()).toBe(4);
    });

    it('moves the next ones when those have gone', async () => {
      others = [second()];
      await look();
      clock! += 5000;
      await look();
      onStop = () => undefined;
      letGo();
      const isOver = async () => {
        await look();
        return moved() === names.length;
      };
      await eventually(isOver, { what: 'The last two to be moved' });
    });

    it('begins to wait again when the other node was away in between', async () => {
      others = [second()];
      await look();
      clock! += 4000;
      others = [];
      await look();
      clock! += 4000;
      others = [second()];
      await look();
      clock! += 4000;
      await look();
      expect(moved()).toBe(0);
      clock! += 1000;
      await look();
      expect(moved()).toBe(4);
    });

    it('leaves a process alone that does not ask for it, and one that another node does not suit better', async () => {
      const own = Array.from({ length: 40 }, (_, index) => `own-${index}`).find(
        (name) => rendezvous(name, 'n2') < rendezvous(name, 'n1'),
      )!;
      await supervisor.declare([
        spec({ name: own, placement, rebalance: 'on-join' }),
        ...names.map((name) => spec({ name, placement, rebalance: 'off' })),
      ]);
      others = [second()];
      await look();
      clock! += 60_000;
      await look();
      expect(moved()).toBe(0);
    });
  });

  it('survives a row that names options it cannot use', async () => {
    onStart = (ctx) => (lives.length === 1 ? ctx.fail(new Error('x')) : undefined);
    await begin(spec());
    await running(2);
  });
});
