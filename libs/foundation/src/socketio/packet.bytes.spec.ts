import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readBytes, withBytes, withoutBytes } from './packet.bytes.js';

const buffers = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes));
const { packet } = fc.letrec((tie) => ({
  packet: fc.oneof(
    { depthSize: 'small', maxDepth: 6 },
    fc.jsonValue(),
    buffers,
    fc.array(tie('packet'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('packet'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));
/** As it arrives at another node. */
const travelled = (value: unknown): unknown => {
  const { value: plain, bytes } = withoutBytes(value);
  const { v, b } = JSON.parse(JSON.stringify({ v: plain, b: bytes ?? [] })) as { v: unknown; b: unknown };
  return withBytes(v, readBytes(b)!);
};

describe('Bytes in a packet', () => {
  it('arrive where they were, beside what JSON makes of the rest', () => {
    fc.assert(
      fc.property(fc.array(packet), (value) => {
        const isBytes = (each: unknown): each is Buffer => Buffer.isBuffer(each);
        const asJson = (each: unknown): unknown => {
          if (isBytes(each)) return each;
          if (Array.isArray(each)) return each.map(asJson);
          if (typeof each !== 'object' || each === null) return JSON.parse(JSON.stringify(each)) as unknown;
          return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, asJson(inner)]));
        };
        expect(travelled(value)).toEqual(asJson(value));
      }),
    );
  });

  it('are those of typed arrays and of an ArrayBuffer, also of a part of one, and of a value alone', () => {
    const whole = new Uint8Array([1, 2, 3, 4]);
    const given = [whole.subarray(1, 3), whole.buffer, new DataView(whole.buffer, 3)];
    expect(travelled(given)).toEqual([Buffer.from([2, 3]), Buffer.from([1, 2, 3, 4]), Buffer.from([4])]);
    expect(travelled(Buffer.from('x'))).toEqual(Buffer.from('x'));
  });

  it('leave a value as it is that has none, and one with a circle or very deep to JSON', () => {
    const plain = { a: [1, { b: 'c' }] };
    expect(withoutBytes(plain)).toEqual({ value: plain });
    expect(withoutBytes(plain).value).toBe(plain);
    const circle: { self?: unknown } = {};
    circle.self = circle;
    expect(withoutBytes(circle).value).toBe(circle);
  });

  it('reach no prototype and no place that is not there, whoever wrote them', () => {
    const places: unknown[] = [['__proto__', 'x'], ['constructor', 'prototype', 'x'], ['a', 'b', 'c'], [0], ['length']];
    for (const place of places) {
      expect(withBytes({ a: 1 }, readBytes([[place, 'AA==']])!)).toEqual({ a: 1 });
    }
    expect(({} as { x?: unknown }).x).toBeUndefined();
    for (const wrong of [null, 7, 'x', {}, [1], [[1, 'AA==']], [[[], 7]]]) expect(readBytes(wrong)).toBeUndefined();
  });
});
