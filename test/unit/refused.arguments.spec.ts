// What is no argument is refused where it is given, with what would be one; a promise, that its `await` was forgotten.
import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DynamicModule, Injectable, Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  ArgumentError,
  Callable,
  Channels,
  ClusterConfig,
  CronJobs,
  FoundationMetrics,
  FoundationModule,
  InjectSingleton,
  Journal,
  MessageError,
  Partitioned,
  ProcessManager,
  type ServiceHandle,
  ServiceMesh,
  Singleton,
  SpanRecorder,
  Telemetry,
} from 'nestjs-foundation';
import { FoundationTransport } from 'nestjs-foundation/outbox';
import {
  checkHistory,
  describeViolations,
  eventually,
  FoundationTestingModule,
  parseHistory,
} from 'nestjs-foundation/testing';

@Singleton({ name: 'feed' })
class Feed {
  @Callable()
  last(of: unknown): unknown {
    return of;
  }
}

@Partitioned({ partitions: 2 })
class Part {}

const schema = { '~standard': { version: 1, vendor: 'here', validate: (value: unknown) => ({ value }) } } as const;

let app: TestingModule;
beforeAll(async () => {
  Logger.overrideLogger(false);
  const clusterConfig = { schema: schema as never, defaults: { limit: 1 } };
  const channels = { names: { orders: {}, kept: { durable: true } } };
  const imports = [FoundationModule.forRoot({ channels, clusterConfig })];
  app = await (await Test.createTestingModule({ imports, providers: [Feed, Part] }).compile()).init();
});
afterAll(() => app.close());

/** What has been revoked throws for whatever it is asked. */
const unreadable = (() => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
})();

async function thrown(work: () => unknown): Promise<unknown> {
  try {
    return { resolved: await work() };
  } catch (error) {
    return error;
  }
}

const processes = (): ProcessManager => app.get(ProcessManager);
const mesh = (): ServiceMesh => app.get(ServiceMesh);

describe('an argument of the wrong kind is refused', () => {
  const calls: Readonly<Record<string, readonly [values: readonly unknown[], call: (value: never) => unknown]>> = {
    startSingleton: [[undefined, null, 5, 'x', {}], (type) => processes().startSingleton(type)],
    startReplicated: [[undefined, null, 5, 'x', {}], (type) => processes().startReplicated(type)],
    startPartitioned: [[undefined, null, 5, 'x', {}], (type) => processes().startPartitioned(type)],
    explainPlacement: [
      [5, null, {}],
      async (owner) => {
        await processes().startSingleton(Feed);
        return processes().explainPlacement('feed', owner);
      },
    ],
    deregisterService: [
      [undefined, null, 5, new Map(), { mispelt: 1 }, Promise.resolve('x')],
      (service) => mesh().deregisterService(service),
    ],
    runNow: [[undefined, null, 5, Symbol('job'), {}], (name) => app.get(CronJobs).runNow(name)],
    'Telemetry.wants': [[undefined, null, 5, {}, Symbol('a')], (event) => app.get(Telemetry).wants(event)],
    'Telemetry.emit': [[undefined, null, 5, {}], (event) => app.get(Telemetry).emit(event, {} as never)],
    'FoundationMetrics.record': [[undefined, null, 5, {}], (add) => app.get(FoundationMetrics).record(add)],
    SpanRecorder: [
      [undefined, null, 5, {}, { keep: 5 }, { keep: () => 1, now: 5 }, { keep: () => 1, tracing: {} }, new Map()],
      (parts) => new SpanRecorder(parts),
    ],
    FoundationTransport: [[undefined, null, 5, '', {}], (channel) => FoundationTransport(channel)],
    'options of publish': [
      [null, 5, AbortSignal.abort(), { signal: 5 }],
      (options) =>
        new (
          FoundationTransport('kept') as unknown as new (channels: Channels) => {
            publish: (...args: unknown[]) => unknown;
          }
        )(app.get(Channels)).publish({ id: '1', topic: 'a', payload: 1 }, options),
    ],
    'the name of a process': [
      [undefined, null, 5, {}, unreadable],
      async (target) => {
        for (const call of ['lookupPartitioned', 'all', 'explainPlacement'] as const) {
          expect(await thrown(() => processes()[call](target))).toBeInstanceOf(ArgumentError);
        }
        return processes().stop(target);
      },
    ],
    'from of a subscription': [
      [null, 5, unreadable],
      (from) => app.get(Channels).subscribe('kept', () => undefined, { group: 'a', from }),
    ],
    'since of Journal.read': [[null, {}, unreadable], (since) => app.get(Journal).read({ since })],
    parseHistory: [[undefined, null, 5, {}, []], (text) => parseHistory(text)],
    checkHistory: [[undefined, null, 5, 'x', {}, [1], [{}]], (history) => checkHistory(history)],
    'facts of checkHistory': [[null, 5, [], new Map()], (facts) => checkHistory([], facts)],
    describeViolations: [[undefined, null, 5, {}, [1], [{}]], (violations) => describeViolations(violations, [])],
    'history of describeViolations': [[undefined, null, 5, [1]], (history) => describeViolations([], history)],
    eventually: [[undefined, null, 5, {}, Promise.resolve(true)], (look) => eventually(look, { timeout: 60_000 })],
  };
  it.each(Object.entries(calls))('by %s', async (_call, [values, call]) => {
    for (const value of values) {
      expect(await thrown(() => call(value as never))).toBeInstanceOf(ArgumentError);
    }
  });

  it('while what is right goes on', async () => {
    const handle: ServiceHandle = await mesh().registerService('desk', { url: 'http://desk' });
    await expect(mesh().deregisterService(handle)).resolves.toBeUndefined();
    await expect(mesh().deregisterService('nobody')).resolves.toBeUndefined();
    expect(checkHistory(parseHistory(''))).toEqual([]);
    expect(() => new SpanRecorder({ keep: () => undefined, tracing: undefined })).not.toThrow();
  });
});

