import { describe, expect, it } from '@jest/globals';
import type { Backend } from './backend.js';
import type { DirectorySnapshot, NodeRecord } from './directory/directory.js';
import { latenessOf, observing } from './observer.backend.js';

const record = (name: string, more: Partial<NodeRecord> = {}): NodeRecord => ({
  ...{ name, bootId: `b-${name}`, host: 'h', pid: 1, version: '0', state: 'up' as const, classes: [], load: 0, lag: 0 },
  ...{ labels: {}, replicas: {}, listens: {}, leaseServers: 1, joinedAt: 1, ...more },
});

describe('latenessOf', () => {
  it.each([
    [{}, 0, 'in time'],
    [{}, 2000, 'in time'],
    [{}, 2001, 'late'],
    [{}, 3000, 'late'],
    [{}, 3001, 'down'],
    [{}, undefined, 'down'],
    // From before the clock of Redis was set back.
    [{}, -3001, 'down'],
    [{ beatEvery: 10_000, ttl: 30_000 }, 20_000, 'in time'],
    [{ beatEvery: 10_000, ttl: 30_000 }, 29_000, 'late'],
    [{ beatEvery: 10_000, ttl: 30_000 }, 31_000, 'down'],
  ] as const)('goes by what the node says: %p and silent for %p ms is %p', (times, silentMs, expected) => {
    expect(latenessOf(record('a', times), silentMs)).toBe(expected);
  });
});

describe('observing', () => {
  const calls: string[] = [];
  const seen: DirectorySnapshot = {
    ...{ viewVersion: 7, tableVersion: 3, incarnation: 'life', now: 10_000 },
    beats: new Map([
      ['fresh', 9_900],
      ['late', 7_500],
      ['down', 5_000],
    ]),
  };
  const backend = {
    directory: {
      view: async () => ({ version: 7, members: [record('fresh'), record('late'), record('down')] }),
      look: async () => seen,
      join: async () => calls.push('join'),
      beat: async () => calls.push('beat'),
      leave: async () => calls.push('leave'),
    },
    table: {
      put: async () => 5,
      restore: async () => calls.push('restore'),
    },
  } as unknown as Backend;

  it('shows members and late nodes, without expired nodes that no live member has evicted', async () => {
    const { directory } = observing(backend);
    const view = await directory.view();
    expect(view.members.map(({ name }) => name)).toEqual(['fresh', 'late']);
    expect(await directory.beat('x', 'y')).toEqual({
      ...{ status: 'ok', viewVersion: 7, tableVersion: 3, incarnation: '', now: 10_000, late: ['late'] },
    });
  });

  it('writes nothing by itself, and lets through what is asked for', async () => {
    const { directory, table } = observing(backend);
    await expect(directory.join(record('me'))).rejects.toThrow('does not join');
    await directory.beat('x', 'y', { record: record('me'), changed: true });
    await directory.leave('x', 'y');
    await table.restore([{ key: 'a', value: '{}', version: 1 }], 1);
    expect(calls).toEqual([]);
    expect(await table.put([{ key: 'a', value: '{}', expected: 0 }])).toBe(5);
  });
});
