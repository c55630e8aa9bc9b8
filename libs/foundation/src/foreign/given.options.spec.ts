import { describe, expect, it } from '@jest/globals';
import { ArgumentError } from '../errors/config.errors.js';
import { LONGEST_TIMER_MS } from '../time/duration.js';
import { checkSignal, givenOptions, givenTime } from './given.options.js';

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

describe('givenOptions', () => {
  const read = (options: unknown): object =>
    givenOptions<{ min?: number; signal?: object }>('call', options, ['min', 'signal']);

  it('gives back what it was given, and takes what is undefined for nothing', () => {
    const options = { min: 1, other: undefined };
    expect(read(options)).toBe(options);
    expect(read({})).toEqual({});
    expect(read(Object.create(null))).toEqual({});
    // What stands on a prototype is not what the caller has written.
    expect(() => read(Object.create({ helper: () => 1 }))).not.toThrow();
  });

  it.each([
    [
      { mni: 1 },
      'call: invalid argument "mni": received 1 (number), expected no such option (known here: min, signal)',
    ],
    [{ min: 1, constructor: 5 }, 'invalid argument "constructor"'],
    [JSON.parse('{"__proto__": 1}'), 'invalid argument "__proto__"'],
  ])('refuses %j, and says what there is', (options, words) => {
    expect(() => read(options)).toThrow(ArgumentError);
    expect(() => read(options)).toThrow(words);
  });

  it.each([undefined, null, 'min', 5, [], [1], () => 1, Symbol('a')])('refuses %p, which is no options', (options) => {
    expect(() => read(options)).toThrow(/invalid argument "options".*expected an object/);
  });
});

describe('checkSignal', () => {
  it('takes none, that of Node.js and one of another realm', () => {
    const { signal } = new AbortController();
    const other = { aborted: false, addEventListener: () => undefined, removeEventListener: () => undefined };
    for (const each of [undefined, signal, AbortSignal.abort(), other])
      expect(() => checkSignal('call', each)).not.toThrow();
  });

  it.each([null, 5, 'signal', {}, new AbortController(), new EventTarget(), []])('refuses %p', (signal) => {
    expect(() => checkSignal('call', signal)).toThrow(/invalid argument "signal".*expected an AbortSignal/);
  });
});
