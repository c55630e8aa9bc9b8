// Layer 3: the raw tools by token, and tools of the user's own that are adopted.
import { describe, expect, it } from '@jest/globals';
import { Queue, Worker } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import { FoundationConfigError, FoundationTools, Membership, ProcessManager, Singleton } from 'nestjs-foundation';
import RedlockModule from 'redlock';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { keysOf } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, closeLater, onOwnRedis } from './fixture.js';

@Singleton({ name: 'feed' })
class Feed {}

let server: RedisServer;
let appName: string;

onOwnRedis((ground) => ({ server, appName } = ground));

/** A client of the user's, closed by the test. */
function client(options: RedisOptions = {}): Redis {
  const redis = new Redis(server.url, { maxRetriesPerRequest: null, ...options });
  closeLater(() => Promise.resolve(redis.disconnect()));
  return redis;
}

const running = (app: Awaited<ReturnType<typeof boot>>) =>
  eventually(() => app.app.get(ProcessManager).lookupSingleton('feed'));

describe('FoundationTools', () => {
  it('are the very objects that Foundation uses', async () => {
    const node = await boot(server.url, appName, [Feed]);
    await running(node);
    const get = <T>(token: symbol): T => node.app.get<T>(token);
    for (const token of [FoundationTools.leases, FoundationTools.publisher, FoundationTools.subscriber]) {
      expect(get(token)).toBeInstanceOf(Redis);
    }
    const leases = get<Redis>(FoundationTools.leases);
    expect(await leases.exists(keysOf(appName).lease('feed'))).toBe(1);
    expect(leases.options).toMatchObject({ maxRetriesPerRequest: 0, enableOfflineQueue: false });
    const redlock = get<RedlockModule>(FoundationTools.redlock);
    expect(redlock).toBeInstanceOf(RedlockModule);
    expect([...redlock.clients]).toEqual([leases]);
    const queue = get<Queue>(FoundationTools.queue);
    expect(queue).toBeInstanceOf(Queue);
    expect(await queue.getJobSchedulersCount()).toBe(1);
    const worker = get<Worker>(FoundationTools.worker);
    expect(worker).toBeInstanceOf(Worker);
    expect(worker.isRunning()).toBe(true);
    expect(new Set([leases, get(FoundationTools.publisher), get(FoundationTools.subscriber)]).size).toBe(3);
  });

  it('carry names that show in CLIENT LIST', async () => {
    await boot(server.url, appName, [], { nodeName: 'named' });
    const list = await server.cli('CLIENT', 'LIST');
    for (const role of ['leases', 'subscriber', 'publisher']) expect(list).toContain(`name=foundation:named:${role}`);
  });

  it('are closed with the application', async () => {
    const node = await boot(server.url, appName, []);
    const tools = [FoundationTools.leases, FoundationTools.subscriber, FoundationTools.publisher];
    const clients = tools.map((token) => node.app.get<Redis>(token));
    await node.app.close();
    await eventually(() => clients.every(({ status }) => status === 'end'));
  });
});

describe('Adopted', () => {
  it('an ioredis client is duplicated, not used, and never closed', async () => {
    const mine = client({ db: 3 });
    await server.cli('CONFIG', 'RESETSTAT');
    const node = await boot(mine, appName, [Feed]);
    await running(node);
    const leases = node.app.get<Redis>(FoundationTools.leases);
    expect(leases).not.toBe(mine);
    expect(leases.options.db).toBe(3);
    await node.app.close();
    expect(mine.status).toBe('ready');
    expect(await mine.ping()).toBe('PONG');
  });

  it('a client that is not connected yet works, too', async () => {
    const mine = client({ lazyConnect: true });
    const node = await boot(mine, appName, []);
    await node.app.get(Membership).whenReady();
    expect(mine.status).toBe('wait');
  });

  it('a client with a keyPrefix is refused', async () => {
    const mine = client({ keyPrefix: 'mine:' });
    const booted = boot(mine, appName, []);
    await expect(booted).rejects.toBeInstanceOf(FoundationConfigError);
    await expect(booted).rejects.toThrow(/keyPrefix/);
    expect(mine.status).not.toBe('end');
  });

  it('a Queue is used with its own name and prefix, and never closed', async () => {
    const connection = client();
    const queue = new Queue('mine', { connection, prefix: `${keysOf(appName).tag}:mine` });
    closeLater(() => queue.close());
    const node = await boot(server.url, appName, [Feed], { queue });
    await running(node);
    expect(node.app.get(FoundationTools.queue)).toBe(queue);
    expect(node.app.get<Worker>(FoundationTools.worker).name).toBe('mine');
    await eventually(async () => (await queue.getJobSchedulersCount()) === 1);
    await node.app.close();
    expect(connection.status).toBe('ready');
    await expect(queue.add('x', {})).resolves.toBeDefined();
  });

  it('a Redlock is used, and its client never closed', async () => {
    const connection = client();
    const redlock = new RedlockModule([connection], { retryCount: 50 });
    const node = await boot(server.url, appName, [Feed], { redlock });
    await running(node);
    expect(node.app.get(FoundationTools.redlock)).toBe(redlock);
    expect(await server.cli('EXISTS', keysOf(appName).lease('feed'))).toBe('1');
    await node.app.close();
    expect(await server.cli('EXISTS', keysOf(appName).lease('feed'))).toBe('0');
    expect(connection.status).toBe('ready');
  });

  it('a Redlock over another number of clients is refused, and nothing stays open', async () => {
    const mine = client({ lazyConnect: true });
    const opened: Redis[] = [];
    const duplicate = mine.duplicate.bind(mine);
    mine.duplicate = (...options) => {
      const copy = duplicate(...options);
      opened.push(copy);
      closeLater(() => Promise.resolve(copy.disconnect()));
      return copy;
    };
    const redlock = new RedlockModule([1, 2, 3].map(() => client({ lazyConnect: true })));
    await expect(boot(mine, appName, [], { redlock })).rejects.toBeInstanceOf(FoundationConfigError);
    await eventually(() => opened.every(({ status }) => status === 'end'), {
      timeout: 2000,
      lastSeen: () => opened.map(({ status }) => status),
    });
  });
});
