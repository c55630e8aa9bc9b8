// The Lua of the tables by itself, on a real Redis: each script is run as it stands, and what it left is read.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import {
  putScript,
  removeScript,
  restoredScript,
  restoreScript,
  sinceScript,
} from '../../../libs/foundation/src/backend/tables/table.scripts.js';
import { hints, onRedisOfScripts } from './scripts.ground.js';

const [ROWS, VERSIONS, MARKS, HEAD] = ['{app}:rows', '{app}:versions', '{app}:marks', '{app}:head'] as const;
const HINT = '{"t":"table"';
const HOUR_US = 3_600_000_000;
/** By how much a busy machine may be late here. */
const SLACK_US = 5_000_000;

let redis: Redis;
/** The clock of Redis at the beginning of a test, in microseconds. */
let began: number;

onRedisOfScripts((ready) => (redis = ready));
beforeEach(async () => {
  const [seconds, micros] = (await redis.time()).map(Number) as [number, number];
  began = seconds * 1_000_000 + micros;
});

/** The versions that were hinted until now. */
async function hinted(): Promise<number[]> {
  return (await hints()).map((text) => {
    const { t, version } = JSON.parse(text) as { t: string; version: number };
    expect(t).toBe('table');
    return version;
  });
}
const versions = (): Promise<string[]> => redis.zrange(VERSIONS, '0', '-1', 'WITHSCORES');
const marks = (): Promise<string[]> => redis.zrange(MARKS, '0', '-1');
/** As it is after `put` at that version. */
async function row(key: string, version: number, value = `value of ${key}`): Promise<void> {
  await redis.hset(ROWS, key, value);
  await redis.zadd(VERSIONS, version, key);
}
async function mark(key: string, version: number): Promise<void> {
  await redis.zadd(VERSIONS, version, key);
  await redis.zadd(MARKS, version, key);
}
function expectNow(version: number): void {
  expect(version).toBeGreaterThanOrEqual(began);
  expect(version).toBeLessThanOrEqual(began + SLACK_US);
}

describe('Writing rows', () => {
  const put = async (...writes: [key: string, value: string, expected: number][]): Promise<string[]> =>
    (await putScript.run(redis, [ROWS, VERSIONS, MARKS, HEAD], ['hints', HINT, ...writes.flat()])) as string[];

  it('gives each a version of its own, by the clock of Redis, and hints at the last', async () => {
    const [life, before, one, two] = (await put(['a', 'A', 0], ['b', 'B', 0])).map(Number);
    expect([life, before, two]).toEqual([one, 0, one! + 1]);
    expectNow(one!);
    expect(await redis.hgetall(ROWS)).toEqual({ a: 'A', b: 'B' });
    expect(await versions()).toEqual(['a', String(one), 'b', String(two)]);
    expect(await hinted()).toEqual([two]);
    expect(await redis.hgetall(HEAD)).toEqual({ life: String(life) });
  });

  it('goes above every version there is, and keeps the life of the table', async () => {
    await redis.hset(HEAD, 'life', '5');
    await row('a', began + HOUR_US);
    const answer = await put(['b', 'B', 0]);
    expect(answer).toEqual(['5', String(began + HOUR_US), String(began + HOUR_US + 1)]);
    expect(await redis.hget(HEAD, 'life')).toBe('5');
  });

  it('writes over the version that is expected only, and the others of the same call all the same', async () => {
    await redis.hset(HEAD, 'life', '5');
    await row('a', 10, 'old');
    await row('b', 11, 'old');
    const [life, before, ...written] = await put(['a', 'A', 9], ['b', 'B', 11], ['c', 'C', 0], ['a', 'A', 0]);
    expect([life, before, written[0], written[3]]).toEqual(['5', '11', '', '']);
    expect(Number(written[2])).toBe(Number(written[1]) + 1);
    expect(await redis.hgetall(ROWS)).toEqual({ a: 'old', b: 'B', c: 'C' });
    expect(await redis.zscore(VERSIONS, 'a')).toBe('10');
    expect(await hinted()).toEqual([Number(written[2])]);
  });

  it('takes a row that was removed for none, whatever its mark says', async () => {
    await mark('a', 10);
    expect((await put(['a', 'A', 10]))[2]).toBe('');
    expect((await put(['a', 'A', 0]))[2]).not.toBe('');
    expect(await marks()).toEqual([]);
  });

  it('changes nothing and hints at nothing when all are other versions', async () => {
    expect(await put(['a', 'A', 7])).toEqual(['', '0', '']);
    await redis.hset(HEAD, 'life', '5');
    expect(await put(['a', 'A', 7])).toEqual(['5', '0', '']);
    expect(await redis.exists(ROWS, VERSIONS)).toBe(0);
    expect(await hinted()).toEqual([]);
  });
});

