import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { eventually } from '../../testing/eventually.js';
import { LocalTable } from './local.table.js';
import type { ReplicaOptions } from './replica.options.js';
import { KEEP_MARKS_MS, PUT_BACK, type TablePage, type TableRow } from './table.js';
import { TableReplica } from './table.replica.js';

interface Value {
  version: number;
  text: string;
}

/** How long marks live here. */
const KEEP_MS = 1000;
const STALE_MS = 500;
const PATIENCE_MS = 100;

let clock: number;
let table: LocalTable;

function copy(more: Partial<ReplicaOptions<Value>> = {}) {
  const told: string[] = [];
  const replica = new TableReplica<Value>(table, {
    what: 'table of tests',
    read: ({ value, version }: TableRow) => (value === 'bad' ? undefined : { version, text: value }),
    write: ({ text }) => text,
    changed: (key, now, before) => told.push(`${key}: ${before?.text ?? '-'} → ${now?.text ?? '-'}`),
    ...{ staleAfterMs: STALE_MS, patienceMs: () => PATIENCE_MS, now: () => clock },
    ...more,
  });
  const put = (key: string, text: string) => replica.change(key, () => text);
  const remove = (...keys: string[]) => replica.remove(keys.map((key) => ({ key, version: replica.versionOf(key) })));
  const texts = () => [...replica.values()].map(({ text }) => text).sort(); // prettier-ignore
  return { replica, told, put, remove, texts };
}

/** One that has written a row, and read it. */
async function copyOfX1() {
  const a = copy();
  await a.put('x', 'x1');
  await a.replica.sync();
  return a;
}

/** Gives the rows of the table in pages of two, as Redis does with large tables. */
function inPagesOf(size: number): void {
  const all = table.since.bind(table);
  jest.spyOn(table, 'since').mockImplementation(async (version): Promise<TablePage> => {
    const page = await all(version);
    return { ...page, rows: page.rows.slice(0, size), more: page.rows.length > size };
  });
}

/** After its next answer the table is lost, and another node has written into the life that follows. */
function loseAfterAnAnswer(): void {
  const since = table.since.bind(table);
  jest.spyOn(table, 'since').mockImplementationOnce(async (version) => {
    const page = await since(version);
    table.lose();
    clock += 10;
    await copy().put('new', 'new');
    return page;
  });
}

beforeEach(() => {
  Logger.overrideLogger(false);
  clock = 1_700_000_000_000;
  table = new LocalTable(
    () => undefined,
    () => clock,
    { keepMs: KEEP_MS, max: 5 },
  );
});

it('follows what others write and remove, and tells what changed', async () => {
  const [a, b] = [copy(), copy()];
  await a.put('x', 'x1');
  await a.put('y', 'y1');
  await b.replica.sync();
  await a.put('x', 'x2');
  await a.remove('y');
  await b.replica.sync();
  expect(b.told).toEqual(['x: - → x1', 'y: - → y1', 'x: x1 → x2', 'y: y1 → -']);
  expect(b.texts()).toEqual(['x2']);
});

it('reads page by page', async () => {
  const [a, b] = [copy(), copy()];
  for (const key of 'abcde') await a.put(key, key);
  inPagesOf(2);
  await b.replica.sync();
  expect(b.texts()).toEqual([...'abcde']);
  for (const key of 'fghij') await a.put(key, key);
  await b.replica.sync();
  expect(b.texts()).toEqual([...'abcdefghij']);
});

it('loses what is removed while it is read for the first time', async () => {
  const [a, b] = [copy(), copy()];
  for (const key of 'abcd') await a.put(key, key);
  inPagesOf(2);
  const since = table.since.bind(table);
  jest.spyOn(table, 'since').mockImplementationOnce(async (version) => {
    const page = await since(version);
    await a.remove('a');
    return page;
  });
  await b.replica.sync();
  expect(b.texts()).toEqual([...'bcd']);
});

it('writes many rows at once, and again only those that another node wrote in between', async () => {
  const [a, b] = [copy(), copy()];
  await a.put('x', 'x1');
  const put = jest.spyOn(table, 'put');
  const asked: string[] = [];
  await b.replica.changeAll(['w', 'x', 'y'], (key, current) => {
    asked.push(key);
    return `${key}${Number(current?.text.slice(1) ?? 0) + 1}`;
  });
  expect(asked).toEqual(['w', 'x', 'y', 'x']);
  expect(put).toHaveBeenCalledTimes(2);
  expect(b.texts()).toEqual(['w1', 'x2', 'y1']);
});

/** What begins so counts as not signed with our cookie: somebody else wrote it. */
const FORGED = 'forged';
const EVERY_MS = 10_000;

