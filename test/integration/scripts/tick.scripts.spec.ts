// The Lua of what cron jobs remember by itself, on a real Redis: each script is run as it stands, and what it left is
// read.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import {
  openTicksScript,
  readTicksScript,
  restoreTicksScript,
  writeTicksScript,
} from '../../../libs/foundation/src/backend/leases/tick.scripts.js';
import { keysOf } from '../../../libs/foundation/src/wire/keys.js';
import { hints, onRedisOfScripts } from './scripts.ground.js';

const KEY = keysOf('app').cron('close');
const OTHER = keysOf('app').cron('open');
const LIFE = 3_600_000;
const MINUTE = 60_000;
const DAY = 86_400_000;
/** By how much a busy machine may be late here. */
const SLACK = 5000;

let redis: Redis;
/** The clock of Redis at the beginning of a test, in milliseconds. */
let now: number;

onRedisOfScripts((ready) => (redis = ready));
beforeEach(async () => {
  const [seconds, micros] = (await redis.time()).map(Number) as [number, number];
  now = seconds * 1000 + Math.floor(micros / 1000);
});

const open = (epoch: number): Promise<unknown> => openTicksScript.run(redis, [KEY], [epoch, LIFE]);
const write = (epoch: number, record: string, ...claim: (string | number)[]): Promise<unknown> =>
  writeTicksScript.run(redis, [KEY], [epoch, LIFE, record, 'hints', '', ...claim]);
const restore = (epoch: number, claimed: number, record: string): Promise<unknown> =>
  restoreTicksScript.run(redis, [KEY], [LIFE, epoch, claimed, record]);
const kept = (): Promise<Record<string, string>> => redis.hgetall(KEY);
const put = (fields: Record<string, string | number>): Promise<unknown> => redis.hset(KEY, fields);
const by = (writer: number, rev: number): string => `{"rev":${rev},"by":${writer}}`;
async function expectLife(): Promise<void> {
  const left = await redis.pttl(KEY);
  expect(left).toBeGreaterThan(LIFE - 4 * SLACK);
  expect(left).toBeLessThanOrEqual(LIFE);
}

describe('open', () => {
  it('gives what there was, and the epoch from here on; not to a lower one', async () => {
    expect(await open(5)).toEqual(['0', '0', '', '']);
    expect(await kept()).toEqual({ epoch: '5' });
    await expectLife();
    await put({ claimed: now, record: by(5, 3), claim: 'a' });
    expect(await open(5)).toEqual(['5', String(now), by(5, 3), '']);
    expect(await open(7)).toEqual(['5', String(now), by(5, 3), '']);
    expect(await open(6)).toBe('');
    expect(await kept()).toEqual({ epoch: '7', claimed: String(now), claim: 'a', record: by(5, 3) });
  });

  it.each(['x', '-1', '1e300', '9007199254740993', 'nan'])('takes an epoch "%s" for none', async (epoch) => {
    await put({ epoch });
    expect(await open(5)).toEqual([epoch, '0', '', '']);
    expect(await kept()).toEqual({ epoch: '5' });
  });

  it('takes the highest that a number can have for one', async () => {
    await put({ epoch: Number.MAX_SAFE_INTEGER });
    expect(await open(5)).toBe('');
  });

  it('passes over a claimed time that no clock said, and says what is there, cut', async () => {
    for (const said of [String(now + DAY + SLACK), '-1', 'x'.repeat(60)]) {
      await put({ claimed: said });
      const [, most, , doubt] = (await open(5)) as string[];
      expect(doubt).toBe(`?${said.slice(0, 40)}`);
      expect(Number(most)).toBeGreaterThanOrEqual(now + MINUTE);
      expect(Number(most)).toBeLessThanOrEqual(now + MINUTE + SLACK);
    }
    for (const claimed of [String(now + DAY), '0', '1']) {
      await put({ claimed });
      expect(await open(5)).toEqual(['5', claimed, '', '']);
    }
  });

  it('begins anew where the key is no hash, and reports another error', async () => {
    await redis.set(KEY, 'x');
    expect(await open(5)).toEqual(['0', '0', '', '']);
    expect(await kept()).toEqual({ epoch: '5' });
    await expect(openTicksScript.run(redis, [], [5, LIFE])).rejects.toThrow();
  });
});

