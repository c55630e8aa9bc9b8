import { describe, expect, it } from '@jest/globals';
import { BELIEVED_AHEAD_MS } from '../backend/leases/ticks.js';
import { emptyRecord, type JobRecord, type JobRun, readRecord, writeRecord } from './job.record.js';

const NOW = 1_700_000_000_000;
const MOST = NOW + BELIEVED_AHEAD_MS;
const RUN: JobRun = { scheduled: NOW, cause: 'tick', started: NOW, ended: NOW, node: 'n1', epoch: 5 };
const RECORD: JobRecord = {
  ...emptyRecord('* * * * * UTC', NOW),
  ...{ rev: 3, until: NOW, next: MOST + 1, run: RUN, last: { ...RUN, outcome: 'failed', error: 'broke' } },
  ...{ waiting: NOW, missed: { count: 2, first: NOW, last: NOW }, untold: true },
};

function read(value: unknown): [JobRecord | undefined, string[]] {
  const doubts: string[] = [];
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return [readRecord(text, NOW, (part) => doubts.push(part)), doubts];
}

it('gives back what was written', () => {
  expect(read(writeRecord(RECORD, 5))).toStrictEqual([RECORD, []]);
  expect(writeRecord(RECORD, 5)).toMatch(/^\{"rev":3,"by":5,/);
});

it('is none where nothing was written, which is no reason to doubt', () => {
  expect(read('')).toEqual([undefined, []]);
  for (const text of ['text', '[]', '{}']) expect(read(text)).toEqual([undefined, ['all']]);
});

describe('a time that no clock said', () => {
  const without = (part: keyof JobRecord): JobRecord => {
    const { [part]: _, ...rest } = RECORD;
    return rest as JobRecord;
  };
  const cases: [keyof JobRecord, Partial<JobRecord>][] = [
    ['until', { until: MOST + 1 }],
    ['next', { next: 8.64e15 + 1 }],
    ['run', { run: { ...RUN, scheduled: MOST + 1 } }],
    ['run', { run: { ...RUN, started: MOST + 1 } }],
    ['last', { last: { ...RUN, ended: MOST + 1 } }],
    ['waiting', { waiting: MOST + 1 }],
    ['missed', { missed: { count: 1, first: MOST + 1, last: NOW } }],
    ['missed', { missed: { count: 1, first: NOW, last: MOST + 1 } }],
  ];

  it.each(cases)('is passed over, and said to be: %s %j', (part, more) => {
    expect(read({ ...RECORD, ...more })).toStrictEqual([without(part), [part]]);
  });

  it('is now, for the beginning of the record', () => {
    expect(read({ ...RECORD, since: MOST + 1 })).toStrictEqual([{ ...RECORD, since: NOW }, ['since']]);
  });

  it('is more than a day ahead', () => {
    const run = { ...RUN, scheduled: MOST, started: MOST, ended: MOST };
    const ahead: JobRecord = {
      ...RECORD,
      ...{ since: MOST, until: MOST, next: 8.64e15, run, last: run, waiting: MOST },
      missed: { count: 1, first: MOST, last: MOST },
    };
    expect(read(ahead)).toStrictEqual([ahead, []]);
  });
});

it('leaves out what is not right, and cuts and cleans the words of an error', () => {
  const last = { ...RUN, error: `a\u001b[31m${'x'.repeat(400)}` };
  const [record] = read({ ...RECORD, last, run: { ...RUN, error: 5 }, waiting: 'soon', missed: [], counts: {} });
  expect(record!.last!.error!.length).toBeLessThanOrEqual(301);
  expect(record!.last!.error).toMatch(/^a/);
  expect(record!.last!.error).not.toContain('\u001b');
  expect([record!.run, record!.waiting, record!.missed]).toEqual([RUN, undefined, undefined]);
  expect(record!.counts).toEqual({ fired: 0, failed: 0, missed: 0, skipped: 0, interrupted: 0 });
});
