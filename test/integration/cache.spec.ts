// Caches in memory that follow the other nodes: with the bus of bentocache, and beside cache-manager. What may have
// been missed clears them. On real Redis, with the real packages.
import { describe, expect, it } from '@jest/globals';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import { ArgumentError, Channels, type FoundationOptions } from 'nestjs-foundation';
import { foundationBusDriver, invalidateAcrossNodes } from 'nestjs-foundation/cache';
import { TcpProxy } from 'nestjs-foundation/testing';
import { runtimeOf } from '../../libs/foundation/src/channels/channels.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, type CapturedLog, closeLater, formed, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let log: CapturedLog;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, log, keys } = ground));

const channelsOf = ({ app }: Booted) => app.get(Channels);
const bootNode = (options: FoundationOptions = {}) => boot(options.redis ?? server.url, appName, [], options);
const heardBy = (topic: string, count: number) =>
  eventually(async () => (await server.cli('PUBSUB', 'NUMSUB', keys.channel(topic))).endsWith(`\n${count}`), {
    what: `${count} nodes that hear ${topic}`,
  });

/** Two nodes, the second of which can be cut off from Redis. */
async function two(): Promise<{ a: Booted; b: Booted; proxy: TcpProxy }> {
  const proxy = await TcpProxy.open(server.port);
  closeLater(() => proxy.close());
  const [a, b] = [await bootNode(), await bootNode({ redis: server.urlAt(proxy.port) })];
  await formed(a, b);
  return { a, b, proxy };
}

/** What both share, as a database would be. */
const source = new Map<string, string>();

function bento(node: Booted) {
  const store = bentostore()
    .useL1Layer(memoryDriver())
    .useBus(foundationBusDriver({ channels: channelsOf(node) }));
  const cache = new BentoCache({ default: 'main', stores: { main: store } });
  cache.use('main'); // it is made when it is used first
  closeLater(() => cache.disconnectAll());
  return cache;
}
const BUS = '#cache:bentocache.notifications:main';

describe('The bus of bentocache', () => {
  it('drops from the memory of all nodes what one of them has changed', async () => {
    const { a, b } = await two();
    const [here, there] = [bento(a), bento(b)];
    await heardBy(BUS, 2);
    const read = (cache: BentoCache<never>, key: string) =>
      cache.getOrSet({ key, factory: () => source.get(key) }) as Promise<unknown>;
    source.set('tea', '1');
    expect([await read(here as never, 'tea'), await read(there as never, 'tea')]).toEqual(['1', '1']);
    source.set('tea', '2');
    await here.delete({ key: 'tea' });
    await eventually(async () => (await read(there as never, 'tea')) === '2');
    const users = there.namespace('users');
    await users.set({ key: 'ann', value: 1 });
    await here.namespace('users').clear();
    await eventually(async () => (await users.get({ key: 'ann' })) === undefined);
    await there.set({ key: 'x', value: 1 });
    await here.clear();
    await eventually(async () => (await there.get({ key: 'x' })) === undefined);
  });

  it('clears the memory when messages may have been lost, in all namespaces, and says so', async () => {
    const { a, b, proxy } = await two();
    const [here, there] = [bento(a), bento(b)];
    await heardBy(BUS, 2);
    const users = there.namespace('users');
    const fill = async () => {
      await there.set({ key: 'tea', value: 'old' });
      await users.set({ key: 'ann', value: 'old' });
    };
    await fill();
    await eventually(async () => (await there.get({ key: 'tea' })) === 'old');
    proxy.mode = 'cut';
    await heardBy(BUS, 1);
    await here.delete({ key: 'tea' });
    await here.namespace('users').delete({ key: 'ann' });
    // Filled again while it is cut off, so that what clears it is the gap.
    await there.set({ key: 'tea', value: 'old' }).catch(() => undefined);
    proxy.mode = 'ok';
    await eventually(async () => (await there.get({ key: 'tea' })) === undefined, { timeout: 20_000 });
    expect(await users.get({ key: 'ann' })).toBeUndefined();
    expect(log.lines.some((line) => /Cleared a cache/.test(line))).toBe(true);
  });

  it('survives what others send, and refuses what it cannot use', async () => {
    const { a, b } = await two();
    const there = bento(b);
    await heardBy(BUS, 1);
    await there.set({ key: 'tea', value: 1 });
    const channel = runtimeOf(channelsOf(a)).reserve(BUS);
    const rubbish = [
      null,
      7,
      {},
      { busId: 7 },
      { busId: 'x' },
      { busId: 'x', payload: 'y' },
      { busId: 'x', payload: {} },
    ];
    const keysOf = (given: unknown) => ({
      busId: 'x',
      payload: { type: 'delete', namespace: 'bentocache', keys: given },
    });
    for (const each of [...rubbish, keysOf(7), keysOf([{}])]) await channel.send(each);
    // What nobody can read may have said that something has changed.
    await eventually(async () => (await there.get({ key: 'tea' })) === undefined);
    await there.set({ key: 'tea', value: 1 });
    await channel.send(keysOf(['tea']));
    await eventually(async () => (await there.get({ key: 'tea' })) === undefined);
    for (const wrong of [undefined, {}, { channels: {} }, { channels: channelsOf(a), prefix: 7 }]) {
      expect(() => foundationBusDriver(wrong as never)).toThrow(ArgumentError);
    }
  });
});

