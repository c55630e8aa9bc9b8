// Tables on real Redis: what a script costs is counted in commands, not in time; and how nodes of the version before
// and new ones read the same keys.
import { describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { RedisTable } from '../../libs/foundation/src/backend/tables/redis.table.js';
import type { MarkLimits, TableWrite } from '../../libs/foundation/src/backend/tables/table.js';
import { TableReplica } from '../../libs/foundation/src/backend/tables/table.replica.js';
import { createSigner } from '../../libs/foundation/src/security/signer.js';
import { type Keys, keysOf } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { backendOn, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, keys } = ground));

async function tableOf(limits?: MarkLimits): Promise<RedisTable> {
  const { backend } = await backendOn(server, appName);
  const { processes: rows, processVersions: versions, processMarks: marks, processHead: head, hints } = keysOf(appName);
  const places = { rows, versions, marks, head, hints, hint: { t: 'table' } } as const;
  return new RedisTable(backend.raw.control as Redis, places, createSigner(appName, undefined), limits);
}

const writes = (count: number, word = 'row'): TableWrite[] =>
  Array.from({ length: count }, (_, index) => ({ key: `${word}-${index}`, value: `"${word}"`, expected: 0 }));

async function fill(table: RedisTable, count: number, word?: string): Promise<{ key: string; version: number }[]> {
  const rows = writes(count, word);
  const { versions } = await table.put(rows);
  return rows.map(({ key }, index) => ({ key, version: versions[index]! }));
}

/** How many commands Redis carried out during `work`, those in scripts included, by name. */
async function commandsOf(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const read = async (): Promise<Map<string, number>> => {
    const stats = (await server.cli('INFO', 'commandstats')).matchAll(/cmdstat_([a-z|]+):calls=(\d+)/g);
    return new Map([...stats].map(([, name, calls]) => [name!, Number(calls)]));
  };
  const before = await read();
  await work();
  const after = await read();
  return Object.fromEntries([...after].map(([name, calls]) => [name, calls - (before.get(name) ?? 0)]));
}

const DATA = ['hexists', 'zscore', 'hdel', 'zadd', 'zrem', 'hget', 'hset', 'zrange', 'zrangebyscore'];
const costOf = async (work: () => Promise<unknown>) => {
  const commands = await commandsOf(work);
  return DATA.reduce((sum, name) => sum + (commands[name] ?? 0), 0);
};

function copy(table: RedisTable) {
  const read = ({ value, version }: { value: string; version: number }) => ({ value, version });
  const replica = new TableReplica(table, { what: 'table of tests', read, write: ({ value }) => value });
  return { replica, values: () => [...replica.values()].length };
}

