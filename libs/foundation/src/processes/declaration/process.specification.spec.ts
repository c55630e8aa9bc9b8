import { describe, expect, it } from '@jest/globals';
import type { ProcessCount, ProcessKind } from '../../cluster/slot.names.js';
import { processDefaults } from '../../config/resolve.js';
import { ArgumentError, FoundationConfigError } from '../../errors/config.errors.js';
import type { ProcessOptions } from './process.decorators.js';
import { specOf, type SpecRequest } from './process.specification.js';

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
      rebalance: 'on-join',
    });
  });

  it('takes what is given', () => {
    const options = {
      ...{ name: 'price-feed', placement: 'hash', restart: 'transient', backoff: { base: 1 } },
      ...{ handoff: true, rebalance: 'on-join' },
    } as ProcessOptions;
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

  it('names each option that it knows, for one that it does not', () => {
    const own = 'name, placement, handoff, rebalance, ';
    const shared = 'restart, maxRestarts, maxSeconds, backoff, timeout, stopTimeout)';
    const options = { nam: 'x' } as ProcessOptions;
    const known = (request: Partial<SpecRequest>) => (): unknown => of({ options, ...request });
    expect(known({})).toThrow(`(known here: ${own}args, ${shared}`);
    expect(known({ declared: false })).toThrow(`(known here: ${own}${shared}`);
    expect(known({ declared: false, kind: 'replicated', count: 2 })).toThrow(`(known here: ${own}replicas, ${shared}`);
    expect(known({ kind: 'partitioned', count: 2 })).toThrow(`(known here: ${own}partitions, args, ${shared}`);
    expect(known({ options: { backoff: { bas: 1 } } as ProcessOptions })).toThrow('(known here: base, cap)');
  });

  it('gives partitions a place by hash and lets them move, unless the options say otherwise', () => {
    expect(of({ kind: 'partitioned', count: 8 })).toMatchObject({
      ...{ kind: 'partitioned', count: 8, rebalance: 'on-join' },
      placement: { strategy: 'hash', labels: {} },
    });
    const options = { placement: 'spread', rebalance: 'off' } as const;
    expect(of({ kind: 'partitioned', count: 8, options })).toMatchObject({
      rebalance: 'off',
      placement: { strategy: 'spread', labels: {} },
    });
  });

  it('fills in what a placement with labels leaves out, and copies the labels', () => {
    const labels = { role: 'worker' };
    const { placement } = of({ options: { placement: { labels } } });
    labels.role = 'other';
    expect(placement).toEqual({ strategy: 'spread', labels: { role: 'worker' } });
    expect(of({ options: { placement: { strategy: 'hash' } } }).placement).toEqual({ strategy: 'hash', labels: {} });
  });

  it.each<[ProcessKind, ProcessCount]>([
    ['singleton', 1],
    ['replicated', 'all'],
    ['replicated', 3],
    ['replicated', 4096],
    ['partitioned', 1],
    ['partitioned', 4096],
  ])('takes %s with the count %j', (kind, count) => {
    expect(of({ kind, count })).toMatchObject({ kind, count });
  });

  it.each<[ProcessKind, unknown, RegExp]>([
    ['replicated', -1, /"replicas".*'all'/],
    ['replicated', 0, /received 0|got 0|\b0\b/],
    ['replicated', 4097, /"replicas".*4096/],
    ['replicated', 2.5, /"replicas"/],
    ['replicated', '3', /"replicas"/],
    ['replicated', NaN, /"replicas"/],
    ['partitioned', 0, /"partitions".*from 1 to 4096/],
    ['partitioned', 4097, /"partitions"/],
    ['partitioned', Infinity, /"partitions"/],
    ['partitioned', undefined, /"partitions"/],
    ['partitioned', 'all', /"partitions"/],
  ])('refuses %s with the count %p', (kind, count, message) => {
    const make = (): unknown => of({ kind, count: count as number });
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(message);
  });

  it.each([
    ['handoff', 'yes'],
    ['handoff', null],
    ['rebalance', 'always'],
    ['rebalance', true],
    ['rebalance', null],
  ])('refuses %s: %j', (option, value) => {
    const make = (): unknown => of({ options: { [option]: value } });
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(new RegExp(`"${option}"`));
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

  it.each([
    ['fastest'],
    [5],
    [{ strategy: 'fastest' }],
    [{ strategy: null }],
    [{ labels: { role: 5 } }],
    [{ labels: { role: '' } }],
    [{ labels: { role: 'x'.repeat(64) } }],
    [{ labels: ['worker'] }],
    [{ labels: null }],
    [{ label: { role: 'worker' } }],
    [[]],
    [null],
  ])('refuses the placement %j', (placement) => {
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
    expect(make).toThrow(/@Singleton Feed: invalid argument "name".*200 characters/);
  });

  it.each([['feed#1'], ['feed/0'], ['a/b/12'], ['feed@node-1'], ['me@x']])(
    'refuses %j, which is the name of a slot',
    (name) => {
      const make = (): unknown => of({ options: { name } });
      expect(make).toThrow(ArgumentError);
      expect(make).toThrow(/"name".*without #, \/ or @/);
    },
  );

  it.each([['feed#one'], ['#1'], ['a/b'], ['feed@'], ['@node'], ['1/x'], ['feed#1 ']])(
    'takes %j, which is none',
    (name) => {
      expect(of({ options: { name } }).name).toBe(name);
    },
  );

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
