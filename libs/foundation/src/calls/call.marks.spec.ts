import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { ArgumentError } from '../errors/config.errors.js';
import { marksOf, MAX_CALL_MARKS, readMarks } from './call.marks.js';
import { Callable } from './callable.decorator.js';

class Base {
  @Callable({ timeout: '30s' })
  report(): void {}
  @Callable({ idempotent: true })
  overridden(): void {}
}

class Till extends Base {
  @Callable({ idempotent: true, timeout: 150 })
  charge(): void {}
  @Callable()
  plain(): void {}
  secret(): void {}
  override overridden(): void {}
}

/** A class with so many marked methods. */
function wide(count: number): { prototype: unknown } {
  class Wide {}
  for (let index = 0; index < count; index++) {
    const method = (): void => {};
    Object.defineProperty(Wide.prototype, `m${index}`, { value: method, configurable: true });
    Callable({ idempotent: true })(Wide.prototype, `m${index}`, { value: method });
  }
  return Wide;
}

describe('marksOf', () => {
  it('has the marks of the class and of its base, and no method that is only callable', () => {
    expect(marksOf(Till.prototype, 'x')).toEqual({
      report: { timeout: 30_000 },
      charge: { idempotent: true, timeout: 150 },
      overridden: { idempotent: true },
    });
  });

  it.each([[undefined], [null], [{}], [5], [class {}.prototype]])('is nothing for %p', (prototype) => {
    expect(marksOf(prototype, 'x')).toBeUndefined();
  });

  it('rejects a class with more marks than a row takes, and takes as many as it does', () => {
    expect(Object.keys(marksOf(wide(MAX_CALL_MARKS).prototype, 'x')!)).toHaveLength(MAX_CALL_MARKS);
    expect(() => marksOf(wide(MAX_CALL_MARKS + 1).prototype, '@Singleton Wide')).toThrow(ArgumentError);
  });
});

describe('readMarks', () => {
  it('reads what was written', () => {
    const marks = marksOf(Till.prototype, 'x');
    expect(readMarks(JSON.parse(JSON.stringify(marks)))).toEqual(marks);
  });

  it.each([
    [undefined, undefined],
    ['text', undefined],
    [[], undefined],
    [
      { a: 5, b: { idempotent: 'yes', timeout: -1 }, c: { timeout: 2 ** 31 } },
      { b: {}, c: {} },
    ],
    [Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`m${index}`, 1])), {}],
  ])('reads of %j what is right', (value, read) => {
    expect(readMarks(value)).toEqual(read);
  });
});
