// The rows of a replica by themselves: what is taken, what stays, and what is told of it.
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ReplicaRows } from './replica.rows.js';
import type { Table, TableRow, TableWrite } from './table.js';

interface Value {
  version: number;
  text: string;
}

let told: string[];
let settled: number;
let refused: unknown[][];
let rows: ReplicaRows<Value>;

beforeEach(() => {
  Logger.overrideLogger(false);
  [told, settled, refused] = [[], 0, []];
  rows = new ReplicaRows<Value>({
    what: 'table of tests',
    read: ({ value, version }) => (value === 'bad' ? undefined : { version, text: value }),
    write: ({ text }) => text,
    changed: (key, now, before) => told.push(`${key}: ${before?.text ?? '-'} → ${now?.text ?? '-'}`),
    settled: () => (settled += 1),
    refused: (...what) => refused.push(what),
  });
});

const row = (key: string, version: number, value = `${key}${version}`): TableRow => ({ key, version, value });
const mark = (key: string, version: number): TableRow => row(key, version, '');
const forged = (key: string, version: number): TableRow => ({ ...mark(key, version), isForeign: true });
const texts = (): string[] => [...rows.values()].map(({ text }) => text);

describe('a page of rows', () => {
  it('makes each newer, and never older', () => {
    rows.apply([row('a', 3), row('b', 4)]);
    rows.apply([row('a', 2), row('a', 3, 'again'), row('b', 5)]);
    expect(told).toEqual(['a: - → a3', 'b: - → b4', 'b: b4 → b5']);
    expect([rows.size, rows.get('a'), rows.versionOf('b'), rows.versionOf('c'), settled]).toEqual([
      ...[2, { version: 3, text: 'a3' }, 5, 0, 2],
    ]);
  });

  it('takes away what was removed since, and nothing that was written since', () => {
    rows.apply([row('a', 3), row('b', 4)]);
    rows.apply([mark('a', 2), mark('b', 4), mark('c', 9)]);
    expect(texts()).toEqual(['a3', 'b4']);
    rows.apply([mark('a', 4)]);
    expect([texts(), told.at(-1), rows.versionOf('a')]).toEqual([['b4'], 'a: a3 → -', 0]);
  });

  it('without any settles nothing', () => {
    rows.apply([]);
    expect(settled).toBe(0);
  });

  it('changes nothing by what is not believed, says so, and knows what to write over', () => {
    rows.apply([row('a', 3), row('b', 4)]);
    rows.apply([forged('a', 5), row('b', 6, 'bad')]);
    expect([texts(), rows.versionOf('a'), rows.versionOf('b'), told.length]).toEqual([['a3', 'b4'], 5, 6, 2]);
    expect(refused).toEqual([
      ['bad-signature', 'a', 1],
      ['unreadable', 'b', 1],
    ]);
    // Not by what is older than that, and by a row that is newer.
    rows.apply([row('a', 5, 'late'), row('b', 7)]);
    expect([texts(), rows.unusable.versionOf('a'), rows.unusable.versionOf('b')]).toEqual([['a3', 'b7'], 5, undefined]);
    rows.apply([mark('a', 6)]);
    expect([texts(), rows.versionOf('a')]).toEqual([['b7'], 0]);
  });
});

describe('what is to be restored', () => {
  it('is what the table has in no version or an older one, the oldest first', () => {
    rows.apply([row('c', 9), row('a', 3), row('b', 4), row('d', 5)]);
    const keys = rows.newerThan(new Map([['b', 4], ['d', 4]])).map(([key]) => key); // prettier-ignore
    expect(keys).toEqual(['a', 'd', 'c']);
  });
});

describe('a change', () => {
  it('expects of each row the version that lies there', () => {
    rows.apply([row('a', 3), row('b', 4), forged('b', 6)]);
    const drafts = rows.draft(['a', 'b', 'c', 'd'], (key, current) => {
      if (key === 'd') return undefined;
      return key === 'a' ? `${current?.text} more` : { value: key, about: 'B' };
    });
    expect(drafts).toEqual([
      { key: 'a', value: 'a3 more', expected: 3 },
      { key: 'b', value: 'b', about: 'B', expected: 6 },
      { key: 'c', value: 'c', about: 'B', expected: 0 },
    ]);
  });

  it('counts where the table took it', () => {
    const writes = ['a', 'b'].map((key): TableWrite => ({ key, value: key, expected: 0 }));
    expect(rows.acceptWritten(writes, [7, undefined])).toEqual(['b']);
    expect([texts(), rows.versionOf('a'), told]).toEqual([['a'], 7, ['a: - → a']]);
  });
});

