// What lies in the place of rows and counts for nothing, by itself.
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Refused } from './replica.options.js';
import { UnusableRows } from './unusable.rows.js';

interface Value {
  version: number;
  text: string;
}

const NOW = 1_700_000_000_000;
const EVERY_MS = 10_000;

let known: Map<string, Value>;
let refused: [reason: Refused, key: string, count: number][];
let warned: string[];
let unusable: UnusableRows<Value>;

const make = (more: Partial<ConstructorParameters<typeof UnusableRows<Value>>[1]> = {}): UnusableRows<Value> =>
  new UnusableRows(known, {
    what: 'table of tests',
    write: ({ text }) => text,
    refused: (...what) => refused.push(what),
    ...more,
  });
const forged = (key: string, version: number) => ({ key, version, value: '', isForeign: true }) as const;
const unreadable = (key: string, version: number) => ({ key, version, value: '?' });

beforeEach(() => {
  [refused, warned] = [[], []];
  Logger.overrideLogger(false);
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((...said: unknown[]) => void warned.push(String(said[0])));
  known = new Map([
    ['x', { version: 1, text: 'x1' }],
    ['y', { version: 2, text: 'y1' }],
  ]);
  unusable = make();
});

describe('what was read', () => {
  it('is known by its version until there is a row again', () => {
    unusable.add(forged('x', 5));
    unusable.add(unreadable('new', 6));
    expect([unusable.versionOf('x'), unusable.versionOf('new'), unusable.versionOf('y')]).toEqual([5, 6, undefined]);
    expect([...unusable.entries()].map(([key]) => key)).toEqual(['x', 'new']);
    unusable.clear('x');
    expect([unusable.versionOf('x'), unusable.replacements(NOW)]).toEqual([undefined, []]);
  });

  it('is reported by reason, once: one of them, and how many', () => {
    for (const [index, key] of ['x', 'y', 'z'].entries()) unusable.add(forged(key, 5 + index));
    unusable.add(unreadable('u', 9));
    unusable.report();
    unusable.report();
    expect(refused).toEqual([
      ['bad-signature', 'z', 3],
      ['unreadable', 'u', 1],
    ]);
    expect(warned).toEqual([
      expect.stringMatching(/^An entry of the table of tests is not signed with the cookie of this node/),
      expect.stringMatching(/^An entry of the table of tests is not readable/),
    ]);
  });

  it('is forgotten when a complete read does not find it as it was', () => {
    for (const [index, key] of ['x', 'y', 'z'].entries()) unusable.add(forged(key, 5 + index));
    unusable.retain(new Map([['x', 5], ['y', 60]])); // prettier-ignore
    expect([...unusable.entries()].map(([key]) => key)).toEqual(['x']);
    expect(unusable.replacements(NOW)).toMatchObject([{ key: 'x' }]);
  });
});

describe('what is written in its place', () => {
  it('is the row that is known, over the version that lies there', () => {
    unusable.add(forged('x', 5));
    unusable.add(forged('new', 6));
    expect(unusable.replacements(NOW)).toEqual([{ key: 'x', value: 'x1', expected: 5 }]);
  });

  it('is nothing where it cannot be read, unless the owner of the table says so', () => {
    unusable.add(unreadable('x', 5));
    expect(unusable.replacements(NOW)).toEqual([]);
    const said: unknown[] = [];
    const asked = make({ writeBack: (...what) => (said.push(what), what[0] === 'x' ? 'mine' : undefined) });
    asked.add(unreadable('x', 5));
    asked.add(forged('y', 6));
    expect(asked.replacements(NOW)).toEqual([{ key: 'x', value: 'mine', expected: 5 }]);
    expect(said).toEqual([
      ['x', known.get('x'), 'unreadable'],
      ['y', known.get('y'), 'bad-signature'],
    ]);
  });

  it('is nothing where nothing is written back, or there is no row any more', () => {
    const silent = new UnusableRows(known, { what: 'table of tests' });
    silent.add(forged('x', 5));
    silent.report();
    expect(silent.replacements(NOW)).toEqual([]);
    unusable.add(forged('x', 5));
    known.delete('x');
    expect(unusable.replacements(NOW)).toEqual([]);
  });

  it('is written once in ten seconds for each, and at once again when it could not be', () => {
    unusable.add(forged('x', 5));
    unusable.add(forged('y', 6));
    const [x, y] = unusable.replacements(NOW);
    unusable.replaced([x!], NOW);
    expect(unusable.replacements(NOW + EVERY_MS - 1)).toEqual([y]);
    unusable.replaced([x!], undefined);
    expect(unusable.replacements(NOW + EVERY_MS - 1)).toEqual([x, y]);
    unusable.replaced([x!, y!], NOW);
    expect(unusable.replacements(NOW + EVERY_MS - 1)).toEqual([]);
    expect(unusable.replacements(NOW + EVERY_MS)).toEqual([x, y]);
  });
});
