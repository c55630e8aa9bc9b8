import { describe, expect, it } from '@jest/globals';
import type { VersionedEntry } from '../table/process.table.js';
import { NodeWorkload } from './node.workload.js';

describe('NodeWorkload', () => {
  it('keeps a place for a promise until it is over, and no longer, whenever it is removed (I23)', () => {
    let now = 0;
    const trying = new Set<string>();
    const acquiring = { isTrying: (name: string) => trying.has(name), trying: 0 };
    const workload = new NodeWorkload(
      () => acquiring,
      () => now,
    );
    workload.promise({ name: 'moving', options: { stopTimeout: 1000 } } as VersionedEntry);
    expect([workload.load, workload.isPromised('moving'), workload.isCounted('moving')]).toEqual([1, true, true]);
    now = 60_000;
    // Counted as its own and not in the load, it would be taken by a node that is full.
    expect([workload.load, workload.isPromised('moving'), workload.isCounted('moving')]).toEqual([0, false, false]);
  });
});
