import { describe, expect, it } from '@jest/globals';
import type { Member } from '../cluster/member.js';
import { processDefaults } from '../config/resolve.js';
import { ProcessGatherer, type ProcessGathererParts } from './process.gatherer.js';
import type { ProcessInfo } from './process.ref.js';
import type { ProcessEntry } from './table/process.table.js';

interface Cache {
  size(): number;
}

const entry: ProcessEntry = {
  ...{ name: 'cache', type: 'Cache', declared: true, kind: 'replicated', count: 'all', args: [] },
  ...{ options: processDefaults({}), placement: { strategy: 'spread', labels: {} }, handoff: false, rebalance: 'off' },
  ...{ status: 'wanted', after: 0, confirmed: true },
};

/** A cluster in which these members are there, and the replicas of these nodes run. */
function gathererOf(members: readonly Partial<Member>[], running: readonly string[], more: Partial<ProcessEntry> = {}) {
  const replicas = running.map((node) => ({ name: `cache@${node}`, node, state: 'running' }) as ProcessInfo);
  const row = { ...entry, ...more };
  return new ProcessGatherer({
    table: { get: () => row, sync: async () => undefined, slotsOf: () => [], processes: () => [row] },
    registry: { members: () => replicas },
    replaced: { owner: () => undefined, partitions: () => undefined },
    calls: { owners: new Map(), call: (callee: { name: string }) => Promise.resolve(callee.name) },
    membership: {
      ...{ requireConnected: () => undefined, awaitReady: async () => undefined, state: 'up' },
      ...{ members: () => members, listen: () => () => undefined },
    },
    backend: { endpoint: 'memory' },
    config: { calls: { timeout: 1000 } },
  } as unknown as ProcessGathererParts);
}

const member = (name: string, more: Partial<Member> = {}): Partial<Member> => ({
  ...{ name, state: 'up', classes: ['Cache'], labels: {}, load: 0, ...more },
});

describe('A call to all replicas', () => {
  it('misses the one of a node that has joined and not started it', async () => {
    const gatherer = gathererOf([member('a'), member('b')], ['a']);
    expect(await gatherer.all<Cache>('cache').call('size')).toEqual({
      answers: [{ process: 'cache@a', node: 'a', value: 'cache@a' }],
      missing: [{ process: 'cache@b', node: 'b', reason: 'not-running' }],
      complete: false,
    });
  });

  it.each<[string, Partial<Member>]>([
    ['lacks the class', { classes: [] }],
    ['drains', { state: 'draining' }],
    ['is suspect, and may be gone', { state: 'suspect' }],
    ['is full', { capacity: 1, load: 1 }],
  ])('misses nothing on a node that %s', async (_why, more) => {
    const { missing, complete } = await gathererOf([member('a'), member('b', more)], ['a'])
      .all<Cache>('cache')
      .call('size');
    expect({ missing, complete }).toEqual({ missing: [], complete: true });
  });

  it('is refused where no node would read the method', async () => {
    const asked = gathererOf([member('a')], ['a']).all('cache') as unknown as { call: (method: string) => unknown };
    await expect(asked.call('')).rejects.toThrow('the name of a method, a text of 1 to 400 characters');
  });

  it('misses nothing where it is to run nowhere', async () => {
    const gatherer = gathererOf([member('a')], [], { status: 'stopped' });
    expect(await gatherer.all<Cache>('cache').call('size')).toMatchObject({ answers: [], missing: [], complete: true });
  });
});
