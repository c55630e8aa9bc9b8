import { describe, expect, it } from '@jest/globals';
import { configAgrees } from './check.config.js';
import type { HistoryEvent } from './history.js';

const changed = (node: string, revision: number, id: string, name = 'app'): HistoryEvent => ({
  at: revision,
  node,
  bootId: `boot ${node}`,
  pid: 1,
  event: 'config.changed',
  payload: { name, revision, id, path: 'a', node: 'x' },
});

describe('I28', () => {
  it('holds where each node goes by rising revisions, also when it skips some', () => {
    expect(
      configAgrees([changed('a', 1, 'x'), changed('b', 3, 'z'), changed('a', 2, 'y'), changed('a', 3, 'z')]),
    ).toEqual([]);
    expect(configAgrees([changed('a', 2, 'x'), changed('a', 1, 'x', 'other')])).toEqual([]);
  });

  it('is broken by a node that goes back, or takes a change twice', () => {
    expect(configAgrees([changed('a', 2, 'y'), changed('a', 1, 'x')])).toMatchObject([{ invariant: 'I28' }]);
    expect(configAgrees([changed('a', 2, 'y'), changed('a', 2, 'y')])).toMatchObject([{ invariant: 'I28' }]);
  });

  it('is broken by two changes that both won', () => {
    expect(configAgrees([changed('a', 2, 'y'), changed('b', 2, 'x')])).toMatchObject([{ invariant: 'I28' }]);
  });
});
