import { expect, it } from '@jest/globals';
import { ArgumentError } from '../errors/config.errors.js';
import { LONGEST_TIMER_MS } from '../time/duration.js';
import { givenTime } from './given.times.js';

it.each([
  [1, 1],
  [0.5e3, 500],
  ['250ms', 250],
  ['1.5s', 1500],
  ['20d', 1_728_000_000],
  [LONGEST_TIMER_MS, LONGEST_TIMER_MS],
])('reads %p as %p ms', (given, ms) => expect(givenTime('x', 'timeout', given as number)).toBe(ms));

it.each([0, -1, NaN, Infinity, LONGEST_TIMER_MS + 1, '0s', '-1s', '25d', '5', 'soon', '', null, {}, [], true, 5n])(
  'rejects %p, which a timer would turn into no time at all',
  (given) => {
    expect(() => givenTime('call', 'timeout', given as never)).toThrow(ArgumentError);
    expect(() => givenTime('call', 'timeout', given as never)).toThrow(/"timeout".*1 to 2147483647 milliseconds/);
  },
);

it('holds what it reads to the bounds of the caller', () => {
  expect(givenTime('fenced.set', 'ttl', '1m', { least: 60_000 })).toBe(60_000);
  expect(() => givenTime('fenced.set', 'ttl', '59s', { least: 60_000, most: 90_000 })).toThrow('60000 to 90000');
});