describe('a promise in the place of its value is refused, as JSON would make an empty object of it', () => {
  const promised = (): never => Promise.resolve({ total: 1 }) as never;
  const ref = () => processes().startSingleton(Feed);
  it.each<[string, () => unknown]>([
    ['the value of ClusterConfig.set', () => app.get(ClusterConfig).set('limit', promised())],
    ['a service', () => mesh().registerService('desk', promised())],
    ['an argument of a call', async () => (await ref()).call('last', promised())],
    ['an argument of a cast', async () => (await ref()).cast('last', promised())],
    ['an argument of a method', async () => (await ref()).remote.last(promised())],
    ['an argument of a call to all', () => processes().all(Feed).call('last', promised())],
    [
      'an argument of a call to a service',
      async () => {
        const desk = new Feed();
        const { name, deregister } = await mesh().registerService('desk', desk);
        return mesh()
          .call(name, 'last', [1, promised()])
          .finally(() => deregister());
      },
    ],
    ['the arguments of a start', () => processes().startSingleton(Feed, [promised()], { name: 'other' })],
  ])('%s', async (_what, work) => {
    const error = await thrown(work);
    expect(error).toBeInstanceOf(ArgumentError);
    expect(String(error)).toMatch(/received a promise, expected its value: await it\. Nothing was done\.|no Date, Map/);
  });

  it.each<[string, (channels: Channels) => unknown]>([
    ['broadcast', (channels) => channels.broadcast('orders', promised())],
    ['broadcast on a durable channel', (channels) => channels.broadcast('kept', promised())],
    ['gather', (channels) => channels.gather('orders', promised())],
    ['routeMessage', (channels) => channels.routeMessage(promised())],
    ['explainRoute', (channels) => channels.explainRoute(promised())],
  ])('a message of %s', async (_call, send) => {
    const error = await thrown(() => send(app.get(Channels)));
    expect(error).toBeInstanceOf(MessageError);
    expect(String(error)).toContain('it is a promise. It was not sent. Await it, and send its value.');
  });
});

describe('a function that returns no class is refused where a process is injected', () => {
  class Typed {
    constructor(@InjectSingleton((() => 1) as never) readonly feed: unknown) {}
  }
  Injectable()(Typed);
  // An arrow, as such a function is written.
  const notYet = (): never => {
    throw new ReferenceError('not yet');
  };
  class Early {
    constructor(@InjectSingleton(notYet) readonly feed: unknown) {}
  }
  Injectable()(Early);
  const start = async (module: DynamicModule, providers: readonly (new (feed: never) => object)[]): Promise<unknown> =>
    (await (await Test.createTestingModule({ imports: [module], providers: [...providers] }).compile()).init()).close();

  it.each([FoundationModule, FoundationTestingModule])('and nowhere else: %p', async (module) => {
    for (let time = 0; time < 2; time++) {
      await expect(start(module.forRoot(), [Feed])).resolves.toBeUndefined();
      for (const wrong of [Typed, Early]) {
        expect(await thrown(() => start(module.forRoot(), [wrong]))).toBeInstanceOf(Error);
      }
    }
    expect(String(await thrown(() => start(module.forRoot(), [Typed])))).toMatch(
      /invalid argument "type": received 1 \(number\), expected a class/,
    );
  });
});
