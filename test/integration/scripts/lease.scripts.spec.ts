// The Lua of the leases by itself, on a real Redis: each script is run as it stands, and what it left is read.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import {
  fencedSetScript,
  forgetScript,
  lastEpochScript,
} from '../../../libs/foundation/src/backend/leases/epoch.scripts.js';
import { inheritScript, leaveScript } from '../../../libs/foundation/src/backend/leases/handoff.scripts.js';
import {
  announceScript,
  confirmScript,
  farewellScript,
  mintScript,
  prolongScript,
  recoverScript,
  renewScript,
} from '../../../libs/foundation/src/backend/leases/lease.scripts.js';
import { createRedlock } from '../../../libs/foundation/src/backend/leases/name.locks.js';
import { ownersScript, standingScript } from '../../../libs/foundation/src/backend/leases/owner.scripts.js';
import { GRACE } from '../../../libs/foundation/src/backend/redis/incarnation.script.js';
import { Script } from '../../../libs/foundation/src/backend/redis/lua.script.js';
import { keysOf } from '../../../libs/foundation/src/wire/keys.js';
import { hints, onRedisOfScripts } from './scripts.ground.js';

const keys = keysOf('app');
const LONGEST = `${keys.incarnation}:longest`;
const [LEASE, EPOCH, OWNER] = [keys.lease('feed'), keys.epoch('feed'), keys.owner('feed')];
/** Of a name that is free, and of one that is taken beside it. */
const [LEASE_2, EPOCH_2, OWNER_2] = [keys.lease('mail'), keys.epoch('mail'), keys.owner('mail')];
const GRACE_MS = 1500;
const HOUR_MS = 3_600_000;
/** By how much a busy machine may be late here. */
const SLACK_MS = 5000;
const WAIT = 30_000;

let redis: Redis;
/** The clock of Redis at the beginning of a test, in milliseconds. */
let began: number;

onRedisOfScripts((ready) => (redis = ready));
beforeEach(async () => {
  began = await now();
  await bornAgo(HOUR_MS);
});

async function now(): Promise<number> {
  const [seconds, micros] = (await redis.time()).map(Number) as [number, number];
  return seconds * 1000 + Math.floor(micros / 1000);
}
async function runId(): Promise<string> {
  return /run_id:(\w+)/.exec(await redis.info('server'))?.[1] ?? '-';
}
/** This life of Redis was first seen so long ago. */
async function bornAgo(ms: number): Promise<void> {
  await redis.set(keys.incarnation, `${await runId()} ${(await now()) - ms}`);
}
const life = async (key: string): Promise<string> => {
  const ttl = await redis.pttl(key);
  if (ttl < 0) return ttl === -1 ? 'stays' : 'gone';
  return ttl > HOUR_MS - SLACK_MS ? 'an hour' : ttl > 60_000 - SLACK_MS ? 'a minute' : 'less';
};
const own = async (token = 'token', ms = 30_000): Promise<unknown> => redis.set(LEASE, token, 'PX', ms);
/** Microseconds that Redis has not reached: what is stored there is above its clock. */
const ahead = (): number => (began + HOUR_MS) * 1000;
/** Epochs of this life of the data. */
const of = (number: number): number => began * 1000 + number;

