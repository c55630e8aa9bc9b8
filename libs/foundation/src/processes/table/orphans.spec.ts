import { beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Backend } from '../../backend/backend.js';
import type { OwnerRecord } from '../../backend/leases/leases.js';
import { LocalTable } from '../../backend/tables/local.table.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import { processDefaults } from '../../config/resolve.js';
import { Orphans } from './orphans.js';
import { type ProcessEntry, ProcessTable } from './process.table.js';

const DAY = 86_400_000;
const entry = (name: string, more: Partial<ProcessEntry> = {}): ProcessEntry => ({
  ...{ name, type: 'Nightly', declared: true, kind: 'singleton', count: 1, args: [], options: processDefaults({}) },
  ...{ placement: { strategy: 'spread', labels: {} }, handoff: false, rebalance: 'off' },
  ...{ status: 'wanted', after: 0, confirmed: true, ...more },
});

describe('Orphans', () => {
  let clock: number;
  let state: string;
  let records: { name: string; classes: string[]; declares?: Record<string, string> }[];
  let owned: string[];
  let forgotten: string[];
  let table: ProcessTable;
  let orphans: Orphans;

  beforeEach(() => {
    Logger.overrideLogger(false);
    clock = 1_700_000_000_000;
    state = 'up';
    records = [{ name: 'n1', classes: [], declares: {} }];
    [owned, forgotten] = [[], []];
    const leases = {
      forget: (names: readonly string[]) => Promise.resolve(void forgotten.push(...names)),
      owners: (names: readonly string[]) =>
        Promise.resolve(names.map((name) => (owned.includes(name) ? ({ name } as OwnerRecord) : undefined))),
    };
    const rows = new LocalTable(
      () => undefined,
      () => clock,
    );
    const membership = {
      listen: () => () => undefined,
      clusterNow: () => clock,
      self: { name: 'n1' },
      members: () => records,
      records: () => records,
      get state() {
        return state;
      },
      beatEvery: 1000,
    } as unknown as ClusterView;
    const backend = { kind: 'local', table: rows, leases, onHint: () => undefined } as unknown as Backend;
    table = new ProcessTable(backend, membership);
    orphans = new Orphans(membership, table, leases, DAY);
  });

  const names = (): string[] => table.processes().map(({ name }) => name);
  const put = (...entries: ProcessEntry[]) =>
    table.changeAll(
      entries.map(({ name }) => name),
      (name) => entries.find((each) => each.name === name),
    );
  const later = (ms: number): Promise<void> => {
    clock += ms;
    return orphans.sweep();
  };

  it('forgets what no node declares after its time, with its parts and epochs', async () => {
    const parts = entry('carts', { kind: 'partitioned', count: 2 });
    await put(entry('nightly'), parts, { ...parts, name: 'carts/1', of: 'carts', after: 7 });
    await orphans.sweep();
    expect(table.get('nightly')?.orphanedAt).toBe(clock);
    await later(DAY - 1);
    expect(names()).toEqual(['nightly', 'carts']);
    await later(1);
    expect(names()).toEqual([]);
    expect(table.size).toBe(0);
    expect(forgotten).toEqual(expect.arrayContaining(['nightly', 'carts/0', 'carts/1']));
  });

  it('keeps what a node declares, or declares again, also one that has stopped', async () => {
    await put(entry('nightly', { status: 'stopped' }), entry('carts'));
    records[0]!.declares = { carts: 'x' };
    await orphans.sweep();
    await later(DAY / 2);
    records.push({ name: 'n2', classes: [], declares: { nightly: 'y' } });
    await orphans.sweep();
    expect(table.get('nightly')).toMatchObject({ status: 'stopped' });
    expect(table.get('nightly')).not.toHaveProperty('orphanedAt');
    records.pop();
    await later(DAY / 2);
    await later(DAY / 2);
    expect(names()).toEqual(expect.arrayContaining(['nightly', 'carts']));
  });

  it.each<[string, () => void]>([
    ['a call has started', () => void put(entry('nightly', { declared: false }))],
    [
      'a node of a version that does not say has the class of',
      () => void (records = [{ name: 'old', classes: ['Nightly'] }]),
    ],
    ['somebody owns', () => void owned.push('nightly')],
    ['a node that knows no member thinks of', () => void (records = [])],
    ['a node that is cut off thinks of', () => void (state = 'isolated')],
  ])('keeps what %s', async (_what, given) => {
    await put(entry('nightly'));
    given();
    await later(1);
    await later(2 * DAY);
    await later(2 * DAY);
    expect(names()).toEqual(['nightly']);
  });

  it('does not go by a note of the future, from before the clock of Redis was set back', async () => {
    await put(entry('nightly', { orphanedAt: clock + 10 * DAY }));
    await orphans.sweep();
    expect(table.get('nightly')?.orphanedAt).toBe(clock);
  });
});
