import { describe, expect, it } from '@jest/globals';
import type { WorkSeen } from '../telemetry/figures.report.js';
import { latency, rate } from './format.js';
import type { Snapshot } from './snapshot.js';
import { workLines } from './work.report.js';

const look = { width: undefined, hasColor: false };
const call: WorkSeen = {
  ...{ kind: 'call', of: 'Accounts', work: 'debit', perSecond: 41.04, failedPerSecond: 0.5, nodes: 3 },
  ...{ p50: 0.42, p95: 12.3, p99: 1830 },
};
const snapshot = (work: WorkSeen[], silent: string[] = []) => ({ work, silent }) as unknown as Snapshot;

describe('workLines', () => {
  it('has a line for each method, handler and job', () => {
    const idle: WorkSeen = { kind: 'job', of: 'nightly', work: '', perSecond: 0, failedPerSecond: 0, nodes: 1 };
    const handler: WorkSeen = { ...call, kind: 'handler', of: 'orders', work: 'Shop.onOrder', failedPerSecond: 0 };
    expect(workLines(snapshot([call, handler, idle], ['c']), look)).toEqual([
      '',
      'IN THE LAST MINUTE   KIND       RATE  ERRORS      P50      P95    P99  NODES',
      'Accounts.debit       call     41.0/s  0.50/s  0.42 ms  12.3 ms  1.8 s      3',
      'orders Shop.onOrder  handler  41.0/s          0.42 ms  12.3 ms  1.8 s      3',
      'nightly              job         0/s                                       1',
      'Without c: no answer in time.',
    ]);
  });

  it('says nothing where nothing ran, and prints no sequence of a terminal out of a name', () => {
    expect(workLines({} as Snapshot, look)).toEqual([]);
    expect(workLines(snapshot([{ ...call, of: '\u001b[2Jx' }], ['\u001b[2J']), look).join('\n')).not.toContain(
      '\u001b',
    );
  });

  it('writes times and rates as they are read', () => {
    expect([0.001, 9.99, 10, 99.94, 100, 61_000].map(latency)).toEqual([
      ...['0.00 ms', '9.99 ms', '10.0 ms', '99.9 ms', '100 ms', '61 s'],
    ]);
    expect([0, 0.05, 1, 99.94, 1234.5].map(rate)).toEqual(['0/s', '0.05/s', '1.0/s', '99.9/s', '1235/s']);
  });
});