describe('The grace after a loss of data', () => {
  const graceScript = new Script(
    'foundationTestGrace',
    `${GRACE}
local left, now, ms, kept_for = grace(KEYS[1], ARGV[1])
return { left, string.format('%.0f', now), ms, kept_for }
`,
  );
  const grace = async (text = String(GRACE_MS)): Promise<{ left: number; at: number; ms: number; keptFor: number }> => {
    const [left, at, ms, keptFor] = ((await graceScript.run(redis, [keys.incarnation], [text])) as unknown[]).map(
      Number,
    ) as [number, number, number, number];
    return { left, at, ms, keptFor };
  };

  it.each<[string, () => Promise<unknown>]>([
    ['nothing is there', () => redis.del(keys.incarnation)],
    ['another life of Redis wrote it', async () => redis.set(keys.incarnation, `other ${began - HOUR_MS}`)],
    ['its clock was set back since', () => bornAgo(-HOUR_MS)],
    ['nobody can read it', () => redis.set(keys.incarnation, 'nonsense')],
  ])('begins when %s, in full', async (_what, given) => {
    await given();
    const { left, at, ms } = await grace();
    expect([left, ms]).toEqual([GRACE_MS, GRACE_MS]);
    expect(await redis.get(keys.incarnation)).toBe(`${await runId()} ${at}`);
    expect(at).toBeGreaterThanOrEqual(began);
    expect(at).toBeLessThanOrEqual(began + SLACK_MS);
  });

  it('runs from when the life of Redis was first seen, and ends', async () => {
    await bornAgo(10_000);
    const { left } = await grace('60000');
    expect(left).toBeLessThanOrEqual(50_000);
    expect(left).toBeGreaterThan(50_000 - SLACK_MS);
    expect((await grace('5000')).left).toBeGreaterThan(0);
    await redis.del(LONGEST);
    expect((await grace('5000')).left).toBe(0);
  });

  it('is the longest of all nodes that were heard of late', async () => {
    expect(await grace('20000')).toMatchObject({ ms: 20_000, keptFor: 80_000 });
    expect(await redis.get(LONGEST)).toBe('20000');
    expect(await redis.pttl(LONGEST)).toBeGreaterThan(80_000 - SLACK_MS);
    const { ms, keptFor } = await grace('1500');
    expect(ms).toBe(20_000);
    expect(keptFor).toBeLessThanOrEqual(80_000);
    expect(keptFor).toBeGreaterThan(80_000 - SLACK_MS);
    expect(await redis.get(LONGEST)).toBe('20000');
    expect(await grace('30000')).toMatchObject({ ms: 30_000, keptFor: 120_000 });
  });

  it('is kept for a minute at least, and written again when half of that is over, not at each call', async () => {
    await grace();
    await redis.pexpire(LONGEST, 40_000);
    await grace();
    expect(await redis.pttl(LONGEST)).toBeLessThanOrEqual(40_000);
    await redis.pexpire(LONGEST, 29_000);
    expect((await grace()).keptFor).toBe(60_000);
    expect(await redis.pttl(LONGEST)).toBeGreaterThan(60_000 - SLACK_MS);
  });

  it('is what the caller heard before Redis lost it, for as long as that counts', async () => {
    expect(await grace('1500 9000 7000')).toMatchObject({ ms: 9000, keptFor: 7000 });
    expect(await redis.get(LONGEST)).toBe('9000');
    expect(await redis.pttl(LONGEST)).toBeLessThanOrEqual(7000);
    expect(await grace('1500 9000 60000')).toMatchObject({ ms: 9000 });
    expect(await redis.pttl(LONGEST)).toBeLessThanOrEqual(7000);
    await redis.set(LONGEST, 9500, 'PX', 50_000);
    expect(await grace('1500 9000 60000')).toMatchObject({ ms: 9500 });
  });

  it('is ten minutes at most, and nothing that is no number', async () => {
    await redis.set(LONGEST, 700_000, 'PX', 60_000);
    expect((await grace()).ms).toBe(600_000);
    await redis.set(LONGEST, 'nonsense');
    expect(await grace()).toMatchObject({ ms: GRACE_MS, keptFor: 60_000 });
  });

  it('leaves a name to its last owner: who tries to take it does not even lock it', async () => {
    await redis.del(keys.incarnation);
    const redlock = createRedlock([redis]);
    redlock.on('error', () => undefined);
    await expect(redlock.acquire([LEASE], 1500)).rejects.toThrow();
    expect(await redis.exists(LEASE)).toBe(0);
    // Its own lease, in the time that it may last by a slow clock.
    expect(await redis.get(LONGEST)).toBe('1517');
    await bornAgo(HOUR_MS);
    await redlock.acquire([LEASE], 1500);
    expect(await redis.exists(LEASE)).toBe(1);
  });
});

describe('Minting', () => {
  const mint = (token = 'token', above: number | string = 0): Promise<unknown> =>
    mintScript.run(
      redis,
      [keys.incarnation, LEASE, EPOCH, OWNER],
      [token, GRACE_MS, 'n1', 'b1', 1500, above, HOUR_MS, 2 * HOUR_MS],
    );
  const minted = async (above?: number | string): Promise<number> =>
    Number(((await mint('token', above)) as string[])[0]);

  it('writes who owns the name, since when and for how long, and nothing of the owner before', async () => {
    await own();
    await redis.hset(OWNER, { node: 'n0', state: 'running', other: 'x' });
    const [epoch, before] = (await mint()) as string[];
    expect(before).toBe('n0');
    expect(Number(epoch)).toBeGreaterThanOrEqual(began * 1000);
    expect(await redis.hgetall(OWNER)).toEqual({
      ...{ token: 'token', node: 'n1', bootId: 'b1', epoch, state: 'starting', ttl: '1500' },
      since: expect.stringMatching(/^\d{13}$/),
    });
    expect(Number(await redis.hget(OWNER, 'since'))).toBeGreaterThanOrEqual(began);
    expect(await redis.get(EPOCH)).toBe(epoch);
    expect(await life(EPOCH)).toBe('an hour');
    expect(await redis.pttl(OWNER)).toBeGreaterThan(2 * HOUR_MS - SLACK_MS);
  });

  it('names nobody before where nobody was, or where a stranger turned the record into something else', async () => {
    await own();
    expect(((await mint()) as string[])[1]).toBe('');
    await redis.set(OWNER, 'a text');
    expect(((await mint()) as string[])[1]).toBe('');
    expect(await redis.hget(OWNER, 'token')).toBe('token');
  });

  it.each<[string, () => Promise<unknown>]>([
    ['nobody has the lease', async () => undefined],
    ['another one has it', () => own('another')],
    ['Redis has lost its data', async () => Promise.all([own(), redis.del(keys.incarnation)])],
  ])('gives and writes nothing when %s', async (_what, given) => {
    await given();
    expect(await mint()).toBe('');
    expect(await redis.exists(EPOCH, OWNER)).toBe(0);
  });

  it('goes above what is stored, what is asked for and what was forgotten, each by one, and above the clock', async () => {
    await own();
    const [stored, above, floor] = [ahead(), ahead() + 50, ahead() + 100];
    await redis.set(EPOCH, stored);
    expect(await minted()).toBe(stored + 1);
    expect(await minted(above)).toBe(above + 1);
    await redis.set(keys.epochs, floor);
    expect(await minted()).toBe(floor + 1);
    await redis.del(EPOCH, keys.epochs);
    const epoch = await minted();
    expect(epoch).toBeGreaterThanOrEqual(began * 1000);
    expect(epoch).toBeLessThanOrEqual((began + SLACK_MS) * 1000);
  });

  it.each(['nonsense', '-5', String(Number.MAX_SAFE_INTEGER)])(
    'is not led astray by a highest forgotten epoch of %s',
    async (floor) => {
      await own();
      await redis.set(keys.epochs, floor);
      expect(await minted()).toBeLessThanOrEqual((began + SLACK_MS) * 1000);
    },
  );

  it('is not stopped by a highest forgotten epoch that is no text', async () => {
    await own();
    await redis.hset(keys.epochs, 'a', 'b');
    expect(await minted()).toBeLessThanOrEqual((began + SLACK_MS) * 1000);
  });
});