describe('a table', () => {
  it('costs for a removal what is removed, however many rows there are and however old they are (H1)', async () => {
    const costs: number[] = [];
    for (const count of [300, 6000]) {
      await server.cli('FLUSHALL');
      // Everything is older than marks are kept: that was looked at row by row.
      const table = await tableOf({ keepMs: 0, max: 100 });
      const rows = await fill(table, count);
      costs.push(await costOf(() => table.remove(rows.slice(0, 50))));
    }
    const [few, many] = costs as [number, number];
    expect(many).toBeLessThan(few + 50);
    expect(many).toBeLessThan(1000);
  });

  it('removes and writes in batches, and reads and puts back in pages', async () => {
    const table = await tableOf();
    const calls = async (work: () => Promise<unknown>) => {
      const { evalsha = 0, eval: full = 0 } = await commandsOf(work);
      return evalsha + full;
    };
    let rows: { key: string; version: number }[] = [];
    expect(await calls(async () => (rows = await fill(table, 1200)))).toBeGreaterThanOrEqual(12);
    const { replica, values } = copy(table);
    expect(await calls(() => replica.sync())).toBeGreaterThanOrEqual(3);
    expect(values()).toBe(1200);
    await server.cli('FLUSHALL');
    expect(await calls(() => replica.lost())).toBeGreaterThanOrEqual(12);
    expect(await server.cli('HLEN', keys.processes)).toBe('1200');
    expect(await calls(() => table.remove(rows))).toBeGreaterThanOrEqual(12);
    expect(await server.cli('HLEN', keys.processes)).toBe('0');
  });

  it('keeps marks for a time and in a number, and says up to which version some are gone', async () => {
    const table = await tableOf({ keepMs: 3_600_000, max: 20 });
    const rows = await fill(table, 500);
    const last = rows.at(-1)!.version;
    await table.remove(rows.slice(0, 400));
    for (let round = 0; round < 3; round++) await table.remove([]);
    expect(await server.cli('ZCARD', keys.processMarks)).toBe('20');
    expect(await server.cli('ZCARD', keys.processVersions)).toBe('120');
    const { floor, version } = await table.since(last);
    expect(floor).toBeGreaterThan(last);
    expect(floor).toBeLessThan(version);
    const old = await tableOf({ keepMs: 0, max: 20 });
    await old.remove([]);
    // The newest of all stays: it says what the version of the table is.
    expect(await server.cli('ZCARD', keys.processMarks)).toBe('1');
    expect((await table.since(0)).version).toBe(version);
  });

  it('never brings back what was removed while a copy was away, with or without its mark (M4)', async () => {
    const table = await tableOf({ keepMs: 0, max: 5 });
    const rows = await fill(table, 30);
    const away = copy(table);
    await away.replica.sync();
    await table.remove(rows.slice(0, 20));
    await fill(table, 1, 'new');
    await table.remove([]);
    expect(Number(await server.cli('ZCARD', keys.processMarks))).toBeLessThan(5);
    await away.replica.sync();
    expect(away.values()).toBe(11);
  });

  it('is put back once, however many copies there are (L8)', async () => {
    const table = await tableOf();
    await fill(table, 1000);
    const copies = await Promise.all(Array.from({ length: 5 }, async () => copy(await tableOf())));
    for (const { replica } of copies) await replica.sync();
    await server.cli('FLUSHALL');
    const { hset = 0 } = await commandsOf(async () => {
      for (const { replica } of copies) await replica.lost();
    });
    expect(hset).toBeLessThan(1000 + 4 * copies.length);
    for (const { replica, values } of copies) {
      await replica.sync();
      expect(values()).toBe(1000);
    }
  });

  it('is put back again when it is lost a second time at once, also when nobody says so', async () => {
    const table = await tableOf();
    await fill(table, 10);
    const { replica, values } = copy(table);
    await replica.sync();
    for (let loss = 0; loss < 3; loss++) {
      await server.cli('FLUSHALL');
      await replica.sync();
      expect([values(), await server.cli('HLEN', keys.processes)]).toEqual([10, '10']);
    }
  });

  it('is read anew by a copy that had caught up with newer rows before old ones were put back', async () => {
    const table = await tableOf();
    await fill(table, 10, 'old');
    const [knows, fresh] = [copy(table), copy(table)];
    await knows.replica.sync();
    await server.cli('FLUSHALL');
    await fill(table, 1, 'new');
    await fresh.replica.sync();
    expect(fresh.values()).toBe(1);
    await knows.replica.sync();
    await fresh.replica.sync();
    expect([fresh.values(), knows.values()]).toEqual([11, 11]);
  });

  describe('beside nodes of the version before', () => {
    it('leaves its marks where they look for them', async () => {
      const table = await tableOf();
      const [first] = await fill(table, 2);
      await table.remove([first!]);
      // Their question: everything in `versions` above theirs; without a row it was removed.
      const newer = await server.cli('ZRANGEBYSCORE', keys.processVersions, `(${first!.version}`, '+inf');
      expect(newer.split('\n')).toEqual(['row-1', 'row-0']);
      expect(await server.cli('HEXISTS', keys.processes, 'row-0')).toBe('0');
    });

    it('reads their rows and marks, and drops the marks in the end', async () => {
      const table = await tableOf({ keepMs: 0, max: 100 });
      await fill(table, 30);
      for (let index = 0; index < 30; index++)
        await server.cli('ZADD', keys.processVersions, `${1000 + index}`, `dead-${index}`);
      await server.cli('HSET', keys.processes, 'theirs', '"theirs"');
      const newest = (await table.since(0)).version;
      await server.cli('ZADD', keys.processVersions, `${newest + 5}`, 'theirs');
      const { replica, values } = copy(table);
      await replica.sync();
      expect(values()).toBe(31);
      for (let round = 0; round < 6; round++) await table.remove([]);
      expect(await server.cli('ZCARD', keys.processVersions)).toBe('31');
      expect(await server.cli('ZCARD', keys.processMarks)).toBe('0');
    });

    it('keeps a row that they wrote over one of its marks', async () => {
      const table = await tableOf({ keepMs: 0, max: 100 });
      const [row] = await fill(table, 1);
      await table.remove([row!]);
      const { version } = await table.since(0);
      await server.cli('HSET', keys.processes, 'row-0', '"again"');
      await server.cli('ZADD', keys.processVersions, `${version + 5}`, 'row-0');
      for (let round = 0; round < 3; round++) await table.remove([]);
      expect((await table.since(0)).rows).toMatchObject([{ key: 'row-0', value: '"again"' }]);
    });
  });
});