describe('a row in whose place a stranger wrote (H3)', () => {
  beforeEach(() => {
    const all = table.since.bind(table);
    jest.spyOn(table, 'since').mockImplementation(async (version): Promise<TablePage> => {
      const page = await all(version);
      const open = (row: TableRow): TableRow =>
        row.value.startsWith(FORGED) ? { ...row, value: '', isForeign: true } : row;
      return { ...page, rows: page.rows.map(open) };
    });
  });
  const forge = async (key: string, text = FORGED): Promise<void> => {
    const row = (await table.since(0)).rows.find(
      (each) => each.key === key && each.value + (each.isForeign ?? '') !== '',
    );
    await table.put([{ key, value: text, expected: row?.version ?? 0 }]);
  };
  const inTable = async (key: string): Promise<TableRow | undefined> =>
    (await table.since(0)).rows.find((each) => each.key === key);

  it('keeps counting as it was, is reported, and is written back', async () => {
    const refused: unknown[] = [];
    const [a, b] = [copy({ refused: (...what) => refused.push(what) }), copy()];
    await a.put('x', 'x1');
    await b.replica.sync();
    await forge('x');
    await a.replica.sync();
    expect(a.told).toEqual(['x: - → x1', 'x: x1 → x1']);
    expect(refused).toEqual([['bad-signature', 'x', 1]]);
    expect(await inTable('x')).toMatchObject({ value: 'x1' });
    await b.replica.sync();
    for (const { texts } of [a, b]) expect(texts()).toEqual(['x1']);
  });

  it('is written back once in a while only, however often the stranger writes, and is kept all the time', async () => {
    const a = copy();
    await a.put('x', 'x1');
    const put = jest.spyOn(table, 'put');
    let forged = 0;
    for (const until = clock + 3 * EVERY_MS - 1; clock < until; clock += 500) {
      await forge('x', `${FORGED} ${++forged}`);
      await a.replica.sync();
      expect(a.texts()).toEqual(['x1']);
    }
    expect(put.mock.calls.length - forged).toBe(3);
    // Nothing else changes, so a beat is what it needs.
    for (const kept of ['x1', '']) {
      await forge('x');
      await a.replica.sync();
      expect(await inTable('x')).toMatchObject({ value: kept });
    }
    clock += EVERY_MS;
    await a.replica.heard((await table.since(0)).version);
    expect(await inTable('x')).toMatchObject({ value: 'x1' });
  });

  it('is written back by one of those who have a copy', async () => {
    const copies = [copy(), copy(), copy()];
    await copies[0]!.put('x', 'x1');
    for (const { replica } of copies) await replica.sync();
    await forge('x');
    const put = jest.spyOn(table, 'put');
    await Promise.all(copies.map(({ replica }) => replica.sync()));
    const written = await Promise.all(put.mock.results.map(({ value }) => value as ReturnType<typeof table.put>));
    expect(written.filter(({ versions: [version] }) => version !== undefined)).toHaveLength(1);
    for (const { replica, texts } of copies) {
      await replica.sync();
      expect(texts()).toEqual(['x1']);
    }
  });

  it('can be changed: that is made of what was there before', async () => {
    const a = copy({ writeBack: () => undefined });
    await a.put('x', 'x1');
    await forge('x');
    await a.replica.change('x', (current) => `${current?.text} and more`);
    expect(a.texts()).toEqual(['x1 and more']);
    expect(await inTable('x')).toMatchObject({ value: 'x1 and more' });
  });

  it('is dropped when it is removed after that, or when the replica reads from scratch without it', async () => {
    const [a, b] = [copy({ writeBack: () => undefined }), copy({ writeBack: () => undefined })];
    for (const key of 'xyz') await a.put(key, key);
    await b.replica.sync();
    await forge('x');
    await forge('y');
    await a.replica.sync();
    await b.replica.sync();
    expect(a.texts()).toEqual(['x', 'y', 'z']);
    await a.remove('x');
    await b.replica.sync();
    expect([a.texts(), b.texts()]).toEqual([['y', 'z'], ['y', 'z']]); // prettier-ignore
    await a.remove('y');
    for (const key of 'abcdefgh') await a.put(key, key);
    await a.remove(...'abcdefgh');
    await a.remove();
    await b.replica.sync();
    expect([a.texts(), b.texts()]).toEqual([['z'], ['z']]);
  });

  it('is kept when the replica reads from scratch, and left out by one that reads it for the first time', async () => {
    const [a, b] = [copy({ writeBack: () => undefined }), copy({ writeBack: () => undefined })];
    await a.put('x', 'x1');
    await b.replica.sync();
    for (const key of 'abcdefgh') await b.put(key, key);
    await b.remove(...'abcdefgh');
    await b.remove();
    await forge('x');
    await a.replica.sync();
    expect(a.texts()).toEqual(['x1']);
    const late = copy();
    await late.replica.sync();
    expect(late.texts()).toEqual([]);
    await late.put('x', 'x2');
    await a.replica.sync();
    expect(a.texts()).toEqual(['x2']);
  });

  it('is put back after a loss of data, also when the stranger is the first to write then', async () => {
    const a = copy();
    await a.put('x', 'x1');
    await a.put('y', 'y1');
    await forge('y');
    await a.replica.sync();
    clock += EVERY_MS;
    await a.replica.sync();
    table.lose();
    await forge('x');
    await a.replica.lost();
    const b = copy();
    await b.replica.sync();
    for (const { texts } of [a, b]) expect(texts()).toEqual(['x1', 'y1']);
    await a.put('y', 'y2');
    await a.put('x', 'x2');
    await b.replica.sync();
    expect(b.texts()).toEqual(['x2', 'y2']);
  });

  it('is not written back while a loss of data is mended, and then it is', async () => {
    const a = await copyOfX1();
    await forge('x');
    const restore = table.restore.bind(table);
    jest.spyOn(table, 'restore').mockImplementationOnce((rows, known) => {
      void a.replica.lost();
      return restore(rows, known);
    });
    const put = jest.spyOn(table, 'put');
    await a.replica.lost();
    const during = put.mock.calls.length;
    await a.replica.sync();
    await a.replica.sync();
    expect([during, put.mock.calls.length > 0, (await inTable('x'))!.value]).toEqual([0, true, 'x1']);
  });

  it('is kept where it cannot be read, and not written back: a newer version may have written it', async () => {
    const refused: unknown[] = [];
    const a = copy({ refused: (...what) => refused.push(what) });
    await a.put('x', 'x1');
    await forge('x', 'bad');
    await a.replica.sync();
    expect(a.texts()).toEqual(['x1']);
    expect(refused).toEqual([['unreadable', 'x', 1]]);
    expect(await inTable('x')).toMatchObject({ value: 'bad' });
    await a.put('x', 'x2');
    expect(await inTable('x')).toMatchObject({ value: 'x2' });
  });

  it('can be changed after a loss of data that took with it what the stranger wrote', async () => {
    const a = copy({ writeBack: () => undefined });
    await a.put('x', 'x1');
    await forge('x');
    await a.replica.sync();
    table.lose();
    await a.replica.lost();
    await a.put('x', 'x2');
    expect(await inTable('x')).toMatchObject({ value: 'x2' });
  });

  it('costs nothing for what this copy never had', async () => {
    const a = copy();
    await a.put('x', 'x1');
    for (let row = 0; row < 1000; row++) await table.put([{ key: `theirs-${row}`, value: FORGED, expected: 0 }]);
    const put = jest.spyOn(table, 'put');
    await a.replica.sync();
    expect(put).not.toHaveBeenCalled();
    expect(a.texts()).toEqual(['x1']);
  });
});