describe('write', () => {
  it('writes for the highest epoch that has begun, and tells of it', async () => {
    expect(await write(5, by(5, 1))).toBe('done');
    await expectLife();
    expect(await write(4, by(4, 2))).toBe('stale');
    expect(await hints()).toEqual([]);
    expect(await writeTicksScript.run(redis, [KEY], [6, LIFE, by(6, 1), 'hints', 'said'])).toBe('done');
    expect(await hints()).toEqual(['said']);
    expect(await kept()).toEqual({ epoch: '6', record: by(6, 1) });
  });

  it('writes over earlier revisions of its epoch only, by number and not by text', async () => {
    await write(5, by(5, 10));
    expect(await write(5, by(5, 9))).toBe('late');
    expect(await write(5, 'none')).toBe('late');
    expect(await write(5, by(5, 10))).toBe('done');
    expect(await write(5, by(5, 11))).toBe('done');
    expect(await write(6, by(6, 1))).toBe('done');
    // One that no owner reaches is none.
    await put({ record: '{"rev":1000000000000000}' });
    expect(await write(6, by(6, 2))).toBe('done');
    await put({ record: '{"rev":999999999999999}' });
    expect(await write(6, by(6, 2))).toBe('late');
    await put({ record: 'x{"rev":9}' });
    expect(await write(6, by(6, 2))).toBe('done');
  });

  it('claims a time once, not an earlier one, and none that is far ahead', async () => {
    expect(await write(5, by(5, 1), now, 'a')).toBe('done');
    expect(await write(5, by(5, 1), now, 'a')).toBe('done');
    expect(await write(5, by(5, 2), now, 'b')).toBe('taken');
    expect(await write(6, by(6, 1), now - 1, 'a')).toBe('taken');
    expect(await write(6, by(6, 1), now + MINUTE + SLACK, 'c')).toBe('early');
    expect(await kept()).toEqual({ epoch: '5', record: by(5, 1), claimed: String(now), claim: 'a' });
    expect(await write(6, by(6, 1), now + MINUTE, 'c')).toBe('done');
    expect(await kept()).toEqual({ epoch: '6', record: by(6, 1), claimed: String(now + MINUTE), claim: 'c' });
    // Over one that no clock said, as if none were claimed.
    await put({ claimed: now + DAY + SLACK, claim: 'c' });
    expect(await write(6, by(6, 2), now, 'd')).toBe('done');
  });

  it('begins anew where the key is no hash', async () => {
    await redis.set(KEY, 'x');
    expect(await write(5, by(5, 1), now, 'a')).toBe('done');
    expect(await kept()).toEqual({ epoch: '5', record: by(5, 1), claimed: String(now), claim: 'a' });
  });
});

