// @redis embedded-ok
// An application that has a Redis already: Foundation finds it among its providers, and makes connections of its own
// like it.
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { type DynamicModule, Injectable, Logger, type LoggerService } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import type { Queue } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import {
  FoundationModule,
  type FoundationOptions,
  FoundationTools,
  Membership,
  ProcessManager,
  Singleton,
} from 'nestjs-foundation';
import { freePort } from 'nestjs-foundation/testing';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { type RedisServer, startServer } from '../support/redis-server.js';
import { type CapturedLog, closeLater, LEASE, MEMBERSHIP, onOwnRedis, type Provider } from './fixture.js';

@Singleton({ name: 'feed' })
class Feed {}

let server: RedisServer;
let appName: string;
let log: CapturedLog;

onOwnRedis((ground) => ({ server, appName, log } = ground));

afterEach(() => {
  delete process.env['FOUNDATION_REDIS_URL'];
});

/**
 * Where the Redis of the test is, as ioredis and BullMQ take it: with the rights of an application that has queues of
 * its own.
 */
function place(): { host: string; port: number; password?: string } {
  const { port, password } = new URL(server.adminUrl);
  return { host: '127.0.0.1', port: Number(port), ...(password ? { password: decodeURIComponent(password) } : {}) };
}

/** A client of the application, which closes it itself. */
function client(options: RedisOptions = {}): Redis {
  const redis = new Redis({ ...place(), maxRetriesPerRequest: null, ...options });
  closeLater(() => Promise.resolve(redis.disconnect()));
  return redis;
}

const elsewhere = (): Redis => client({ host: '127.0.0.1', port: 1, lazyConnect: true });

interface Application {
  imports?: DynamicModule[];
  providers?: Provider[];
  options?: FoundationOptions;
  /** The port in place of 6379. */
  port?: number;
}

async function boot({ imports = [], providers = [], options = {}, port }: Application): Promise<TestingModule> {
  const foundation = FoundationModule.forRoot({
    ...{ cluster: true, appName, lease: LEASE, membership: MEMBERSHIP, topologies: [] },
    ...options,
  });
  const app = await Test.createTestingModule({ imports: [foundation, ...imports], providers: [Feed, ...providers] })
    .setLogger((Logger as unknown as { staticInstanceRef: LoggerService }).staticInstanceRef)
    .overrideProvider(Symbol.for('foundation:search'))
    .useValue({
      here: { host: '127.0.0.1', port: port ?? (await freePort()) },
      embed: () => ({ state: 'not-installed' }),
    })
    .compile();
  closeLater(() => app.close());
  await app.init();
  return app;
}

const joined = (app: TestingModule) =>
  eventually(async () => {
    await app.get(ProcessManager).lookupSingleton('feed');
    return app.get(Membership).members().length === 1;
  });
const used = (from: string): string => {
  const endpoint = `127.0.0.1:${server.port}`;
  const message = `Adopted the Redis of the application (from: ${from}, endpoint: ${endpoint})`;
  return `log ${message} {"from":"${from}","endpoint":"${endpoint}"} Foundation`;
};

describe('The root configuration of @nestjs/bullmq', () => {
  it('is used, with its options, and without a strategy that would look for another', async () => {
    const imports = [BullModule.forRoot({ connection: place() }), BullModule.registerQueue({ name: 'mails' })];
    const app = await boot({ imports, options: { topologies: undefined } });
    await joined(app);
    expect(log.lines).toContain(used('BullModule.forRoot'));
    expect(log.lines.filter((line) => line.includes('Looking for nodes'))).toEqual([]);
    const mails = app.get<Queue>(getQueueToken('mails'));
    await mails.add('hello', {});
    expect(await mails.getWaitingCount()).toBe(1);
  });

  it('is waited for when a factory makes it, and may be a URL', async () => {
    const settings = { provide: 'SETTINGS', useFactory: () => pause(200).then(() => ({ url: server.adminUrl })) };
    const imports = [
      BullModule.forRootAsync({
        imports: [{ module: class Settings {}, providers: [settings], exports: [settings] }],
        inject: ['SETTINGS'],
        useFactory: (connection: { url: string }) => ({ connection }),
      }),
    ];
    await joined(await boot({ imports }));
    expect(log.lines).toContain(used('BullModule.forRoot'));
  });

  it('may hold a client, which is neither shared nor closed', async () => {
    const connection = client();
    const app = await boot({ imports: [BullModule.forRoot({ connection })] });
    await joined(app);
    const raw = Object.values(FoundationTools).map((token): unknown => app.get(token));
    expect(raw).not.toContain(connection);
    await app.close();
    expect(await connection.ping()).toBe('PONG');
  });

  it('comes before clients of the application, which may lead to a cache', async () => {
    const providers = [{ provide: 'CACHE', useValue: elsewhere() }];
    await joined(await boot({ imports: [BullModule.forRoot({ connection: place() })], providers }));
    expect(log.lines).toContain(used('BullModule.forRoot'));
  });

  it('may need Foundation itself, and is then not waited for', async () => {
    // Without a password, because nobody names it.
    const open = await startServer();
    closeLater(() => open.stop());
    const useFactory = (connection: Redis) => ({ connection });
    const imports = [BullModule.forRootAsync({ inject: [FoundationTools.publisher], useFactory })];
    const app = await boot({ imports: [...imports, BullModule.registerQueue({ name: 'mails' })], port: open.port });
    await joined(app);
    expect(log.lines.join('\n')).not.toContain('The Redis of the application');
    expect(await app.get<Queue>(getQueueToken('mails')).getWaitingCount()).toBe(0);
  });
});

