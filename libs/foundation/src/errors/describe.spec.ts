import { describe, expect, it } from '@jest/globals';
import { hostileValues } from '../../../../test/support/hostile.js';
import {
  asError,
  describe as words,
  errorWords,
  isA,
  isError,
  MAX_WORDS,
  plain,
  read,
  shown,
  stackOf,
} from './describe.js';

// eslint-disable-next-line no-control-regex -- these are what must not get through
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;
const fine = (text: unknown, limit = MAX_WORDS): void => {
  expect(typeof text).toBe('string');
  expect((text as string).length).toBeLessThanOrEqual(limit);
  expect(text).not.toMatch(CONTROLS);
};

describe('the words for foreign values', () => {
  const names = Object.keys(hostileValues);
  const make = (name: string): unknown => hostileValues[name]!();

  it.each(names)('describe %s', (name) => {
    fine(words(make(name)));
    fine(shown(make(name)));
    fine(shown(make(name), 80), 80);
  });

  it.each(names)('have the fields of %s, as texts that JSON can write', (name) => {
    const fields = errorWords(make(name));
    fine(fields.message);
    fine(fields.name, 100);
    fine(fields.code ?? '', 100);
    fine(fields.stack ?? '', 4000);
    expect(JSON.parse(JSON.stringify(fields))).toEqual(fields);
  });

  it.each(names)('tell whether it is an error, and make one of %s', (name) => {
    const value = make(name);
    expect(isError(value)).toBe(/^an (error|AggregateError)/.test(name));
    expect(isA(value, RangeError)).toBe(false);
    const error = asError(value);
    expect(isError(error)).toBe(true);
    if (isError(value)) expect(error).toBe(value);
  });

  it('read what can be read', () => {
    expect(read({ a: 1 }, 'a')).toBe(1);
    expect(read(undefined, 'a')).toBeUndefined();
    expect(read(make('a revoked proxy'), 'a')).toBeUndefined();
    expect(read(make('an error that throws at every look'), 'message')).toBeUndefined();
  });

  it('say what was wrong in the words of the error', () => {
    expect(words(make('an error'))).toBe('it broke');
    expect(words(make('an error that throws at every look'))).toBe('Error');
    expect(words(make('an error with a BigInt as its message'))).toBe('7');
    expect(words(make('an AggregateError that holds itself'))).toContain('inside');
    expect(words(make('an error of 5 MB'))).toMatch(/^x{999}…$/);
    expect(words(make('control characters'))).toBe('a [31mred back');
  });

  it('cut no character in two', () => {
    expect(plain('😀😀', 4)).toBe('😀😀');
    expect(plain('a😀😀', 3)).toBe('a…');
  });

  it('have stacks of a few causes, of which each has its share', () => {
    const deep = new Error('a', { cause: new Error('b', { cause: new Error('c', { cause: new Error('d') }) }) });
    expect(stackOf(deep)).toMatch(/^Error: a\n[^]*\nCaused by: Error: b\n[^]*\nCaused by: Error: c\n/);
    expect(stackOf(deep)).not.toContain('Error: d');
    expect(stackOf(deep, 300)!.length).toBeLessThanOrEqual(300);
    expect(stackOf(deep, 300)).toContain('Caused by: Error: c');
    expect([stackOf('text'), stackOf(undefined), stackOf(make('a revoked proxy'))]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    const own = new Error('itself');
    own.cause = own;
    fine(stackOf(own)!.slice(0, 1000));
  });

  it('look at some of what is huge, not at all of it', () => {
    let looks = 0;
    const each = { toJSON: () => (looks += 1) };
    fine(words({ list: Array.from({ length: 100_000 }, () => each) }));
    expect(looks).toBeLessThanOrEqual(1000);
  });
});