describe('Announcing', () => {
  const announce = (): Promise<unknown> =>
    announceScript.run(redis, [LEASE, OWNER], ['token', 'hints', 'running', HOUR_MS]);

  it('shows the owner as running, for as long as asked, and says so', async () => {
    await own();
    await redis.hset(OWNER, { state: 'starting', node: 'n1' });
    expect(await announce()).toBe(1);
    expect(await redis.hgetall(OWNER)).toEqual({ state: 'running', node: 'n1' });
    expect(await life(OWNER)).toBe('an hour');
    expect(await hints()).toEqual(['running']);
  });

  it('does nothing for one that is no owner any more', async () => {
    await own('another');
    expect(await announce()).toBe(0);
    expect(await redis.exists(OWNER)).toBe(0);
    expect(await hints()).toEqual([]);
  });
});

describe('Renewing', () => {
  it('prolongs what the token has, and tells what is gone from what another one has', async () => {
    await own('token', 10_000);
    await redis.set(LEASE_2, 'another', 'PX', 10_000);
    const turned = keys.lease('turned');
    await redis.hset(turned, 'a', 'b');
    const answer = await renewScript.run(
      redis,
      [LEASE, LEASE_2, keys.lease('none'), turned],
      [HOUR_MS, await now(), WAIT, 'token', 'token-2', 'token-3', 'token-4'],
    );
    expect(answer).toEqual([expect.stringMatching(/^\d{13}$/), 1, -1, 0, -1]);
    expect([await life(LEASE), await life(LEASE_2), await life(turned)]).toEqual(['an hour', 'less', 'stays']);
  });

  it('renews before the clock of Redis is known, and says nothing of a lease for which it comes too late', async () => {
    await own('token', 10_000);
    const renew = (sent: number): Promise<unknown> =>
      renewScript.run(redis, [LEASE, LEASE_2], [HOUR_MS, sent, 10_000, 'token', 'token']);
    expect(await renew((await now()) - 20_000)).toEqual([expect.any(String), '', '']);
    expect(await life(LEASE)).toBe('less');
    expect(await renew(-1)).toEqual([expect.any(String), 1, 0]);
    expect(await life(LEASE)).toBe('an hour');
  });

  it('tells the time of Redis', async () => {
    const [at] = (await renewScript.run(redis, [], [1000, began, WAIT])) as string[];
    expect(Number(at)).toBeGreaterThanOrEqual(began);
    expect(Number(at)).toBeLessThanOrEqual(began + SLACK_MS);
  });
});

