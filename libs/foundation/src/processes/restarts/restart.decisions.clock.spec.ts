import { describe, expect, it, jest } from '@jest/globals';
import type { Backend } from '../../backend/backend.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { eventually } from '../../testing/eventually.js';
import type { Change, ProcessTable, VersionedEntry } from '../table/process.table.js';
import { RestartDecisions } from './restart.decisions.js';

/** A process that waits for its restart, and a node whose clocks the test sets. */
function waiting(retryAt: number) {
  const clock = { cluster: 1_000_000, own: 0 };
  const options = { backoff: { base: 100, cap: 5000 } };
  let entry = { name: 'feed', status: 'backing-off', after: 7, retryAt, options } as unknown as VersionedEntry;
  const table = {
    sync: jest.fn(() => Promise.resolve()),
    get: () => entry,
    backingOff: () => [entry],
    change: (_name: string, change: Change) => {
      entry = { ...(change(entry) ?? entry), version: 2 };
      return Promise.resolve(entry);
    },
  };
  const heard: { beat: () => void; dataLoss: () => void }[] = [];
  const membership = {
    clusterNow: () => clock.cluster,
    listen: (listener: (typeof heard)[number]) => heard.push(listener),
  };
  const ensureSweep = jest.fn(() => Promise.resolve());
  const endings = new RestartDecisions({
    backend: { restarts: { ensureSweep } } as unknown as Backend,
    membership: membership as unknown as ClusterView,
    table: table as unknown as ProcessTable,
    telemetry: new Telemetry(),
    settled: () => undefined,
    now: () => clock.own,
  });
  return {
    endings,
    clock,
    ensureSweep,
    sync: table.sync,
    beat: () => heard.forEach(({ beat }) => beat()),
    dataLoss: () => heard.forEach(({ dataLoss }) => dataLoss()),
    status: () => entry.status,
    entry,
  };
}

describe('Endings, where clocks differ', () => {
  it('a restart job that comes early, by a clock that is ahead, waits for its time', async () => {
    const { endings, clock, status } = waiting(1_000_200);
    await endings.restart('feed', 7);
    expect(status()).toBe('backing-off');
    clock.cluster = 1_000_200;
    await eventually(() => status() === 'wanted');
  });

  it('one that is due, or that seems to be due in an hour since the clock of Redis was set back, does not', async () => {
    for (const retryAt of [1_000_000, 1_000_050, 999_000, 4_600_000]) {
      const { endings, status } = waiting(retryAt);
      await endings.restart('feed', 7);
      expect(status()).toBe('wanted');
    }
  });

  it('that of an earlier end does nothing, whether it comes early or late', async () => {
    for (const retryAt of [1_000_200, 999_000]) {
      const { endings, clock, status } = waiting(retryAt);
      await endings.restart('feed', 6);
      clock.cluster = 1_000_200;
      await endings.restart('feed', 6);
      expect(status()).toBe('backing-off');
    }
  });

  it('does what was forgotten with the next reconciliation, also when it seems to be due in an hour', async () => {
    for (const [retryAt, expected] of [
      [995_000, 'wanted'],
      [4_600_000, 'wanted'],
      [999_000, 'backing-off'],
      [1_003_000, 'backing-off'],
    ] as const) {
      const { endings, status, entry } = waiting(retryAt);
      endings.remind(entry);
      await new Promise((resolve) => setImmediate(resolve));
      expect(status()).toBe(expected);
      const all = waiting(retryAt);
      all.endings.remindAll();
      await new Promise((resolve) => setImmediate(resolve));
      expect(all.status()).toBe(expected);
    }
  });

  it('asks nobody about what waits for no restart', () => {
    const { endings, entry, sync } = waiting(0);
    endings.remind({ ...entry, status: 'wanted' });
    expect(sync).not.toHaveBeenCalled();
    endings.remind(entry);
    expect(sync).toHaveBeenCalled();
  });

  it('looks every ten seconds whether the sweep is planned, and not at each beat', () => {
    const { clock, beat, ensureSweep } = waiting(0);
    beat();
    expect(ensureSweep).not.toHaveBeenCalled();
    clock.own = 10_000;
    beat();
    beat();
    expect(ensureSweep).toHaveBeenCalledTimes(1);
  });

  it('looks with the next beat after a loss of data, and again until the sweep is planned', async () => {
    const { beat, dataLoss, ensureSweep } = waiting(0);
    dataLoss();
    ensureSweep.mockRejectedValueOnce(new Error('away'));
    beat();
    await new Promise((resolve) => setImmediate(resolve));
    beat();
    beat();
    expect(ensureSweep).toHaveBeenCalledTimes(2);
  });
});
