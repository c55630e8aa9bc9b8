import { describe, expect, it } from '@jest/globals';
import { addTo, isApart, MAX_APART_MS, MAX_RUNS, Played, replayed, SPAN_MS, timeOf } from './deduplication.js';

const AT = 1_700_000_000_000;
const of = (number: number, at = AT) => ({ sender: 'boot', number, at });

describe('Played', () => {
  it('gives a message out for one entry, again and again until it is handled', () => {
    const played = new Played();
    expect([played.claim(of(1), '5-0'), played.claim(of(1), '5-0'), played.claim(of(1), '6-0')]).toEqual([
      true,
      true,
      false,
    ]);
    played.settle(of(1));
    expect([played.claim(of(1), '5-0'), played.claim(of(1), '6-0'), played.claim(of(2), '6-0')]).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('tells senders apart, and spans by the time that is signed', () => {
    const played = new Played();
    played.settle(of(1));
    expect(played.claim({ ...of(1), sender: 'other' }, '5-0')).toBe(true);
    expect(played.claim(of(1, AT + SPAN_MS), '5-0')).toBe(true);
    expect(played.claim(of(1), '5-0')).toBe(false);
  });

  it('never takes a number for handled that was not, however many gaps there are', () => {
    const played = new Played();
    for (let number = 1; number < 4 * MAX_RUNS; number += 2) played.settle(of(number));
    for (let number = 2; number < 4 * MAX_RUNS; number += 2) expect(played.claim(of(number), '5-0')).toBe(true);
    expect(played.claim(of(4 * MAX_RUNS - 1), '5-0')).toBe(false);
  });

  it('remembers a bounded number of spans', () => {
    const played = new Played();
    for (let span = 0; span < 100; span++) played.settle(of(1, AT + span * SPAN_MS));
    expect(played.claim(of(1, AT + 99 * SPAN_MS), '5-0')).toBe(false);
    expect(played.claim(of(1), '5-0')).toBe(true);
  });
});

it('keeps numbers as runs, in whatever order they come', () => {
  const runs: [number, number][] = [];
  for (const number of [5, 1, 3, 2, 5, 9, 4, 7, 8]) addTo(runs, number);
  expect(runs).toEqual([
    [1, 5],
    [7, 9],
  ]);
  for (let number = 20; number < 20 + 4 * MAX_RUNS; number += 2) addTo(runs, number);
  expect(runs.length).toBe(MAX_RUNS);
  expect(runs[0]![0]).toBeGreaterThan(9);
  expect(runs.every(([first, last], index) => first <= last && (runs[index - 1]?.[1] ?? 0) < first)).toBe(true);
});

it('reads the time of an id, and ties a message to it', () => {
  expect(timeOf('1700000000000-3')).toBe(AT);
  for (const id of ['', '1', '-', '1-', '1e3-0', '18446744073709551615-1', ' 1-1', '-5-1'])
    expect(timeOf(id)).toBeNaN();
  expect([MAX_APART_MS, -MAX_APART_MS].map((ms) => isApart(`${AT + ms}-0`, AT))).toEqual([false, false]);
  expect([MAX_APART_MS + 1, -MAX_APART_MS - 1].map((ms) => isApart(`${AT + ms}-0`, AT))).toEqual([true, true]);
  expect([isApart('x', AT), isApart(`${AT}-0`, NaN)]).toEqual([true, true]);
});

it('gives a message once in a replay, and none that lies at another time', () => {
  const played = new Played();
  const entry = (id: string) => ({ id, text: 'text', deliveries: 0 });
  expect(replayed(played, entry(`${AT}-0`), of(1))).toBeUndefined();
  expect(replayed(played, entry(`${AT}-1`), of(1))).toBe('again');
  expect(replayed(played, entry(`${AT + 400_000}-1`), of(2))).toBe('elsewhere');
  expect(replayed(played, entry(`${AT}-2`), undefined)).toBeUndefined();
});
