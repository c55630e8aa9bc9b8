/* eslint-disable max-lines -- a suite is one list of cases */
/**
 * What every adapter of the versioned table promises, as a suite: compare and set, catching up by version, removal with
 * marks, and what is restored after a loss. The local table and the one in Redis pass it.
 */
import assert from 'node:assert/strict';
import {
  isMark,
  type MarkLimits,
  PUT_BACK,
  type Table,
  type TableRow,
  type TableWrite,
} from '../../backend/tables/table.js';
import { eventually } from '../eventually.js';
import { type ContractCluster, type ContractOptions, contractTests, type TestRunner } from './contract.js';

/** See {@link ContractCluster}; each node sees the same table. */
export interface TableCluster extends ContractCluster<Table> {
  /** Calls the listener with the version that each hint names. */
  onHint: (listener: (version: number | undefined) => void) => () => void;
  /** Loses all rows and marks, as a Redis does that comes back empty. */
  lose: () => Promise<void>;
}

const write = (key: string, value: string, expected = 0): TableWrite => ({ key, value, expected });
const rowsOf = (count: number, word = 'row'): TableWrite[] =>
  Array.from({ length: count }, (_, index) => write(`${word}-${index}`, JSON.stringify([word, index])));

async function put(table: Table, key: string, value: string, expected = 0): Promise<number> {
  const { versions } = await table.put([write(key, value, expected)]);
  assert.ok(versions[0] !== undefined, `"${key}" was not written`);
  return versions[0];
}

/** Every row and mark newer than `version`, page by page. */
async function readFrom(table: Table, version = 0): Promise<TableRow[]> {
  const rows: TableRow[] = [];
  for (let from = version; ; from = rows.at(-1)!.version) {
    const page = await table.since(from);
    rows.push(...page.rows);
    if (!page.more) return rows;
    assert.ok(page.rows.length > 0, 'a page without rows says that there are more');
  }
}

const keysOf = (rows: readonly TableRow[]): string[] => rows.map(({ key }) => key);