describe('Recovering', () => {
  interface Asked {
    token?: string;
    ttl?: number;
    held?: number;
    state?: string;
    sent?: number;
    wait?: number;
  }
  const recover = async (...asked: Asked[]): Promise<string[]> => {
    const names = ['feed', 'mail'].slice(0, asked.length);
    const { sent = await now(), wait = WAIT } = asked[0]!;
    const [, ...answers] = (await recoverScript.run(
      redis,
      [keys.incarnation, ...names.flatMap((name) => [keys.lease(name), keys.epoch(name), keys.owner(name)])],
      [
        ...[60_000, 'n1', 'b1', 1500, HOUR_MS, 2 * HOUR_MS, sent, wait, 150],
        ...asked.flatMap(({ token = 'token', ttl = 40_000, held = 7, state = 'running' }) => [token, ttl, held, state]),
      ],
    )) as string[];
    return answers;
  };

  it('never shortens what a newer renewal has asked for, and lengthens what is shorter', async () => {
    await own('token', HOUR_MS + 30_000);
    expect(await recover({ held: of(7) })).toEqual([String(of(7))]);
    expect(await life(LEASE)).toBe('an hour');
    await redis.pexpire(LEASE, 20_000);
    expect(await recover({ held: of(7) })).toEqual([String(of(7))]);
    const ttl = await redis.pttl(LEASE);
    expect(ttl).toBeGreaterThan(20_000);
    expect(ttl).toBeLessThanOrEqual(40_000);
  });

  it('lengthens before the clock of Redis is known, too', async () => {
    await own('token', 20_000);
    expect(await recover({ sent: -1 })).toEqual(['7']);
    expect(await redis.pttl(LEASE)).toBeGreaterThan(20_000);
  });

  it('answers the epoch that a lost answer had raised, never one below what the owner has', async () => {
    await own();
    await redis.hset(OWNER, 'epoch', of(9));
    expect(await recover({ held: of(7) })).toEqual([String(of(9))]);
    expect(await recover({ held: of(9) })).toEqual([String(of(9))]);
    expect(await recover({ held: of(11) })).toEqual([String(of(11))]);
  });

  it('raises an epoch from before this life of the data, once, above all of it', async () => {
    await own();
    await redis.hset(OWNER, { other: 'x' });
    await redis.set(keys.incarnation, `${await runId()} ${began}`);
    const least = (began + 1) * 1000;
    // That of the very millisecond may be from before.
    const [epoch] = await recover({ held: least - 1 });
    expect(Number(epoch)).toBeGreaterThan(least);
    expect(await redis.get(EPOCH)).toBe(epoch);
    expect(await redis.hgetall(OWNER)).toMatchObject({ token: 'token', epoch, state: 'running' });
    expect(await redis.hexists(OWNER, 'other')).toBe(0);
    expect(await recover({ held: least - 1 })).toEqual([epoch]);
    expect(await recover({ held: Number(epoch) })).toEqual([epoch]);
  });

  it.each<[string, Asked]>([
    ['has ended', { state: '' }],
    ['has fenced itself by then', { ttl: 20_150, sent: -20_100 }],
    ['waits for no answer any more', { sent: -20_000, wait: 10_000 }],
  ])('raises no epoch for an owner that %s', async (_what, { sent, ...asked }) => {
    await own();
    expect(await recover({ ...asked, ...(sent === undefined ? {} : { sent: (await now()) + sent }) })).toEqual(['7']);
    expect(await redis.exists(EPOCH, OWNER)).toBe(0);
  });

  it('gives a lease that Redis lost with its data back to its owner, with a higher epoch', async () => {
    await redis.del(keys.incarnation);
    await redis.hset(OWNER, { other: 'x' });
    const [epoch] = await recover({ held: ahead() });
    expect(epoch).toBe(String(ahead() + 1));
    expect(await redis.get(LEASE)).toBe('token');
    const ttl = await redis.pttl(LEASE);
    expect(ttl).toBeGreaterThan(40_000 - SLACK_MS);
    expect(ttl).toBeLessThanOrEqual(40_000);
    expect(await redis.hgetall(OWNER)).toEqual({
      ...{ token: 'token', node: 'n1', bootId: 'b1', epoch, state: 'running', ttl: '1500' },
      since: expect.stringMatching(/^\d{13}$/),
    });
    expect([await life(EPOCH), await redis.get(EPOCH)]).toEqual(['an hour', epoch]);
    expect(await redis.pttl(OWNER)).toBeGreaterThan(2 * HOUR_MS - SLACK_MS);
  });

  it('gives several back at once, each to its own owner', async () => {
    await redis.del(keys.incarnation);
    const [one, other] = await recover({ token: 'one', held: 5 }, { token: 'other', held: 6, state: 'starting' });
    expect([await redis.get(LEASE), await redis.get(LEASE_2)]).toEqual(['one', 'other']);
    expect(await redis.mget(EPOCH, EPOCH_2)).toEqual([one, other]);
    expect(await redis.hmget(OWNER_2, 'token', 'epoch', 'state')).toEqual(['other', other, 'starting']);
  });

  it.each<[string, Asked, () => Promise<unknown>]>([
    ['Redis has lost nothing', {}, async () => undefined],
    ['another one was the owner since', { held: 7 }, async () => redis.set(EPOCH, 8)],
    ['another one has the lease', {}, () => own('another')],
    ['its owner has ended', { state: '' }, async () => undefined],
  ])('gives nothing back when %s', async (what, asked, given) => {
    if (what !== 'Redis has lost nothing') await redis.del(keys.incarnation);
    await given();
    expect(await recover(asked)).toEqual(['']);
    expect(await redis.get(LEASE)).not.toBe('token');
    expect(await redis.exists(OWNER)).toBe(0);
  });

  it('gives back what was owned with the last epoch that Redis knows', async () => {
    await redis.del(keys.incarnation);
    await redis.set(EPOCH, 7);
    expect(Number((await recover({ held: 7 }))[0])).toBeGreaterThan(7);
  });

  it('gives back only what its owner still has when it arrives, by the margin sooner than the lease would end', async () => {
    await redis.del(keys.incarnation);
    expect(await recover({ ttl: 20_150, sent: (await now()) - 20_100 })).toEqual(['late']);
    expect(await redis.exists(LEASE, EPOCH, OWNER)).toBe(0);
    expect(Number((await recover({ ttl: 20_150, sent: (await now()) - 10_000 }))[0])).toBeGreaterThan(0);
  });

  it('gives back nothing after its answer is not waited for any more', async () => {
    await redis.del(keys.incarnation);
    expect(await recover({ sent: (await now()) - 20_000, wait: 10_000 })).toEqual(['late']);
    expect(await recover({ sent: -1 })).toEqual(['late']);
    expect(await redis.exists(LEASE)).toBe(0);
  });

  it('takes a lease that is something else for another one’s', async () => {
    await redis.del(keys.incarnation);
    await redis.hset(LEASE, 'a', 'b');
    expect((await recover({}, {}))[0]).toBe('');
    expect(await redis.get(LEASE_2)).toBe('token');
  });
});