it('needs no clock of its own', async () => {
  const replica = new TableReplica<Value>(table, {
    what: 'table',
    read: ({ value, version }) => ({ version, text: value }),
  });
  await copy().put('x', 'x1');
  await replica.sync();
  expect(replica.get('x')).toMatchObject({ text: 'x1' });
});

describe('a change', () => {
  /** What the next writes expect is not there. */
  const refuse = (...keys: string[]) => {
    const all = table.put.bind(table);
    return jest
      .spyOn(table, 'put')
      .mockImplementation((writes) =>
        all(writes.map((write) => (keys.includes(write.key) ? { ...write, expected: 1 } : write))),
      );
  };

  it('is given up after twenty conflicts, and says so', async () => {
    const put = refuse('x');
    await expect(copy().put('x', 'x1')).rejects.toThrow(/entry "x" .* of the table of tests .* 20 times/);
    expect(put).toHaveBeenCalledTimes(20);
  });

  it('that another node was quicker with is no loss of data', async () => {
    const [a, b] = [await copyOfX1(), copy()];
    await b.replica.sync();
    await a.put('x', 'x2');
    const restore = jest.spyOn(table, 'restore');
    await b.put('x', 'x3');
    expect([b.texts(), restore.mock.calls]).toEqual([['x3'], []]);
  });

  it('of two rows, of which one went back and one was changed by another node, is made with the next attempt', async () => {
    const [a, b] = [await copyOfX1(), copy()];
    await a.put('y', 'y1');
    await b.replica.sync();
    const setBack = table.kept();
    await a.put('x', 'x2');
    setBack();
    await b.put('y', 'y2');
    const put = jest.spyOn(table, 'put');
    await a.replica.changeAll(['x', 'y'], (_key, current) => `${current!.text}!`);
    expect([a.texts(), put.mock.calls.length]).toEqual([['x2!', 'y2!'], 2]);
  });

  it('of nothing asks nobody', async () => {
    const put = jest.spyOn(table, 'put');
    const { replica } = copy();
    expect(await replica.change('x', () => undefined)).toBeUndefined();
    expect(put).not.toHaveBeenCalled();
  });

  it('settles what was written, and not what was refused', async () => {
    const settled = jest.fn();
    const a = copy({ settled });
    await a.put('x', 'x1');
    expect(settled).toHaveBeenCalledTimes(1);
    const put = refuse('x');
    jest.spyOn(table, 'since').mockRejectedValue(new Error('away'));
    await expect(a.put('x', 'x2')).rejects.toThrow('away');
    expect([settled.mock.calls.length, put.mock.calls.length]).toEqual([1, 1]);
    await expect(a.replica.changeAll(['x', 'y'], (key) => key)).rejects.toThrow('away');
    expect(settled).toHaveBeenCalledTimes(2);
  });

  it('of which a part was refused is followed by what others wrote meanwhile', async () => {
    const [a, b] = [copy(), copy()];
    await a.put('x', 'x1');
    await a.replica.sync();
    const all = table.put.bind(table);
    jest.spyOn(table, 'put').mockImplementationOnce(async ([x, y]) => {
      const written = await all([{ ...x!, expected: 1 }, y!]);
      await b.put('z', 'z1');
      return written;
    });
    await a.replica.changeAll(['x', 'y'], (key) => `${key}2`);
    expect(a.texts()).toEqual(['x2', 'y2', 'z1']);
  });
});

it('leaves out what it cannot read, and writes over it', async () => {
  const [a, b] = [copy({ read: ({ value, version }) => ({ version, text: value }) }), copy()];
  await a.put('x', 'bad');
  await b.replica.sync();
  expect(b.texts()).toEqual([]);
  await b.put('x', 'good');
  expect(b.texts()).toEqual(['good']);
});

it('keeps a row that was written again while its removal was on its way', async () => {
  const [a, b] = [copy(), copy()];
  await a.put('x', 'x1');
  const { version } = a.replica.get('x')!;
  await b.replica.sync();
  await b.put('x', 'x2');
  await a.replica.sync();
  // What a has seen is older than what is there by now.
  expect(await a.replica.remove([{ key: 'x', version }])).toEqual([]);
  expect(a.texts()).toEqual(['x2']);
  await a.replica.sync();
  expect((await table.since(0)).rows).toMatchObject([{ key: 'x', value: 'x2' }]);
});

it('resolves a sync with what was written before it was asked, however many ask, and rejects when it failed', async () => {
  const [a, b] = [copy(), copy()];
  await a.put('x', 'x1');
  const first = b.replica.sync();
  await a.put('y', 'y1');
  const since = jest.spyOn(table, 'since');
  await Promise.all([b.replica.sync(), b.replica.sync(), b.replica.sync()]);
  expect(b.texts()).toEqual(['x1', 'y1']);
  expect(since).toHaveBeenCalledTimes(1);
  await first;
  since.mockRejectedValueOnce(new Error('away'));
  const failed = b.replica.sync();
  const next = b.replica.sync();
  await expect(failed).rejects.toThrow('away');
  await next;
});

