// An option whose name is spelt wrong is refused wherever options are taken; in silence, a default would count.
import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  ArgumentError,
  Callable,
  Channel,
  Channels,
  ClusterConfig,
  ClusterCron,
  FoundationModule,
  Journal,
  Membership,
  Partitioned,
  ProcessManager,
  Replicated,
  Service,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import { foundationBusDriver, invalidateAcrossNodes } from 'nestjs-foundation/cache';
import { FoundationDashboardModule } from 'nestjs-foundation/dashboard';
import { FoundationClient, FoundationStrategy } from 'nestjs-foundation/microservices';
import { FoundationTransport } from 'nestjs-foundation/outbox';
import { FoundationIoAdapter, useFoundationAdapter } from 'nestjs-foundation/socket.io';
import {
  eventually,
  fakeCronRun,
  fakeProcessContext,
  FoundationTestingModule,
  TcpProxy,
  TestCluster,
  TestRedis,
} from 'nestjs-foundation/testing';
import { FoundationV1Module } from 'nestjs-foundation/v1';

/** What a caller wrote: options that TypeScript would refuse, as JavaScript and a spread from elsewhere may have. */
const wrong = (options: object): never => options as never;
const MISSPELT = /no such option \(known here: /;

@Singleton({ name: 'feed' })
class Feed {
  @Callable()
  last(): number {
    return 1;
  }
}

@Replicated()
class Replica {}

@Partitioned({ partitions: 2 })
class Part {}

@Service({ name: 'desk' })
class Desk {
  @Callable()
  last(): number {
    return 1;
  }
}

const schema = { '~standard': { version: 1, vendor: 'here', validate: (value: unknown) => ({ value }) } } as const;
const CLASSES = [Feed, Replica, Part, Desk];

async function start(providers: readonly (new () => object)[] = CLASSES): Promise<TestingModule> {
  const clusterConfig = { schema: schema as never, defaults: { limit: 1 } };
  const options = { channels: { names: ['orders'] }, clusterConfig };
  const imports = [FoundationModule.forRoot(options)];
  return (await Test.createTestingModule({ imports, providers: [...providers] }).compile()).init();
}

let app: TestingModule;
beforeAll(async () => {
  Logger.overrideLogger(false);
  app = await start();
});
afterAll(() => app.close());

async function thrown(work: () => unknown): Promise<unknown> {
  try {
    return { resolved: await work() };
  } catch (error) {
    return error;
  }
}

describe('a call with an option that there is not', () => {
  const processes = (): ProcessManager => app.get(ProcessManager);
  const channels = (): Channels => app.get(Channels);
  const nobody = (): void => undefined;
  it.each<[string, () => unknown]>([
    ['whenReady', () => app.get(Membership).whenReady(wrong({ minNode: 3 }))],
    ['drain', () => processes().drain(wrong({ nod: 'other' }))],
    ['undrain', () => processes().undrain(wrong({ nod: 'other' }))],
    ['startSingleton', () => processes().startSingleton(Feed, [], wrong({ timeuot: 5 }))],
    ['startReplicated', () => processes().startReplicated(Replica, [], wrong({ replica: 5 }))],
    ['startPartitioned', () => processes().startPartitioned(Part, [], wrong({ partition: 5 }))],
    ['with', async () => (await processes().startSingleton(Feed)).with(wrong({ timeuot: 5 }))],
    [
      'all',
      () =>
        processes()
          .all(Feed)
          .with(wrong({ timeuot: 5 })),
    ],
    ['ServiceMesh.call', () => app.get(ServiceMesh).call('desk', 'last', [], wrong({ strategie: 'random' }))],
    ['broadcast', () => channels().broadcast('orders', 1, wrong({ typ: 'a' }))],
    ['gather', () => channels().gather('orders', 1, wrong({ timeuot: 5 }))],
    ['routeMessage', () => channels().routeMessage(1, wrong({ typ: 'a' }))],
    ['explainRoute', () => channels().explainRoute(1, wrong({ typ: 'a' }))],
    ['subscribe', () => channels().subscribe('orders', nobody, wrong({ gruop: 'a' }))],
    ['ClusterConfig.set', () => app.get(ClusterConfig).set('limit', wrong({}), wrong({ quorm: 'all' }))],
    ['Journal.read', () => app.get(Journal).read(wrong({ proces: 'feed' }))],
    ['fenced.set', () => fakeProcessContext().fenced.set('key', '1', wrong({ tll: '1d' }))],
    ['foundationBusDriver', () => foundationBusDriver(wrong({ channels: channels(), prefx: 'a' }))],
    ['invalidateAcrossNodes', () => invalidateAcrossNodes(wrong({ channels: channels(), nmae: 'a' }))],
    ['FoundationTransport', () => FoundationTransport('orders', wrong({ dedup: 5 }))],
    ['useFoundationAdapter', () => useFoundationAdapter(wrong({}), channels(), wrong({ nam: 'a' }))],
    ['FoundationIoAdapter', () => new FoundationIoAdapter(app, wrong({ nam: () => 'a' }))],
    ['FoundationStrategy', () => new FoundationStrategy(channels(), wrong({ chanel: 'orders' }))],
    ['FoundationClient', () => new FoundationClient(wrong({ channels: channels(), chanel: 'orders' }))],
    ['fakeProcessContext', () => fakeProcessContext(wrong({ nam: 'a' }))],
    ['fakeCronRun', () => fakeCronRun(wrong({ nam: 'a' }))],
    ['eventually', () => eventually(() => true, wrong({ timeuot: 5 }))],
    ['TestRedis.start', () => TestRedis.start(wrong({ prot: 5 }))],
    ['TcpProxy.open', () => TcpProxy.open(wrong({ prot: 5 }))],
    ['FoundationModule.forRootAsync', () => FoundationModule.forRootAsync(wrong({ useFactry: () => ({}) }))],
    ['FoundationV1Module.forRootAsync', () => FoundationV1Module.forRootAsync(wrong({ useFactry: () => ({}) }))],
    ['@Callable', () => Callable(wrong({ idempotant: true }))(Feed.prototype, 'other', { value: nobody })],
    ['@Service', () => Service(wrong({ capabilty: ['a'] }))(class Other {})],
  ])('is refused: %s', async (_call, work) => {
    const error = await thrown(work);
    expect(error).toBeInstanceOf(ArgumentError);
    expect(String(error)).toMatch(MISSPELT);
  });

  it('is refused where it is more than an argument: TestCluster.start, and the dashboard, without the value', async () => {
    expect(String(await thrown(() => TestCluster.start(wrong({ node: 5 }))))).toMatch(MISSPELT);
    const words = String(
      await thrown(() => FoundationDashboardModule.forRoot(wrong({ tokn: 'a secret of some length' }))),
    );
    expect(words).toMatch(MISSPELT);
    expect(words).not.toContain('secret');
  });

  it('is nothing where it is undefined, as a spread may leave it', async () => {
    await expect(app.get(Membership).whenReady(wrong({ minNode: undefined, minNodes: 1 }))).resolves.toBeUndefined();
  });
});

describe('a start with an option that there is not', () => {
  class Listener {
    @Channel('orders', wrong({ gruop: 'a' }))
    hear(): void {}
  }
  class Job {
    @ClusterCron('0 3 * * *', wrong({ timezone: 'UTC' }))
    run(): void {}
  }
  @Singleton(wrong({ placment: 'hash' }))
  class Other {}

  it.each([Listener, Job, Other])('is refused: %p', async (type) => {
    const error = await thrown(() => start([type]));
    expect(String(error)).toMatch(/no such option|knows no option/);
  });

  it.each<[string, () => unknown]>([
    [
      'FoundationModule',
      () => Test.createTestingModule({ imports: [FoundationModule.forRoot(wrong({ clutser: true }))] }),
    ],
    [
      'FoundationV1Module',
      () =>
        Test.createTestingModule({
          imports: [FoundationModule.forRoot(), FoundationV1Module.forRoot(wrong({ overides: {} }))],
        }),
    ],
    [
      'FoundationTestingModule',
      () => Test.createTestingModule({ imports: [FoundationTestingModule.forRoot(wrong({ startAt: 0 }))] }),
    ],
  ])('is refused: %s', async (_module, make) => {
    const error = await thrown(() => (make() as ReturnType<typeof Test.createTestingModule>).compile());
    expect(String(error)).toMatch(MISSPELT);
  });
});

describe('options that are none', () => {
  // Of each, JavaScript reads no option, so that a default would count in silence.
  const kinds: Readonly<Record<string, () => unknown>> = {
    ...{ Map: () => new Map([['timeout', 1]]), Set: () => new Set(), Date: () => new Date(0), list: () => [] },
    ...{ promise: () => Promise.resolve({}), boolean: () => new Boolean(false), signal: () => AbortSignal.abort() },
    proxy: () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
  };
  const nobody = (): void => undefined;
  const processes = (): ProcessManager => app.get(ProcessManager);
  const channels = (): Channels => app.get(Channels);
  const calls: Readonly<Record<string, (options: never) => unknown>> = {
    whenReady: (options) => app.get(Membership).whenReady(options),
    drain: (options) => processes().drain(options),
    undrain: (options) => processes().undrain(options),
    startSingleton: (options) => processes().startSingleton(Feed, [], options),
    startReplicated: (options) => processes().startReplicated(Replica, [], options),
    startPartitioned: (options) => processes().startPartitioned(Part, [], options),
    'a backoff': (backoff) => processes().startSingleton(Feed, [], { name: 'other', backoff }),
    'a placement': (placement) => processes().startSingleton(Feed, [], { name: 'other', placement }),
    with: async (options) => (await processes().startSingleton(Feed)).with(options),
    all: (options) => processes().all(Feed).with(options),
    'ServiceMesh.call': (options) => app.get(ServiceMesh).call('desk', 'last', [], options),
    'where of a call': (where) => app.get(ServiceMesh).call('desk', 'last', [], { where }),
    'metadata of a service': (metadata) => app.get(ServiceMesh).registerService('other', {}, [], metadata),
    broadcast: (options) => channels().broadcast('orders', 1, options),
    gather: (options) => channels().gather('orders', 1, options),
    routeMessage: (options) => channels().routeMessage(1, options),
    explainRoute: (options) => channels().explainRoute(1, options),
    subscribe: (options) => channels().subscribe('orders', nobody, options),
    'the queue of a subscription': (queue) => channels().subscribe('orders', nobody, { queue }),
    'ClusterConfig.set': (options) => app.get(ClusterConfig).set('limit', 2, options),
    'Journal.read': (query) => app.get(Journal).read(query),
    'the query of Journal.follow': (query) => app.get(Journal).follow(query).next(),
    'Journal.follow': (options) => app.get(Journal).follow({}, options).next(),
    'Journal.actAs': (actor) => app.get(Journal).actAs(actor, nobody),
    'fenced.set': (options) => fakeProcessContext().fenced.set('key', '1', options),
    FoundationTransport: (options) => FoundationTransport('orders', options),
    FoundationStrategy: (options) => new FoundationStrategy(channels(), options),
    fakeProcessContext: (options) => fakeProcessContext(options),
    fakeCronRun: (options) => fakeCronRun(options),
    eventually: (options) => eventually(() => true, options),
    'TestRedis.start': (options) => TestRedis.start(options),
    '@Callable': (options) => Callable(options)(Feed.prototype, 'another', { value: nobody }),
    '@Service': (options) => Service(options)(class Other {}),
    '@Singleton': (options) => Singleton(options)(class Other {}),
    '@Replicated': (options) => Replicated(options)(class Other {}),
    '@Partitioned': (options) => Partitioned(options)(class Other {}),
  };
  it.each(Object.entries(calls))('are refused, whatever has come in their place: %s', async (_call, work) => {
    for (const [kind, make] of Object.entries(kinds)) {
      expect([kind, await thrown(() => work(make() as never))]).toEqual([kind, expect.any(ArgumentError)]);
    }
  });

  it('are refused by a start also as numbers, functions and texts', async () => {
    for (const options of [3, NaN, '', () => 1, null] as never[]) {
      for (const call of ['startSingleton', 'startReplicated', 'startPartitioned'] as const) {
        expect(await thrown(() => processes()[call](Replica as never, [], options))).toBeInstanceOf(ArgumentError);
      }
      for (const decorator of [Singleton, Replicated, Partitioned]) {
        expect(await thrown(() => decorator(options)(class Other {}))).toBeInstanceOf(ArgumentError);
      }
    }
  });

  it('are refused by the modules, and as an option of theirs', async () => {
    for (const make of Object.values(kinds)) {
      const options = make() as never;
      for (const work of [
        () => FoundationModule.forRoot(options),
        () => FoundationModule.forRoot({ processes: options }),
        () => FoundationModule.forRoot({ processes: { backoff: options } }),
        () => FoundationModule.forRoot({ labels: options }),
        () => FoundationTestingModule.forRoot(options),
      ]) {
        const start = async (): Promise<unknown> => Test.createTestingModule({ imports: [work()] }).compile();
        expect(String(await thrown(start))).toMatch(/is not valid|invalid/);
      }
    }
  });

  it('may be an instance of a class', async () => {
    class Wait {
      timeout = '2s' as const;
    }
    const feed = await processes().startSingleton(Feed);
    await expect(feed.with(new Wait()).call('last')).resolves.toBe(1);
    await expect(channels().broadcast('orders', 1, new Wait())).resolves.toBeUndefined();
  });

  it.each([null, 'a', 5, [], () => 1])('are refused: %p', async (options) => {
    expect(await thrown(() => app.get(ProcessManager).drain(options as never))).toBeInstanceOf(ArgumentError);
    const called = (): unknown => app.get(ServiceMesh).call('desk', 'last', [], options as never);
    expect(await thrown(called)).toBeInstanceOf(ArgumentError);
    expect(await thrown(() => app.get(Membership).whenReady(options as never))).toBeInstanceOf(ArgumentError);
  });

  it.each([5, {}, 'now', null])('and so is a signal that is none: %p', async (signal) => {
    const feed = await app.get(ProcessManager).startSingleton(Feed);
    expect(await thrown(() => feed.with({ signal: signal as never }))).toBeInstanceOf(ArgumentError);
    const called = (): unknown => app.get(ServiceMesh).call('desk', 'last', [], { signal: signal as never });
    expect(await thrown(called)).toBeInstanceOf(ArgumentError);
  });
});

describe('a value that is none', () => {
  it.each(['x', -1, Infinity, null])('of the time a client waits is refused: %p', async (wait) => {
    const channels = app.get(Channels);
    expect(await thrown(() => new FoundationClient({ channels, wait: wait as never }))).toBeInstanceOf(ArgumentError);
  });

  it.each([{}, { imports: [] }, { useFactory: 5 }])('of forRootAsync is refused: %p', async (options) => {
    for (const module of [FoundationModule, FoundationV1Module]) {
      const words = String(await thrown(() => module.forRootAsync(options as never)));
      expect(words).toMatch(/"useFactory": received .*, expected a function/);
    }
  });

  it.each([0, 65_536, '6379', undefined])('of the port of a proxy is refused: %p', async (port) => {
    expect(await thrown(() => TcpProxy.open({ port: port as never }))).toBeInstanceOf(ArgumentError);
  });

  it('of what a proxy does is refused: a test would pass without its fault', async () => {
    const proxy = await TcpProxy.open(1);
    const modes = ['blackole', -1, NaN, undefined].map((mode) => () => (proxy.mode = mode as never));
    for (const work of [...modes, () => proxy.break('main', 'hang' as never)]) {
      expect(await thrown(work)).toBeInstanceOf(ArgumentError);
    }
    await proxy.close();
  });
});