describe('Confirming', () => {
  const confirm = async (...asked: [token: string, epoch: number, state: string][]): Promise<unknown[]> => {
    const names = ['feed', 'mail'].slice(0, asked.length);
    const [, ...answers] = (await confirmScript.run(
      redis,
      names.flatMap((name) => [keys.lease(name), keys.epoch(name), keys.owner(name)]),
      ['n1', 'b1', 20_000, HOUR_MS, 2 * HOUR_MS, await now(), WAIT, ...asked.flat()],
    )) as unknown[];
    return answers;
  };

  it('raises a lower epoch, keeps a higher one, and shows the owner with its own', async () => {
    await own();
    await redis.set(EPOCH, 5);
    expect(await confirm(['token', 7, 'running'])).toEqual([1]);
    expect([await redis.get(EPOCH), await life(EPOCH)]).toEqual(['7', 'an hour']);
    await redis.set(EPOCH, 9);
    expect(await confirm(['token', 8, 'running'])).toEqual([1]);
    expect(await redis.get(EPOCH)).toBe('9');
    expect(await redis.hgetall(OWNER)).toEqual({
      ...{ token: 'token', node: 'n1', bootId: 'b1', epoch: '8', state: 'running', ttl: '20000' },
      since: expect.stringMatching(/^\d{13}$/),
    });
    expect(await redis.pttl(OWNER)).toBeGreaterThan(2 * HOUR_MS - SLACK_MS);
    expect(await redis.pttl(LEASE)).toBeGreaterThan(20_000);
  });

  it('does not write an epoch again that is there', async () => {
    await own();
    await redis.set(EPOCH, 7);
    await confirm(['token', 7, 'running']);
    expect(await life(EPOCH)).toBe('stays');
  });

  it('keeps since when the owner has the name, not that of another one', async () => {
    await own();
    await redis.hset(OWNER, { token: 'token', since: '111' });
    await confirm(['token', 7, 'running']);
    expect(await redis.hget(OWNER, 'since')).toBe('111');
    await redis.hset(OWNER, { token: 'before', since: '222' });
    await confirm(['token', 7, 'running']);
    expect(Number(await redis.hget(OWNER, 'since'))).toBeGreaterThanOrEqual(began);
  });

  it('does not take back that its owner runs, when it was delayed', async () => {
    await own();
    expect(await confirm(['token', 7, 'running'])).toEqual([1]);
    expect(await confirm(['token', 7, 'starting'])).toEqual([1]);
    expect(await redis.hget(OWNER, 'state')).toBe('running');
    // Of the owner before nothing counts.
    await redis.hset(OWNER, { token: 'before' });
    expect(await confirm(['token', 8, 'starting'])).toEqual([1]);
    expect(await redis.hmget(OWNER, 'epoch', 'state')).toEqual(['8', 'starting']);
  });

  it('puts leases back where a server lost them, and nothing where another one has it', async () => {
    await redis.set(LEASE_2, 'another', 'PX', 30_000);
    expect(await confirm(['token', 7, 'running'], ['token-2', 8, 'starting'])).toEqual([1, 0]);
    expect(await redis.mget(LEASE, LEASE_2)).toEqual(['token', 'another']);
    const ttl = await redis.pttl(LEASE);
    expect(ttl).toBeGreaterThan(20_000 - SLACK_MS);
    expect(ttl).toBeLessThanOrEqual(20_000);
    expect(await redis.exists(EPOCH_2, OWNER_2)).toBe(0);
    await redis.del(LEASE_2);
    expect(await confirm(['token', 7, 'running'], ['token-2', 8, 'starting'])).toEqual([1, 1]);
    expect(await redis.hmget(OWNER_2, 'token', 'epoch', 'state')).toEqual(['token-2', '8', 'starting']);
    expect(await redis.get(EPOCH_2)).toBe('8');
  });

  it('takes a lease that is something else for another one’s', async () => {
    await redis.hset(LEASE, 'a', 'b');
    expect(await confirm(['token', 7, 'running'], ['token-2', 8, 'running'])).toEqual([0, 1]);
  });
});