it('changes nothing where the user may not read it', async () => {
  await redis.call('ACL', 'SETUSER', 'blind', 'on', '>word', '~*', '&*', '+@all', '-hmget');
  const { host, port } = redis.options;
  const blind = new Redis({ host, port, username: 'blind', password: 'word' });
  try {
    await put({ epoch: 5, claimed: now, record: by(5, 1) });
    await expect(openTicksScript.run(blind, [KEY], [6, LIFE])).rejects.toThrow(/can't run|permission/);
    const args = [6, LIFE, by(6, 2), 'hints', '', now + 1, 'a'];
    await expect(writeTicksScript.run(blind, [KEY], args)).rejects.toThrow(/can't run|permission/);
    await restoreTicksScript.run(blind, [KEY], [LIFE, 6, now + 1, by(6, 2)]);
    expect(await readTicksScript.run(blind, [KEY], [])).toEqual(['', '', '']);
    expect(await kept()).toEqual({ epoch: '5', claimed: String(now), record: by(5, 1) });
  } finally {
    blind.disconnect();
  }
});

describe('read', () => {
  it('reads all, and leaves what is no hash', async () => {
    await put({ epoch: 5, claimed: 3, record: 'r' });
    await redis.set(OTHER, 'x');
    const none = keysOf('app').cron('none');
    expect(await readTicksScript.run(redis, [OTHER, KEY, none], [])).toEqual(['', '', '', '5', '3', 'r', '', '', '']);
    expect(await redis.get(OTHER)).toBe('x');
  });
});

describe('restore', () => {
  it('puts back all of each where nothing is there', async () => {
    await restoreTicksScript.run(redis, [KEY, OTHER], [LIFE, 5, 3, by(5, 1), 6, 0, by(6, 2)]);
    expect(await kept()).toEqual({ epoch: '5', claimed: '3', record: by(5, 1) });
    expect(await redis.hgetall(OTHER)).toEqual({ epoch: '6', record: by(6, 2) });
    await expectLife();
    await redis.set(KEY, 'x');
    await restore(5, 3, by(5, 1));
    expect(await kept()).toEqual({ epoch: '5', claimed: '3', record: by(5, 1) });
  });

  it('puts nothing in the place of a later owner', async () => {
    await put({ epoch: 6, claimed: 3, record: by(4, 1) });
    await restore(5, 9, by(5, 8));
    expect(await kept()).toEqual({ epoch: '6', claimed: '3', record: by(4, 1) });
    expect(await redis.pttl(KEY)).toBe(-1);
  });

  it('puts back the later record by its writer, then by its revision, and the epoch all the same', async () => {
    await put({ epoch: 5, record: by(5, 7) });
    for (const [epoch, back, there] of [
      [5, by(5, 6), by(5, 7)],
      [5, by(5, 7), by(5, 7)],
      [5, by(5, 10), by(5, 10)],
      [6, by(5, 9), by(5, 10)],
      [6, by(6, 1), by(6, 1)],
      [7, by(4, 99), by(6, 1)],
      // Without a writer it is taken for that of the epoch beside it, and none is later than that.
      [7, '{"rev":2}', '{"rev":2}'],
      [7, by(9, 3), by(9, 3)],
      [7, by(8, 3), by(9, 3)],
    ] as const) {
      await restore(epoch, 0, back);
      expect(await kept()).toEqual({ epoch: String(epoch), record: there });
    }
    await put({ record: '' });
    await restore(7, 0, 'text');
    expect(await kept()).toEqual({ epoch: '7', record: 'text' });
  });

  it('puts it back also where another owner wrote what is there', async () => {
    const ago = (now - MINUTE) * 1000;
    await put({ epoch: ago, record: by(ago, 7) });
    await restore(ago + 1, 0, by(ago + 1, 1));
    expect(await kept()).toEqual({ epoch: String(ago + 1), record: by(ago + 1, 1) });
  });

  it('puts back a later claim, which no try of it has from then on', async () => {
    await put({ epoch: 5, claimed: now, claim: 'a', record: by(5, 7) });
    await restore(5, now, by(5, 7));
    expect(await kept()).toMatchObject({ claimed: String(now), claim: 'a' });
    await restore(5, now + 1, by(5, 7));
    expect(await kept()).toEqual({ epoch: '5', claimed: String(now + 1), record: by(5, 7) });
    // Over one that no clock said.
    await put({ claimed: now + DAY + SLACK });
    await restore(5, now, by(5, 7));
    expect(await kept()).toMatchObject({ claimed: String(now) });
  });

  it('puts an epoch of a clock that was set back where nothing is there, or that owner has written', async () => {
    const ahead = (now + 60 * MINUTE) * 1000;
    await restore(ahead, now, by(ahead, 7));
    const { epoch } = await kept();
    expect(Number(epoch)).toBeGreaterThanOrEqual(now * 1000);
    expect(Number(epoch)).toBeLessThanOrEqual((now + SLACK) * 1000);
    await put({ epoch: Number(epoch) + 1, record: by(Number(epoch) + 1, 1) });
    await restore(ahead, now + 5, by(ahead, 9));
    expect(await kept()).toEqual({
      epoch: String(Number(epoch) + 1),
      claimed: String(now),
      record: by(Number(epoch) + 1, 1),
    });
    // Its last words came before what it had claimed was put back.
    await put({ epoch: ahead, record: by(ahead, 9), claimed: 0 });
    await restore(ahead, now, by(ahead, 7));
    expect(await kept()).toEqual({ epoch: String(ahead), claimed: String(now), record: by(ahead, 9) });
  });
});
