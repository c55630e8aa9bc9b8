import { describe, expect, it } from '@jest/globals';
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import { nameOfSchema, readAs } from './payload.js';
import { isStandard, type StandardSchema } from './standard.schema.js';

/** A schema of a library that does as it likes. */
const answering = (validate: (value: unknown) => unknown, vendor: unknown = 'odd'): StandardSchema =>
  ({ '~standard': { version: 1, vendor, validate } }) as StandardSchema;

describe('a Standard Schema', () => {
  const schemas: [string, StandardSchema<{ id: number }>][] = [
    ['zod', z.object({ id: z.number().int() })],
    ['valibot', v.object({ id: v.pipe(v.number(), v.integer()) })],
    ['arktype', type({ id: 'number.integer' })],
  ];
  it.each(schemas)('of %s reads a value, or says what is wrong with it, and where', async (vendor, schema) => {
    expect(isStandard(schema)).toBe(true);
    expect(nameOfSchema(schema)).toBe(`schema of ${vendor}`);
    expect(await readAs(schema, { id: 7 })).toEqual({ value: { id: 7 } });
    const wrong = await readAs(schema, { id: 'x' });
    expect(wrong.errors).toHaveLength(1);
    expect(wrong.errors![0]).toMatch(/^id: .*number/);
    expect((await readAs(schema, 5)).errors).not.toHaveLength(0);
  });

  it('gives what it makes of the value, also later', async () => {
    const schema = z.object({ at: z.coerce.date(), note: z.string().default('none') }).refine(async () => true);
    expect(await readAs(schema, { at: '2026-01-01' })).toEqual({ value: { at: new Date('2026-01-01'), note: 'none' } });
  });

  it.each<[string, (value: unknown) => unknown, string[]]>([
    [
      'throws',
      () => {
        throw new RangeError('a secret');
      },
      ['the schema failed with RangeError'],
    ],
    ['rejects', () => Promise.reject(new TypeError('a secret')), ['the schema failed with TypeError']],
    ['answers nothing', () => undefined, ['the schema failed with TypeError']],
    ['answers no list', () => ({ issues: 'all' }), ['not valid']],
    ['answers an empty list', () => ({ issues: [] }), ['not valid']],
    [
      'answers issues that are none',
      () => ({ issues: [null, 5, { message: 7 }] }),
      ['not valid', 'not valid', 'not valid'],
    ],
    [
      'has keys of every kind in the path',
      () => ({ issues: [{ message: 'wrong', path: ['a', 0, Symbol('s'), { key: 'b' }, {}, null] }] }),
      ['a.0.Symbol(s).b.?.?: wrong'],
    ],
    ['would move the cursor', () => ({ issues: [{ message: 'one\u001b[2Jtwo' }] }), ['one [2Jtwo']],
  ])('that %s is invalid, and nothing more', async (_what, validate, errors) => {
    expect(await readAs(answering(validate), 1)).toEqual({ errors });
  });

  it('names at most twenty issues, each of bounded length', async () => {
    const issues = Array.from({ length: 1000 }, () => ({ message: 'x'.repeat(100_000) }));
    const { errors } = await readAs(
      answering(() => ({ issues })),
      1,
    );
    expect(errors).toHaveLength(20);
    expect(errors!.join().length).toBeLessThan(100_000);
  });

  it('is one of version 1 with a function, whatever else it is', () => {
    const hostile = Object.defineProperty({}, '~standard', {
      get: () => {
        throw new Error('not here');
      },
    });
    const others = [
      null,
      5,
      'text',
      {},
      { '~standard': 1 },
      { '~standard': { version: 2, validate: () => 1 } },
      hostile,
    ];
    expect(others.map(isStandard)).toEqual(others.map(() => false));
    expect(nameOfSchema(answering(() => 1, { name: 'x' }))).toBe('schema of another library');
  });
});
