// The store for @nestjs/locks, which is not on npm yet: what its documentation asks of a store, over Redis and in
// memory, and what Foundation promises besides.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { ArgumentError, type FoundationOptions } from 'nestjs-foundation';
import { FoundationLockStore } from 'nestjs-foundation/locks';
import { TcpProxy } from 'nestjs-foundation/testing';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, closeLater, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, keys } = ground));

const LONG = 60_000;
const SHORT = 400;
const OWNERS = Array.from({ length: 16 }, (_, index) => `owner ${index}`);

const storeOf = async (options: FoundationOptions = {}): Promise<FoundationLockStore> => {
  const { app } = await boot(server.url, appName, [FoundationLockStore], options);
  return app.get(FoundationLockStore);
};

describe.each([
  ['in Redis', {}],
  ['in one process', { cluster: false }],
])('A store of locks %s', (_, options) => {
  let store: FoundationLockStore;
  beforeEach(async () => void (store = await storeOf(options)));

  const token = async (key: string, owner: string, ttl = LONG): Promise<number> => {
    const result = await store.acquire(key, owner, ttl);
    if (!result.acquired) throw new Error(`${owner} did not get ${key}`);
    return result.fencingToken;
  };
  const isFree = (key: string) => eventually(async () => (await store.acquire(key, 'next', LONG)).acquired);

  it('gives a free key to one, once, and to the next when it was released, with a greater token', async () => {
    const first = await token('k', 'a');
    expect(Number.isSafeInteger(first) && first > 0).toBe(true);
    expect(await store.acquire('k', 'b', LONG)).toEqual({ acquired: false });
    expect(await store.acquire('k', 'a', LONG)).toEqual({ acquired: false });
    expect(await store.release('k', 'b')).toBe(false);
    expect(await store.release('k', 'a')).toBe(true);
    expect(await store.release('k', 'a')).toBe(false);
    expect(await token('k', 'b')).toBeGreaterThan(first);
    expect([await store.renew('free', 'a', LONG), await store.release('free', 'a')]).toEqual([false, false]);
  });

  it('takes a lock whose time is over from its owner, and gives it a greater token', async () => {
    const first = await token('k', 'a', SHORT);
    expect(await store.renew('k', 'b', LONG)).toBe(false);
    await isFree('k');
    expect(await store.renew('k', 'a', LONG)).toBe(false);
    expect(await store.release('k', 'a')).toBe(false);
    expect(await store.release('k', 'next')).toBe(true);
    expect(await token('k', 'b')).toBeGreaterThan(first);
    // Without a next owner, too.
    await store.acquire('gone', 'a', 1);
    await eventually(async () => !(await store.renew('gone', 'a', 1)));
    expect(await store.release('gone', 'a')).toBe(false);
  });

  it('renews a lock for its owner, so that it lasts', async () => {
    await token('k', 'a', SHORT);
    expect(await store.renew('k', 'a', LONG)).toBe(true);
    await token('clock', 'a', SHORT);
    await isFree('clock');
    expect(await store.acquire('k', 'b', LONG)).toEqual({ acquired: false });
  });

  it('has one winner of any number, of a free key and of one whose time is over, in rounds of growing tokens', async () => {
    let last = 0;
    await store.acquire('race', 'paused', 1);
    await eventually(async () => !(await store.renew('race', 'paused', 1)));
    for (let round = 0; round < 5; round++) {
      const results = await Promise.all(OWNERS.map((owner) => store.acquire('race', owner, LONG)));
      const winners = OWNERS.filter((_, index) => results[index]!.acquired);
      expect(winners).toHaveLength(1);
      const won = results.find(({ acquired }) => acquired) as { fencingToken: number };
      expect(won.fencingToken).toBeGreaterThan(last);
      last = won.fencingToken;
      const [released, ...more] = await Promise.all([
        store.release('race', winners[0]!),
        ...OWNERS.map((owner) => store.acquire('race', `${owner} again`, LONG)),
      ]);
      expect(released).toBe(true);
      const next = OWNERS.filter((_, index) => more[index]!.acquired);
      expect(next.length).toBeLessThanOrEqual(1);
      last = Math.max(last, ...more.map((each) => (each.acquired ? each.fencingToken : 0)));
      for (const owner of next) expect(await store.release('race', `${owner} again`)).toBe(true);
    }
  });

  it('keeps keys apart to the letter, and takes times of weeks', async () => {
    const long = 'ż'.repeat(499);
    const names = [
      'k',
      'K',
      'k ',
      ' k',
      'k\t',
      'a:b',
      'a%3Ab',
      'a:b:c',
      '{k}',
      '*',
      'tokens',
      '__proto__',
      'constructor',
    ];
    names.push('\u00e9', 'e\u0301', '🔒', `${long}x`, `${long}y`, '\0', 'a\nb');
    for (const name of names) await token(name, `of ${name.slice(0, 400)}`, 30 * 86_400_000);
    for (const name of names) expect(await store.release(name, `of ${name.slice(0, 400)}`)).toBe(true);
  });

  it('refuses what is no key, owner or time', async () => {
    for (const key of ['', 'x'.repeat(501), '\ud800', 7, undefined, null, {}]) {
      await expect(store.acquire(key as string, 'a', LONG)).rejects.toThrow(ArgumentError);
      await expect(store.release('k', key as string)).rejects.toThrow(ArgumentError);
    }
    for (const ttl of [0, -1, 1.5, NaN, Infinity, '5', 2 ** 53, 1e15, undefined, null]) {
      await expect(store.acquire('k', 'a', ttl as number)).rejects.toThrow(ArgumentError);
      await expect(store.renew('k', 'a', ttl as number)).rejects.toThrow('from 1 to 3155760000000');
    }
  });
});

