// The record of a job in the hands of one owner, over ticks that answer what the test says.
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { OpenedTicks, OwnedTicks, TickAnswer } from '../backend/leases/ticks.js';
import { type Clock, machineClock } from '../time/clock.js';
import { emptyRecord, type JobRecord, writeRecord } from './job.record.js';
import type { JobReports } from './job.reports.js';
import { KeptRecord, RETRY_MS } from './kept.record.js';

const NOW = Date.parse('2026-05-01T03:00:00Z');
const EPOCH = 7;

let now: number;
let isOwner: boolean;
let abort: AbortController;
let opened: OpenedTicks | Error | undefined;
let answers: (TickAnswer | Error)[];
/** For how long it has waited, each time. */
let waited: number[];
let written: [record: Record<string, unknown>, at: number | undefined][];
const reports = {
  hasLaterOwner: jest.fn(),
  doubted: jest.fn(),
  claimDoubted: jest.fn(),
  early: jest.fn(),
  unreachable: jest.fn(),
};
const ticks: OwnedTicks = {
  open: async () => {
    if (opened instanceof Error) throw opened;
    return opened;
  },
  write: async (_job, epoch, record, claim) => {
    expect(epoch).toBe(EPOCH);
    written.push([JSON.parse(record) as Record<string, unknown>, claim?.at]);
    const answer = answers.shift() ?? 'done';
    if (answer instanceof Error) throw answer;
    return answer;
  },
};

beforeEach(() => {
  [now, isOwner, abort, answers, written, opened] = [
    0,
    true,
    new AbortController(),
    [],
    [],
    { claimed: 0, record: '' },
  ];
  waited = [];
  for (const report of Object.values(reports)) report.mockClear();
});

function make(): KeptRecord {
  const wait: Clock['setTimeout'] = (work, ms) => {
    waited.push(ms);
    return setTimeout(work, 0);
  };
  const clock: Clock = { ...machineClock, now: () => now, setTimeout: wait };
  return new KeptRecord({
    ...{ job: 'close', ticks, clock, wallClock: () => NOW, reports: reports as unknown as JobReports },
    ctx: { epoch: EPOCH, signal: abort.signal, isOwner: () => isOwner },
  });
}
const record = (more: Partial<JobRecord> = {}): JobRecord => ({ ...emptyRecord('each', NOW - 9000), rev: 3, ...more });
const fresh = (): JobRecord => emptyRecord('each', NOW);
const found = (more: Partial<JobRecord> = {}, by = 3): string => writeRecord(record(more), by);

describe('a record that is opened', () => {
  it('is the one that is there, or a fresh one', async () => {
    const kept = make();
    expect([kept.current, await kept.change((current) => ({ record: current }))]).toEqual([undefined, false]);
    expect(await kept.open(fresh)).toBe(true);
    expect(kept.current).toEqual({ ...fresh(), until: 0 });
    opened = { claimed: NOW - 1000, record: found() };
    expect(await kept.open(fresh)).toBe(true);
    expect(kept.current).toEqual(record({ until: NOW - 1000 }));
    expect(kept.claimed).toBe(NOW - 1000);
    expect(reports.hasLaterOwner).not.toHaveBeenCalled();
    expect(written).toEqual([]);
  });

  it('keeps what it knows of beside the claim: neither is claimed again', async () => {
    const kept = make();
    opened = { claimed: NOW - 1000, record: found({ until: NOW - 3000 }) };
    await kept.open(fresh);
    expect([kept.claimed, kept.current?.until]).toEqual([NOW - 1000, NOW - 3000]);
    opened = { claimed: NOW - 5000, record: found({ until: NOW - 3000 }) };
    await kept.open(fresh);
    expect([kept.claimed, kept.current?.until]).toEqual([NOW - 3000, NOW - 3000]);
  });

  it('is none where a later owner has begun, or Redis is away', async () => {
    const kept = make();
    await kept.open(fresh);
    opened = new Error('away');
    expect([await kept.open(fresh), kept.current]).toEqual([false, undefined]);
    expect(reports.unreachable.mock.calls).toEqual([[opened]]);
    opened = undefined;
    expect(await kept.open(fresh)).toBe(false);
    expect([reports.hasLaterOwner.mock.calls.length, reports.unreachable.mock.calls.length]).toEqual([1, 1]);
  });

  it('claims again what a claim that is in doubt leaves possible', async () => {
    const kept = make();
    const doubt = { said: '-1', most: NOW + 60_000 };
    opened = { claimed: 0, record: found({ until: NOW - 5000, next: NOW + 500 }), doubt };
    expect(await kept.open(fresh)).toBe(true);
    expect(reports.claimDoubted.mock.calls).toEqual([['-1', NOW + 499]]);
    expect(written).toEqual([[expect.objectContaining({ rev: 4, by: EPOCH, until: NOW + 499 }), NOW + 499]]);
    expect([kept.claimed, kept.current?.until, kept.current?.rev]).toEqual([NOW + 499, NOW + 499, 4]);
    answers = ['stale'];
    expect([await kept.open(fresh), kept.current]).toEqual([false, undefined]);
    opened = { claimed: 0, record: found({ next: NOW + 90_000 }), doubt };
    await kept.open(fresh);
    expect(kept.claimed).toBe(NOW + 60_000);
  });

  it('is written above every revision that was tried', async () => {
    const kept = make();
    opened = { claimed: 0, record: found(), revision: 8 };
    await kept.open(fresh);
    await kept.change((current) => ({ record: current }));
    opened = { claimed: 0, record: found({ rev: 5 }) };
    await kept.open(fresh);
    await kept.change((current) => ({ record: current }));
    expect(written.map(([{ rev, by }]) => [rev, by])).toEqual([9, 10].map((rev) => [rev, EPOCH]));
  });
});

