// What owner records say of a process whose row has ended: nothing, when they are of an instance that is over.
import { describe, expect, it } from '@jest/globals';
import type { Backend } from '../backend/backend.js';
import type { OwnerRecord } from '../backend/leases/leases.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { processDefaults } from '../config/resolve.js';
import { ProcessRegistry } from './process.registry.js';
import type { ProcessStatus, ProcessTable, VersionedEntry } from './table/process.table.js';

const entryOf = (status: ProcessStatus, more: Partial<VersionedEntry> = {}): VersionedEntry => ({
  ...{
    name: 'feed',
    type: 'Feed',
    declared: false,
    kind: 'singleton',
    count: 1,
    args: [],
    placement: { strategy: 'spread', labels: {} },
  },
  ...{
    rebalance: 'off',
    handoff: false,
    options: processDefaults({}),
    status,
    after: 100,
    confirmed: true,
    version: 200,
  },
  ...more,
});

const ownerOf = (state: OwnerRecord['state'], epoch: number, name = 'feed'): OwnerRecord => ({
  ...{ name, node: 'b', bootId: 'boot-b', epoch, state, since: 1 },
});

/** The line of `list()` and what a look-up finds, by rows and an owner. */
async function seen(rows: VersionedEntry[], owner: OwnerRecord | undefined, name = 'feed') {
  const table = { get: (each: string) => rows.find((row) => row.name === each) };
  const leases = {
    owners: async (names: readonly string[]) => names.map((each) => (each === name ? owner : undefined)),
  };
  const membership = { members: () => [], records: () => [] };
  const registry = new ProcessRegistry(
    { leases } as unknown as Backend,
    table as unknown as ProcessTable,
    membership as unknown as ClusterView,
  );
  const [line] = await registry.owned([
    { name, type: 'Feed', kind: 'singleton', state: 'waiting', restart: 'permanent' },
  ]);
  return [line!.state, line!.node, (await registry.running(name))?.node];
}

describe('An absence', () => {
  const absence = (row: VersionedEntry | undefined, later = row, isMending = false) => {
    let now = row;
    const table = { get: () => now, sync: async () => void (now = later), isMending };
    const membership = { members: () => [], records: () => [] };
    return new ProcessRegistry(
      {} as Backend,
      table as unknown as ProcessTable,
      membership as unknown as ClusterView,
    ).absence('feed');
  };

  it('is final for what stays down until a command, and says which one', async () => {
    expect(await absence(entryOf('stopped'))).toEqual({
      isFinal: true,
      why: 'It is stopped; restart("feed") starts it again.',
    });
    const why = 'after correcting the cause, call restart("feed").';
    expect(await absence(entryOf('escalated', { error: 'no feed' }))).toEqual({
      isFinal: true,
      why: `It crashed too often and stays down (no feed); ${why}`,
    });
    expect(await absence(entryOf('failed'))).toEqual({ isFinal: true, why: `It has failed and stays down; ${why}` });
  });

  it('says of a permanent process that completes that it did, and what to do', async () => {
    expect((await absence(entryOf('escalated'))).why).toBe(
      'It completed too often and stays down, though it is to run for ever (restart: "permanent"); ' +
        'when it is "transient" or "temporary", or no longer completes, call restart("feed").',
    );
    expect((await absence(entryOf('backing-off'))).why).toBe(
      'It has completed, and is started again in a moment, because it is to run for ever (restart: "permanent"); call again later.',
    );
    expect((await absence(entryOf('backing-off', { error: 'no feed' }))).why).toContain('It has crashed (no feed) and');
  });

  it('is not final for what may come back by itself, and says what it waits for', async () => {
    for (const status of ['wanted', 'backing-off', 'completed', 'once'] as const) {
      expect(await absence(entryOf(status))).toEqual({ isFinal: false, why: expect.any(String) });
    }
    expect((await absence(entryOf('wanted'))).why).toBe('It waits, because no node takes anything.');
    expect((await absence(undefined)).why).toContain('knows no process of that name');
  });

  it('is not final when Redis says otherwise, or has just lost its data', async () => {
    expect((await absence(entryOf('stopped'), entryOf('wanted'))).isFinal).toBe(false);
    expect((await absence(entryOf('stopped'), entryOf('stopped'), true)).isFinal).toBe(false);
  });
});

describe('An owner record', () => {
  it('is that of the process while it should run', async () => {
    expect(await seen([entryOf('wanted')], ownerOf('running', 150))).toEqual(['running', 'b', 'b']);
    expect(await seen([entryOf('wanted')], ownerOf('starting', 300))).toEqual(['starting', 'b', undefined]);
    // It was restarted, and is about to stop.
    expect(await seen([entryOf('wanted')], ownerOf('running', 100))).toEqual(['running', 'b', 'b']);
    expect(await seen([entryOf('once')], ownerOf('running', 101))).toEqual(['running', 'b', 'b']);
  });

  it('is that of what still stops', async () => {
    expect(await seen([entryOf('stopped')], ownerOf('running', 150))).toEqual(['running', 'b', 'b']);
    expect(await seen([entryOf('stopped')], ownerOf('starting', 150))).toEqual(['starting', 'b', undefined]);
    // The epoch is above those before a restart, which nobody has carried out.
    expect(await seen([entryOf('stopped')], ownerOf('running', 100))).toEqual(['running', 'b', 'b']);
  });

  it('says nothing when it won the lease of what was stopped before, and looks first', async () => {
    expect(await seen([entryOf('stopped')], ownerOf('starting', 201))).toEqual(['stopped', undefined, undefined]);
  });

  it('says nothing when the row has its end, and its lease is about to be released', async () => {
    for (const status of ['completed', 'failed', 'escalated', 'backing-off'] as const) {
      expect(await seen([entryOf(status)], ownerOf('running', 100))).toEqual([status, undefined, undefined]);
    }
  });

  it('of a part counts by the row of its process, where that is the newer one', async () => {
    const part = entryOf('stopped', { name: 'feed/3', of: 'feed', version: 0 });
    const rows = [entryOf('stopped'), part];
    expect(await seen(rows, ownerOf('starting', 150, 'feed/3'), 'feed/3')).toEqual(['starting', 'b', undefined]);
    expect(await seen(rows, ownerOf('starting', 201, 'feed/3'), 'feed/3')).toEqual(['stopped', undefined, undefined]);
  });
});