describe('a copy that was out of touch for longer than marks live (M4)', () => {
  const scenarios: [string, (a: ReturnType<typeof copy>) => Promise<void>][] = [
    [
      'too old',
      async (a) => {
        clock += KEEP_MS + 1;
        await a.put('z', 'z');
        await a.remove('z');
      },
    ],
    [
      'too many',
      async (a) => {
        for (const key of 'abcdefgh') await a.put(key, key);
        await a.remove(...'abcdefgh');
        await a.remove();
      },
    ],
  ];
  it.each(scenarios)('reads from scratch, and drops what was removed: marks that are %s', async (_what, forget) => {
    const [a, b] = [copy(), copy()];
    await a.put('dead', 'dead');
    await a.put('x', 'x1');
    await b.replica.sync();
    await a.remove('dead');
    await forget(a);
    expect((await table.since(0)).rows.map(({ key }) => key)).not.toContain('dead');
    await b.put('own', 'own');
    await b.replica.sync();
    expect(b.texts()).toEqual(['own', 'x1']);
    await a.replica.sync();
    expect(a.texts()).toEqual(['own', 'x1']);
  });

  /** As nodes of the version before leave it: marks go, and the watermark does not say so. */
  const withoutFloor = () => {
    const all = table.since.bind(table);
    return jest.spyOn(table, 'since').mockImplementation(async (version) => ({ ...(await all(version)), floor: 0 }));
  };
  const LONG_MS = KEEP_MARKS_MS / 2;

  it('reads from scratch also where the watermark does not say that marks are gone', async () => {
    const [a, b, c, d] = [copy(), copy(), copy(), copy()];
    await a.put('dead', 'dead');
    await a.put('x', 'x1');
    for (const { replica } of [b, c, d]) await replica.sync();
    await a.remove('dead');
    await a.put('y', 'y1');
    clock += LONG_MS;
    await a.remove();
    withoutFloor();
    await b.replica.sync();
    // It was not away for long enough, by a millisecond.
    expect(b.texts()).toEqual(['dead', 'x1', 'y1']);
    clock += 1;
    await c.replica.sync();
    expect(c.texts()).toEqual(['x1', 'y1']);
    // Nor does it restore the dead when it hears of a loss at the same time.
    await d.replica.lost();
    expect([d.texts(), d.replica.isMending]).toEqual([['x1', 'y1'], false]);
    expect((await table.since(0)).rows.map(({ key }) => key)).toEqual(['x', 'y']);
  });

  it('reads from scratch until that has worked, and then no more', async () => {
    const a = await copyOfX1();
    const version = a.replica.versionOf('x');
    clock += LONG_MS + 1;
    const all = table.since.bind(table);
    let isAway = true;
    const since = jest
      .spyOn(table, 'since')
      .mockImplementation((from) => (isAway && from === 0 ? Promise.reject(new Error('away')) : all(from)));
    await expect(a.replica.sync()).rejects.toThrow('away');
    isAway = false;
    since.mockClear();
    for (let beat = 0; beat < 3; beat++) await a.replica.heard(version);
    expect(since.mock.calls).toEqual([[version], [0]]);
    await a.replica.sync();
    expect(since.mock.calls).toEqual([[version], [0], [version]]);
    expect([a.texts(), a.replica.isMending]).toEqual([['x1'], false]);
  });

  it('has nothing to read from scratch without rows', async () => {
    const [a, b] = [copy(), copy()];
    await a.put('x', 'x1');
    await a.remove('x');
    await b.replica.sync();
    clock += LONG_MS + 1;
    const since = jest.spyOn(table, 'since');
    await b.replica.sync();
    expect(since).toHaveBeenCalledTimes(1);
  });

  it('keeps what it writes while it reads from scratch', async () => {
    const a = await copyOfX1();
    clock += LONG_MS + 1;
    const all = table.since.bind(table);
    jest.spyOn(table, 'since').mockImplementation(async (from) => {
      const page = await all(from);
      if (from === 0) await a.put('own', 'own');
      return page;
    });
    await a.replica.sync();
    expect(a.texts()).toEqual(['own', 'x1']);
  });

  it('does not bring back the dead after a loss of data, even when it comes first', async () => {
    const [a, b] = [copy(), copy()];
    await a.put('dead', 'dead');
    await a.put('x', 'x1');
    await b.replica.sync();
    await a.remove('dead');
    clock += STALE_MS + 1;
    await a.put('y', 'y1');
    await a.replica.sync();
    table.lose();
    await b.replica.lost();
    // It keeps what it has and waits.
    expect(b.replica.isMending).toBe(true);
    expect(b.texts()).toEqual(['dead', 'x1']);
    expect((await table.since(0)).rows).toEqual([]);
    await a.replica.lost();
    clock += PATIENCE_MS;
    await b.replica.heard(0);
    expect(b.replica.isMending).toBe(false);
    for (const { replica, texts } of [a, b]) {
      await replica.sync();
      expect(texts()).toEqual(['x1', 'y1']);
    }
  });

  it('restores what it has when no other node did', async () => {
    const [a, b] = [copy(), copy()];
    await a.put('x', 'x1');
    await b.replica.sync();
    await a.put('y', 'y1');
    clock += STALE_MS + 1;
    table.lose();
    await Promise.all([a.replica.lost(), b.replica.lost()]);
    clock += PATIENCE_MS;
    await b.replica.heard(0);
    await a.replica.heard(0);
    await b.replica.sync();
    // What a knows beyond b is newer than what b says it knew, so it is no dead row.
    for (const { texts } of [a, b]) expect(texts()).toEqual(['x1', 'y1']);
  });
});

