import { describe, expect, it } from '@jest/globals';
import { type Happening, messagesLost, overlapsOf, ownerships } from './history.js';
import { type Facts, summarize, unmet } from './summary.js';

const name = 'price-feed';

function own(node: string, epoch: number, at: number): Happening[] {
  return [
    { at, node, event: 'lease.acquired', name, epoch },
    { at: at + 5, node, event: 'process.started', name, epoch },
  ];
}

function facts(more: Partial<Facts> = {}): Facts {
  const nodes = ['a', 'b'];
  return {
    redis: 'redis-server 7.0.15',
    nodes,
    singleton: name,
    happenings: [
      { at: 100, node: 'a', event: 'cluster.view_changed', members: 1 },
      { at: 300, node: 'a', event: 'cluster.view_changed', members: 2 },
      { at: 320, node: 'b', event: 'cluster.view_changed', members: 2 },
      ...own('a', 7, 200),
      { at: 1001, node: 'a', event: 'exit' },
      ...own('b', 9, 2400),
      { at: 5000, node: 'b', event: 'lease.released', name, epoch: 9 },
    ],
    spawnedAt: 20,
    killed: { node: 'a', at: 1000 },
    stoppingAt: 4900,
    survivors: [
      [
        { epoch: 7, first: 3, last: 9, received: 7 },
        { epoch: 9, first: 1, last: 6, received: 6 },
      ],
    ],
    completeViews: nodes,
    problems: [],
    ...more,
  };
}

const unmetOf = (given: Facts): string => unmet(given, summarize(given)).join('\n');

describe('summarize', () => {
  it('tells a takeover', () => {
    expect(summarize(facts())).toEqual({
      redis: 'redis-server 7.0.15',
      nodes: ['a', 'b'],
      formationMs: 300,
      killed: 'a',
      failoverMs: 1405,
      epochs: [7, 9],
      owners: ['a', 'b'],
      overlaps: 0,
      messagesLost: 0,
    });
  });

  it('does not count what is handed over while everything stops', () => {
    const happenings = [...facts().happenings, ...own('a', 11, 5001)];
    expect(summarize(facts({ happenings })).owners).toEqual(['a', 'b']);
  });

  it('has null for what never came', () => {
    const summary = summarize(facts({ happenings: [], survivors: [] }));
    expect(summary).toMatchObject({ formationMs: null, failoverMs: null, messagesLost: null, owners: [] });
  });
});

describe('unmet', () => {
  it('is empty when all went as it should', () => {
    expect(unmetOf(facts())).toBe('');
  });

  it('names a takeover that never came', () => {
    const happenings = facts().happenings.slice(0, 6);
    expect(unmetOf(facts({ happenings }))).toMatch(/exactly one takeover; the owners were: a\n.*took: never/);
  });

  it('names a second takeover', () => {
    const happenings = [...facts().happenings, { at: 4000, node: 'b', event: 'exit' }, ...own('a', 11, 4500)];
    expect(unmetOf(facts({ happenings }))).toContain('exactly one takeover; the owners were: a, b, a');
  });

  it('names epochs that do not rise', () => {
    const happenings = facts().happenings.map((seen) => (seen.epoch === 9 ? { ...seen, epoch: 7 } : seen));
    expect(unmetOf(facts({ happenings }))).toContain('epochs must rise; they were: 7, 7');
  });

  it('names an owner that follows itself', () => {
    const happenings = facts().happenings.map((seen) => (seen.node === 'b' ? { ...seen, node: 'a' } : seen));
    expect(unmetOf(facts({ happenings }))).toContain('an owner must differ from the last: a, a');
  });

  it('names an overlap, also one during the stop', () => {
    const happenings = [...facts().happenings, ...own('a', 11, 4950)];
    expect(unmetOf(facts({ happenings }))).toContain('pairs that did: 1');
  });

  it('names a takeover that took too long', () => {
    const late = facts().happenings.map((seen) => (seen.epoch === 9 ? { ...seen, at: seen.at + 3595 } : seen));
    const sentence = 'the takeover must take less than 5000 ms; it took: 5000 ms';
    expect(unmetOf(facts({ happenings: late, stoppingAt: 8000 }))).toBe(sentence);
  });

  it('names a node that misses a member, and what was waited for in vain', () => {
    const sentences = unmetOf(facts({ completeViews: ['a'], problems: ['the moon: not within 5 ms'] }));
    expect(sentences).toMatch(/the moon.*\n.*these did not: b/);
  });
});

describe('ownerships', () => {
  it('end with the lease, or with the node', () => {
    const owned = ownerships(
      [
        ...own('a', 1, 0),
        { at: 50, node: 'a', event: 'lease.lost', name, epoch: 1 },
        ...own('b', 2, 60),
        { at: 90, node: 'b', event: 'exit' },
        ...own('a', 3, 100),
      ],
      name,
    );
    expect(owned.map(({ endedAt }) => endedAt)).toEqual([50, 90, Infinity]);
  });

  it('go on under a new epoch when the lease is reclaimed', () => {
    const owned = ownerships(
      [
        ...own('a', 1, 0),
        { at: 20, node: 'a', event: 'lease.reclaimed', name, previousEpoch: 1, epoch: 5 },
        { at: 30, node: 'a', event: 'lease.released', name, epoch: 5 },
      ],
      name,
    );
    expect(owned).toEqual([{ node: 'a', epoch: 5, acquiredAt: 0, startedAt: 5, endedAt: 30 }]);
  });

  it('are read in the order of time, whatever the order of arrival, and of this process only', () => {
    const other = { at: 0, node: 'c', event: 'lease.acquired', name: 'other', epoch: 1 };
    const owned = ownerships([...own('b', 2, 60), other, ...own('a', 1, 0)], name);
    expect(owned.map(({ node }) => node)).toEqual(['a', 'b']);
  });
});

describe('overlapsOf', () => {
  const owned = (node: string, acquiredAt: number, endedAt: number) => ({ node, epoch: 1, acquiredAt, endedAt });

  it('counts pairs of different nodes with time in common', () => {
    expect(overlapsOf([owned('a', 0, 10), owned('b', 9, 20), owned('c', 19, 30)])).toBe(2);
  });

  it('does not count one that begins when the other ends, or a node with itself', () => {
    expect(overlapsOf([owned('a', 0, 10), owned('b', 10, 20), owned('b', 15, 30)])).toBe(0);
  });
});

describe('messagesLost', () => {
  it('counts holes', () => {
    expect(messagesLost([[{ epoch: 1, first: 4, last: 10, received: 5 }]])).toBe(2);
  });

  it('counts a missing beginning, except in the first epoch', () => {
    const seen = (epoch: number) => ({ epoch, first: 4, last: 10, received: 7 });
    expect(messagesLost([[seen(1), seen(2)]])).toBe(3);
  });

  it('counts a missing end that another survivor saw, except in the epoch that still runs', () => {
    const seen = (epoch: number, last: number) => ({ epoch, first: 1, last, received: last });
    expect(
      messagesLost([
        [seen(1, 10), seen(2, 4)],
        [seen(1, 8), seen(2, 3)],
      ]),
    ).toBe(2);
  });

  it('counts an epoch that a survivor never heard of', () => {
    const seen = { epoch: 1, first: 1, last: 5, received: 5 };
    expect(messagesLost([[seen, { ...seen, epoch: 2 }], [seen]])).toBe(5);
  });
});