describe('a change', () => {
  it('counts once it is written', async () => {
    const kept = make();
    opened = { claimed: 0, record: found({ until: NOW - 5000 }) };
    await kept.open(fresh);
    const then = jest.fn();
    expect(await kept.change(() => undefined)).toBe(false);
    now = 100;
    expect(await kept.change((current) => ({ record: { ...current, waiting: NOW }, then }))).toBe(true);
    expect(kept.current).toEqual(record({ rev: 4, until: NOW - 5000, waiting: NOW }));
    now = 150;
    expect([kept.age, then.mock.calls.length]).toEqual([50, 1]);
    expect(await kept.change((current) => ({ record: current, claim: NOW, then }))).toBe(true);
    expect([kept.claimed, kept.current?.until, then.mock.calls.length]).toEqual([NOW, NOW, 2]);
    answers = ['taken'];
    expect(await kept.change((current) => ({ record: current, claim: NOW + 1, then }))).toBe(false);
    expect([kept.claimed, kept.current, then.mock.calls.length]).toEqual([NOW, undefined, 2]);
    expect(written.map(([, at]) => at)).toEqual([undefined, NOW, NOW + 1]);
  });

  it('is made of what the one before has written', async () => {
    const kept = make();
    await kept.open(fresh);
    const more = (current: JobRecord) => ({ record: { ...current, waiting: (current.waiting ?? 0) + 1 } });
    expect(await Promise.all([kept.change(more), kept.change(more), kept.change(more)])).toEqual([true, true, true]);
    expect(kept.current).toMatchObject({ rev: 3, waiting: 3 });
  });

  it('goes on after one that could not be made', async () => {
    const kept = make();
    await kept.open(fresh);
    const fails = kept.change(() => {
      throw new Error('no');
    });
    await expect(fails).rejects.toThrow('no');
    expect(await kept.change((current) => ({ record: current }))).toBe(true);
  });

  it('of a claim that is early is given up, and the record stays', async () => {
    const kept = make();
    await kept.open(fresh);
    answers = ['early'];
    expect(await kept.change((current) => ({ record: current, claim: NOW }))).toBe(false);
    expect([kept.current, kept.claimed, reports.early.mock.calls]).toEqual([{ ...fresh(), until: 0 }, 0, [[NOW]]]);
    expect(waited).toEqual([RETRY_MS]);
  });

  it('is tried again, as it was, until Redis answers', async () => {
    const kept = make();
    await kept.open(fresh);
    answers = [new Error('away'), new Error('away')];
    expect(await kept.change((current) => ({ record: current, claim: NOW }))).toBe(true);
    expect(written).toEqual(Array(3).fill(written[0]));
    expect(reports.unreachable).toHaveBeenCalledTimes(2);
    expect(waited).toEqual([RETRY_MS, RETRY_MS]);
  });
});

describe('an owner that was told to end', () => {
  it.each<[string, number, number | undefined, boolean]>([
    ['says for a moment how a run ended', 1999, undefined, true],
    ['says nothing after that', 2000, undefined, false],
    ['claims nothing', 1, NOW, false],
  ])('%s', async (_what, ms, claim, isWritten) => {
    const kept = make();
    await kept.open(fresh);
    now = 500;
    isOwner = false;
    abort.abort();
    now += ms;
    const change = (current: JobRecord) => ({ record: current, ...(claim === undefined ? {} : { claim }) });
    expect(await kept.change(change)).toBe(isWritten);
    expect(written.length).toBe(isWritten ? 1 : 0);
    // Another end later is none.
    abort.signal.dispatchEvent(new Event('abort'));
    now += 1999;
    expect(await kept.change(change)).toBe(false);
  });
});
