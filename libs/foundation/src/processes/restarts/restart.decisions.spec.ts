import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Backend } from '../../backend/backend.js';
import { createBackend } from '../../backend/create.backend.js';
import type { Lease } from '../../backend/leases/leases.js';
import { ClusterView } from '../../cluster/cluster.view.js';
import { LocalNode } from '../../cluster/local.node.js';
import { MembershipProtocol } from '../../cluster/membership.protocol.js';
import { processDefaults, resolve } from '../../config/resolve.js';
import { ProcessStartError } from '../../errors/process.errors.js';
import type { FoundationEvents } from '../../telemetry/events.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { eventually } from '../../testing/eventually.js';
import type { ProcessSpec } from '../declaration/process.specification.js';
import type { Instance, InstanceExit } from '../instance/instance.js';
import { type ProcessEntry, ProcessTable, type VersionedEntry } from '../table/process.table.js';
import { isMarkOf } from './instance.end.js';
import { RestartDecisions } from './restart.decisions.js';

const config = resolve({ nodeName: 'n1' }, {}, { host: 'h', pid: 1 });
const quick = { backoff: { base: 60_000, cap: 60_000 }, stopTimeout: 200 };
const specOf = (options: Parameters<typeof processDefaults>[0]): ProcessSpec => ({
  ...{ name: 'feed', type: 'Feed', declared: true, kind: 'singleton', count: 1, args: [] },
  options: processDefaults({ ...quick, ...options }),
  placement: { strategy: 'spread', labels: {} },
  handoff: false,
  rebalance: 'off',
});

/** Where a call fails: before it reached Redis, or after it was carried out. */
type Fault = 'lost request' | 'lost reply';
type Step = 'put' | 'crashed' | 'schedule' | 'since' | 'lastEpoch';

