// Tables in Redis by the port alone, so that a mutant of it is tried in a second or two: the contract, how much is sent
// in one call, what hints say, and what is believed. `tables.spec.ts` has what they cost and how old nodes read them.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisTable } from '../../libs/foundation/src/backend/tables/redis.table.js';
import {
  type MarkLimits,
  PUT_BACK,
  type TableRow,
  type TableWrite,
} from '../../libs/foundation/src/backend/tables/table.js';
import { TableReplica } from '../../libs/foundation/src/backend/tables/table.replica.js';
import {
  putScript,
  removeScript,
  restoredScript,
  restoreScript,
} from '../../libs/foundation/src/backend/tables/table.scripts.js';
import { Secret } from '../../libs/foundation/src/security/secret.js';
import { createSigner, type Signer } from '../../libs/foundation/src/security/signer.js';
import { tableContract } from '../../libs/foundation/src/testing/contracts/table.contract.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { keysOf } from '../../libs/foundation/src/wire/keys.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';

const KEYS = keysOf('app');
const { processes: rows, processVersions: versions, processMarks: marks, processHead: head, hints } = KEYS;
const PLACES = { rows, versions, marks, head, hints, hint: { t: 'table' } } as const;
const UNSEALED = createSigner('app', undefined);

let server: RedisServer;
/** Of two nodes. */
let clients: [Redis, Redis];
let subscriber: Redis;
let heard: { t: string; of?: string[]; version: number }[];
const listeners = new Set<(version: number) => void>();

beforeAll(async () => {
  // Of its own also where the other specs have a topology.
  server = await startRedis({ args: [] });
  clients = [new Redis(server.url), new Redis(server.url)];
  subscriber = new Redis(server.url);
  subscriber.on('message', (topic: string, text: string) => {
    const hint = JSON.parse(text) as (typeof heard)[number];
    if (topic === hints) heard.push(hint);
    listeners.forEach((listener) => listener(hint.version));
  });
  await subscriber.subscribe(hints);
});
afterAll(async () => {
  await Promise.all([...clients, subscriber].map((client) => client.quit()));
  await server.stop();
});
beforeEach(async () => {
  heard = [];
  await server.cli('FLUSHALL');
});
afterEach(() => void jest.restoreAllMocks());

const tableOf = (limits?: MarkLimits, signer: Signer = UNSEALED, at: 0 | 1 = 0): RedisTable =>
  new RedisTable(clients[at], PLACES, signer, limits);

tableContract(
  'redis, the port alone',
  (size, limits) =>
    Promise.resolve({
      nodes: ([0, 1] as const).slice(0, size).map((at) => tableOf(limits, UNSEALED, at)),
      onHint: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      lose: async () => void (await server.cli('DEL', rows, versions, marks, head)),
      close: () => Promise.resolve(),
    }),
  { describe, it },
);

const writesOf = (count: number, length = 3): TableWrite[] =>
  Array.from({ length: count }, (_, index) => ({
    key: `row-${index}`,
    value: `"${'x'.repeat(length - 2)}"`,
    expected: 0,
  }));

async function fill(table: RedisTable, count: number): Promise<TableRow[]> {
  const writes = writesOf(count);
  const written = await table.put(writes);
  return writes.map(({ key, value }, index) => ({ key, value, version: written.versions[index]! }));
}

/** How many rows each call of a script has had so far. */
function callsOf(script: typeof putScript, before: number, each: number): () => number[] {
  const run = jest.spyOn(script, 'run');
  return () => run.mock.calls.map(([, , args]) => (args.length - before) / each);
}