describe('Reading rows', () => {
  const since = (version: number, rows = 100, characters = 1000): Promise<unknown> =>
    sinceScript.run(redis, [ROWS, VERSIONS, HEAD], [version, rows, characters]);

  it('gives those after a version, the oldest first, with what is known of the table', async () => {
    expect(await since(0)).toEqual(['0', '0', '']);
    await redis.hset(HEAD, { floor: '3', life: '2' });
    await row('b', 10);
    await row('a', 11);
    await mark('gone', 12);
    expect(await since(10)).toEqual(['12', '3', '2', 'a', '11', 'value of a', 'gone', '12', '']);
    expect(await since(12)).toEqual(['12', '3', '2']);
  });

  it('gives no more than was asked for, but one row however large it is', async () => {
    for (const [index, key] of ['a', 'b', 'c', 'd'].entries()) await row(key, 10 + index, 'x'.repeat(10));
    const keysOf = async (rows: number, characters: number): Promise<unknown[]> =>
      ((await since(0, rows, characters)) as unknown[]).slice(3).filter((_, index) => index % 3 === 0);
    expect(await keysOf(2, 1000)).toEqual(['a', 'b']);
    expect(await keysOf(4, 5)).toEqual(['a']);
    // A row that fills it to the last character is not too much.
    expect(await keysOf(4, 20)).toEqual(['a', 'b', 'c']);
    expect(await keysOf(4, 19)).toEqual(['a', 'b']);
  });
});

describe('Putting rows back after a loss of data', () => {
  const restore = (...rows: [key: string, version: number, value: string][]): Promise<unknown> =>
    restoreScript.run(redis, [ROWS, VERSIONS, MARKS, HEAD], rows.flat());
  const restored = (known: number, some: boolean): Promise<unknown> =>
    restoredScript.run(redis, [VERSIONS, MARKS, HEAD], ['hints', HINT, known, some ? 1 : 0]);

  it('keeps their versions, and counts those that were missing or older', async () => {
    await row('b', 10, 'old');
    await row('c', 30, 'newer');
    await row('d', 20, 'same');
    await mark('e', 5);
    await redis.hset(HEAD, 'life', '5');
    const reply = await restore(['a', 5, 'A'], ['b', 11, 'B'], ['c', 20, 'C'], ['d', 20, 'D'], ['e', 6, 'E']);
    expect(reply).toEqual([3, '5']);
    expect(await redis.hgetall(ROWS)).toEqual({ a: 'A', b: 'B', c: 'newer', d: 'same', e: 'E' });
    expect(await versions()).toEqual(['a', '5', 'e', '6', 'b', '11', 'd', '20', 'c', '30']);
    expect(await marks()).toEqual([]);
  });

  it('is for rows whose value alone is gone, and not for those that were removed', async () => {
    await row('a', 5);
    await mark('b', 6);
    await redis.del(ROWS);
    expect(await restore(['a', 5, 'A'], ['b', 5, 'B'])).toEqual([1, expect.any(String)]);
    expect(await redis.hgetall(ROWS)).toEqual({ a: 'A' });
  });

  it('begins the life of the table with the first of them, and keeps it', async () => {
    expect(await restore()).toEqual([0, '']);
    expect(await redis.exists(HEAD)).toBe(0);
    const [count, life] = (await restore(['a', 5, 'A'])) as [number, string];
    expect(count).toBe(1);
    expectNow(Number(life));
    expect(await redis.hgetall(HEAD)).toEqual({ life });
    expect(await restore(['a', 5, 'A'], ['b', 6, 'B'])).toEqual([1, life]);
    expect(await restore(['a', 5, 'A'])).toEqual([0, life]);
    expect(await restored(9, true)).toBe(life);
  });

  it('begins the life of the table, says so, and raises the watermark to what was known', async () => {
    await row('a', 5);
    const life = Number(await restored(9, true));
    expectNow(life);
    expect(await redis.hgetall(HEAD)).toEqual({ life: String(life), floor: '9' });
    // A version above all that any copy has seen, of no row.
    expect(await versions()).toEqual(['a', '5', '', String(life)]);
    expect(await marks()).toEqual(['']);
    expect(await hinted()).toEqual([life]);
  });

  it('goes above what was known where that is ahead of the clock', async () => {
    const known = began + HOUR_US;
    expect(Number(await restored(known, false))).toBe(known + 1);
    expect(await versions()).toEqual(['', String(known + 1)]);
  });

  it('keeps the life and a higher watermark', async () => {
    await redis.hset(HEAD, { life: '5', floor: '12' });
    await row('a', 20);
    expect(await restored(9, true)).toBe('5');
    expect(await redis.hgetall(HEAD)).toEqual({ life: '5', floor: '12' });
    expect(await hinted()).toHaveLength(1);
  });

  it('tells nobody where nothing was missing, unless the watermark would be above the newest version', async () => {
    await row('a', 20);
    await restored(20, false);
    expect(await versions()).toEqual(['a', '20']);
    expect([await marks(), await hinted()]).toEqual([[], []]);
    await restored(21, false);
    expect((await versions())[2]).toBe('');
    expect(await hinted()).toHaveLength(1);
  });
});