describe('after a loss of data', () => {
  it.each([
    ['the older copy comes first', [0, 1]],
    ['the newer copy comes first', [1, 0]],
  ])('the newest row wins, whatever the order: %s', async (_what, order) => {
    const copies = [copy(), copy()] as const;
    const [old, fresh] = copies;
    await fresh.put('x', 'x wanted');
    await fresh.put('y', 'y1');
    await old.replica.sync();
    await fresh.put('x', 'x stopped');
    await fresh.put('z', 'z1');
    table.lose();
    // Somebody writes before anybody has put anything back.
    const other = copy();
    await other.put('new', 'new');
    for (const at of order) await copies[at]!.replica.sync();
    for (const { replica, texts } of [old, fresh, other]) {
      await replica.sync();
      await replica.sync();
      expect(texts()).toEqual(['new', 'x stopped', 'y1', 'z1']);
    }
  });

  it('is noticed by the life of the table, without anybody saying so', async () => {
    const [a, b] = [copy(), copy()];
    await a.put('x', 'x1');
    await b.replica.sync();
    table.lose();
    const other = copy();
    clock += 10;
    await other.put('y', 'y1');
    // The version is above the one that b knows.
    await b.replica.sync();
    await other.replica.sync();
    for (const { texts } of [b, other]) expect(texts()).toEqual(['x1', 'y1']);
  });

  it('notices a loss while the replica is about to read from scratch', async () => {
    const [a, b] = [copy(), copy()];
    await a.put('x', 'x1');
    await b.replica.sync();
    await b.put('y', 'y1');
    await a.put('z', 'z1');
    // More than there are marks, so that it is read anew.
    for (const key of 'abcdefgh') {
      await a.put(key, 'short');
      await a.remove(key);
    }
    const since = table.since.bind(table);
    jest.spyOn(table, 'since').mockImplementationOnce((version) => {
      const page = since(version);
      table.lose();
      return page;
    });
    await b.replica.syncSoon();
    for (const { replica } of [b, a, b, a]) await replica.sync();
    expect([a.texts(), b.texts()]).toEqual([
      ['x1', 'y1', 'z1'],
      ['x1', 'y1', 'z1'],
    ]);
  });

  it('drops nothing of what was lost just before it reads from scratch, though others have written since', async () => {
    const [a, b] = [await copyOfX1(), copy()];
    await b.replica.sync();
    for (const key of 'abcdefgh') {
      await a.put(key, 'short');
      await a.remove(key);
    }
    loseAfterAnAnswer();
    await b.replica.syncSoon();
    expect([b.texts(), b.replica.isMending]).toEqual([['x1'], true]);
    await b.replica.sync();
    expect([b.texts(), b.replica.isMending]).toEqual([['new', 'x1'], false]);
  });

  it('raises the watermark to what it had, also where it heard of the loss by what it wrote', async () => {
    const a = await copyOfX1();
    const known = a.replica.versionOf('x');
    table.lose();
    await a.put('y', 'y1');
    const restore = jest.spyOn(table, 'restore');
    await a.replica.sync();
    expect(restore.mock.calls).toEqual([[[{ key: 'x', value: 'x1', version: known }], known]]);
  });

  it('restores once more what another loss took while it was mended', async () => {
    const a = await copyOfX1();
    const b = copy();
    table.lose();
    const restore = table.restore.bind(table);
    jest.spyOn(table, 'restore').mockImplementationOnce((rows, known) => {
      table.lose();
      return restore(rows, known);
    });
    // In a life that is over when it has restored the rest.
    await b.put('y', 'y1');
    await a.replica.sync();
    expect([a.texts(), a.replica.isMending]).toEqual([['x1', 'y1'], true]);
    for (const { replica } of [a, b, a]) await replica.sync();
    expect([a.texts(), b.texts(), a.replica.isMending]).toEqual([['x1', 'y1'], ['x1', 'y1'], false]);
  });

  it('restores what it wrote itself into a life that was over before it had restored the rest', async () => {
    const a = await copyOfX1();
    table.lose();
    const restore = table.restore.bind(table);
    jest.spyOn(table, 'restore').mockImplementationOnce(async (rows, known) => {
      await a.put('y', 'y1');
      table.lose();
      return restore(rows, known);
    });
    await a.replica.sync();
    for (let round = 0; round < 2; round++) await a.replica.sync();
    expect([a.texts(), a.replica.isMending]).toEqual([['x1', 'y1'], false]);
    const fresh = copy();
    await fresh.replica.sync();
    expect(fresh.texts()).toEqual(['x1', 'y1']);
  });

  it('is put back in the end when Redis was away at first', async () => {
    const a = copy();
    await a.put('x', 'x1');
    table.lose();
    jest.spyOn(table, 'restore').mockRejectedValueOnce(new Error('away'));
    await a.replica.lost();
    expect(a.replica.isMending).toBe(true);
    await a.replica.heard(0);
    expect(a.replica.isMending).toBe(false);
    expect((await table.since(0)).rows.map(({ key }) => key)).toEqual(['x', PUT_BACK]);
  });

  it('puts back only what is missing', async () => {
    const [a, b] = [copy(), copy()];
    await a.put('x', 'x1');
    await a.put('y', 'y1');
    await b.replica.sync();
    table.lose();
    await a.replica.lost();
    const restore = jest.spyOn(table, 'restore');
    await b.replica.lost();
    expect(restore.mock.calls.map(([rows]) => rows)).toEqual([[]]);
  });

  it('drops what no node writes again where nothing is restored', async () => {
    const [a, b] = [copy(), copy()].map(() => copy({ write: undefined as never }));
    await a!.put('x', 'x1');
    await b!.replica.sync();
    table.lose();
    await b!.put('y', 'y1');
    await Promise.all([a!.replica.lost(), b!.replica.lost()]);
    for (const { texts } of [a!, b!]) expect(texts()).toEqual(['y1']);
  });
});

describe('after a loss of data, where nothing is restored', () => {
  it('drops all, and keeps what it writes meanwhile', async () => {
    const [a, b] = [copy({ write: undefined as never }), copy({ write: undefined as never })];
    for (const { put, replica } of [a, b]) {
      await put('x', 'x');
      await replica.sync();
    }
    table.lose();
    await a.replica.lost();
    expect(a.texts()).toEqual([]);
    const all = table.since.bind(table);
    jest.spyOn(table, 'since').mockImplementation(async (from) => {
      const page = await all(from);
      if (from === 0) await b.replica.change('own', (current) => (current === undefined ? 'own' : undefined));
      return page;
    });
    await b.replica.lost();
    expect(b.texts()).toEqual(['own']);
  });
});