describe('Prolonging', () => {
  const prolong = (...asked: [token: string, epoch: number, state: string][]): Promise<unknown> =>
    prolongScript.run(
      redis,
      ['feed', 'mail'].slice(0, asked.length).flatMap((name) => [keys.lease(name), keys.epoch(name), keys.owner(name)]),
      ['n1', 'b1', 1500, HOUR_MS, 2 * HOUR_MS, ...asked.flat()],
    );

  it('gives records of what is held their lives again, and changes nothing else', async () => {
    await own();
    await redis.set(EPOCH, 7, 'PX', 20_000);
    await redis.hset(OWNER, { token: 'token', since: '111' });
    expect(await prolong(['token', 7, 'running'])).toBe(1);
    expect([await life(EPOCH), await redis.get(EPOCH)]).toEqual(['an hour', '7']);
    expect(await redis.hgetall(OWNER)).toEqual({ token: 'token', since: '111' });
    expect(await redis.pttl(OWNER)).toBeGreaterThan(2 * HOUR_MS - SLACK_MS);
    expect(await life(LEASE)).toBe('less');
  });

  it('puts records back that are gone, or another one’s, and never lowers an epoch', async () => {
    await own();
    await redis.hset(OWNER, { token: 'before', other: 'x' });
    await redis.set(EPOCH, 9);
    await redis.set(LEASE_2, 'token-2', 'PX', 30_000);
    await prolong(['token', 7, 'running'], ['token-2', 8, 'starting']);
    expect(await redis.mget(EPOCH, EPOCH_2)).toEqual(['9', '8']);
    expect([await life(EPOCH), await life(EPOCH_2)]).toEqual(['an hour', 'an hour']);
    expect(await redis.hgetall(OWNER)).toEqual({
      ...{ token: 'token', node: 'n1', bootId: 'b1', epoch: '7', state: 'running', ttl: '1500' },
      since: expect.stringMatching(/^\d{13}$/),
    });
    expect(await redis.hmget(OWNER_2, 'token', 'epoch', 'state')).toEqual(['token-2', '8', 'starting']);
    expect(Number(await redis.hget(OWNER, 'since'))).toBeGreaterThanOrEqual(began);
    expect(Number(await redis.hget(OWNER, 'since'))).toBeLessThanOrEqual(began + SLACK_MS);
  });

  it('does nothing for what another one has, or what has become something else', async () => {
    await redis.hset(LEASE, 'a', 'b');
    await redis.set(LEASE_2, 'another');
    expect(await prolong(['token', 7, 'running'], ['token-2', 8, 'running'])).toBe(1);
    expect(await redis.exists(EPOCH, OWNER, EPOCH_2, OWNER_2)).toBe(0);
  });
});

describe('A farewell', () => {
  const farewell = (): Promise<unknown> =>
    farewellScript.run(redis, [LEASE, OWNER, EPOCH], ['token', 'hints', 'released', HOUR_MS]);

  it('takes the record and the lease away, lets the epoch go later, and says that the name is free', async () => {
    await own();
    await redis.hset(OWNER, 'token', 'token');
    await redis.set(EPOCH, 7);
    expect(await farewell()).toBe(1);
    expect(await redis.exists(LEASE, OWNER)).toBe(0);
    expect(await life(EPOCH)).toBe('an hour');
    expect(await hints()).toEqual(['released']);
  });

  it('takes nothing of the next owner away, and does not say that its name is free', async () => {
    await own('another');
    await redis.hset(OWNER, 'token', 'another');
    await redis.set(EPOCH, 8);
    expect(await farewell()).toBe(1);
    expect(await redis.exists(LEASE, OWNER)).toBe(2);
    expect(await life(EPOCH)).toBe('stays');
    expect(await hints()).toEqual([]);
  });
});

describe('The standing of names', () => {
  const standing = async (...names: string[]): Promise<number[]> =>
    (await standingScript.run(
      redis,
      [keys.incarnation, ...names.map((name) => keys.lease(name))],
      [GRACE_MS, 20_000],
    )) as number[];

  it('is how long each lease lasts, and the grace', async () => {
    await own('token', 10_000);
    const [grace, feed, none] = (await standing('feed', 'none')) as [number, number, number];
    expect([grace, none]).toEqual([0, -2]);
    expect(feed).toBeGreaterThan(10_000 - SLACK_MS);
    expect(feed).toBeLessThanOrEqual(10_000);
    await redis.del(keys.incarnation);
    expect(await standing()).toEqual([GRACE_MS]);
  });

  it.each([
    ['lasts longer than that', async () => own('token', HOUR_MS)],
    ['never ends', () => redis.set(LEASE, 'token')],
  ])('shortens a lease to what its owner asked for where it %s', async (_what, given) => {
    await given();
    await redis.hset(OWNER, { token: 'token', ttl: 30_000 });
    expect(await standing('feed')).toEqual([0, 30_000]);
    expect(await redis.pttl(LEASE)).toBeLessThanOrEqual(30_000);
    expect(await redis.pttl(LEASE)).toBeGreaterThan(30_000 - SLACK_MS);
  });

  it('leaves a lease alone that lasts no longer than its owner asked for, if longer than one of this node', async () => {
    await own('token', 25_000);
    await redis.hset(OWNER, { token: 'token', ttl: 30_000 });
    expect((await standing('feed'))[1]).toBeLessThanOrEqual(25_000);
  });

  it('leaves a lease alone that lasts no longer than one of this node, whatever its owner asked for', async () => {
    await own('token', 15_000);
    await redis.hset(OWNER, { token: 'token', ttl: 1000 });
    expect((await standing('feed'))[1]).toBeGreaterThan(1000);
  });

  it.each<[string, Record<string, string | number>]>([
    ['has no record', {}],
    ['has a record of another one', { token: 'another', ttl: 30_000 }],
    ['did not say for how long', { token: 'token' }],
  ])('shortens a lease to a minute whose owner %s', async (_what, record) => {
    await own('token', HOUR_MS);
    if (Object.keys(record).length > 0) await redis.hset(OWNER, record);
    expect(await standing('feed')).toEqual([0, 60_000]);
    await own('token', 50_000);
    expect((await standing('feed'))[1]).toBeLessThanOrEqual(50_000);
    // Set by hand, and for who set it to delete.
    await redis.set(LEASE, 'token');
    expect(await standing('feed')).toEqual([0, -1]);
  });

  it('is that of a lease that has become something else, too', async () => {
    await redis.hset(LEASE, 'a', 'b');
    expect(await standing('feed')).toEqual([0, -1]);
  });
});

