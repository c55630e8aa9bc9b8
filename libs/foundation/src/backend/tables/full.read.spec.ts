// A complete read of a table that answers what the test says, page by page.
import { expect, it } from '@jest/globals';
import { readAll } from './full.read.js';
import type { Table, TablePage, TableRow } from './table.js';

const row = (key: string, version: number): TableRow => ({ key, version, value: key });
const mark = (key: string, version: number): TableRow => ({ key, version, value: '' });
const page = (rows: TableRow[], more: Partial<TablePage> = {}): TablePage => ({
  ...{ rows, version: 9, floor: 0, life: 'a', more: false },
  ...more,
});

/** What a read of these pages has asked for, applied, and found. */
async function reading(pages: TablePage[], first?: TablePage) {
  const [asked, checked, applied]: [number[], TablePage[], string[]] = [[], [], []];
  const table = {
    since: (version: number) => {
      asked.push(version);
      return Promise.resolve(pages.shift() ?? page([]));
    },
  } as Table;
  const { seen, ...read } = await readAll(table, 'table of tests', {
    ...(first === undefined ? {} : { first }),
    check: (each) => void checked.push(each),
    apply: (rows) => void applied.push(...rows.map(({ key }) => key)),
  });
  return { ...read, asked, checked, applied, seen: Object.fromEntries(seen) };
}

it('reads from the first page to the last, each from where the one before ended', async () => {
  const [one, two] = [page([row('a', 1), row('b', 3)], { more: true }), page([row('c', 4)], { version: 12 })];
  const read = await reading([one, two]);
  expect(read).toMatchObject({ asked: [0, 3], checked: [one], applied: ['a', 'b', 'c'] });
  // What is newer than when it began may have been missed.
  expect([read.anchor, read.last]).toEqual([9, two]);
});

it('begins with the page that it is given, which is not asked for again', async () => {
  const first = page([row('a', 1)]);
  expect(await reading([], first)).toMatchObject({ asked: [], checked: [first], applied: ['a'], last: first });
});

it('has seen what is there in the end: not what was removed while it was read, unless that was written again', async () => {
  const read = await reading([
    page([row('a', 1), row('b', 2), row('c', 3)], { more: true }),
    page([mark('a', 11), mark('b', 12), row('b', 13), mark('z', 14)], { version: 14 }),
  ]);
  expect(read.seen).toEqual({ b: 13, c: 3 });
  // What was written by somebody else is no mark.
  expect((await reading([page([{ ...mark('a', 1), isForeign: true }])])).seen).toEqual({ a: 1 });
});

it('begins again where marks may have gone that were not read yet', async () => {
  const [old, begun] = [page([row('a', 1)], { more: true }), page([row('b', 20)], { version: 20, floor: 10 })];
  const again = page([row('b', 20)], { version: 20, floor: 10 });
  const read = await reading([begun, again], old);
  expect(read).toMatchObject({ asked: [1, 0], checked: [old, again], anchor: 20, seen: { b: 20 } });
});

it('goes on where the marks that have gone were read, or were there before it began', async () => {
  const [one, two] = [page([row('a', 15)], { version: 20, more: true }), page([row('b', 20)], { version: 20 })];
  expect((await reading([one, { ...two, floor: 20 }])).asked).toEqual([0, 15]);
  const ahead = page([row('a', 15)], { version: 9, more: true });
  expect((await reading([ahead, { ...two, floor: 15 }])).asked).toEqual([0, 15]);
  expect((await reading([ahead, { ...two, floor: 16 }, page([])])).asked).toEqual([0, 15, 0]);
});

it('begins again in another life of the table', async () => {
  const read = await reading([page([row('a', 1)], { more: true }), page([row('b', 2)], { life: 'b' })]);
  expect(read).toMatchObject({ asked: [0, 1, 0], seen: {} });
});

it('is given up when it has begun five times', async () => {
  const gone = (): TablePage[] => [page([row('a', 1)], { more: true }), page([], { floor: 99 })];
  const four = [...gone(), ...gone(), ...gone(), ...gone()];
  expect((await reading([...four, page([row('z', 9)])])).seen).toEqual({ z: 9 });
  await expect(reading([...four, ...gone(), page([row('z', 9)])])).rejects.toThrow(
    'The table of tests could not be read completely, because too much was removed from it meanwhile.',
  );
});

it('ends with what its check throws', async () => {
  const table = { since: () => Promise.resolve(page([])) } as unknown as Table;
  const check = (): void => {
    throw new Error('lost');
  };
  await expect(readAll(table, 'table', { check, apply: () => undefined })).rejects.toThrow('lost');
});