describe('what it need not read', () => {
  const reads = () => jest.spyOn(table, 'since');
  const turns = async () => {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };

  it('is what it has written itself, as long as no other node wrote in between', async () => {
    const [a, b] = [copy(), copy()];
    await a.put('x', 'x1');
    await Promise.all([a.replica.sync(), b.replica.sync()]);
    const since = reads();
    await a.put('x', 'x2');
    const { version } = a.replica.get('x')!;
    a.replica.hinted(version);
    await turns();
    expect(since).not.toHaveBeenCalled();
    await b.put('y', 'y1');
    await a.put('x', 'x3');
    a.replica.hinted(a.replica.get('x')!.version);
    await turns();
    expect(since).toHaveBeenCalled();
    expect(a.texts()).toEqual(['x3', 'y1']);
  });

  it('is what it has written itself, also where the hint comes before the answer', async () => {
    const a = await copyOfX1();
    const [since, all] = [reads(), table.put.bind(table)];
    jest.spyOn(table, 'put').mockImplementationOnce(async (writes) => {
      const written = await all(writes);
      a.replica.hinted(written.versions[0]);
      return written;
    });
    await a.put('x', 'x2');
    await turns();
    expect(since).not.toHaveBeenCalled();
  });

  it('is not read sooner because of a late hint of what it has', async () => {
    const a = await copyOfX1();
    const since = reads();
    a.replica.hinted(a.replica.versionOf('x') + 1, false);
    a.replica.hinted(a.replica.versionOf('x'), true);
    await turns();
    expect(since).not.toHaveBeenCalled();
  });

  it('is never more than it has: a read that was under way while it wrote is no loss of data', async () => {
    const a = await copyOfX1();
    let answer = (): void => undefined;
    const asked = table.since.bind(table);
    const since = reads().mockImplementationOnce(async (version) => {
      const page = await asked(version);
      await new Promise<void>((resolve) => (answer = resolve));
      return page;
    });
    const syncing = a.replica.sync();
    await a.put('x', 'x2');
    answer();
    await syncing;
    expect(a.replica.isMending).toBe(false);
    since.mockClear();
    a.replica.hinted(a.replica.get('x')!.version);
    await turns();
    expect(since).toHaveBeenCalledTimes(1);
    expect(a.texts()).toEqual(['x2']);
  });

  it('is nothing of a table that was lost meanwhile', async () => {
    const [a, b] = [copy(), copy()];
    await a.put('x', 'x1');
    await a.put('y', 'y1');
    await Promise.all([a.replica.sync(), b.replica.sync()]);
    table.lose();
    clock += 10;
    await a.put('z', 'z1');
    a.replica.hinted(a.replica.get('z')!.version);
    await turns();
    await b.replica.sync();
    expect([a.texts(), b.texts()]).toEqual([
      ['x1', 'y1', 'z1'],
      ['x1', 'y1', 'z1'],
    ]);
  });

  it('is read in one go when it is not urgent, and at once when it is', async () => {
    const pace = copy({ now: () => performance.now() });
    const other = copy();
    await other.put('x', 'x0');
    await pace.replica.sync();
    const since = reads();
    for (let index = 1; index <= 20; index++) {
      await other.put('x', `x${index}`);
      pace.replica.hinted(other.replica.get('x')!.version, false);
      await turns();
    }
    await eventually(() => pace.texts()[0] === 'x20');
    expect(since.mock.calls.length).toBeLessThan(10);
    since.mockClear();
    await other.put('x', 'now');
    pace.replica.hinted(other.replica.get('x')!.version, true);
    await turns();
    expect(pace.texts()).toEqual(['now']);
  });
});

describe('a read', () => {
  it('of a table whose marks have gone is one question, the first time', async () => {
    const [a, b] = [copy(), copy()];
    for (const key of 'abcdefgh') await a.put(key, key);
    await a.remove(...'abcdefg');
    await a.remove();
    const since = jest.spyOn(table, 'since');
    await b.replica.sync();
    expect([b.texts(), since.mock.calls]).toEqual([['h'], [[0]]]);
    // Nor is there a gap where the watermark is what it has.
    const version = (await table.since(0)).version;
    await table.restore([], version);
    since.mockClear();
    await b.replica.sync();
    expect(since.mock.calls).toEqual([[version]]);
  });

  it('is none with a beat that says what there is', async () => {
    const a = copy();
    const since = jest.spyOn(table, 'since');
    await a.replica.heard(0);
    expect(since).not.toHaveBeenCalled();
    await a.put('x', 'x1');
    await a.replica.sync();
    since.mockClear();
    await a.replica.heard(a.replica.versionOf('x'));
    expect(since).not.toHaveBeenCalled();
  });

  it('follows a write into another life of the table, though the versions are those of this one', async () => {
    const a = await copyOfX1();
    const all = table.put.bind(table);
    jest.spyOn(table, 'put').mockImplementationOnce(async (writes) => ({ ...(await all(writes)), life: 'other' }));
    await a.put('x', 'x2');
    const since = jest.spyOn(table, 'since');
    await a.replica.heard(a.replica.versionOf('x'));
    expect(since).toHaveBeenCalled();
  });

  it('restores what is lost between two pages', async () => {
    const [a, other] = [copy(), copy()];
    await a.put('x', 'x1');
    await a.replica.sync();
    for (const key of 'bcdef') await other.put(key, key);
    inPagesOf(2);
    loseAfterAnAnswer();
    await a.replica.sync();
    expect([a.texts(), a.replica.isMending]).toEqual([['b', 'c', 'new', 'x1'], false]);
    await other.replica.sync();
    const late = copy();
    await late.replica.sync();
    expect(late.texts()).toEqual(['b', 'c', 'd', 'e', 'f', 'new', 'x1']);
  });
});