describe('A table in Redis keeps it for a moment only', () => {
  it.each([
    ['a hundred rows', writesOf(100), [100]],
    ['more of them', writesOf(201), [100, 100, 1]],
    ['half a million characters', writesOf(4, 250_000), [2, 2]],
    ['one character more', [...writesOf(1, 250_001), ...writesOf(2, 250_000)], [1, 2]],
    ['rows that are longer', writesOf(3, 600_000), [1, 1, 1]],
    ['none', [], []],
  ])('writes and puts back %s', async (_what, writes, calls) => {
    const [put, restore] = [callsOf(putScript, 2, 3), callsOf(restoreScript, 0, 3)];
    const table = tableOf();
    await table.put(writes);
    await table.restore(
      writes.map(({ key, value }, index) => ({ key, value, version: index + 1 })),
      0,
    );
    expect([put(), restore()]).toEqual([calls, calls]);
  });

  it('removes in calls of a hundred rows, and has one to drop marks where there are none', async () => {
    const table = tableOf();
    const there = await fill(table, 250);
    const calls = callsOf(removeScript, 6, 2);
    expect(await table.remove(there.slice(0, 100))).toHaveLength(100);
    expect(await table.remove(there.slice(100))).toHaveLength(150);
    await table.remove([]);
    expect(calls()).toEqual([100, 100, 50, 0]);
  });

  it('reads the last page as the last, and what came after it with the next', async () => {
    const table = tableOf();
    const there = await fill(table, 500);
    expect(await table.since(0)).toMatchObject({ rows: there, more: false });
    await table.put([{ key: 'one more', value: '"x"', expected: 0 }]);
    expect(await table.since(0)).toMatchObject({ rows: there, more: true });
    expect(await table.since(there.at(-1)!.version)).toMatchObject({ rows: [{ key: 'one more' }], more: false });
  });
});

describe('What a table in Redis says of a write', () => {
  it('is what it follows, unless another node wrote between two calls', async () => {
    const [table, other] = [tableOf(), tableOf(undefined, UNSEALED, 1)];
    const { run } = putScript;
    let asked = 0;
    jest.spyOn(putScript, 'run').mockImplementation(async (...args) => {
      asked += 1;
      if (asked === 2) await other.put([{ key: 'between', value: '"x"', expected: 0 }]);
      return run.apply(putScript, args);
    });
    const written = await table.put(writesOf(350));
    expect(written.versions).toHaveLength(350);
    expect(written.follows).toBeUndefined();
  });

  it('is what it follows also where calls in between wrote nothing', async () => {
    const table = tableOf();
    const there = await fill(table, 100);
    const changed = (index: number): TableWrite => ({
      ...there[index]!,
      value: '"y"',
      expected: there[index]!.version,
    });
    // The second hundred is refused altogether, and of the third the last row.
    const written = await table.put([
      ...there.map((_, index) => changed(index)),
      ...writesOf(100),
      ...writesOf(100).map(({ key, ...write }, index) => ({ ...write, key: index === 99 ? key : `new-${index}` })),
      { key: 'last', value: '"z"', expected: 0 },
    ]);
    expect(written.versions.filter((version) => version === undefined)).toHaveLength(101);
    expect(written.follows).toBe(there.at(-1)!.version);
    expect(written.versions.at(-1)).toBe((await table.since(written.versions.at(-1)! - 1)).version);
  });
});

describe('What a table in Redis puts back', () => {
  const there = writesOf(150).map(({ key, value }, index) => ({ key, value, version: index + 1 }));
  /** Loses all that the table has before the call of this number. */
  const losing = (before: number): void => {
    for (const script of [restoreScript, restoredScript]) {
      const { run } = script;
      jest.spyOn(script, 'run').mockImplementation(async (...args) => {
        if (before-- === 0) await server.cli('DEL', rows, versions, marks, head);
        return run.apply(script, args);
      });
    }
  };

  it.each([1, 2])('is not taken for put back when it is lost before call %s is done', async (before) => {
    losing(before);
    await expect(tableOf().restore(there, 7)).rejects.toThrow('lost data while rows were restored');
    expect(await tableOf().restore(there, 7)).toBe((await tableOf().since(0)).life);
    expect((await tableOf().since(0)).rows).toMatchObject([...there, { key: PUT_BACK }]);
  });

  it('is put back in one life, also when that begins with it', async () => {
    losing(0);
    const life = await tableOf().restore(there, 0);
    expect(life).toMatch(/^\d{16}$/);
    expect((await tableOf().since(0)).life).toBe(life);
  });
});

it('A hash of rows that was deleted by hand is restored by the first who would change a row', async () => {
  const replica = new TableReplica<{ version: number; value: string }>(tableOf(), {
    what: 'table of tests',
    read: ({ version, value }) => ({ version, value }),
    write: ({ value }) => value,
  });
  for (const key of ['a', 'b']) await replica.change(key, () => '"1"');
  await replica.sync();
  await server.cli('DEL', rows);
  await replica.change('a', () => '"2"');
  await replica.sync();
  expect((await tableOf().since(0)).rows).toMatchObject([
    { key: 'b', value: '"1"' },
    { key: PUT_BACK },
    { key: 'a', value: '"2"' },
  ]);
  expect([...replica.values()].map(({ value }) => value).sort()).toEqual(['"1"', '"2"']);
});