describe('Removing rows', () => {
  interface Limits {
    keep?: number;
    most?: number;
    drop?: number;
    look?: number;
  }
  const remove = (
    { keep = HOUR_US, most = 100, drop = 100, look = 100 }: Limits,
    ...rows: [key: string, version: number][]
  ): Promise<unknown> =>
    removeScript.run(redis, [ROWS, VERSIONS, MARKS, HEAD], ['hints', HINT, keep, most, drop, look, ...rows.flat()]);
  const floor = (): Promise<string | null> => redis.hget(HEAD, 'floor');

  it('leaves a mark with a version of its own for each, and hints at the last', async () => {
    await row('a', 10);
    await row('b', 11);
    await row('c', 12);
    expect(await remove({}, ['a', 10], ['b', 9], ['c', 12], ['none', 1])).toEqual([1, 0, 1, 0]);
    expect(await redis.hkeys(ROWS)).toEqual(['b']);
    const [b, , a, at, c, last] = await versions();
    expect([b, a, c]).toEqual(['b', 'a', 'c']);
    expectNow(Number(at));
    expect(Number(last)).toBe(Number(at) + 1);
    expect(await marks()).toEqual(['a', 'c']);
    expect(await redis.zscore(MARKS, 'a')).toBe(at);
    expect(await hinted()).toEqual([Number(last)]);
  });

  it('marks what it removes itself, without looking for marks', async () => {
    await row('a', began - 2);
    await row('b', began - 1);
    expect(await remove({ look: 0 }, ['a', began - 2], ['b', began - 1])).toEqual([1, 1]);
    expect(await redis.zrange(MARKS, '0', '-1', 'WITHSCORES')).toEqual(await versions());
    expect(await marks()).toEqual(['a', 'b']);
  });

  it('hints at nothing when nothing was removed, nor takes a mark for a row', async () => {
    await mark('a', 10);
    expect(await remove({}, ['a', 10])).toEqual([0]);
    expect(await hinted()).toEqual([]);
  });

  it('drops marks that are too old, the oldest first and some at a time, and says up to where', async () => {
    for (let index = 1; index <= 5; index++) await mark(`old-${index}`, began - HOUR_US - 100 + index);
    await mark('young', began - HOUR_US / 2);
    await remove({ drop: 3 });
    expect(await marks()).toEqual(['old-4', 'old-5', 'young']);
    expect(await floor()).toBe(String(began - HOUR_US - 100 + 3));
    await remove({ drop: 3 });
    expect(await marks()).toEqual(['young']);
    expect((await versions()).filter((_, index) => index % 2 === 0)).toEqual(['young']);
  });

  it('drops all that are too old where fewer are too many', async () => {
    for (let index = 1; index <= 5; index++) await mark(`old-${index}`, began - HOUR_US - 100 + index);
    await mark('young', began - HOUR_US / 2);
    await remove({ most: 4 });
    expect(await marks()).toEqual(['young']);
  });

  it('drops as many as are too many, and no more at a time than it may', async () => {
    for (let index = 1; index <= 6; index++) await mark(`m-${index}`, began - 100 + index);
    await remove({ most: 6 });
    expect(await marks()).toHaveLength(6);
    expect(await floor()).toBeNull();
    await remove({ most: 4 });
    expect(await marks()).toEqual(['m-3', 'm-4', 'm-5', 'm-6']);
    expect(await floor()).toBe(String(began - 100 + 2));
    await remove({ most: 0, drop: 1 });
    expect(await marks()).toEqual(['m-4', 'm-5', 'm-6']);
  });

  it('never drops the newest version of all', async () => {
    await mark('a', 10);
    await mark('b', 11);
    await remove({ most: 0 });
    expect(await marks()).toEqual(['b']);
    expect([await versions(), await floor()]).toEqual([['b', '11'], '10']);
  });

  it('finds marks that nodes of an older version left, some with each removal, and begins anew at the end', async () => {
    await row('a', began - 100);
    for (let index = 1; index <= 3; index++) await redis.zadd(VERSIONS, began - 100 + index, `left-${index}`);
    await remove({ look: 2 });
    expect(await marks()).toEqual(['left-1']);
    expect(await redis.hget(HEAD, 'seen')).toBe(String(began - 99));
    await remove({ look: 2 });
    expect(await marks()).toEqual(['left-1', 'left-2', 'left-3']);
    await remove({ look: 2 });
    expect(await redis.hget(HEAD, 'seen')).toBe('0');
    await redis.zadd(VERSIONS, began - 101, 'left-0');
    await remove({ look: 2 });
    expect(await marks()).toContain('left-0');
  });

  it('does not write where it looks when that stays where it is', async () => {
    await remove({});
    expect(await redis.exists(HEAD)).toBe(0);
  });

  it('keeps a row that a node of an older version wrote over its mark', async () => {
    await mark('a', 10);
    await redis.hset(ROWS, 'a', 'again');
    await row('b', 20);
    await remove({ most: 0 });
    expect(await marks()).toEqual([]);
    expect(await redis.zscore(VERSIONS, 'a')).toBe('10');
    expect(await floor()).toBeNull();
  });

  it('never lowers the watermark', async () => {
    await redis.hset(HEAD, 'floor', '15');
    await mark('a', 10);
    await row('b', 20);
    await remove({ most: 0 });
    expect([await marks(), await floor()]).toEqual([[], '15']);
  });
});