describe('Owners', () => {
  const owners = (...names: string[]): Promise<unknown> =>
    ownersScript.run(
      redis,
      names.flatMap((name) => [keys.lease(name), keys.owner(name)]),
      [],
    );
  const RECORD = { token: 'token', node: 'n1', bootId: 'b1', epoch: 7, state: 'running', since: 5, ttl: 30_000 };

  it('are those whose token has the lease', async () => {
    await own('token', 20_000);
    await redis.hset(OWNER, RECORD);
    await redis.hset(OWNER_2, RECORD);
    expect(await owners('mail', 'feed', 'none')).toEqual([[], ['n1', 'b1', '7', 'running', '5'], []]);
    await own('another', 20_000);
    expect(await owners('feed')).toEqual([[]]);
  });

  it('are nobody where the lease lasts longer than its owner asked for', async () => {
    await own('token', HOUR_MS);
    await redis.hset(OWNER, RECORD);
    expect(await owners('feed')).toEqual([[]]);
    await redis.set(LEASE, 'token');
    expect(await owners('feed')).toEqual([[]]);
  });

  it.each([
    ['just renewed for all that it asks for', { ...RECORD, ttl: 30_000 }, 30_000],
    ['has a minute and did not say for how long', { ...RECORD, ttl: '' }, 60_000],
  ])('are there where the owner %s', async (_what, record, ms) => {
    await redis.hset(OWNER, record);
    // Within a script no time passes.
    const atOnce = new Script(
      'foundationTestOwners',
      `redis.call('SET', KEYS[1], 'token', 'PX', ARGV[1])${ownersScript.lua}`,
    );
    expect(await atOnce.run(redis, [LEASE, OWNER], [ms])).toEqual([['n1', 'b1', '7', 'running', '5']]);
  });

  it('are nobody where the lease has become something else', async () => {
    await redis.hset(LEASE, 'a', 'b');
    await redis.hset(OWNER, RECORD);
    expect(await owners('feed')).toEqual([[]]);
  });
});

describe('Epochs', () => {
  const forget = (...names: string[]): Promise<unknown> =>
    forgetScript.run(redis, [keys.epochs, ...names.flatMap((name) => [keys.lease(name), keys.epoch(name)])], [HOUR_MS]);

  it('of free names are forgotten, and the highest of them is kept in one key', async () => {
    await redis.mset(EPOCH, 7, EPOCH_2, 9, keys.epoch('third'), 8);
    expect(await forget('feed', 'mail', 'third', 'none')).toBe(1);
    expect(await redis.exists(EPOCH, EPOCH_2, keys.epoch('third'))).toBe(0);
    expect([await redis.get(keys.epochs), await life(keys.epochs)]).toEqual(['9', 'an hour']);
    await redis.set(EPOCH, 6);
    await forget('feed');
    expect(await redis.get(keys.epochs)).toBe('9');
  });

  it('of names that are owned are not, nor do they raise what was forgotten', async () => {
    await own();
    await redis.mset(EPOCH, 7, EPOCH_2, 5);
    await forget('feed', 'mail');
    expect(await redis.mget(EPOCH, EPOCH_2, keys.epochs)).toEqual(['7', null, '5']);
  });

  it('write nothing where none is forgotten', async () => {
    await forget('feed');
    expect(await redis.exists(keys.epochs)).toBe(0);
  });

  it.each(['nonsense', String(Number.MAX_SAFE_INTEGER)])('do not raise it by %s', async (epoch) => {
    await redis.mset(EPOCH, epoch, EPOCH_2, 5);
    await forget('feed', 'mail');
    expect(await redis.get(keys.epochs)).toBe('5');
  });

  it('are told, 0 for none', async () => {
    expect(await lastEpochScript.run(redis, [EPOCH], [])).toBe('0');
    await redis.set(EPOCH, 7);
    expect(await lastEpochScript.run(redis, [EPOCH], [])).toBe('7');
  });
});

