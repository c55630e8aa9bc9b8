import { describe, expect, it } from '@jest/globals';
import { timesOnce } from './check.cron.js';
import type { HistoryEvent } from './history.js';

const SECOND = 1000;
let at = 0;
const event = (name: string, payload: Record<string, unknown>): HistoryEvent => ({
  at: (at += 1),
  node: 'a',
  bootId: 'a1',
  pid: 1,
  event: name,
  payload: { job: 'j', ...payload },
});
const job = event('test.cron_job', { everyMs: SECOND });
const fired = (second: number): HistoryEvent => event('test.cron_fired', { scheduled: second * SECOND });
const missed = (first: number, last: number, caughtUp = false): HistoryEvent =>
  event('cron.missed', { first: first * SECOND, last: last * SECOND, count: last - first + 1, caughtUp });
const sentences = (...events: HistoryEvent[]): string[] => timesOnce([job, ...events]).map((each) => each.sentence);

describe('the times of a job', () => {
  it('are in order when each was fired, missed, skipped or interrupted', () => {
    const others = [event('cron.skipped', { scheduled: 5 * SECOND }), event('cron.interrupted', { scheduled: SECOND })];
    expect(sentences(fired(1), fired(2), missed(3, 4), ...others, fired(6))).toEqual([]);
    expect(sentences(fired(1), missed(2, 3, true), fired(3), fired(4))).toEqual([]);
  });

  it('are not when one was fired twice', () => {
    expect(sentences(fired(1), fired(2), fired(2))).toEqual(['Job "j" was fired twice for 1970-01-01T00:00:02.000Z']);
  });

  it('are not when one was neither fired nor reported', () => {
    expect(sentences(fired(1), fired(3))).toEqual(['Job "j" neither fired nor reported 1970-01-01T00:00:02.000Z']);
  });

  it('are not when one was fired and is reported as missed', () => {
    expect(sentences(fired(1), fired(2), missed(2, 2), fired(3))).toEqual([
      'Job "j" reports as missed what it fired for 1970-01-01T00:00:02.000Z',
    ]);
  });

  it('may be reported as missed though they were fired before a loss of data, and not after it', () => {
    const loss = (): HistoryEvent => event('cluster.data_loss', {});
    expect(sentences(fired(1), fired(2), loss(), missed(1, 2), fired(3))).toEqual([]);
    expect(sentences(loss(), fired(1), fired(2), missed(2, 2), fired(3))).toHaveLength(1);
  });

  it('are only compared with one another where it is not said when they are', () => {
    expect(timesOnce([fired(1), fired(3)])).toEqual([]);
  });
});
