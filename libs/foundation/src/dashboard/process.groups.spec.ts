import { describe, expect, it } from '@jest/globals';
import type { ProcessInfo } from '../processes/process.ref.js';
import { groupOf, groupsOf } from './process.groups.js';

const part = (name: string, kind: ProcessInfo['kind'], state: string, node?: string, crashes?: number) => ({
  ...{ name, kind, state },
  ...(node === undefined ? {} : { node }),
  ...(crashes === undefined ? {} : { crashes }),
});

describe('groupsOf', () => {
  it('says of 64 partitions how many run, and where', () => {
    const nodes = [...Array<string>(20).fill('c'), ...Array<string>(25).fill('a'), ...Array<string>(18).fill('b')];
    const parts = nodes.map((node, index) => part(`Accounts/${index}`, 'partitioned', 'running', node, index % 2));
    const groups = groupsOf([
      part('feed', 'singleton', 'running', 'a'),
      ...parts,
      part('Accounts/63', 'partitioned', 'lost', 'a'),
      part('Thumbs@a', 'replicated', 'running', 'a'),
      part('Thumbs@b', 'replicated', 'waiting'),
    ]);
    expect(groups).toEqual([
      {
        ...{ name: 'Accounts', kind: 'partitioned', count: 64, states: { running: 63, lost: 1 }, restarts: 31 },
        nodes: [
          ['a', 25],
          ['c', 20],
          ['b', 18],
        ],
      },
      {
        ...{ name: 'Thumbs', kind: 'replicated', count: 2, states: { running: 1, waiting: 1 }, restarts: 0 },
        nodes: [['a', 1]],
      },
    ]);
  });

  it('makes none of singletons, also where their names look like parts, and of what has one instance', () => {
    expect(groupsOf([part('a#1', 'singleton', 'running'), part('a#2', 'singleton', 'running')])).toEqual([]);
    expect(groupsOf([part('Thumbs@a', 'replicated', 'running', 'a')])).toEqual([]);
    expect([groupOf({ name: 'x#1', kind: 'singleton' }), groupOf({ name: 'x#1', kind: 'replicated' })]).toEqual([
      ...['x#1', 'x'],
    ]);
  });

  it('names so many nodes', () => {
    const many = Array.from({ length: 300 }, (_, index) => part(`T@n${index}`, 'replicated', 'running', `n${index}`));
    expect(groupsOf(many)[0]!.nodes).toHaveLength(100);
  });
});