describe('a removal', () => {
  it('takes away what was removed as it was seen, and settles once', () => {
    rows.apply([row('a', 3), row('b', 4), row('c', 5)]);
    rows.apply([row('b', 6)]);
    settled = 0;
    rows.dropRemoved(['a', 'b', 'c'], new Map([['a', 3], ['b', 4], ['c', 5]])); // prettier-ignore
    expect([texts(), settled]).toEqual([['b6'], 1]);
    rows.dropRemoved(['b'], new Map([['b', 4]]));
    rows.dropRemoved([], new Map());
    expect([texts(), settled]).toEqual([['b6'], 1]);
  });
});

describe('a complete read', () => {
  it('takes away what it has not seen, where that may go, and what lay there unbelieved', () => {
    rows.apply([row('a', 3), row('b', 4), row('c', 9), forged('x', 5), forged('y', 6)]);
    settled = 0;
    rows.dropUnseen(new Map([['b', 4], ['y', 6]]), ({ version }) => version < 9); // prettier-ignore
    expect([texts(), settled, rows.versionOf('x'), rows.versionOf('y')]).toEqual([['b4', 'c9'], 1, 0, 6]);
    // Nobody is told of what never was a row.
    expect(told.slice(3)).toEqual(['a: a3 → -']);
    rows.dropUnseen(new Map([['b', 4], ['y', 6]]), ({ version }) => version < 9); // prettier-ignore
    expect(settled).toBe(1);
  });
});

describe('what is written back', () => {
  const writes = (): TableWrite[] => rows.unusable.replacements(1000);
  const tableThat = (put: Table['put']) => ({ put: jest.fn(put) }) as unknown as Table & { put: jest.Mock };

  beforeEach(() => {
    rows.apply([row('a', 3), row('b', 4), forged('a', 5), forged('b', 6)]);
    settled = 0;
  });

  it('counts where the table took it, and has had its turn where it did not', async () => {
    const table = tableThat(() => Promise.resolve({ versions: [8, undefined], life: 'l' }));
    await rows.writeBack(table, writes(), 1000);
    expect(table.put.mock.calls).toEqual([
      [
        [
          { key: 'a', value: 'a3', expected: 5 },
          { key: 'b', value: 'b4', expected: 6 },
        ],
      ],
    ]);
    expect([rows.versionOf('a'), rows.versionOf('b'), settled, writes()]).toEqual([8, 6, 1, []]);
  });

  it('is tried again with the next read when Redis was away', async () => {
    const asked = writes();
    await rows.writeBack(
      tableThat(() => Promise.reject(new Error('away'))),
      asked,
      1000,
    );
    expect([writes(), settled]).toEqual([asked, 0]);
  });

  it('is not while it is on its way', async () => {
    let resolve = (_written: { versions: number[]; life: string }): void => undefined;
    const back = rows.writeBack(
      tableThat(() => new Promise((done) => (resolve = done))),
      writes(),
      1000,
    );
    expect(writes()).toEqual([]);
    resolve({ versions: [8, 9], life: 'l' });
    await back;
  });

  it('asks nobody when there is nothing', async () => {
    const table = tableThat(() => Promise.resolve({ versions: [], life: '' }));
    await rows.writeBack(table, [], 1000);
    expect([table.put.mock.calls.length, settled]).toEqual([0, 0]);
  });
});

it('needs nobody who listens', () => {
  const quiet = new ReplicaRows<Value>({ what: 'table', read: ({ version, value }) => ({ version, text: value }) });
  quiet.apply([row('a', 3)]);
  quiet.dropRemoved(['a'], new Map([['a', 3]]));
  quiet.apply([row('b', 4)]);
  quiet.dropUnseen(new Map(), () => true);
  expect(quiet.size).toBe(0);
});
