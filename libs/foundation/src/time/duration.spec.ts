import { describe, expect, it } from '@jest/globals';
import { millisecondsOf, parseDuration } from './duration.js';

describe('parseDuration', () => {
  it.each([
    [0, 0],
    [1500, 1500],
    ['0s', 0],
    ['0ms', 0],
    ['1ms', 1],
    ['500ms', 500],
    ['0.5s', 500],
    ['0.1s', 100],
    ['1.005s', 1005],
    ['30s', 30_000],
    ['30 s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    ['999999999999999999d', 8.64e25],
  ])('reads %p as %p ms', (value, ms) => {
    expect(parseDuration(value)).toBe(ms);
    expect(millisecondsOf(value as number)).toBe(ms);
  });

  it.each([
    ...['', ' ', 's', '-1s', '+1s', '1', '1000', 'abc', '1e3s', '1,5s', '.5s', '1.s', '1  s', ' 1s', '1s ', '1S', '1y'],
    ...['1 second', '1s2', '1h30m', 'NaN', 'Infinity', 'infinity', '0x1s', '\u0661s', `${'1'.repeat(30)}s`],
    ...[undefined, null, true, {}, [], ['1s'], 5n, Symbol('s')],
  ])('is undefined for %p', (value) => expect(parseDuration(value)).toBeUndefined());

  it('hands numbers through, which the rule of the option checks', () => {
    for (const value of [-1, 1.5, 1e12, Infinity]) expect(parseDuration(value)).toBe(value);
    expect(parseDuration(NaN)).toBeNaN();
  });
});