/** With a way to Redis that can be slow. */
async function behindProxy(): Promise<{ proxy: TcpProxy; store: FoundationLockStore }> {
  const proxy = await TcpProxy.open(server.port);
  closeLater(() => proxy.close());
  const { app } = await boot(server.urlAt(proxy.port), appName, [FoundationLockStore]);
  return { proxy, store: app.get(FoundationLockStore) };
}

describe('Locks in Redis', () => {
  it('are those of all nodes, and their tokens rise also when Redis has lost its data', async () => {
    const [one, other] = [await storeOf(), await storeOf()];
    const first = await one.acquire('k', 'a', LONG);
    expect(await other.acquire('k', 'b', LONG)).toEqual({ acquired: false });
    await server.cli('FLUSHALL');
    expect(await one.renew('k', 'a', LONG)).toBe(false);
    const second = await other.acquire('k', 'b', LONG);
    expect((second as { fencingToken: number }).fencingToken).toBeGreaterThan(
      (first as { fencingToken: number }).fencingToken,
    );
    // They all have a life: a lock its own, the token a week.
    expect(Number(await server.cli('PTTL', keys.lock('k')))).toBeGreaterThan(LONG / 2);
    expect(Number(await server.cli('PTTL', keys.lockTokens))).toBeGreaterThan(LONG);
  });

  it('have tokens that rise, whatever somebody else has written in the place of the last one', async () => {
    const store = await storeOf();
    let last = 0;
    for (const [index, text] of ['jünk', 'inf', 'nan', '-5', '99999999999999999999', undefined].entries()) {
      await server.cli('DEL', keys.lockTokens);
      if (text === undefined) await server.cli('RPUSH', keys.lockTokens, 'x');
      else await server.cli('SET', keys.lockTokens, text);
      const taken = (await store.acquire(`k${index}`, 'a', LONG)) as { fencingToken: number };
      expect(Number.isSafeInteger(taken.fencingToken)).toBe(true);
      expect(taken.fencingToken).toBeGreaterThan(last);
      last = taken.fencingToken;
    }
  });

  it('are not said to be held by who learns of it only after their time, however late Redis answers', async () => {
    const { proxy, store } = await behindProxy();
    proxy.mode = 150; // each way
    expect(await store.acquire('k', 'a', 100)).toEqual({ acquired: false });
    expect(await store.acquire('k', 'a', LONG)).toMatchObject({ acquired: true });
    expect(await store.renew('k', 'a', 100)).toBe(false);
    // Late once, and in time then.
    proxy.mode = 'blackhole';
    const began = performance.now();
    const late = store.acquire('l', 'a', 800);
    await eventually(() => performance.now() - began > 800, { what: 'The time of a lock' });
    proxy.mode = 'ok';
    expect(await late).toMatchObject({ acquired: true });
  });

  it('name the Redis that cannot be reached', async () => {
    const { proxy, store } = await behindProxy();
    proxy.mode = 'cut';
    await expect(store.acquire('k', 'a', LONG)).rejects.toThrow(`Redis at 127.0.0.1:${proxy.port} cannot`);
  });
});
