import { describe, expect, it } from '@jest/globals';
import {
  changesSince,
  type ConfigRow,
  documentOf,
  idOf,
  MAX_CHANGES,
  MAX_PATHS,
  nextContent,
  overtaking,
  patched,
  readProposal,
  readRow,
  writeRow,
} from './config.row.js';

const rowAfter = (...changes: [path: string, value: unknown][]): ConfigRow => {
  let row: ConfigRow | undefined;
  changes.forEach(([path, value], index) => {
    const content = nextContent(row, { path, value, id: `id ${index}`, node: 'n' });
    row = readRow({ key: 'app', value: writeRow(content), version: 100 + index });
  });
  return row!;
};

describe('The row of a configuration', () => {
  it('has what was set, and the changes with the versions that they made', () => {
    const row = rowAfter(['a', 1], ['b.c', 2], ['a', 3]);
    expect(row.values).toEqual([
      { path: 'b.c', value: 2 },
      { path: 'a', value: 3 },
    ]);
    expect(row.changes.map(({ id, revision }) => [id, revision])).toEqual([
      ['id 0', 100],
      ['id 1', 101],
      ['id 2', 0],
    ]);
    expect([idOf(row), idOf(undefined)]).toEqual(['id 2', '']);
    expect(changesSince(row, 'id 0')?.map(({ revision }) => revision)).toEqual([101, 102]);
    expect(changesSince(row, 'id 2')).toEqual([]);
    expect(changesSince(row, '')).toHaveLength(3);
    expect(changesSince(row, 'unheard of')).toBeUndefined();
  });

  it('has the last changes only, in number and in size, and then does not pretend to have all', () => {
    const many = rowAfter(...Array.from({ length: MAX_CHANGES + 5 }, (_, index): [string, unknown] => ['a', index]));
    expect(many.changes).toHaveLength(MAX_CHANGES);
    expect(changesSince(many, '')).toBeUndefined();
    expect(changesSince(many, 'id 1')).toBeUndefined();
    const large = rowAfter(
      ...Array.from({ length: 5 }, (_, index): [string, unknown] => ['a', `${index}`.repeat(100_000)]),
    );
    expect(large.changes).toHaveLength(3);
    expect(changesSince(large, '')).toBeUndefined();
  });

  it('knows which change touches the same value', () => {
    const row = rowAfter(['a', 1], ['limits.up', 2], ['limitsOther', 3]);
    expect(overtaking(row, 'id 0', 'limits')?.node).toBe('n');
    expect(overtaking(row, 'id 0', 'limits.up.x')?.node).toBe('n');
    expect(overtaking(row, 'id 0', 'limits.down')).toBeUndefined();
    expect(overtaking(row, 'id 0', 'limit')).toBeUndefined();
    // What it does not know may have touched it.
    expect(overtaking(row, 'lost', 'other')?.node).toBe('n');
  });

  it('loses what lies below a path that is set', () => {
    const values = [
      { path: 'a.b', value: 1 },
      { path: 'ab', value: 2 },
    ];
    expect(patched(values, { path: 'a', value: {} })).toEqual([
      { path: 'ab', value: 2 },
      { path: 'a', value: {} },
    ]);
  });

  it('lies on the defaults, and shares nothing that changes', () => {
    const defaults = { a: { b: 1, c: 2 }, d: [1] };
    expect(documentOf(defaults, [{ path: 'a.b', value: 5 }])).toEqual({ a: { b: 5, c: 2 }, d: [1] });
    expect(documentOf(defaults, [{ path: 'x.y', value: 5 }])).toEqual({ ...defaults, x: { y: 5 } });
    expect(documentOf(defaults, [{ path: 'd.0', value: 5 }])).toBeUndefined();
    expect(documentOf(defaults, [{ path: 'a.b.c', value: 5 }])).toBeUndefined();
    expect(documentOf(defaults, [{ path: 'toString.x', value: 5 }])).toEqual({ ...defaults, toString: { x: 5 } });
    expect(defaults).toEqual({ a: { b: 1, c: 2 }, d: [1] });
  });

  it('lies there at once, also where all paths that may be set are below one name', () => {
    const values = Array.from({ length: MAX_PATHS }, (_, index) => ({ path: `a.${index}x`, value: index }));
    const began = performance.now();
    for (let index = 0; index < 100; index++) documentOf({ a: { b: 1 } }, values);
    // A node that comes back does it for each of 100 changes; it took 18 s.
    expect(performance.now() - began).toBeLessThan(5000);
    expect(Object.keys(documentOf({ a: { b: 1 } }, values)!['a'] as object)).toHaveLength(MAX_PATHS + 1);
  });

  const change = { path: 'a', value: 1, id: 'x', node: 'n', revision: 0 };
  const right = { values: [{ path: 'a', value: 1 }], changes: [change], count: 1 };
  const deep = JSON.parse(`${'['.repeat(21)}${']'.repeat(21)}`) as unknown;

  it.each([
    ['no JSON', '{'],
    ['no object', '5'],
    ['no changes', JSON.stringify({ ...right, changes: [] })],
    ['a path to a prototype', JSON.stringify({ ...right, values: [{ path: '__proto__.x', value: 1 }] })],
    ['a value with a prototype', `{"values":[{"path":"a","value":{"prototype":1}}],"changes":[],"count":1}`],
    ['a value of too many levels', JSON.stringify({ ...right, values: [{ path: 'a', value: deep }] })],
    ['a value that is missing', JSON.stringify({ ...right, values: [{ path: 'a' }] })],
    [
      'too many values',
      JSON.stringify({ ...right, values: Array.from({ length: MAX_PATHS + 1 }, () => right.values[0]) }),
    ],
    ['a count that is none', JSON.stringify({ ...right, count: -1 })],
    ['a text that is too long', JSON.stringify({ ...right, more: 'x'.repeat(4_000_000) })],
  ])('is none with %s', (_name, value) => {
    expect(readRow({ key: 'app', value: writeRow(right), version: 1 })).toBeDefined();
    expect(readRow({ key: 'app', value, version: 1 })).toBeUndefined();
  });

  it.each([[undefined], [null], [5], [{}], [{ id: 'x', values: 5 }], [{ id: 5, values: [] }]])(
    'is not proposed by %j',
    (proposal) => {
      expect(readProposal({ id: 'x', values: right.values })).toEqual({ id: 'x', values: right.values });
      expect(readProposal(proposal)).toBeUndefined();
    },
  );
});