/** Declares the suite; see `leasesContract`. @param makeCluster may be given limits for marks; the table is empty. */
export function tableContract(
  name: string,
  makeCluster: (size: number, limits?: MarkLimits) => Promise<TableCluster>,
  runner: TestRunner,
  options: ContractOptions = {},
): void {
  const { alone, between } = contractTests<Table, TableCluster>((size) => makeCluster(size), runner, options);
  const few: MarkLimits = { keepMs: 3_600_000, max: 5 };
  const withFewMarks = contractTests<Table, TableCluster>((size) => makeCluster(size, few), runner, options).alone;

  runner.describe(`The contract of tables: ${name}`, () => {
    alone('is empty at first: no row, no version, no life', async ([table]) => {
      assert.deepEqual(await table.since(0), { rows: [], version: 0, floor: 0, life: '', more: false });
      assert.deepEqual(await table.remove([{ key: 'k', version: 1 }]), []);
      assert.deepEqual(await table.remove([]), []);
    });

    alone('writes a row that nobody has, and gives it back with its version', async ([table]) => {
      const written = await table.put([write('k', '{"a":1}')]);
      const [version] = written.versions;
      assert.ok(Number.isSafeInteger(version) && version! > 0);
      assert.equal(written.follows, 0);
      assert.notEqual(written.life, '');
      const page = await table.since(0);
      const rows = [{ key: 'k', value: '{"a":1}', version }];
      assert.deepEqual(page, { rows, version, floor: 0, life: written.life, more: false });
    });

    alone('keeps keys and values of any characters and size', async ([table]) => {
      const values = [JSON.stringify('ä€😀"\\ \n'.repeat(60_000)), '"x"', JSON.stringify({ n: 0.1 })];
      const writes = values.map((value, index) => write(`__proto__ ä €:${index}`, value));
      await table.put(writes);
      const rows = await readFrom(table);
      assert.deepEqual(
        rows.map(({ key, value }) => [key, value]),
        writes.map(({ key, value }) => [key, value]),
      );
    });

    alone('writes a row only if it has the version that its writer expects', async ([table]) => {
      const first = await put(table, 'k', '"1"');
      const stale = await table.put([write('k', '"2"'), write('k', '"2"', first - 1), write('gone', '"2"', first)]);
      assert.deepEqual(stale.versions, [undefined, undefined, undefined]);
      assert.deepEqual(
        (await readFrom(table)).map(({ value }) => value),
        ['"1"'],
      );
      const second = await put(table, 'k', '"3"', first);
      assert.ok(second > first);
      assert.deepEqual(await readFrom(table), [{ key: 'k', value: '"3"', version: second }]);
    });

    alone('answers each of many writes, also of the same row twice', async ([table]) => {
      await put(table, 'b', '"old"');
      const { versions } = await table.put([
        write('a', '"a"'),
        write('b', '"b"'),
        write('c', '"c"'),
        write('c', '"d"'),
      ]);
      const [a, b, c, d] = versions;
      assert.ok(a !== undefined && c !== undefined && a < c);
      assert.deepEqual([b, d], [undefined, undefined]);
      assert.deepEqual(keysOf(await readFrom(table)), ['b', 'a', 'c']);
    });

    alone('says what a write follows, so that its writer need not read it', async ([table]) => {
      const first = await table.put([write('a', '"a"')]);
      const second = await table.put(rowsOf(250));
      assert.equal(second.follows, first.versions[0]);
      const { version, life } = await table.since(0);
      assert.equal(second.versions.at(-1), version);
      assert.deepEqual([first.life, second.life], [life, life]);
    });

    alone('reads what is newer than a version, in the order of the versions, each row once', async ([table]) => {
      const [a, b] = [await put(table, 'a', '"1"'), await put(table, 'b', '"1"')];
      await put(table, 'a', '"2"', a);
      assert.deepEqual(keysOf(await readFrom(table)), ['b', 'a']);
      assert.deepEqual(keysOf(await readFrom(table, b)), ['a']);
      const { version } = await table.since(0);
      assert.deepEqual(await readFrom(table, version), []);
    });

    alone('reads many rows page by page', async ([table]) => {
      const writes = rowsOf(1200);
      const { versions } = await table.put(writes);
      const rows = await readFrom(table);
      assert.deepEqual(
        keysOf(rows),
        writes.map(({ key }) => key),
      );
      assert.deepEqual(
        rows.map(({ version }) => version),
        versions,
      );
    });

    alone('removes a row that still has its version, and leaves a mark', async ([table]) => {
      const [first, other] = [await put(table, 'k', '"1"'), await put(table, 'other', '"1"')];
      const second = await put(table, 'k', '"2"', first);
      assert.deepEqual(
        await table.remove([
          { key: 'k', version: first },
          { key: 'never', version: 1 },
        ]),
        [],
      );
      assert.deepEqual(
        await table.remove([
          { key: 'k', version: second },
          { key: 'other', version: other },
        ]),
        ['k', 'other'],
      );
      const marks = await readFrom(table, second);
      assert.deepEqual(keysOf(marks), ['k', 'other']);
      assert.ok(marks.every(isMark));
      assert.deepEqual(await table.remove([{ key: 'k', version: second }]), [], 'a mark is no row');
    });

    alone('removes many rows, and says which', async ([table]) => {
      const writes = rowsOf(250);
      const { versions } = await table.put(writes);
      const seen = writes.map(({ key }, index) => ({ key, version: versions[index]! - (index % 2) }));
      const removed = await table.remove(seen);
      assert.deepEqual(
        removed,
        seen.filter((_, index) => index % 2 === 0).map(({ key }) => key),
      );
      assert.equal((await readFrom(table)).filter((row) => !isMark(row)).length, 125);
    });

    alone('takes a row again that was removed', async ([table]) => {
      const first = await put(table, 'k', '"1"');
      await table.remove([{ key: 'k', version: first }]);
      const mark = (await table.since(0)).version;
      assert.deepEqual((await table.put([write('k', '"2"', mark)])).versions, [undefined], 'it must not exist');
      const second = await put(table, 'k', '"2"');
      assert.ok(second > mark);
      assert.deepEqual(await readFrom(table), [{ key: 'k', value: '"2"', version: second }]);
    });

    withFewMarks('keeps a number of marks, and raises the watermark by those that go', async ([table]) => {
      const writes = rowsOf(20);
      const { versions } = await table.put(writes);
      await table.remove(writes.map(({ key }, index) => ({ key, version: versions[index]! })));
      await table.remove([]);
      const page = await table.since(0);
      assert.equal(page.rows.length, few.max);
      assert.deepEqual(
        keysOf(page.rows),
        writes.slice(-few.max).map(({ key }) => key),
      );
      assert.ok(page.floor > versions.at(-1)! && page.floor < page.rows[0]!.version, 'it is the last mark that went');
      assert.equal(page.version, page.rows.at(-1)!.version);
    });

    alone('hints at the newest version after each change, and after none', async ([table], { onHint }) => {
      const heard: (number | undefined)[] = [];
      const end = onHint((version) => heard.push(version));
      const version = await put(table, 'k', '"1"');
      await eventually(() => heard.includes(version), { what: 'A hint', lastSeen: () => heard });
      await table.put([write('k', '"2"')]);
      await table.remove([{ key: 'k', version: version - 1 }]);
      await table.remove([{ key: 'k', version }]);
      const { version: mark } = await table.since(0);
      await eventually(() => heard.includes(mark), { what: 'A hint', lastSeen: () => heard });
      assert.deepEqual(heard, [version, mark]);
      end();
    });

    alone('begins another life after a loss, with versions above those of before', async ([table], { lose }) => {
      await table.put(rowsOf(10));
      const before = await table.since(0);
      await lose();
      assert.deepEqual(await table.since(0), { rows: [], version: 0, floor: 0, life: '', more: false });
      const version = await put(table, 'new', '"new"');
      assert.ok(version > before.version);
      assert.notEqual((await table.since(0)).life, before.life);
    });

    alone('puts rows back with the versions they have, and tells every copy', async ([table], { lose }) => {
      await table.put(rowsOf(10));
      const { rows, version: known } = await table.since(0);
      await lose();
      const fresh = await put(table, 'new', '"new"');
      const life = await table.restore(rows, known);
      const page = await table.since(0);
      assert.equal(page.life, life);
      assert.notEqual(life, '');
      assert.deepEqual(page.rows.slice(0, 10), rows);
      assert.equal(page.floor, known);
      const [own, mark] = page.rows.slice(10);
      assert.deepEqual([own?.key, own?.version, mark?.key], ['new', fresh, PUT_BACK]);
      assert.ok(isMark(mark!) && mark!.version === page.version);
    });

    alone('puts nothing back over a newer row or mark', async ([table]) => {
      const old = await put(table, 'a', '"old"');
      const [a, b] = [await put(table, 'a', '"new"', old), await put(table, 'b', '"old"')];
      await table.remove([{ key: 'b', version: b }]);
      const before = await table.since(0);
      const rows = [
        { key: 'a', value: '"old"', version: old },
        { key: 'b', value: '"old"', version: b },
      ];
      await table.restore(rows, 0);
      assert.deepEqual(await table.since(0), before);
      await table.restore([{ key: 'a', value: '"newer"', version: a + 1_000_000_000 }], 0);
      const row = (await readFrom(table)).find(({ key }) => key === 'a');
      assert.deepEqual(row, { key: 'a', value: '"newer"', version: a + 1_000_000_000 });
    });

    alone('never lets the watermark stand above the newest version', async ([table]) => {
      const known = Date.now() * 1000 + 3_600_000_000;
      const life = await table.restore([], known);
      const page = await table.since(0);
      assert.deepEqual([page.floor, page.life], [known, life]);
      assert.notEqual(life, '');
      assert.ok(page.version > known);
      assert.ok((await put(table, 'k', '"1"')) > page.version);
    });

    alone('raises the watermark to what a copy knew, and never lowers it', async ([table]) => {
      const first = await put(table, 'a', '"1"');
      const second = await put(table, 'b', '"1"');
      await table.restore([], second);
      await table.restore([], first);
      const page = await table.since(0);
      assert.deepEqual([page.floor, page.version], [second, second]);
    });

    between('shows what one node writes and removes to the other', async ([a, b]) => {
      const version = await put(a, 'k', '"1"');
      assert.deepEqual(await readFrom(b), [{ key: 'k', value: '"1"', version }]);
      assert.deepEqual((await b.put([write('k', '"2"')])).versions, [undefined]);
      const next = await put(b, 'k', '"2"', version);
      assert.deepEqual((await a.put([write('k', '"3"', version)])).versions, [undefined]);
      assert.deepEqual(await a.remove([{ key: 'k', version: next }]), ['k']);
      assert.deepEqual(
        (await readFrom(b)).map(({ key, value }) => [key, value]),
        [['k', '']],
      );
    });

    between('lets one of many that write a row at once win', async (nodes) => {
      for (let round = 0; round < 10; round++) {
        const tables = [...nodes, ...nodes];
        const written = await Promise.all(tables.map((table, index) => table.put([write(`k${round}`, String(index))])));
        const won = written.flatMap(({ versions }, index) => (versions[0] === undefined ? [] : [String(index)]));
        assert.equal(won.length, 1);
        const row = (await readFrom(nodes[0])).find(({ key }) => key === `k${round}`);
        assert.equal(row?.value, won[0]);
      }
    });
  });
}