describe('A hint of a table in Redis', () => {
  const hintOf = async (abouts: (string | undefined)[]): Promise<string[] | undefined> => {
    const [before, table] = [heard.length, tableOf()];
    const writes = abouts.map((about, index) => ({
      ...{ key: `hinted-${before}-${index}`, value: '"x"', expected: 0 },
      ...(about === undefined ? {} : { about }),
    }));
    const written = await table.put(writes);
    await eventually(() => heard.length > before, { what: 'A hint' });
    expect(heard.slice(before)).toMatchObject([{ t: 'table', version: written.versions.at(-1) }]);
    return heard.at(-1)!.of;
  };
  const classes = (count: number): string[] => Array.from({ length: count }, (_, index) => `Class${index}`);

  it('names what the rows are about, once each', async () => {
    expect(await hintOf(['A', 'B', 'A', ''])).toEqual(['A', 'B']);
    expect(await hintOf([''])).toEqual([]);
    expect(await hintOf(classes(8))).toEqual(classes(8));
  });

  it('names nothing where one of them does not say, or they are many', async () => {
    expect(await hintOf(['A', undefined])).toBeUndefined();
    expect(await hintOf(classes(9))).toBeUndefined();
  });
});

describe('What lies in a table in Redis', () => {
  const ours = createSigner('app', new Secret('the cookie of this application'));

  it('is believed in its own place, and only there, when a node with this cookie wrote it', async () => {
    const table = tableOf(undefined, ours);
    const [{ version } = { version: 0 }, other] = await fill(table, 2);
    await table.remove([other!]);
    const { version: mark } = await table.since(0);
    expect((await table.since(0)).rows).toEqual([
      { key: 'row-0', value: '"x"', version },
      { key: 'row-1', value: '', version: mark },
    ]);
    const sealed = await server.cli('HGET', rows, 'row-0');
    expect(sealed).not.toBe('"x"');
    // Moved to where there was none, and written by somebody without the cookie.
    await server.cli('HSET', rows, 'row-1', sealed, 'row-0', '"x"');
    expect((await table.since(0)).rows).toEqual([
      { key: 'row-0', value: '', version, isForeign: true },
      { key: 'row-1', value: '', version: mark, isForeign: true },
    ]);
  });
});

describe('A table in Redis after a loss of data', () => {
  it('is left alone by a replica that has nothing', async () => {
    const ended = jest.spyOn(restoredScript, 'run');
    expect(await tableOf().restore([], 0)).toBe('');
    expect(ended).not.toHaveBeenCalled();
    expect(await tableOf().since(0)).toMatchObject({ rows: [], version: 0, life: '' });
  });

  it('gets its rows, and announces them, also by a replica that cannot say how complete it was', async () => {
    const table = tableOf();
    const life = await table.restore([{ key: 'k', value: '"x"', version: 5 }], 0);
    const page = await table.since(0);
    expect(page).toMatchObject({ rows: [{ key: 'k', version: 5 }, { key: PUT_BACK }], floor: 0, life });
    expect(life).not.toBe('');
    // What is there by now is announced once.
    expect(await table.restore([{ key: 'k', value: '"x"', version: 5 }], 0)).toBe('');
    expect(await table.restore([], 5)).toBe(life);
    expect((await table.since(0)).version).toBe(page.version);
  });
});

describe('Marks of a table in Redis', () => {
  const removeAll = async (keepMs: number): Promise<RedisTable> => {
    const table = tableOf({ keepMs, max: 100 });
    await table.remove(await fill(table, 10));
    return table;
  };

  it('stay as long as they are kept, in milliseconds', async () => {
    const table = await removeAll(60_000);
    await table.remove([]);
    expect((await table.since(0)).rows).toHaveLength(10);
  });

  it('go then, but for the newest', async () => {
    const table = await removeAll(1);
    await eventually(async () => {
      await table.remove([]);
      return (await table.since(0)).rows.length === 1;
    });
  });
});