describe('Endings', () => {
  let backend: Backend;
  let membership: ClusterView;
  let protocol: MembershipProtocol;
  let table: ProcessTable;
  let endings: RestartDecisions;
  let lease: Lease;
  let events: { event: string; payload: unknown }[];
  let settled: number;
  /** What the next calls of each step meet. */
  let faults: Partial<Record<Step, Fault[]>>;
  /** While true every call fails. */
  let isAway: boolean;

  /** A call that meets the faults. */
  const faulty =
    <A extends unknown[], R>(step: Step, call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const fault = isAway ? 'lost request' : faults[step]?.shift();
      if (fault === 'lost request') throw new Error(`${step}: stream isn't writeable`);
      const result = await call(...args);
      if (fault === 'lost reply') throw new Error(`${step}: command timed out`);
      return result;
    };

  beforeEach(async () => {
    Logger.overrideLogger(false);
    const telemetry = new Telemetry();
    events = [];
    telemetry.attach('*', (event, payload) => events.push({ event, payload }));
    const node = new LocalNode(config);
    backend = await createBackend(config, node, telemetry);
    membership = new ClusterView(node, config, backend, telemetry);
    protocol = new MembershipProtocol(membership, config, backend, telemetry);
    faults = {};
    isAway = false;
    settled = 0;
    const { table: rows, restarts, leases } = backend;
    rows.put = faulty('put', rows.put.bind(rows));
    rows.since = faulty('since', rows.since.bind(rows));
    restarts.crashed = faulty('crashed', restarts.crashed.bind(restarts));
    restarts.schedule = faulty('schedule', restarts.schedule.bind(restarts));
    leases.lastEpoch = faulty('lastEpoch', leases.lastEpoch.bind(leases));
    table = new ProcessTable(backend, membership);
    endings = new RestartDecisions({ backend, membership, table, telemetry, settled: () => (settled += 1) });
    await protocol.join(['Feed']);
    lease = (await leases.acquire('feed'))!;
  });

  afterEach(async () => {
    await protocol.leave();
    await backend.close();
  });

  const want = (spec: ProcessSpec, more: Partial<ProcessEntry> = {}) =>
    table.change('feed', () => ({ ...spec, status: 'wanted', after: 0, confirmed: true, ...more }));
  const settle = (spec: ProcessSpec, reason: InstanceExit['reason'], started = true) =>
    endings.settle({ spec, lease } as Instance, { reason, started, clean: true, error: new Error('broke') });
  const of = <E extends keyof FoundationEvents>(name: E) =>
    events.filter(({ event }) => event === name).map(({ payload }) => payload as FoundationEvents[E]);

  const cases: [string, ProcessSpec, 'crash' | 'complete', Partial<ProcessEntry>][] = [
    ['a transient that completes', specOf({ restart: 'transient' }), 'complete', { status: 'completed' }],
    ['a temporary that completes', specOf({ restart: 'temporary' }), 'complete', { status: 'completed' }],
    ['a temporary that crashes', specOf({ restart: 'temporary' }), 'crash', { status: 'failed', crashes: 1 }],
    ['a permanent that crashes', specOf({}), 'crash', { status: 'backing-off', crashes: 1 }],
    ['a permanent that completes', specOf({}), 'complete', { status: 'backing-off' }],
    ['one crash too many', specOf({ maxRestarts: 0 }), 'crash', { status: 'escalated', crashes: 1 }],
  ];
  const steps = (['crashed', 'put', 'schedule'] as const).flatMap((step) =>
    (['lost request', 'lost reply'] as const).map((fault): [Step, Fault] => [step, fault]),
  );

  it('logs and keeps the stack of the code that crashed, not of ours around it', async () => {
    const logged: unknown[][] = [];
    const error = (...values: unknown[]) => void logged.push(values);
    Logger.overrideLogger({ log: error, warn: error, error });
    await want(specOf({}));
    const cause = new TypeError('no y', { cause: new Error('the file is empty') });
    const failed = new ProcessStartError('feed', 'n1', 'onProcessStart failed: no y', cause);
    await endings.settle({ spec: specOf({}), lease } as Instance, {
      reason: 'crash',
      started: true,
      clean: true,
      error: failed,
    });
    const stack = expect.stringMatching(/^TypeError: no y\n {4}at [^]*\nCaused by: Error: the file is empty\n {4}at /);
    const sentence = `Process "feed" crashed (node: n1, epoch: ${lease.epoch}): onProcessStart failed: no y`;
    expect(logged).toEqual([[sentence, stack, 'Foundation']]);
    expect(table.get('feed')).toMatchObject({ error: 'onProcessStart failed: no y', stack });
    expect(table.get('feed')!.stack!.length).toBeLessThanOrEqual(2000);
  });

  it('keeps the stack of what was thrown later, too', async () => {
    await want(specOf({}));
    await settle(specOf({}), 'crash');
    expect(table.get('feed')).toMatchObject({ error: 'broke', stack: expect.stringMatching(/^Error: broke\n {4}at /) });
  });

  it('tries no process again that a call started and that never came up', async () => {
    await want(specOf({}), { confirmed: false });
    await settle(specOf({}), 'crash', false);
    expect(table.get('feed')).toMatchObject({ status: 'failed', confirmed: false });
    expect(of('process.restart_scheduled')).toEqual([]);
  });

  it.each(['crash', 'complete'] as const)('tries one again that came up and was not said to: %s', async (reason) => {
    await want(specOf({}), { confirmed: false });
    await settle(specOf({}), reason);
    const { status, crashes, avoid } = table.get('feed')!;
    expect([status, crashes, avoid]).toEqual(['backing-off', reason === 'crash' ? 1 : undefined, undefined]);
  });

  it('tries one again that a call started and that completed while it started', async () => {
    await want(specOf({}), { confirmed: false });
    await settle(specOf({}), 'complete', false);
    expect(table.get('feed')).toMatchObject({ status: 'backing-off', confirmed: false });
  });

  it('tries one again that a call started and that had come up elsewhere', async () => {
    await want(specOf({}), { confirmed: true });
    await settle(specOf({}), 'crash', false);
    expect(table.get('feed')).toMatchObject({ status: 'backing-off' });
  });

  it.each([
    [2, undefined],
    [3, 'n1'],
  ])('avoids the node after %i crashes: %s', async (crashes, avoid) => {
    await want(specOf({}));
    jest.spyOn(backend.restarts, 'crashed').mockResolvedValue(crashes);
    await settle(specOf({}), 'crash');
    expect(table.get('feed')!.avoid).toBe(avoid);
  });

  it('has nothing to record where the process is gone', async () => {
    await settle(specOf({}), 'crash');
    expect([table.get('feed'), endings.isOpen('feed'), of('process.restart_scheduled')]).toEqual([
      undefined,
      false,
      [],
    ]);
    // Nor is the restart of such a one an error.
    await endings.restart('feed', lease.epoch);
    expect(table.get('feed')).toBeUndefined();
  });

  it('restarts what this node has not heard of yet', async () => {
    await want(specOf({}), { status: 'backing-off', after: 7, retryAt: 1 });
    const late = new ProcessTable(backend, membership);
    await new RestartDecisions({ backend, membership, table: late, telemetry: new Telemetry() }).restart('feed', 7);
    expect(late.get('feed')).toMatchObject({ status: 'wanted' });
  });

  it('counts its crashes', async () => {
    for (const crashes of [1, 2]) {
      await table.change('feed', (current) => ({
        ...specOf({}),
        ...current,
        status: 'wanted',
        after: 0,
        confirmed: true,
      }));
      await settle(specOf({}), 'crash');
      expect(table.get('feed')!.crashes).toBe(crashes);
    }
  });

  it.each([
    [10_000, 10_000],
    [100_000, Infinity],
  ])('has the restart wait for what is left of its time, %i ms later', async (later, less) => {
    await want(specOf({}));
    const schedule = jest.spyOn(backend.restarts, 'schedule');
    const put = backend.table.put.bind(backend.table);
    let now = membership.clusterNow();
    jest.spyOn(membership, 'clusterNow').mockImplementation(() => now);
    jest.spyOn(backend.table, 'put').mockImplementation((writes) => {
      now += later;
      return put(writes);
    });
    await settle(specOf({}), 'crash');
    const [[, , delayMs]] = schedule.mock.calls as [[string, number, number]];
    expect(delayMs).toBe(Math.max(0, of('process.restart_scheduled')[0]!.delayMs - less));
  });

  it.each(['stop', 'restart', 'move', 'shutdown', 'lease-lost'] as const)(
    'that is no word of its own leaves everything: %s',
    async (reason) => {
      await want(specOf({}));
      const change = jest.spyOn(table, 'change');
      await settle(specOf({}), reason);
      expect([change.mock.calls, of('process.crashed'), of('process.end_unrecorded')]).toEqual([[], [], []]);
    },
  );

  it('that nobody could tell of is found by the sweep, and a restart whose job was lost is done', async () => {
    const spec = specOf({ restart: 'temporary' });
    await table.change('gone', () => ({ ...spec, name: 'gone', status: 'once', after: 1, confirmed: true }));
    await want(specOf({}), { status: 'backing-off', after: 7, retryAt: 1 });
    // Longer than a start takes.
    let now = membership.clusterNow() + 600_000;
    jest.spyOn(membership, 'clusterNow').mockImplementation(() => now);
    // A node that has not read the table yet.
    const late = new ProcessTable(backend, membership);
    endings = new RestartDecisions({ backend, membership, table: late, telemetry: new Telemetry() });
    await endings.sweep();
    expect(late.get('gone')).toMatchObject({ status: 'once' });
    await eventually(() => late.get('feed')?.status === 'wanted');
    now += 600_000;
    await endings.sweep();
    expect(late.get('gone')).toBeUndefined();
  });

  it('is told of where the lease was lost before it was recorded, and only there', async () => {
    const spec = specOf({ restart: 'transient' });
    await want(spec);
    backend.leases.loseAll();
    await settle(spec, 'complete');
    expect(of('process.end_unrecorded')).toEqual([
      { name: 'feed', node: 'n1', epoch: lease.epoch, reason: 'complete' },
    ]);
    await endings.drained();
    expect(table.get('feed')).toMatchObject({ status: 'completed' });
  });

  it('is told of at the moment of the loss while it is on its way, and only once', async () => {
    const spec = specOf({ restart: 'transient' });
    await want(spec);
    let release: (() => void) | undefined;
    const put = backend.table.put.bind(backend.table);
    jest.spyOn(backend.table, 'put').mockImplementationOnce(async (writes) => {
      await new Promise<void>((resolve) => (release = resolve));
      return put(writes);
    });
    const settling = settle(spec, 'complete');
    await eventually(() => release !== undefined);
    expect(of('process.end_unrecorded')).toEqual([]);
    backend.leases.loseAll();
    expect(of('process.end_unrecorded')).toHaveLength(1);
    release!();
    await settling;
    expect([of('process.end_unrecorded').length, table.get('feed')?.status]).toEqual([1, 'completed']);
  });

  it('says that it cannot be recorded, while the lease is held and after it was lost', async () => {
    const warned: string[] = [];
    const log = (message: string): void => void warned.push(message);
    Logger.overrideLogger({ log, warn: log, error: log });
    const retrying = (): number => warned.filter((text) => text.startsWith('Failed to record what became of')).length;
    await want(specOf({ restart: 'transient' }));
    faults.put = ['lost request'];
    await settle(specOf({ restart: 'transient' }), 'complete');
    expect(retrying()).toBe(1);
    endings = new RestartDecisions({ backend, membership, table, telemetry: new Telemetry() });
    endings.unmark('feed', { ...lease, epoch: lease.epoch + 1 });
    const change = jest.spyOn(table, 'change').mockRejectedValueOnce(new Error('Connection is closed.'));
    await endings.drained();
    expect([retrying(), change.mock.calls.length]).toEqual([2, 2]);
  });

  describe.each(cases)('%s', (_what, spec, reason, expected) => {
    it.each(steps)('is recorded once when %s has a %s', async (step, fault) => {
      await want(spec, spec.options.restart === 'temporary' ? { status: 'once', after: lease.epoch - 1 } : {});
      faults[step] = [fault, fault];
      await settle(spec, reason);
      expect(table.get('feed')).toMatchObject({ ...expected, after: lease.epoch, ranOn: 'n1' });
      expect(of('process.restart_scheduled')).toHaveLength(expected.status === 'backing-off' ? 1 : 0);
      expect(of('process.escalated')).toHaveLength(expected.status === 'escalated' ? 1 : 0);
      expect(of('process.crashed')).toHaveLength(reason === 'crash' ? 1 : 0);
      // The lease was kept, so nobody could start it meanwhile.
      expect(lease.isHeld()).toBe(true);
      expect(endings.isOpen('feed')).toBe(false);
      expect(of('process.end_unrecorded')).toEqual([]);
    });

    it('is kept when the lease is lost first, and recorded when Redis is back', async () => {
      await want(spec, spec.options.restart === 'temporary' ? { status: 'once', after: lease.epoch - 1 } : {});
      isAway = true;
      const settling = settle(spec, reason);
      backend.leases.loseAll();
      await settling;
      expect(of('process.end_unrecorded')).toEqual([{ name: 'feed', node: 'n1', epoch: lease.epoch, reason }]);
      expect(endings.isOpen('feed')).toBe(true);
      let isDrained = false;
      const drained = endings.drained().then(() => (isDrained = true));
      expect(isDrained).toBe(false);
      isAway = false;
      faults.lastEpoch = ['lost reply'];
      faults.put = ['lost reply'];
      await drained;
      expect(table.get('feed')).toMatchObject({ ...expected, after: lease.epoch });
      expect(endings.isOpen('feed')).toBe(false);
      expect(settled).toBe(1);
    });
  });

  it.each<[string, ProcessSpec, 'crash' | 'complete', number]>([
    ['not counted for a temporary that completes', specOf({ restart: 'temporary' }), 'complete', 0],
    ['not counted for a temporary that crashes', specOf({ restart: 'temporary' }), 'crash', 0],
    ['not counted for a transient that completes', specOf({ restart: 'transient' }), 'complete', 0],
    ['counted for a transient that crashes', specOf({ restart: 'transient' }), 'crash', 1],
    ['counted for a permanent that completes', specOf({}), 'complete', 1],
  ])('is %s', async (_what, spec, reason, times) => {
    await want(spec, spec.options.restart === 'temporary' ? { status: 'once', after: lease.epoch - 1 } : {});
    const crashed = jest.spyOn(backend.restarts, 'crashed');
    await settle(spec, reason);
    expect(crashed.mock.calls).toEqual(Array(times).fill(['feed', lease.epoch, spec.options.maxSeconds * 1000]));
  });

  it('is not written when another node has owned the process since', async () => {
    const spec = specOf({ restart: 'transient' });
    await want(spec);
    isAway = true;
    const settling = settle(spec, 'complete');
    backend.leases.loseAll();
    await settling;
    // The lost one keeps the name for its ttl.
    const next = await eventually(() => backend.leases.acquire('feed'));
    isAway = false;
    await endings.drained();
    expect(next.epoch).toBeGreaterThan(lease.epoch);
    expect(table.get('feed')).toMatchObject({ status: 'wanted', after: 0 });
  });

  it.each<[string, (current: ProcessEntry) => ProcessEntry, Partial<ProcessEntry>]>([
    ['stopped', (current) => ({ ...current, status: 'stopped' }), { status: 'stopped', after: 0 }],
    ['restarted', (current) => ({ ...current, after: lease.epoch }), { status: 'wanted' }],
    [
      'escalated',
      (current) => ({ ...current, status: 'escalated', after: lease.epoch + 1 }),
      { status: 'escalated', after: expect.any(Number) as never },
    ],
  ])('leaves the word of a call that %s it meanwhile', async (_how, change, expected) => {
    for (const options of [{}, { maxRestarts: 0 }]) {
      const spec = specOf(options);
      await want(spec);
      faults.crashed = ['lost request', 'lost request'];
      const settling = settle(spec, 'crash');
      await table.change('feed', (current) => change(current!));
      await settling;
      expect(table.get('feed')).toMatchObject(expected);
      expect([of('process.restart_scheduled'), of('process.escalated')]).toEqual([[], []]);
    }
    // That is all that is to be said of it, also when the lease is lost from here on.
    backend.leases.loseAll();
    expect([of('process.end_unrecorded'), endings.isOpen('feed')]).toEqual([[], false]);
  });

  it('says that it has come up, where that was not written at the time', async () => {
    const spec = specOf({ restart: 'transient' });
    await want(spec, { confirmed: false });
    await settle(spec, 'complete');
    expect(table.get('feed')).toMatchObject({ status: 'completed', confirmed: true });
  });

  it('stops trying when the node has left', async () => {
    const spec = specOf({ restart: 'transient' });
    await want(spec);
    isAway = true;
    const settling = settle(spec, 'complete');
    await protocol.leave();
    await settling;
    expect(endings.isOpen('feed')).toBe(false);
  });

  it('takes the mark of a temporary process back that never started', async () => {
    const spec = specOf({ restart: 'temporary' });
    await want(spec, { status: 'once', after: lease.epoch - 1 });
    isAway = true;
    endings.unmark('feed', lease);
    isAway = false;
    await eventually(() => table.get('feed')?.status === 'wanted');
  });

  it('takes nothing back that is no mark of this owner', async () => {
    await want(specOf({ restart: 'temporary' }), { status: 'stopped' });
    endings.unmark('feed', lease);
    await endings.drained();
    expect(table.get('feed')).toMatchObject({ status: 'stopped' });
  });

  it('has nothing to take back where the process is gone', async () => {
    endings.unmark('gone', lease);
    await endings.drained();
    expect([endings.isOpen('gone'), settled]).toEqual([false, 1]);
    // Nor to wait for.
    await endings.drained();
  });

  it('records what was kept once each, however many there are', async () => {
    for (let number = 0; number < 40; number++) endings.unmark(`p${number}`, lease);
    await endings.drained();
    expect(settled).toBe(40);
  });

  it('asks Redis once for all of them as long as it is away', async () => {
    isAway = true;
    for (let number = 0; number < 5; number++) endings.unmark(`p${number}`, lease);
    const [sync, change] = [jest.spyOn(table, 'sync'), jest.spyOn(table, 'change')];
    await eventually(() => sync.mock.calls.length >= 2);
    expect(change).not.toHaveBeenCalled();
  });

  it('keeps a later end of a process while an earlier one is written', async () => {
    let written = (): void => undefined;
    endings.unmark('feed', lease);
    const change = jest.spyOn(table, 'change');
    change.mockImplementationOnce(() => {
      endings.unmark('feed', lease);
      return Promise.resolve(undefined);
    });
    change.mockImplementationOnce(() => new Promise((resolve) => (written = () => resolve(undefined))));
    await eventually(() => change.mock.calls.length === 2);
    expect([settled, endings.isOpen('feed')]).toEqual([1, true]);
    written();
    await endings.drained();
    expect([settled, endings.isOpen('feed')]).toEqual([2, false]);
  });

  it('keeps a bounded number, of which the oldest is given up; one that comes again is new', async () => {
    const warned: string[] = [];
    const log = (message: string): void => void warned.push(message);
    Logger.overrideLogger({ log, warn: log, error: log });
    isAway = true;
    for (let number = 0; number < 10_000; number++) endings.unmark(`p${number}`, lease);
    expect(warned).toEqual([]);
    endings.unmark('p0', lease);
    endings.unmark('more', lease);
    const open = ['p0', 'p1', 'p2', 'p9999', 'more'].filter((name) => endings.isOpen(name));
    expect(open).toEqual(['p0', 'p2', 'p9999', 'more']);
    expect(warned).toEqual(['Too many ends of processes wait for Redis; that of "p1" was given up']);
  });

  it('forgets what it kept once the node has left, and asks Redis no more', async () => {
    isAway = true;
    endings.unmark('feed', lease);
    const sync = jest.spyOn(table, 'sync');
    const drained = endings.drained();
    await protocol.leave();
    sync.mockClear();
    await drained;
    expect([endings.isOpen('feed'), sync.mock.calls]).toEqual([false, []]);
  });

  it('asks nobody who owned the process since, as long as the lease is held', async () => {
    await want(specOf({}));
    const asked = jest.spyOn(backend.leases, 'lastEpoch');
    await settle(specOf({}), 'crash');
    expect(asked).not.toHaveBeenCalled();
    expect(table.get('feed')).toMatchObject({ status: 'backing-off' });
  });

  it('takes a lease that was reclaimed with a higher epoch for its own', async () => {
    const spec = specOf({ restart: 'transient' });
    await want(spec);
    isAway = true;
    let isHeld = true;
    const reclaimed = { name: 'feed', epoch: lease.epoch, signal: lease.signal, isHeld: () => isHeld };
    const exit = { reason: 'complete' as const, started: true, clean: true };
    const settling = endings.settle({ spec, lease: reclaimed as unknown as Lease } as Instance, exit);
    isHeld = false;
    reclaimed.epoch += 5;
    jest.spyOn(backend.leases, 'lastEpoch').mockResolvedValue(lease.epoch + 5);
    await settling;
    // Said though the lease did not say that it was lost: its time was over.
    expect(of('process.end_unrecorded')).toHaveLength(1);
    isAway = false;
    await endings.drained();
    expect(table.get('feed')).toMatchObject({ status: 'completed', after: lease.epoch });
  });

  it('is in the row once that says it, whatever becomes of the job of the restart and of the lease', async () => {
    await want(specOf({}));
    const put = jest.spyOn(backend.table, 'put');
    const change = jest.spyOn(table, 'change');
    faults.schedule = Array<Fault>(1000).fill('lost request');
    const began = performance.now();
    const settling = settle(specOf({}), 'crash');
    await eventually(() => faults.schedule!.length < 998);
    // It does not try all the time: 50 ms after the first try, 100 after the second.
    expect(performance.now() - began).toBeGreaterThan(140);
    expect([put.mock.calls.length, change.mock.calls.length]).toEqual([1, 1]);
    backend.leases.loseAll();
    await settling;
    expect([of('process.end_unrecorded'), endings.isOpen('feed')]).toEqual([[], false]);
    expect(table.get('feed')).toMatchObject({ status: 'backing-off', after: lease.epoch });
  });
});

describe('The mark of a temporary process', () => {
  const row = (status: VersionedEntry['status'], after: number) => ({ status, after }) as VersionedEntry;

  it('is that of the owner with the next epoch', () => {
    expect(isMarkOf(row('once', 7), 8)).toBe(true);
    expect([isMarkOf(row('once', 7), 7), isMarkOf(row('once', 7), 9)]).toEqual([false, false]);
    expect(isMarkOf(row('wanted', 7), 8)).toBe(false);
  });
});
