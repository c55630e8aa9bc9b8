import { beforeEach, expect, it, jest } from '@jest/globals';
import { LocalTable } from './local.table.js';
import { PUT_BACK, type TableRow } from './table.js';

const START = 1_700_000_000_000;
const KEEP_MS = 1000;

let clock: number;
let table: LocalTable;
const hint = jest.fn<(version: number) => void>();

beforeEach(() => {
  clock = START;
  hint.mockReset();
  table = new LocalTable(hint, () => clock, { keepMs: KEEP_MS, max: 5 });
});

async function put(key: string, expected = 0): Promise<number> {
  const { versions } = await table.put([{ key, value: key, expected }]);
  return versions[0]!;
}
async function remove(...keys: string[]): Promise<void> {
  const { rows } = await table.since(0);
  await table.remove(rows.filter(({ key }) => keys.includes(key)));
}
const keysIn = async (): Promise<string[]> => (await table.since(0)).rows.map(({ key }) => key);

it('hints also when only some of what was to be written was', async () => {
  const version = await put('a');
  await table.put([
    { key: 'a', value: 'refused', expected: 0 },
    { key: 'b', value: 'b', expected: 0 },
  ]);
  expect(hint.mock.calls).toEqual([[version], [version + 1]]);
});

it('changes nothing where what it is to restore is there, and begins no life for nothing', async () => {
  expect(await table.restore([], 0)).toBe('');
  const version = await put('a');
  const before = await table.since(0);
  hint.mockReset();
  await table.restore([{ key: 'a', value: 'a', version }], 0);
  expect([await table.since(0), hint.mock.calls]).toEqual([before, []]);
});

it('hints at what it restored, and goes on above that', async () => {
  const version = START * 1000 + 3_600_000_000;
  await table.restore([{ key: 'a', value: 'a', version }], 0);
  const page = await table.since(0);
  expect(page.rows.map((row) => [row.key, row.version])).toEqual([
    ['a', version],
    [PUT_BACK, version + 1],
  ]);
  expect(hint.mock.calls).toEqual([[version + 1]]);
  expect(await put('b')).toBe(version + 2);
});

it('restores what was removed before everything was lost', async () => {
  const row: TableRow = { key: 'a', value: 'a', version: await put('a') };
  await remove('a');
  table.lose();
  await table.restore([row], 0);
  expect(await keysIn()).toEqual(['a', PUT_BACK]);
});

it('drops marks by their age, to the millisecond, and never the newest', async () => {
  await put('a');
  clock += 1;
  await remove('a');
  await put('b');
  clock += KEEP_MS - 1;
  await table.remove([]);
  expect(await keysIn()).toEqual(['a', 'b']);
  clock += 1;
  await table.remove([]);
  expect(await keysIn()).toEqual(['b']);
  await remove('b');
  const { version } = await table.since(0);
  clock += KEEP_MS + 1;
  await table.remove([]);
  expect([await keysIn(), (await table.since(0)).version]).toEqual([['b'], version]);
});

it('drops the oldest of too many marks, though what was put back was marked before', async () => {
  await table.restore([{ key: 'old', value: 'old', version: 1 }], 0);
  for (const key of 'abcde') await put(key);
  await remove(...'abc');
  await table.restore([{ key: 'older', value: 'older', version: 2 }], 0);
  const marks = async (): Promise<string[]> => {
    const { rows } = await table.since(0);
    return rows.filter(({ value }) => value === '').map(({ key }) => key);
  };
  expect(await marks()).toEqual(['a', 'b', 'c', PUT_BACK]);
  await remove('d', 'e');
  await remove('old');
  // The one that has just come is dropped by the next.
  expect(await marks()).toEqual(['b', 'c', PUT_BACK, 'd', 'e', 'old'].slice(-5));
  const { floor, rows } = await table.since(0);
  expect(floor).toBeLessThan(rows.find(({ key }) => key === PUT_BACK)!.version);
});

/** How often the table looks a key up while it does this. */
function lookups(work: () => unknown): number {
  const asked = jest.spyOn(Map.prototype, 'get');
  try {
    work();
    return asked.mock.calls.length;
  } finally {
    asked.mockRestore();
  }
}

it('costs what it holds, however often that was written', async () => {
  for (let version = 0, round = 0; round < 2000; round++) version = await put('a', version);
  expect(lookups(() => table.since(0))).toBeLessThan(300);
  // And a write does not cost all that it holds.
  await table.put(Array.from({ length: 1000 }, (_, index) => ({ key: `k${index}`, value: 'v', expected: 0 })));
  expect(lookups(() => table.put([{ key: 'b', value: 'b', expected: 0 }]))).toBeLessThan(20);
});
