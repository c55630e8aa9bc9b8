import { describe, expect, it } from '@jest/globals';
import { processDefaults } from '../config/resolve.js';
import { ArgumentError, FoundationConfigError } from '../errors.js';
import { specOf, type SpecRequest } from './spec.js';

const defaults = processDefaults({});

const of = (request: Partial<SpecRequest> = {}) =>
  specOf(
    {
      ...{ subject: '@Singleton Feed', type: 'Feed', declared: true, kind: 'singleton', count: 1 },
      ...{ options: {}, args: [] },
      ...request,
    },
    defaults,
  );

describe('specOf', () => {
  it('fills in the defaults', () => {
    expect(of()).toEqual({
      name: 'Feed',
      type: 'Feed',
      declared: true,
      kind: 'singleton',
      count: 1,
      args: [],
      options: defaults,
      placement: { strategy: 'spread', labels: {} },
      handoff: false,
      rebalance: 'off',
    });
  });

  it('takes what is given', () => {
    const options = {
      ...{ name: 'price-feed', placement: 'hash', restart: 'transient', backoff: { base: 1 } },
      ...{ handoff: true, rebalance: 'on-join' },
    } as const;
    expect(of({ options, args: ['EUR', { depth: [1, null, true] }] })).toEqual({
      name: 'price-feed',
      type: 'Feed',
      declared: true,
      kind: 'singleton',
      count: 1,
      args: ['EUR', { depth: [1, null, true] }],
      options: { ...defaults, restart: 'transient', backoff: { base: 1, cap: 10_000 } },
      placement: { strategy: 'hash', labels: {} },
      handoff: true,
      rebalance: 'on-join',
    });
  });

  it('copies the arguments', () => {
    const inner = { symbol: 'EUR' };
    const { args } = of({ args: [inner] });
    inner.symbol = 'USD';
    expect(args).toEqual([{ symbol: 'EUR' }]);
  });

  it.each([
    [{ restart: 'sometimes' }, '@Singleton Feed.restart'],
    [{ maxRestart: 3 }, '@Singleton Feed.maxRestart'],
    [{ timeout: 0 }, '@Singleton Feed.timeout'],
    [{ stopTimeout: 'long' }, '@Singleton Feed.stopTimeout'],
    [{ backoff: { base: 10, top: 1 } }, '@Singleton Feed.backoff.top'],
    [{ backoff: { base: 10, cap: 5 } }, 'backoff.cap'],
  ])('refuses the options %j', (options, path) => {
    let error: unknown;
    try {
      of({ options: options as SpecRequest['options'] });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(FoundationConfigError);
    expect((error as FoundationConfigError).option).toBe(path);
  });

  it.each([['fastest'], [5], [null]])('refuses the placement %j', (placement) => {
    expect(() => of({ options: { placement } as unknown as SpecRequest['options'] })).toThrow(ArgumentError);
  });
});

describe('specOf: names', () => {
  it.each([['a'], ['price-feed'], ['with space'], ['käse:{x}/é'], ['x'.repeat(200)]])('takes %j', (name) => {
    expect(of({ options: { name } }).name).toBe(name);
  });

  it.each([[''], ['x'.repeat(201)], ['two\nlines'], ['nul\0'], ['tab\t'], [5], [null], [{}]])('refuses %j', (name) => {
    const make = (): unknown => of({ options: { name } as SpecRequest['options'] });
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(/@Singleton Feed: argument "name".*200 characters/);
  });

  it('refuses a class without a name', () => {
    expect(() => of({ type: '' })).toThrow(ArgumentError);
  });
});

class Point {
  constructor(readonly x = 1) {}
}
const cyclic: Record<string, unknown> = {};
cyclic['self'] = cyclic;

describe('specOf: arguments must survive JSON', () => {
  it.each([
    ['nothing', []],
    ['plain values', [1, -1.5, 'text', '', true, false, null]],
    ['nested ones', [{ a: [{ b: { c: [null, 'é\u2028'] } }] }, [[[]]]]],
    ['the limits of numbers', [Number.MAX_SAFE_INTEGER, 5e-324, Number.MAX_VALUE]],
    ['a text that looks like a date', ['2026-01-01T00:00:00.000Z']],
  ])('takes %s', (_what, args) => {
    expect(of({ args }).args).toEqual(args);
  });

  it.each([
    ['undefined', undefined],
    ['a Date', new Date(0)],
    ['a Map', new Map([[1, 2]])],
    ['a Set', new Set([1])],
    ['a RegExp', /x/],
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['minus zero', -0],
    ['a function', () => 1],
    ['a class', Point],
    ['an instance of a class', new Point()],
    ['a symbol', Symbol('s')],
    ['an Error', new Error('x')],
    ['a Buffer', Buffer.from('x')],
    ['a typed array', new Uint8Array(2)],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 })],
    ['an object that writes itself otherwise', { toJSON: () => 'other' }],
    ['a hole', [1, , 2]], // eslint-disable-line no-sparse-arrays
    ['a property with the value undefined', { a: undefined }],
    ['a symbol key', { [Symbol('s')]: 1 }],
  ])('refuses %s and names its place, also deep inside', (_what, value) => {
    expect(() => of({ args: ['fine', value] })).toThrow(ArgumentError);
    expect(() => of({ args: ['fine', value] })).toThrow(/"args\[1\]".*JSON/);
    expect(() => of({ args: [{ deep: [{ down: value }] }] })).toThrow(/"args\[0\]"/);
  });

  it.each([
    ['a BigInt', [5n]],
    ['a BigInt inside', [{ n: 5n }]],
    ['a cycle', [cyclic]],
    [
      'a toJSON that throws',
      [
        {
          toJSON: () => {
            throw new Error('no');
          },
        },
      ],
    ],
  ])('refuses %s', (_what, args) => {
    expect(() => of({ args })).toThrow(ArgumentError);
    expect(() => of({ args })).toThrow(/"args".*JSON cannot write/);
  });

  it.each([['text'], [{}], [null], [5]])('refuses %j instead of an array', (args) => {
    expect(() => of({ args })).toThrow(/"args".*an array/);
  });
});
