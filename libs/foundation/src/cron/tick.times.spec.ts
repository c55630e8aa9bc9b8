import { describe, expect, it } from '@jest/globals';
import { CronTime } from 'cron';
import { MAX_COUNTED, TickTimes } from './tick.times.js';

const timesOf = (expression: string, zone: string): TickTimes => new TickTimes(new CronTime(expression, zone), zone);
const at = (text: string): number => Date.parse(text);
const some = (times: TickTimes, from: string, count: number): string[] => {
  const found: string[] = [];
  for (let time = at(from); found.length < count;) found.push(new Date((time = times.next(time))).toISOString());
  return found;
};

describe('the times of an expression', () => {
  it('are later than the time before, also within its second', () => {
    const each = timesOf('* * * * * *', 'UTC');
    expect(each.next(at('2026-01-01T00:00:00.000Z'))).toBe(at('2026-01-01T00:00:01Z'));
    expect(each.next(at('2026-01-01T00:00:00.999Z'))).toBe(at('2026-01-01T00:00:01Z'));
  });

  it('of the hour that the change to summer time leaves out come at the change, once', () => {
    expect(some(timesOf('30 2 * * *', 'Europe/Berlin'), '2026-03-28T00:00:00Z', 3)).toEqual([
      '2026-03-28T01:30:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
  });

  it('of the hour that the change to winter time repeats come once a day, and each hour for what is hourly', () => {
    expect(some(timesOf('30 2 * * *', 'Europe/Berlin'), '2026-10-24T00:00:00Z', 3)).toEqual([
      '2026-10-24T00:30:00.000Z',
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ]);
    expect(some(timesOf('0 * * * *', 'Europe/Berlin'), '2026-10-24T23:30:00Z', 4)).toEqual([
      '2026-10-25T00:00:00.000Z',
      '2026-10-25T01:00:00.000Z',
      '2026-10-25T02:00:00.000Z',
      '2026-10-25T03:00:00.000Z',
    ]);
  });

  it.each(['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'])(
    'only grow, over the changes of the clocks of a year in %s',
    (zone) => {
      for (const expression of ['*/20 * * * *', '15 1,2,3 * * *']) {
        const times = timesOf(expression, zone);
        for (const change of [
          '2026-03-28T12:00:00Z',
          '2026-10-24T12:00:00Z',
          '2026-03-07T12:00:00Z',
          '2026-10-31T12:00:00Z',
          '2026-04-04T00:00:00Z',
          '2026-10-03T00:00:00Z',
        ]) {
          for (let time = at(change), count = 0; count < 30; count += 1) {
            const next = times.next(time);
            expect(next).toBeGreaterThan(time);
            time = next;
          }
        }
      }
    },
  );
});

describe('times that are due', () => {
  it('are none before the first', async () => {
    expect(
      await timesOf('0 * * * *', 'UTC').due(at('2026-01-01T00:00:00Z'), at('2026-01-01T00:59:59Z')),
    ).toBeUndefined();
  });

  it('are counted, with the first and the last two', async () => {
    expect(await timesOf('0 * * * *', 'UTC').due(at('2026-01-01T00:00:00Z'), at('2026-01-01T03:10:00Z'))).toEqual({
      count: 3,
      first: at('2026-01-01T01:00:00Z'),
      before: at('2026-01-01T02:00:00Z'),
      latest: at('2026-01-01T03:00:00Z'),
    });
  });

  it('are counted up to a number, and the last of them is found all the same', async () => {
    for (const [expression, latest, before] of [
      ['* * * * * *', '2026-06-01T12:00:00Z', '2026-06-01T11:59:59Z'],
      ['*/5 * * * *', '2026-06-01T12:00:00Z', '2026-06-01T11:55:00Z'],
      ['0 * * * *', '2026-06-01T12:00:00Z', '2026-06-01T11:00:00Z'],
    ] as const) {
      const due = await timesOf(expression, 'UTC').due(at('2026-01-01T00:00:00Z'), at('2026-06-01T12:00:00.500Z'));
      expect(due).toMatchObject({ count: MAX_COUNTED, latest: at(latest), before: at(before) });
    }
  });
});