describe('what a replica does with a loss depends on whether it was in touch', () => {
  it.each<[string, (a: ReturnType<typeof copy>) => Promise<unknown>]>([
    ['reads', (a) => a.replica.sync()],
    ['hears that it has everything', (a) => a.replica.heard(a.replica.versionOf('x'))],
    ['writes', (a) => a.put('y', 'y1')],
  ])('one that %s restores at once', async (_what, touch) => {
    const a = await copyOfX1();
    clock += STALE_MS + 1;
    await touch(a);
    clock += STALE_MS;
    const before = a.texts();
    table.lose();
    await a.replica.lost();
    expect([a.texts(), a.replica.isMending]).toEqual([before, false]);
  });

  it('one that has written without ever having read waits for the others', async () => {
    const [a, other] = [copy(), copy()];
    await other.put('x', 'x1');
    clock += STALE_MS + 1;
    await a.put('y', 'y1');
    table.lose();
    await a.replica.lost();
    expect(a.replica.isMending).toBe(true);
  });

  it('one that reads for the first time is not kept waiting', async () => {
    const [a, other] = [copy(), copy()];
    await other.put('x', 'x1');
    clock += STALE_MS + 1;
    await a.replica.sync();
    expect(a.texts()).toEqual(['x1']);
  });

  it('one that was in touch when the data was lost still is when it can restore it', async () => {
    const a = await copyOfX1();
    clock += STALE_MS;
    table.lose();
    jest.spyOn(table, 'restore').mockRejectedValueOnce(new Error('away'));
    await a.replica.lost();
    clock += PATIENCE_MS / 2;
    await a.replica.lost();
    expect([a.texts(), a.replica.isMending]).toEqual([['x1'], false]);
  });

  it('one that was not waits once, however often it hears of the loss', async () => {
    const a = await copyOfX1();
    clock += STALE_MS + 1;
    table.lose();
    for (const wait of [0, PATIENCE_MS / 2]) {
      clock += wait;
      await a.replica.lost();
      expect(a.replica.isMending).toBe(true);
    }
    clock += PATIENCE_MS / 2;
    await a.replica.lost();
    expect([a.texts(), a.replica.isMending]).toEqual([['x1'], false]);
  });

  it('one that was not waits also where others have written since', async () => {
    const a = await copyOfX1();
    clock += STALE_MS + 1;
    table.lose();
    await copy().put('new', 'new');
    await a.replica.lost();
    expect([a.texts(), a.replica.isMending]).toEqual([['x1'], true]);
  });

  it('one that was not waits also where it is lost while it catches up with this life', async () => {
    const [a, other] = [await copyOfX1(), copy()];
    for (const key of 'bcdef') await other.put(key, key);
    clock += STALE_MS + 1;
    inPagesOf(2);
    loseAfterAnAnswer();
    const restore = jest.spyOn(table, 'restore');
    await a.replica.lost();
    expect([a.texts(), restore.mock.calls, a.replica.isMending]).toEqual([['b', 'c', 'x1'], [], true]);
  });

  it('one that restored into a life that it does not know waits when that is lost as well', async () => {
    const a = await copyOfX1();
    table.lose();
    jest.spyOn(table, 'restore').mockResolvedValueOnce('');
    await a.replica.lost();
    expect(a.replica.isMending).toBe(false);
    clock += STALE_MS + 1;
    await a.replica.lost();
    expect([a.texts(), a.replica.isMending]).toEqual([['x1'], true]);
  });

  it('one that found nothing does not take its first write for all there is', async () => {
    const [a, b] = [copy(), copy()];
    await a.put('x', 'x1');
    await a.replica.sync();
    table.lose();
    // What it put back was lost at once.
    jest.spyOn(table, 'restore').mockResolvedValueOnce('');
    await a.replica.lost();
    await a.put('y', 'y1');
    await Promise.all([a.replica.sync(), b.replica.sync()]);
    expect([a.texts(), b.texts()]).toEqual([['y1'], ['y1']]);
  });

  it.each([
    ['was in touch puts back what another one did not have', 0, ['x1', 'y1']],
    ['was not takes that for removed', STALE_MS + 1, ['x1']],
  ])('one that %s', async (_what, away, expected) => {
    const a = copy();
    await a.put('x', 'x1');
    await a.put('y', 'y1');
    await a.replica.sync();
    const [x, y] = (await table.since(0)).rows;
    clock += away;
    table.lose();
    await table.restore([x!], y!.version);
    await a.replica.lost();
    clock += PATIENCE_MS;
    await a.replica.lost();
    const late = copy();
    await late.replica.sync();
    expect([a.texts(), late.texts()]).toEqual([expected, expected]);
  });

  it('one that has nothing puts nothing back', async () => {
    const restore = jest.spyOn(table, 'restore');
    await copy().replica.lost();
    expect(restore).not.toHaveBeenCalled();
  });

  it.each([
    ['that it began itself', ''],
    ['in which another node wrote first, and of which the answer does not tell', 'new'],
  ])('one that has restored notices the loss of the life as well %s', async (_what, first) => {
    const a = await copyOfX1();
    table.lose();
    if (first !== '') {
      await copy().put(first, first);
      jest.spyOn(table, 'restore').mockResolvedValueOnce('');
    }
    await a.replica.lost();
    expect(a.replica.isMending).toBe(false);
    table.lose();
    clock += 10;
    await copy().put('newer', 'newer');
    await a.replica.sync();
    expect((await table.since(0)).rows.map(({ key }) => key)).toEqual(expect.arrayContaining(['x', 'newer']));
  });

  it('one that was not need not wait where nothing of this life is missing', async () => {
    const [a, b] = [copy(), copy()];
    await a.put('x', 'x1');
    await b.replica.sync();
    clock += STALE_MS + 1;
    await b.replica.lost();
    expect([b.texts(), b.replica.isMending]).toEqual([['x1'], false]);
  });
});