describe('A fenced value', () => {
  const KEY = keys.fenced('k');
  let writes = 0;
  const writeAs = (epoch: number, by: string, number: number, ...value: string[]): Promise<unknown> =>
    fencedSetScript.run(redis, [KEY, keys.incarnation], [of(epoch), HOUR_MS, by, number, ...value]);
  const write = (epoch: number, ...value: string[]): Promise<unknown> => writeAs(epoch, 'b1', (writes += 1), ...value);
  const kept = async (): Promise<Record<string, string>> => {
    const { by: _by, ...rest } = await redis.hgetall(KEY);
    return rest;
  };

  it('is written by the same epoch or a higher one, and says the one that it has to others', async () => {
    expect(await write(5, 'a')).toBe('');
    expect(await write(5, 'b')).toBe('');
    expect(await write(7, 'c')).toBe('');
    expect(await write(6, 'd')).toBe(String(of(7)));
    expect(await kept()).toEqual({ epoch: String(of(7)), value: 'c' });
    expect(await life(KEY)).toBe('an hour');
  });

  it('is not written over by an earlier write of the same owner that arrives late', async () => {
    expect(await writeAs(5, 'b1', 9, 'a')).toBe('');
    expect(await writeAs(5, 'b1', 10, 'b')).toBe('');
    expect([await writeAs(5, 'b1', 9, 'a'), await writeAs(5, 'b1', 8)]).toEqual(['', '']);
    expect(await redis.hgetall(KEY)).toEqual({ epoch: String(of(5)), by: 'b1 10', value: 'b' });
    // The same one once more, as a client that reconnects sends it.
    expect(await writeAs(5, 'b1', 10, 'b')).toBe('');
    // Numbers of another life of a node, and of another epoch, are others.
    expect(await writeAs(5, 'b2', 1, 'c')).toBe('');
    expect(await redis.hget(KEY, 'value')).toBe('c');
    expect(await writeAs(6, 'b2', 1, 'd')).toBe('');
    expect(await writeAs(7, 'b2', 0, 'e')).toBe('');
    expect(await redis.hget(KEY, 'value')).toBe('e');
    await redis.hset(KEY, 'by', 'something else');
    expect(await writeAs(7, 'b2', 0, 'f')).toBe('');
    expect(await redis.hget(KEY, 'value')).toBe('f');
  });

  it('leaves its epoch when it is deleted', async () => {
    await write(5, 'a');
    expect(await write(6)).toBe('');
    expect(await kept()).toEqual({ epoch: String(of(6)) });
    expect(await life(KEY)).toBe('an hour');
  });

  it('is written by no epoch from before this life of the data, whatever is stored', async () => {
    // A life does not begin after now, and all of this may take less than a millisecond.
    began -= 10;
    await redis.set(keys.incarnation, `${await runId()} ${began}`);
    expect(await write(999, 'a')).toBe(`lost ${of(1000)}`);
    expect(await redis.exists(KEY)).toBe(0);
    expect(await write(1000, 'b')).toBe('');
    await redis.set(keys.incarnation, `${await runId()} ${began + 1}`);
    expect(await write(1000, 'c')).toBe(`lost ${of(2000)}`);
    expect(await kept()).toEqual({ epoch: String(of(1000)), value: 'b' });
    expect(await write(999, 'd')).toBe(String(of(1000)));
  });

  it('begins a life where there is none', async () => {
    await redis.del(keys.incarnation);
    expect(await write(0, 'a')).toMatch(/^lost \d{16}$/);
    expect(await redis.get(keys.incarnation)).toMatch(new RegExp(`^${await runId()} \\d{13}$`));
  });
});

describe('A state that is handed over', () => {
  const KEY = keys.handoff('feed');
  const leave = (state: string): Promise<unknown> =>
    leaveScript.run(redis, [LEASE, KEY, OWNER], ['token', state, HOUR_MS]);
  const inherit = (token: string): Promise<unknown> => inheritScript.run(redis, [LEASE, KEY, OWNER], [token, 20_000]);

  it('is left by the owner only', async () => {
    expect(await leave('{"n":1}')).toBe(0);
    await own('another');
    expect(await leave('{"n":1}')).toBe(0);
    expect(await redis.exists(KEY)).toBe(0);
    await own();
    expect(await leave('{"n":1}')).toBe(1);
    expect([await redis.get(KEY), await life(KEY)]).toEqual(['{"n":1}', 'an hour']);
  });

  it('goes to the next owner, as often as it asks and for a while, and to no other', async () => {
    await redis.set(KEY, '{"n":1}', 'PX', HOUR_MS);
    expect(await inherit('next')).toBeNull();
    await own('next');
    expect(await inherit('other')).toBeNull();
    expect([await inherit('next'), await inherit('next')]).toEqual(['{"n":1}', '{"n":1}']);
    expect(await redis.pttl(KEY)).toBeLessThanOrEqual(20_000);
    expect(await redis.get(KEY)).toBe('taken:next:{"n":1}');
    await own('later');
    expect(await inherit('later')).toBeNull();
    expect(await redis.exists(KEY)).toBe(0);
    expect(await inherit('later')).toBeNull();
  });

  it('is not taken by the owner that left it, whose query was delayed', async () => {
    await own();
    await redis.hset(OWNER, { token: 'token', state: 'running' });
    expect(await leave('{"n":1}')).toBe(1);
    expect(await inherit('token')).toBeNull();
    expect(await redis.get(KEY)).toBe('{"n":1}');
    await own('next');
    await redis.del(OWNER);
    await redis.hset(OWNER, { token: 'next', state: 'starting' });
    expect(await inherit('next')).toBe('{"n":1}');
  });

  it('leaves no record where there was none, nor changes that of another owner', async () => {
    await own();
    expect(await leave('{"n":1}')).toBe(1);
    expect(await redis.exists(OWNER)).toBe(0);
    await redis.hset(OWNER, { token: 'another' });
    expect(await leave('{"n":1}')).toBe(1);
    expect(await redis.hgetall(OWNER)).toEqual({ token: 'another' });
  });

  it('is not taken by an owner whose token only begins alike', async () => {
    await redis.set(KEY, 'taken:next-1:{"n":1}', 'PX', HOUR_MS);
    await own('next');
    expect(await inherit('next')).toBeNull();
  });
});
