import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { ArgumentError } from '../errors/config.errors.js';
import { LONGEST_TIMER_MS } from '../time/duration.js';
import { checkSignal, givenOptions, givenTime, isOptions } from './given.options.js';

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

describe('isOptions', () => {
  class Settings {
    min = 1;
    get max(): number {
      return 2;
    }
  }
  it.each([
    ['an object literal', {}],
    ['one without a prototype', Object.create(null)],
    ['one of another realm', runInNewContext('({ min: 1 })')],
    ['an instance of a class', new Settings()],
    ['one of a class of another realm', runInNewContext('new (class Settings { min = 1 })()')],
    ['an imported module', { [Symbol.toStringTag]: 'Module', min: 1 }],
    ['a frozen one', Object.freeze({})],
  ])('takes %s', (_kind, value) => expect(isOptions(value)).toBe(true));

  const throws = (): never => {
    throw new Error('hidden');
  };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const kinds: readonly [kind: string, value: unknown][] = [
    ['a Map', new Map([['min', 1]])],
    ['a Set', new Set()],
    ['a Date', new Date(0)],
    ['a promise', Promise.resolve({})],
    ['another thenable', { then: () => undefined }],
    ['a boxed boolean', new Boolean(false)],
    ['a boxed text', new String('min')],
    ['a list', []],
    ['a list of another realm', runInNewContext('[]')],
    ['a Map of another realm', runInNewContext('new Map()')],
    ['a signal', AbortSignal.abort()],
    ['bytes', new Uint8Array(1)],
    ['a regular expression', /a/],
    ['an error', new Error('a')],
    ['a class', Settings],
    ['a revoked proxy', revoked.proxy],
    ['a proxy that throws', new Proxy({}, { get: throws, ownKeys: throws, getPrototypeOf: throws })],
    ['a tag that throws', Object.defineProperty({}, Symbol.toStringTag, { get: throws })],
  ];
  it.each(kinds)('does not take %s', (_kind, value) => {
    expect(isOptions(value)).toBe(false);
    expect(() => givenOptions<Record<string, unknown>>('call', value, ['min', 'signal'])).toThrow(ArgumentError);
  });

  it('is said with what was given, and with what was meant where that is plain', () => {
    const said = (value: unknown): unknown => {
      try {
        return givenOptions<Record<string, unknown>>('call', value, ['min', 'signal']);
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(said(new Map())).toContain('received [object Map] (object), expected an object.');
    expect(said(Promise.resolve({}))).toContain('received a promise, expected an object: await it.');
    expect(said(AbortSignal.abort())).toContain(
      'received [object AbortSignal] (object), expected an object: { signal }.',
    );
    const unreadable = Object.defineProperty({}, 'min', { enumerable: true, get: throws });
    expect(said(unreadable)).toContain('received what cannot be read, expected an object whose fields can be read.');
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
