// The page has no build step and no types; what of it needs no document is read here as the browser reads it.
import { describe, expect, it } from '@jest/globals';

interface Format {
  number(value: unknown, digits?: number): string;
  rate(value: number): string;
  lag(ms: number): string;
  plural(count: number, word: string, more?: string): string;
  capital(word: unknown): string;
  sum<T>(items: readonly T[], of: (item: T) => unknown): number;
  duration(ms: number): string;
}

const file: string = new URL('./page/format.js', import.meta.url).href;
const { number, rate, lag, plural, capital, sum, duration } = (await import(file)) as Format;

describe('format.js of the page', () => {
  it('writes numbers with thousands, and a dash for what is not a number', () => {
    expect([0, 1234.5, -3, NaN, Infinity, undefined, '5', null].map((value) => number(value))).toEqual(
      ['0', '1,235', '-3', '–', '–', '–', '–', '–'], // as Intl rounds halves
    );
    expect(number(1.26, 1)).toBe('1.3');
  });

  it('writes a digit after the point of rates and lags below ten', () => {
    expect([rate(0), rate(9.96), rate(0.04), rate(10.4), rate(1500)]).toEqual(['0', '10', '0', '10', '1,500']);
    expect([lag(0.44), lag(12.6), lag(9999), lag(10_000)]).toEqual(['0.4 ms', '13 ms', '9,999 ms', '10 s']);
  });

  it('counts one thing and several, and begins with a capital letter', () => {
    expect([plural(1, 'node'), plural(0, 'node'), plural(1200, 'entry', 'entries')]).toEqual([
      '1 node',
      '0 nodes',
      '1,200 entries',
    ]);
    expect([capital('healthy'), capital(''), capital(undefined)]).toEqual(['Healthy', '', 'Undefined']);
  });

  it('sums what is a number', () => {
    expect(sum([{ n: 1 }, { n: 'x' }, { n: undefined }, { n: 2.5 }], ({ n }) => n)).toBe(3.5);
    expect(sum([], () => 1)).toBe(0);
  });

  it.each([
    [-5, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [3_599_999, '59 min'],
    [3_600_000, '1 h 0 min'],
    [86_399_999, '23 h 59 min'],
    [90_000_000, '1 d 1 h'],
    [NaN, '–'],
  ])('writes %d milliseconds as %s', (ms, text) => expect(duration(ms)).toBe(text));
});