describe('a table that comes back with older data, in the same life', () => {
  /** It has what it has now, whatever is written from here on; `more` = what it says beside it. */
  async function rewound(then: () => Promise<unknown>, more: () => Partial<TablePage> = () => ({})) {
    const old = await table.since(0);
    await then();
    const { rows = [], ...rest } = more();
    const all = [...old.rows, ...rows];
    return jest
      .spyOn(table, 'since')
      .mockImplementation(async (from) => ({ ...old, ...rest, rows: all.filter(({ version }) => version > from) }));
  }

  async function withTwo() {
    const a = await copyOfX1();
    const restored = () => ({ key: 'y', value: 'y1', version: a.replica.versionOf('y') });
    return { a, restored, putY: () => a.put('y', 'y1') };
  }

  it('is given what it lacks as soon as the version says so', async () => {
    const { a, restored, putY } = await withTwo();
    await rewound(putY);
    const restore = jest.spyOn(table, 'restore');
    await a.replica.sync();
    expect(restore.mock.calls).toEqual([[[restored()], 0]]);
    expect([a.texts(), a.replica.isMending]).toEqual([['x1', 'y1'], false]);
  });

  it('is given it also where only the beat says so, and another node was first', async () => {
    const { a, restored, putY } = await withTwo();
    await rewound(putY, () => {
      const version = a.replica.versionOf('y') + 1;
      return { version, rows: [{ key: PUT_BACK, value: '', version }] };
    });
    const restore = jest.spyOn(table, 'restore');
    await a.replica.lost();
    expect(restore.mock.calls).toEqual([[[restored()], 0]]);
    expect([a.texts(), a.replica.isMending]).toEqual([['x1', 'y1'], false]);
  });

  it('is given it again where that was lost while it was put back', async () => {
    const { a, putY } = await withTwo();
    await rewound(putY, () => ({ version: a.replica.versionOf('y') }));
    const { life } = await table.since(0);
    const restore = jest.spyOn(table, 'restore').mockImplementationOnce(() => {
      void a.replica.lost();
      return Promise.resolve(life);
    });
    await a.replica.lost();
    await a.replica.sync();
    expect(restore).toHaveBeenCalledTimes(2);
    expect(a.replica.isMending).toBe(false);
  });

  it('waits for it from a node that was out of touch', async () => {
    const { a, putY } = await withTwo();
    await rewound(putY);
    clock += STALE_MS + 1;
    const restore = jest.spyOn(table, 'restore');
    await a.replica.lost();
    expect([restore.mock.calls, a.replica.isMending]).toEqual([[], true]);
  });

  /** Two nodes, of which one has written "y" and the other a newer "x", both lost; the second has restored its "x". */
  async function restoredBy(mine: Partial<ReplicaOptions<Value>> = {}) {
    const [a, b] = [copy(mine), copy()];
    await a.put('x', 'x1');
    for (const { replica } of [a, b]) await replica.sync();
    const setBack = table.kept();
    await b.put('x', 'x2');
    await a.replica.sync();
    await a.put('y', 'y1');
    return {
      a,
      b,
      restored: async () => {
        setBack();
        // Newer than all that the other one has, and before the mark in the order of versions.
        await b.put('z', 'z1');
        await b.replica.lost();
      },
    };
  }

  it.each([500, 1])(
    'is given what only one node knows, which hears of it by what others restored (%s)',
    async (size) => {
      const { a, b, restored } = await restoredBy();
      await restored();
      inPagesOf(size);
      await a.replica.syncSoon();
      for (const { replica } of [a, b, a]) await replica.sync();
      const all = ['x2', 'y1', 'z1'];
      expect([a.texts(), b.texts(), a.replica.isMending]).toEqual([all, all, false]);
    },
  );

  it.each([500, 1])('is given nothing by a node that was out of touch, or restores nothing (%s)', async (size) => {
    const { a, b, restored } = await restoredBy();
    clock += STALE_MS + 1;
    await restored();
    const other = await restoredBy({ write: undefined });
    await other.restored();
    inPagesOf(size);
    for (const { replica } of [a, b, other.a, other.b]) await replica.sync();
    for (const { texts, replica } of [a, b, other.a, other.b]) {
      expect([texts(), replica.isMending]).toEqual([['x2', 'z1'], false]);
    }
  });

  it('is given nothing by a node that may have missed what was removed', async () => {
    const { a, b, restored } = await restoredBy();
    await restored();
    // More than there are marks.
    for (const key of 'abcdefgh') {
      await b.put(key, 'short');
      await b.remove(key);
    }
    await table.restore([{ key: 'w', value: 'w1', version: 1 }], 0);
    const restore = jest.spyOn(table, 'restore');
    await a.replica.sync();
    expect([a.texts(), restore.mock.calls]).toEqual([['w1', 'x2', 'z1'], []]);

    const away = await restoredBy({ staleAfterMs: Infinity });
    await away.restored();
    restore.mockClear();
    clock += KEEP_MARKS_MS / 2 + 1;
    await away.a.replica.sync();
    expect([away.a.texts(), restore.mock.calls]).toEqual([['w1', 'x2', 'z1'], []]);
  });

  it('is one question for who reads it for the first time', async () => {
    const { restored } = await restoredBy();
    await restored();
    const fresh = copy();
    const since = jest.spyOn(table, 'since');
    await fresh.replica.sync();
    expect([fresh.texts(), since.mock.calls.length]).toEqual([['x2', 'z1'], 1]);
  });

  it('is given what it lacks by a node that would change a row of it', async () => {
    const { a, b, restored } = await restoredBy();
    await restored();
    const put = jest.spyOn(table, 'put');
    await a.put('y', 'y2');
    expect(put.mock.calls.length).toBeLessThan(4);
    await b.replica.sync();
    expect([a.texts(), b.texts()]).toEqual([
      ['x2', 'y2', 'z1'],
      ['x2', 'y2', 'z1'],
    ]);
  });

  it('is noticed between two pages as well', async () => {
    const { a, putY } = await withTwo();
    await copy().put('b', 'b');
    const page = await table.since(a.replica.versionOf('x'));
    const since = await rewound(putY, () => ({ version: a.replica.versionOf('x') }));
    since.mockResolvedValueOnce({ ...page, more: true });
    const restore = jest.spyOn(table, 'restore');
    await a.replica.sync();
    expect(restore.mock.calls.map(([rows]) => rows.map(({ value }) => value))).toEqual([['y1']]);
    expect([a.texts(), a.replica.isMending]).toEqual([['b', 'x1', 'y1'], false]);
  });
});