describe('A cache of cache-manager', () => {
  async function manager(node: Booted) {
    const memory = new Keyv();
    const cache = createCache({ stores: [memory] });
    const end = await invalidateAcrossNodes({ channels: channelsOf(node), cache, memory });
    return { cache, memory, end };
  }
  const TOPIC = '#cache:manager:default';

  it('drops what other nodes set, delete or clear, and nothing once that has ended', async () => {
    const { a, b } = await two();
    const [here, there] = [await manager(a), await manager(b)];
    await heardBy(TOPIC, 2);
    const isGone = (key: string) => eventually(async () => (await there.cache.get(key)) === undefined);
    const fill = (key: string) => there.memory.set(key, 'old');
    await fill('tea');
    await here.cache.set('tea', 'new');
    await isGone('tea');
    expect(await here.cache.get('tea')).toBe('new');
    await fill('tea');
    await here.cache.del('tea');
    await isGone('tea');
    await Promise.all(['tea', 'milk'].map(fill));
    await here.cache.mdel(['tea', 'milk']);
    await isGone('tea');
    await isGone('milk');
    await fill('tea');
    await here.cache.clear();
    await isGone('tea');
    await there.end();
    await heardBy(TOPIC, 1);
    await fill('tea');
    await here.cache.clear();
    expect(await there.cache.get('tea')).toBe('old');
  });

  it('is cleared when messages may have been lost', async () => {
    const { a, b, proxy } = await two();
    const [here, there] = [await manager(a), await manager(b)];
    await heardBy(TOPIC, 2);
    await here.cache.set('before', 1);
    proxy.mode = 'cut';
    await heardBy(TOPIC, 1);
    await here.cache.set('tea', 'new');
    await there.memory.set('tea', 'old');
    proxy.mode = 'ok';
    await eventually(async () => (await there.cache.get('tea')) === undefined, { timeout: 20_000 });
    expect(await here.cache.get('tea')).toBe('new');
  });

  it('has the others clear their memory when what it says does not reach them', async () => {
    const { a, b, proxy } = await two();
    const [here, there] = [await manager(a), await manager(b)];
    await heardBy(TOPIC, 2);
    proxy.mode = 'cut';
    await heardBy(TOPIC, 1);
    await here.memory.set('tea', 'old');
    await there.cache.set('tea', 'new');
    await eventually(() => log.lines.some((line) => /Could not tell the other nodes/.test(line)));
    proxy.mode = 'ok';
    await eventually(async () => (await here.cache.get('tea')) === undefined, { timeout: 20_000 });
  });

  it('refuses what it cannot use', async () => {
    const { app } = await bootNode();
    const right = { channels: app.get(Channels), cache: createCache(), memory: new Keyv() };
    const wrongs = [
      {},
      { ...right, cache: {} },
      { ...right, memory: {} },
      { ...right, name: 7 },
      { ...right, channels: 1 },
    ];
    for (const wrong of wrongs) await expect(invalidateAcrossNodes(wrong as never)).rejects.toThrow(ArgumentError);
  });
});
