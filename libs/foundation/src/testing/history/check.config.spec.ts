import { describe, expect, it } from '@jest/globals';
import { configAgrees, configConverges, configKept } from './check.config.js';
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

describe('I28, once nothing is broken any more', () => {
  const own = (node: string, pid: number, revision: number): HistoryEvent => ({
    ...changed(node, revision, 'x'),
    pid,
  });
  const set = (revision: number): HistoryEvent => ({ ...own('a', 1, revision), event: 'test.config_set' });
  const settledAt = 100;

  it('holds where all go by the last revision', () => {
    const events = [own('a', 1, 2), own('b', 2, 1), own('b', 2, 2), set(2)];
    expect(configConverges(events, { settledAt })).toEqual([]);
    expect(configConverges([...events, own('c', 3, 1)], { settledAt, killed: [{ pid: 3, at: 5 }] })).toEqual([]);
    expect(configConverges([own('a', 1, 2), own('b', 2, 1)], {})).toEqual([]);
  });

  it('is broken by a node that is behind, and by a confirmed change that is gone', () => {
    expect(configConverges([own('a', 1, 2), own('b', 2, 1)], { settledAt })).toMatchObject([{ invariant: 'I28' }]);
    const gone = [own('a', 1, 2), own('b', 2, 2), set(3)];
    expect(configConverges(gone, { settledAt })).toMatchObject([{ invariant: 'I28' }]);
    expect(configConverges(gone, { settledAt, dataLost: [{ at: 4 }] })).toEqual([]);
  });
});

describe('I28, of what one node sets at a path', () => {
  const at = (time: number, event: string, payload: object): HistoryEvent => ({
    ...{ at: time, node: 'a', bootId: 'boot a', pid: 1, event: `test.config_${event}` },
    payload: { path: 'first', ...payload },
  });
  const setting = (value: number): HistoryEvent => at(value, 'setting', { value });
  const set = (value: number): HistoryEvent => at(value + 1, 'set', { value });
  const seen = (value: number): HistoryEvent => at(100, 'seen', { values: { first: value } });

  it('holds where the last one that was confirmed is there, or one that was not and came later', () => {
    expect(configKept([setting(1), set(1), setting(3), set(3), seen(3)], {})).toEqual([]);
    expect(configKept([setting(1), set(1), setting(3), seen(3)], {})).toEqual([]);
    expect(configKept([setting(1), set(1), setting(3), seen(1)], {})).toEqual([]);
  });

  it('is broken where it is gone, unless all data were lost since', () => {
    const events = [setting(1), set(1), setting(3), set(3), seen(1)];
    expect(configKept(events, {})).toMatchObject([{ invariant: 'I28' }]);
    expect(configKept(events, { dataLost: [{ at: 5 }] })).toEqual([]);
  });
});