describe('A client of ioredis among the providers', () => {
  const REDIS = Symbol('the redis of the shop');

  @Injectable()
  class Cache extends Redis {
    constructor() {
      super({ ...place(), lazyConnect: true });
    }
  }

  it.each<[string, () => Provider, string]>([
    ['a value', () => ({ provide: 'CACHE', useValue: client() }), 'CACHE'],
    ['a class', () => Cache, 'Cache'],
    ['a factory', () => ({ provide: 'REDIS_CLIENT', useFactory: () => client() }), 'REDIS_CLIENT'],
    [
      'a slow factory under a symbol, with a prefix',
      () => ({ provide: REDIS, useFactory: () => pause(200).then(() => client({ keyPrefix: 'shop:' })) }),
      'the redis of the shop',
    ],
  ])('%s is used', async (_, provider, token) => {
    const app = await boot({ providers: [provider()] });
    await joined(app);
    expect(log.lines).toContain(used(`the provider ${token}`));
    const redis = client();
    expect(await redis.exists(`{foundation:${appName}}:nodes`)).toBe(1);
  });

  it('is neither shared nor closed', async () => {
    const redis = client();
    const app = await boot({ providers: [{ provide: 'REDIS', useValue: redis }] });
    await joined(app);
    await app.close();
    expect(await redis.ping()).toBe('PONG');
  });

  it.each(['found', 'given', 'options'])('may read numbers as texts and pipeline by itself (%s)', async (way) => {
    const odd = { stringNumbers: true, enableAutoPipelining: true, autoPipeliningIgnoredCommands: ['ping'] };
    const redis = client({ ...odd, readOnly: true, scripts: { evalsha: { lua: 'return 1', numberOfKeys: 0 } } });
    const named = way === 'options' ? { options: { ...place(), ...odd, commandTimeout: 1 } } : (redis as never);
    const app = await boot(
      way === 'found' ? { providers: [{ provide: 'REDIS', useValue: redis }] } : { options: { redis: named } },
    );
    await joined(app);
    await app.get(ProcessManager).startSingleton(Feed, [], { name: 'other' });
    await eventually(async () => (await app.get(ProcessManager).lookupSingleton('other')) !== undefined);
    expect(await redis.incr('number')).toBe('1');
    await redis.del('number');
  });

  it('may be there twice', async () => {
    const providers = ['REDIS_A', 'REDIS_B'].map((provide) => ({ provide, useFactory: () => client() }));
    await joined(await boot({ providers }));
    expect(log.lines).toContain(used('the provider REDIS_A, REDIS_B'));
  });

  it('is not chosen among several Redis; the log says which there are and how to choose', async () => {
    const providers = [
      { provide: 'CACHE', useValue: elsewhere() },
      { provide: 'REDIS', useFactory: () => client({ db: 2 }) },
    ];
    await expect(boot({ providers })).rejects.toMatchObject({ code: 'FOUNDATION_REDIS_NOT_FOUND' });
    const warning = log.lines.find((line) => line.startsWith('warn The application has clients of several Redis'));
    expect(warning).toContain(`{"CACHE":"127.0.0.1:1/0","REDIS":"127.0.0.1:${server.port}/2"}`);
    expect(warning).toContain('forRootAsync({ inject: [TOKEN]');
  });

  it.each(['an option', 'the environment'])('gives way to %s', async (named) => {
    if (named === 'the environment') process.env['FOUNDATION_REDIS_URL'] = server.url;
    const options = named === 'an option' ? { redis: server.url } : {};
    await joined(await boot({ providers: [{ provide: 'REDIS', useValue: elsewhere() }], options }));
    expect(log.lines.join('\n')).not.toContain('The Redis of the application');
  });

  it('comes before the Redis of this machine', async () => {
    const providers = [{ provide: 'REDIS', useFactory: () => client({ db: 3 }) }];
    await joined(await boot({ providers, port: server.port }));
    expect(await client({ db: 3 }).exists(`{foundation:${appName}}:nodes`)).toBe(1);
  });

  it.each<[string, Provider]>([
    [
      'needs Foundation',
      { provide: 'REDIS', inject: [FoundationTools.publisher], useFactory: (redis: Redis) => redis },
    ],
    ['is of another library', { provide: 'REDIS', useValue: { duplicate: () => ({}), options: {}, isOpen: false } }],
    ['is no client', { provide: 'REDIS_URL', useFactory: () => 'redis://elsewhere' }],
  ])('is not taken for one when it %s', async (_, provider) => {
    await expect(boot({ providers: [provider] })).rejects.toMatchObject({
      code: 'FOUNDATION_REDIS_NOT_FOUND',
      message: expect.stringMatching(
        /clients of the application: none that can be used; .*js-redis-server is not installed; run: npx nest add nestjs-foundation --embedded-redis/,
      ),
    });
  });

  it('whose factory fails makes the start fail with what it says', async () => {
    const failing = { provide: 'REDIS', useFactory: () => Promise.reject(new Error('no such vault')) };
    await expect(boot({ providers: [failing] })).rejects.toThrow('no such vault');
  });
});
