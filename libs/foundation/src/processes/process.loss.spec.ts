// When a temporary process counts as lost for those who wait for it: not before every node that lives could say more.
import { describe, expect, it } from '@jest/globals';
import type { OwnerRecord } from '../backend/leases/leases.js';
import { ProcessLostError } from '../errors/process.errors.js';
import { ProcessLoss } from './process.loss.js';
import type { VersionedEntry } from './table/process.table.js';

const row = (status: string, version = 5) => ({ name: 'job', status, version }) as unknown as VersionedEntry;
const owner = { name: 'job', node: 'a' } as OwnerRecord;

function setUp() {
  const facts = { now: 0, row: row('once'), owner: undefined as OwnerRecord | undefined, graceMs: 0 };
  const loss = new ProcessLoss({
    leases: { grace: async () => facts.graceMs },
    table: { get: () => facts.row, sync: async () => undefined },
    owner: async () => facts.owner,
    beatEvery: 100,
    now: () => facts.now,
  });
  const at = (now: number, seen = row('once'), ...[seenOwner]: [OwnerRecord?]) => {
    facts.now = now;
    return loss.check(seen, seenOwner);
  };
  return { facts, at };
}

describe('A temporary process', () => {
  it('is lost when its row says for three heartbeats that it was started, and nobody has it', async () => {
    const { at } = setUp();
    await at(0);
    await at(200);
    await at(299);
    await expect(at(300)).rejects.toThrow(ProcessLostError);
  });

  it('is not lost as long as somebody has it, may have it, or has written something', async () => {
    const { facts, at } = setUp();
    await at(0);
    await at(200, row('once'), owner);
    await at(300);
    await at(500, row('once', 6));
    await at(799, row('once', 6));
    facts.row = row('once', 6);
    facts.owner = owner;
    await at(900, row('once', 6));
    facts.owner = undefined;
    facts.graceMs = 50;
    await at(1000, row('once', 6));
    facts.graceMs = 0;
    facts.row = row('completed', 7);
    await at(1100, row('once', 6));
    facts.row = row('once', 6);
    // Redis was away.
    await at(5000, row('once', 6));
    await at(5299, row('once', 6));
    await expect(at(5300, row('once', 6))).rejects.toThrow('Process "job" was started, and no node has it any more');
  });

  it('is not lost while it waits, runs or has ended', async () => {
    const { at } = setUp();
    for (const status of ['wanted', 'completed', 'stopped', 'failed']) {
      await at(0, row(status));
      await at(10_000, row(status));
    }
  });
});
