import { describe, expect, it } from '@jest/globals';
import { ArgumentError } from '../errors/config.errors.js';
import {
  checkValue,
  MAX_CONFIG_BYTES,
  MAX_PATH_LENGTH,
  overlap,
  putValue,
  segmentsOf,
  valueAt,
} from './config.path.js';

describe('A path', () => {
  it.each([
    ['a', ['a']],
    ['a.b-c.0', ['a', 'b-c', '0']],
    [Array(50).fill('a').join('.'), Array(50).fill('a')],
  ])('is %s', (path, segments) => {
    expect(segmentsOf(path)).toEqual(segments);
  });

  it.each([
    [''],
    ['.'],
    ['a.'],
    ['a..b'],
    ['__proto__'],
    ['a.constructor.b'],
    ['prototype'],
    [Array(51).fill('a').join('.')],
    ['a'.repeat(MAX_PATH_LENGTH + 1)],
    [5],
    [null],
    [['a']],
    [{ toString: () => 'a' }],
  ])('is not %j', (path) => {
    expect(segmentsOf(path)).toBeUndefined();
  });

  it('sees own properties alone', () => {
    expect(valueAt({ a: { b: [1] } }, ['a', 'b', '0'])).toBe(1);
    expect(valueAt({ a: 1 }, ['toString'])).toBeUndefined();
    expect(valueAt({ a: 'text' }, ['a', 'length'])).toBeUndefined();
    expect(valueAt(undefined, ['a'])).toBeUndefined();
  });

  it('copies what is on the way alone', () => {
    const document = { a: { b: 1 }, c: { d: 1 } };
    const changed: Record<string, unknown> = { ...document };
    expect(putValue(changed, ['a', 'b'], 2, new Set([changed]))).toBe(true);
    expect(changed).toEqual({ a: { b: 2 }, c: { d: 1 } });
    expect(changed['c']).toBe(document.c);
    expect(document.a.b).toBe(1);
  });

  it('overlaps with those above and below it', () => {
    expect(overlap(['a'], ['a', 'b'])).toBe(true);
    expect(overlap(['a', 'b'], ['a'])).toBe(true);
    expect(overlap(['a', 'b'], ['a', 'c'])).toBe(false);
  });
});

describe('A value', () => {
  it('is a copy', () => {
    const value = { a: [new Date(0), null] };
    expect(checkValue('set', value)).toEqual({ a: ['1970-01-01T00:00:00.000Z', null] });
  });

  const circle: unknown[] = [];
  circle.push(circle);
  it.each([
    ['nothing', undefined],
    ['a function', () => 1],
    ['a function within', { a: [() => 1] }],
    ['a symbol', { a: Symbol('s') }],
    ['a BigInt', 1n],
    ['NaN', [NaN]],
    ['a Map', { a: new Map() }],
    ['a circle', circle],
    ['__proto__', JSON.parse('{"a":{"__proto__":1}}')],
    ['constructor', { constructor: 1 }],
    ['too many levels', JSON.parse(`${'['.repeat(21)}${']'.repeat(21)}`)],
    ['more levels than a stack has', JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
    ['too much', 'x'.repeat(MAX_CONFIG_BYTES)],
    [
      'a getter that throws',
      {
        get a(): never {
          throw new Error('no');
        },
      },
    ],
    [
      'a toJSON that throws a revoked proxy',
      {
        toJSON: () => {
          throw revoked();
        },
      },
    ],
  ])('is not %s', (_name, value) => {
    expect(() => checkValue('set', value)).toThrow(ArgumentError);
  });
});

function revoked(): Error {
  const { proxy, revoke } = Proxy.revocable(new Error('x'), {});
  revoke();
  return proxy;
}
