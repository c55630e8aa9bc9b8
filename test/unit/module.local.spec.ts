// The whole module inside one process, as an application without a cluster has it: no Redis, no network.
import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Inject, Injectable, Logger, Module, type OnModuleDestroy, Scope, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  ArgumentError,
  Channel,
  Channels,
  FoundationConfigError,
  FoundationModule,
  type FoundationOptions,
  type FoundationOptionsFactory,
  FoundationTools,
  Membership,
  MessageError,
  NotReadyError,
  type ProcessContext,
  ProcessDeclarationError,
  ProcessManager,
  ProcessStartError,
  ProcessTimeoutError,
  RedisUnavailableError,
  Service,
  ServiceMesh,
  Singleton,
  type SingletonOptions,
  type StopReason,
  Telemetry,
  UnknownChannelError,
  UnknownProcessError,
} from 'nestjs-foundation';
import type { LocalLeases } from '../../libs/foundation/src/backend/leases/local.leases.js';
import { NODE, type NodeParts } from '../../libs/foundation/src/node.parts.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';

type Provider = NonNullable<Parameters<typeof Test.createTestingModule>[0]['providers']>[number];

const quick: FoundationOptions = { processes: { backoff: { base: 1, cap: 5 }, stopTimeout: 300, timeout: 5000 } };
let app: TestingModule | undefined;

beforeEach(() => void Logger.overrideLogger(false));
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function boot(providers: Provider[], options: FoundationOptions = quick): Promise<TestingModule> {
  app = await Test.createTestingModule({ imports: [FoundationModule.forRoot(options)], providers }).compile();
  app.useLogger(false);
  return app.init();
}

/** The error of a start that fails, and that nothing of it is left running. */
async function bootError(providers: Provider[], options?: FoundationOptions): Promise<Error> {
  const started = await boot(providers, options).then(
    () => undefined,
    (error: Error) => error,
  );
  if (started === undefined) throw new Error('The application has started');
  return started;
}

const manager = () => app!.get(ProcessManager);
const parts = () => app!.get<NodeParts>(NODE);
const stateOf = async (name: string) => (await manager().list()).find((each) => each.name === name)?.state;
const isRunning = (name: string) => eventually(async () => (await stateOf(name)) === 'running');

/** What the instances of one test did; classes write to it, because each start is a fresh instance. */
class Journal {
  readonly lines: string[] = [];
  readonly contexts: ProcessContext[] = [];
  readonly instances: object[] = [];
}

/** A process class with a journal of its own. */
function recorded(
  options?: SingletonOptions,
  hooks: {
    start?: (ctx: ProcessContext, count: number) => unknown;
    stop?: (reason: StopReason) => unknown;
  } = {},
) {
  const journal = new Journal();
  class Recorded {
    async onProcessStart(ctx: ProcessContext): Promise<void> {
      journal.instances.push(this);
      journal.contexts.push(ctx);
      journal.lines.push('start');
      await hooks.start?.(ctx, journal.contexts.length);
    }
    async onProcessStop(reason: StopReason): Promise<void> {
      journal.lines.push(`stop ${reason}`);
      await hooks.stop?.(reason);
    }
  }
  if (options === undefined) Injectable()(Recorded);
  else Singleton({ name: 'feed', ...options })(Recorded);
  return { type: Recorded as Type<object>, journal };
}

describe('FoundationModule', () => {
  it('needs nothing at all', async () => {
    app = await Test.createTestingModule({ imports: [FoundationModule.forRoot()] }).compile();
    await app.init();
    const membership = app.get(Membership);
    await membership.whenReady();
    expect(membership.members()).toHaveLength(1);
    expect(membership.members()[0]).toMatchObject({ self: true, state: 'up', pid: process.pid });
    expect(await manager().list()).toEqual([]);
    for (const token of Object.values(FoundationTools)) expect(app.get<unknown>(token)).toBeUndefined();
  });

  @Injectable()
  class Settings implements FoundationOptionsFactory {
    createFoundationOptions(): Promise<FoundationOptions> {
      return Promise.resolve({ nodeName: 'from-class' });
    }
  }
  @Module({ providers: [Settings, { provide: 'NAME', useValue: 'from-factory' }], exports: [Settings, 'NAME'] })
  class SettingsModule {}

  it.each([
    [
      'useFactory',
      'from-factory',
      () =>
        FoundationModule.forRootAsync({
          imports: [SettingsModule],
          inject: ['NAME'],
          useFactory: async (nodeName: unknown) => ({ nodeName: nodeName as string }),
        }),
    ],
    ['useClass', 'from-class', () => FoundationModule.forRootAsync({ useClass: Settings })],
    [
      'useExisting',
      'from-class',
      () => FoundationModule.forRootAsync({ imports: [SettingsModule], useExisting: Settings }),
    ],
  ])('takes its options from %s', async (_how, name, make) => {
    app = await Test.createTestingModule({ imports: [make()] }).compile();
    await app.init();
    expect(app.get(Membership).self.name).toBe(name);
  });

  @Injectable()
  class Consumer {
    constructor(
      readonly manager: ProcessManager,
      readonly channels: Channels,
      readonly telemetry: Telemetry,
      readonly membership: Membership,
      @Inject(FoundationTools.queue) readonly queue: unknown,
    ) {}
  }
  @Module({ providers: [Consumer] })
  class Feature {}

  it.each([
    ['forRoot', () => FoundationModule.forRoot()],
    ['forRootAsync', () => FoundationModule.forRootAsync({ useFactory: () => ({}) })],
  ])('is visible everywhere by default: %s', async (_how, make) => {
    app = await Test.createTestingModule({ imports: [make(), Feature] }).compile();
    expect(app.get(Consumer, { strict: false }).channels).toBeInstanceOf(Channels);
  });

  it.each([
    ['forRoot', () => FoundationModule.forRoot({ isGlobal: false })],
    ['forRootAsync', () => FoundationModule.forRootAsync({ isGlobal: false, useFactory: () => ({}) })],
  ])('is visible only where it is imported with isGlobal false: %s', async (_how, make) => {
    await expect(Test.createTestingModule({ imports: [make(), Feature] }).compile()).rejects.toThrow(/ProcessManager/);
    app = await Test.createTestingModule({ imports: [make()], providers: [Consumer] }).compile();
    await app.init();
    expect(app.get(Consumer).manager).toBeInstanceOf(ProcessManager);
  });

  it.each<[string, FoundationOptions, new (...args: never[]) => Error]>([
    ['a bad option', { lease: { ttl: 5 } }, FoundationConfigError],
    ['an unknown option', { clusterd: true } as FoundationOptions, FoundationConfigError],
    ['a strategy that nobody knows', { cluster: 'zookeeper' } as never, FoundationConfigError],
  ])('does not start with %s', async (_what, options, type) => {
    const { type: feed, journal } = recorded({});
    expect(await bootError([feed], options)).toBeInstanceOf(type);
    expect(journal.lines).toEqual([]);
  });

  it('emits its events to whoever attaches', async () => {
    app = await Test.createTestingModule({ imports: [FoundationModule.forRoot({ nodeName: 'n1' })] }).compile();
    const joined = jest.fn();
    app.get(Telemetry).attach('cluster.node_joined', joined);
    await app.init();
    expect(joined).toHaveBeenCalledWith('cluster.node_joined', expect.objectContaining({ node: 'n1' }));
  });

  it('closes twice, and without having been started', async () => {
    app = await Test.createTestingModule({ imports: [FoundationModule.forRoot()] }).compile();
    await app.close();
    await app.close();
  });
});

describe('@Singleton', () => {
  @Injectable()
  class Dependency {
    readonly answer = 42;
  }
  const made: { self: object; dependency: Dependency; ctx?: ProcessContext; reason?: StopReason }[] = [];
  @Singleton({ args: ['EUR', { depth: 1 }] })
  class PriceFeed {
    readonly life: (typeof made)[number];
    constructor(dependency: Dependency) {
      this.life = { self: this, dependency };
      made.push(this.life);
    }
    onProcessStart(ctx: ProcessContext): void {
      this.life.ctx = ctx;
    }
    onProcessStop(reason: StopReason): void {
      this.life.reason = reason;
    }
  }
  beforeEach(() => void (made.length = 0));

  it('starts under the name of its class, with its dependencies and arguments, as an instance of its own', async () => {
    await boot([PriceFeed, Dependency]);
    await isRunning('PriceFeed');
    expect(made).toHaveLength(2);
    const [idle, started] = made;
    expect(idle!.ctx).toBeUndefined();
    const found: object = app!.get(PriceFeed);
    expect([idle!.self, started!.self].includes(found)).toBe(false);
    expect(started!.dependency).toBe(app!.get(Dependency));
    expect(started!.ctx).toMatchObject({ name: 'PriceFeed', args: ['EUR', { depth: 1 }], epoch: expect.any(Number) });
    expect(started!.ctx!.isOwner()).toBe(true);
  });

  it('is a fresh instance for each start, with a higher epoch', async () => {
    await boot([PriceFeed, Dependency]);
    await isRunning('PriceFeed');
    const ref = await manager().restart(PriceFeed);
    expect(made).toHaveLength(3);
    expect(new Set(made.map(({ self }) => self)).size).toBe(3);
    expect(made[1]!.reason).toBe('restart');
    expect(ref.epoch).toBe(made[2]!.ctx!.epoch);
    expect(ref.epoch).toBeGreaterThan(made[1]!.ctx!.epoch);
  });

  it('is found by its class and by its name', async () => {
    await boot([PriceFeed, Dependency]);
    await isRunning('PriceFeed');
    const byName = await manager().lookupSingleton('PriceFeed');
    const byClass = await manager().lookupSingleton(PriceFeed);
    const { stop, call, cast, remote, with: withOptions, ...values } = byName!;
    for (const way of [stop, call, cast, withOptions]) expect(way).toBeInstanceOf(Function);
    expect(remote).toBeDefined();
    expect(byClass).toMatchObject(values);
    expect(values).toEqual({
      name: 'PriceFeed',
      completed: false,
      node: app!.get(Membership).self.name,
      epoch: made[1]!.ctx!.epoch,
      startedAt: expect.any(Number),
    });
    expect(await manager().lookupSingleton('nobody')).toBeUndefined();
  });

  it('is made by the module it belongs to', async () => {
    @Module({ providers: [PriceFeed, Dependency] })
    class FeedModule {}
    app = await Test.createTestingModule({ imports: [FoundationModule.forRoot(), FeedModule] }).compile();
    await app.init();
    await isRunning('PriceFeed');
    expect(made[1]!.dependency).toBe(app.get(Dependency, { strict: false }));
  });

  it('starts once although it is a provider of two modules', async () => {
    @Module({ providers: [PriceFeed, Dependency] })
    class One {}
    @Module({ providers: [PriceFeed, Dependency] })
    class Two {}
    app = await Test.createTestingModule({ imports: [FoundationModule.forRoot(), One, Two] }).compile();
    await app.init();
    await isRunning('PriceFeed');
    expect(made.filter(({ ctx }) => ctx !== undefined)).toHaveLength(1);
  });

  it('does not start a subclass that has no mark of its own', async () => {
    @Injectable()
    class Derived extends PriceFeed {}
    await boot([Derived, Dependency]);
    expect(await manager().list()).toEqual([]);
  });

  it('lives among providers of every kind', async () => {
    await boot([
      PriceFeed,
      Dependency,
      { provide: 'VALUE', useValue: { a: 1 } },
      { provide: 'NULL', useValue: null },
      { provide: 'BARE', useValue: Object.create(null) as object },
      { provide: 'FACTORY', useFactory: () => 5 },
      { provide: 'ALIAS', useExisting: PriceFeed },
      { provide: 'ASYNC', useFactory: () => Promise.resolve({}) },
    ]);
    await isRunning('PriceFeed');
    expect(await manager().list()).toHaveLength(1);
  });
});

describe('Declarations that cannot be', () => {
  it.each<[string, () => Provider[], new (...args: never[]) => Error, RegExp]>([
    [
      'two classes of one name',
      () => {
        @Singleton({ name: 'feed' })
        class One {}
        @Singleton({ name: 'feed' })
        class Two {}
        return [One, Two];
      },
      ProcessDeclarationError,
      /"feed".*One and Two/,
    ],
    [
      'a request-scoped class',
      () => {
        class Scoped {}
        Singleton()(Scoped);
        Injectable({ scope: Scope.REQUEST })(Scoped);
        return [Scoped];
      },
      ProcessDeclarationError,
      /Scoped.*request-scoped/,
    ],
    [
      'a class that depends on a request-scoped one',
      () => {
        @Injectable({ scope: Scope.REQUEST })
        class PerRequest {}
        @Singleton()
        class Feed {
          constructor(readonly perRequest: PerRequest) {}
        }
        return [Feed, PerRequest];
      },
      ProcessDeclarationError,
      /Feed.*request-scoped/,
    ],
    ['arguments that JSON changes', () => [recorded({ args: [new Date()] }).type], ArgumentError, /args\[0\]/],
    ['arguments that are no array', () => [recorded({ args: 'EUR' as unknown as [] }).type], ArgumentError, /an array/],
    [
      'an unknown option',
      () => [recorded({ restarts: 3 } as SingletonOptions).type],
      FoundationConfigError,
      /Recorded\.restarts/,
    ],
    [
      'a bad option',
      () => [recorded({ restart: 'always' as 'permanent' }).type],
      FoundationConfigError,
      /Recorded\.restart"/,
    ],
    ['a bad placement', () => [recorded({ placement: 'here' as 'hash' }).type], ArgumentError, /placement/],
    ['an empty name', () => [recorded({ name: '' }).type], ArgumentError, /"name"/],
    [
      'two classes that are called the same',
      () => {
        const make = (name: string) => {
          @Singleton({ name })
          class Feed {}
          return Feed;
        };
        return [make('one'), make('two')];
      },
      ProcessDeclarationError,
      /Feed/,
    ],
  ])('%s', async (_what, providers, type, message) => {
    const good = recorded({ name: 'good' });
    const error = await bootError([good.type, ...providers()]);
    expect(error).toBeInstanceOf(type);
    expect(error.message).toMatch(message);
    expect(good.journal.lines).toEqual([]);
    expect(app!.get(Membership).state).toBe('left');
  });

  it.each<[string, boolean]>([
    ['a provider', false],
    ['a process', true],
  ])('an unknown channel on %s', async (_where, isProcess) => {
    class Listener {
      @Channel('evnets')
      hear(): void {}
    }
    if (isProcess) Singleton()(Listener);
    else Injectable()(Listener);
    const error = await bootError([Listener]);
    expect(error).toBeInstanceOf(UnknownChannelError);
    expect(error.message).toContain('control, events, telemetry, data');
    expect(app!.get(Membership).state).toBe('left');
  });
});

describe('startSingleton', () => {
  it('starts any provider, with arguments and options, and resolves once it runs', async () => {
    const { type, journal } = recorded();
    await boot([type]);
    const ref = await manager().startSingleton(type, ['EUR'], { name: 'eur-feed', restart: 'temporary' });
    expect(journal.lines).toEqual(['start']);
    expect(journal.contexts[0]).toMatchObject({ name: 'eur-feed', args: ['EUR'], epoch: ref.epoch });
    expect(await manager().list()).toEqual([
      expect.objectContaining({ name: 'eur-feed', type: 'Recorded', state: 'running', restart: 'temporary' }),
    ]);
    await ref.stop();
    expect(journal.lines).toEqual(['start', 'stop stop']);
  });

  it('returns what already runs as it is', async () => {
    const { type, journal } = recorded();
    await boot([type]);
    const refs = await Promise.all([1, 2, 3].map((arg) => manager().startSingleton(type, [arg])));
    expect(new Set(refs.map(({ epoch }) => epoch)).size).toBe(1);
    expect(journal.lines).toEqual(['start']);
    expect((await manager().startSingleton(type, ['other'])).epoch).toBe(refs[0]!.epoch);
    expect(journal.contexts[0]!.args).toHaveLength(1);
  });

  it('returns a decorated one under its own name', async () => {
    const { type, journal } = recorded({ name: 'feed' });
    await boot([type]);
    const ref = await manager().startSingleton(type);
    expect(ref.name).toBe('feed');
    expect(journal.lines).toEqual(['start']);
  });

  it('starts one class under several names', async () => {
    const { type, journal } = recorded();
    await boot([type]);
    for (const name of ['a', 'b', 'c']) await manager().startSingleton(type, [name], { name });
    expect(journal.contexts.map(({ name }) => name).sort()).toEqual(['a', 'b', 'c']);
  });

  it('starts a stopped one anew', async () => {
    const { type, journal } = recorded({});
    await boot([type]);
    await isRunning('feed');
    await manager().stop('feed');
    await manager().startSingleton(type);
    expect(journal.lines).toEqual(['start', 'stop stop', 'start']);
  });

  it.each<[string, (type: Type<object>) => [Type<object>, unknown?, unknown?], new (...args: never[]) => Error]>([
    ['a class that is no provider', () => [class Stranger {}], ArgumentError],
    ['a text', () => ['Feed' as unknown as Type<object>], ArgumentError],
    ['a class without a name', () => [(() => class {})()], ArgumentError],
    ['arguments that are no array', (type) => [type, 'EUR'], ArgumentError],
    ['arguments that JSON changes', (type) => [type, [new Map()]], ArgumentError],
    ['an argument that JSON cannot write', (type) => [type, [5n]], ArgumentError],
    ['options that are null', (type) => [type, [], null], ArgumentError],
    ['a bad name', (type) => [type, [], { name: 'two\nlines' }], ArgumentError],
    ['an unknown option', (type) => [type, [], { timeuot: 5 }], ArgumentError],
    ['a bad option', (type) => [type, [], { timeout: -5 }], ArgumentError],
  ])('refuses %s, and leaves nothing behind', async (_what, call, type) => {
    const { type: feed, journal } = recorded();
    await boot([feed]);
    const start = manager().startSingleton.bind(manager()) as (...args: unknown[]) => Promise<unknown>;
    await expect(start(...call(feed))).rejects.toBeInstanceOf(type);
    expect(await manager().list()).toEqual([]);
    expect(journal.lines).toEqual([]);
  });

  it('refuses a name that another class has', async () => {
    const feed = recorded({});
    class Other {}
    Injectable()(Other);
    await boot([feed.type, Other]);
    await isRunning('feed');
    const started = manager().startSingleton(Other, [], { name: 'feed' });
    await expect(started).rejects.toBeInstanceOf(ProcessDeclarationError);
    expect(await stateOf('feed')).toBe('running');
  });

  it('starts the class that was given, not another one of that name', async () => {
    const [one, two] = [recorded(), recorded()];
    await boot([one.type, two.type]);
    const result = await manager()
      .startSingleton(two.type, [], { name: 'mine' })
      .catch((error: unknown) => error);
    expect(one.journal.lines).toEqual([]);
    if (!(result instanceof ProcessDeclarationError || result instanceof ArgumentError)) {
      expect(two.journal.lines).toEqual(['start']);
    }
  });

  it('rejects before the application has started', async () => {
    const { type } = recorded();
    app = await Test.createTestingModule({ imports: [FoundationModule.forRoot(quick)], providers: [type] }).compile();
    await expect(app.get(Membership).whenReady({ timeout: 20 })).rejects.toBeInstanceOf(NotReadyError);
  });

  it.each<[string, (ctx: ProcessContext) => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no connection');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no connection'))],
    [
      'fails itself and throws',
      (ctx) => {
        ctx.fail(new Error('no connection'));
        throw new Error('no connection');
      },
    ],
  ])('whose start hook %s rejects, and nothing half-started stays behind', async (_how, start) => {
    const { type, journal } = recorded(undefined, { start });
    await boot([type]);
    const started = manager().startSingleton(type, [], { name: 'feed', restart: 'permanent' });
    await expect(started).rejects.toBeInstanceOf(ProcessStartError);
    await expect(started).rejects.toThrow(/no connection/);
    expect(journal.lines).toEqual(['start', 'stop crash']);
    expect(journal.contexts[0]!.signal.aborted).toBe(true);
    expect(journal.contexts[0]!.isOwner()).toBe(false);
    expect(await manager().list()).toEqual([
      expect.objectContaining({ name: 'feed', state: 'failed', error: expect.stringContaining('no connection') }),
    ]);
    expect(await manager().lookupSingleton('feed')).toBeUndefined();
    expect(app!.get(Membership).members()[0]!.load).toBe(0);
  });

  it('has no owner any more when the call rejects', async () => {
    const { type } = recorded(undefined, { start: () => Promise.reject(new Error('no')) });
    await boot([type]);
    for (let round = 0; round < 20; round++) {
      await manager()
        .startSingleton(type, [], { name: `feed-${round}` })
        .catch(() => undefined);
      expect(await stateOf(`feed-${round}`)).toBe('failed');
    }
  });

  it('whose start hook never ends rejects after its timeout', async () => {
    const { type, journal } = recorded(undefined, { start: () => new Promise(() => undefined) });
    await boot([type]);
    const began = performance.now();
    const started = manager().startSingleton(type, [], { name: 'feed', timeout: 100, stopTimeout: 50 });
    const error = await started.then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error instanceof ProcessStartError || error instanceof ProcessTimeoutError).toBe(true);
    expect(error!.message).toMatch(/100 ms/);
    expect(performance.now() - began).toBeLessThan(3000);
    expect(journal.contexts[0]!.signal.aborted).toBe(true);
    await eventually(async () => (await stateOf('feed')) === 'failed');
  });

  it('whose class cannot be made rejects', async () => {
    @Injectable()
    class Broken {
      static broken = false;
      constructor() {
        if (Broken.broken) throw new Error('constructor failed');
      }
    }
    await boot([Broken]);
    Broken.broken = true;
    const started = manager().startSingleton(Broken);
    await expect(started).rejects.toThrow(/constructor failed/);
    await expect(started).rejects.toBeInstanceOf(ProcessStartError);
  });

  it('can be started again after it failed', async () => {
    const { type, journal } = recorded(undefined, {
      start: (_ctx, count) => (count === 1 ? Promise.reject(new Error('first')) : undefined),
    });
    await boot([type]);
    await expect(manager().startSingleton(type)).rejects.toThrow('first');
    await manager().startSingleton(type);
    expect(journal.lines).toEqual(['start', 'stop crash', 'start']);
    expect(await stateOf('Recorded')).toBe('running');
  });

  it('starts a lost temporary process anew', async () => {
    const { type, journal } = recorded();
    await boot([type]);
    const options = { name: 'feed', restart: 'temporary', timeout: 300 } as const;
    await manager().startSingleton(type, [], options);
    const { backend } = parts();
    (backend.leases as LocalLeases).loseAll();
    await eventually(async () => (await stateOf('feed')) === 'lost');
    await manager().startSingleton(type, [], options);
    expect(journal.lines).toEqual(['start', 'stop lease-lost', 'start']);
  });
});

describe('A job that is over at once', () => {
  const complete = (ctx: ProcessContext): void => ctx.complete();

  it.each(['transient', 'temporary'] as const)('resolves its start once it has run: %s', async (restart) => {
    const { type, journal } = recorded(undefined, { start: complete });
    await boot([type]);
    const ref = await manager().startSingleton(type, [], { name: 'feed', restart });
    const [ctx] = journal.contexts;
    expect(ref).toMatchObject({ name: 'feed', node: ctx!.node, epoch: ctx!.epoch, completed: true });
    expect(Math.abs(ref.startedAt - Date.now())).toBeLessThan(60_000);
    expect(journal.lines).toEqual(['start', 'stop complete']);
    expect(await stateOf('feed')).toBe('completed');
  });

  it('is run anew by the next start, and by restart()', async () => {
    const { type, journal } = recorded(undefined, { start: complete });
    await boot([type]);
    const options = { name: 'feed', restart: 'transient' } as const;
    const refs = [
      await manager().startSingleton(type, [], options),
      await manager().startSingleton(type, [], options),
      await manager().restart('feed'),
    ];
    expect(refs.map(({ epoch }) => epoch)).toEqual(journal.contexts.map(({ epoch }) => epoch));
    expect(refs.every(({ completed }) => completed)).toBe(true);
  });

  it.each(['transient', 'temporary'] as const)('runs once for all that ask at the same moment: %s', async (restart) => {
    const { type, journal } = recorded(undefined, { start: complete });
    await boot([type]);
    const starts = Array.from({ length: 20 }, () => manager().startSingleton(type, [], { name: 'feed', restart }));
    const refs = await Promise.all(starts);
    expect(journal.lines).toEqual(['start', 'stop complete']);
    expect(new Set(refs.map(({ epoch }) => epoch)).size).toBe(1);
  });

  it('counts as started among replicas and partitions', async () => {
    const { type, journal } = recorded(undefined, { start: complete });
    await boot([type]);
    const options = { restart: 'transient' } as const;
    const replicas = await manager().startReplicated(type, [], { ...options, name: 'two', replicas: 2 });
    expect(replicas).toEqual([
      expect.objectContaining({ ok: true, ref: expect.objectContaining({ name: 'two#0', completed: true }) }),
      expect.objectContaining({ ok: true, ref: expect.objectContaining({ name: 'two#1', completed: true }) }),
    ]);
    const everywhere = await manager().startReplicated(type, [], { ...options, name: 'all' });
    expect(everywhere).toMatchObject([{ ok: true, ref: { completed: true } }]);
    await manager().startPartitioned(type, [], { ...options, name: 'parts', partitions: 3 });
    expect(journal.contexts).toHaveLength(6);
  });

  it('still rejects when it failed', async () => {
    const { type, journal } = recorded(undefined, { start: (ctx) => ctx.fail(new Error('broken')) });
    await boot([type]);
    const options = { name: 'feed', restart: 'temporary' } as const;
    await expect(manager().startSingleton(type, [], options)).rejects.toThrow(/broken/);
    expect(journal.contexts).toHaveLength(1);
  });

  it('rejects when its entry was removed before anybody saw how it ended', async () => {
    const { type } = recorded(undefined, { start: () => new Promise(() => undefined) });
    await boot([type], { ...quick, processes: { ...quick.processes, stopTimeout: 20 } });
    const started = manager().startSingleton(type, [], { name: 'feed', restart: 'transient' });
    const table = parts().table;
    await eventually(() => table.get('feed') !== undefined);
    const get = jest.spyOn(table, 'get').mockReturnValue(undefined);
    await expect(started).rejects.toThrow(/its entry has been removed/);
    get.mockRestore();
  });
});

describe('Restart policies', () => {
  it('start a crashed permanent process again', async () => {
    const { type, journal } = recorded({}, { start: (ctx, count) => count < 3 && ctx.fail(new Error(`no. ${count}`)) });
    await boot([type]);
    await eventually(async () => journal.contexts.length === 3 && (await stateOf('feed')) === 'running');
    expect(journal.lines).toEqual(['start', 'stop crash', 'start', 'stop crash', 'start']);
    expect(new Set(journal.instances).size).toBe(3);
    expect((await manager().list())[0]!.error).toBe('no. 2');
  });

  it('escalate after too many crashes, and restart() brings it back', async () => {
    let broken = true;
    const { type, journal } = recorded(
      { maxRestarts: 2 },
      { start: (ctx) => void (broken && ctx.run(() => Promise.reject(new Error('broken')))) },
    );
    app = await Test.createTestingModule({ imports: [FoundationModule.forRoot(quick)], providers: [type] }).compile();
    app.useLogger(false);
    const escalated = jest.fn();
    app.get(Telemetry).attach('process.escalated', escalated);
    await app.init();
    await eventually(async () => (await stateOf('feed')) === 'escalated');
    expect(journal.contexts).toHaveLength(3);
    expect(escalated).toHaveBeenCalledTimes(1);
    expect((await manager().list())[0]).toMatchObject({ state: 'escalated', error: 'broken' });
    broken = false;
    const ref = await manager().restart('feed');
    expect(ref.epoch).toBeGreaterThan(journal.contexts[2]!.epoch);
    expect((await manager().list())[0]).not.toHaveProperty('error');
  });

  it.each([
    ['permanent', 'running', 2],
    ['transient', 'completed', 1],
    ['temporary', 'completed', 1],
  ] as const)('after its completion a %s process is %s', async (restart, state, starts) => {
    const { type, journal } = recorded({ restart }, { start: (ctx, count) => void (count === 1 && ctx.complete()) });
    await boot([type]);
    await eventually(async () => journal.contexts.length === starts && (await stateOf('feed')) === state);
    expect(journal.lines[1]).toBe('stop complete');
  });

  it('leave a crashed temporary process', async () => {
    const { type, journal } = recorded({ restart: 'temporary' }, { start: (ctx) => ctx.fail(new Error('once')) });
    await boot([type]);
    await eventually(async () => (await stateOf('feed')) === 'failed');
    expect(journal.contexts).toHaveLength(1);
  });

  it('also hold for a first start of a decorated process that throws', async () => {
    const { type, journal } = recorded({}, { start: (_ctx, count) => count < 2 && Promise.reject(new Error('later')) });
    await boot([type]);
    await isRunning('feed');
    expect(journal.lines).toEqual(['start', 'stop crash', 'start']);
  });
});

describe('stop and restart', () => {
  it('stop ends the instance before it resolves, and it stays down', async () => {
    const { type, journal } = recorded({});
    await boot([type]);
    await isRunning('feed');
    await manager().stop(type);
    expect(journal.lines).toEqual(['start', 'stop stop']);
    expect(await stateOf('feed')).toBe('stopped');
    await manager().stop('feed');
    expect(await manager().lookupSingleton('feed')).toBeUndefined();
  });

  it('restart brings a stopped one back', async () => {
    const { type, journal } = recorded({});
    await boot([type]);
    await isRunning('feed');
    const ref = (await manager().lookupSingleton(type))!;
    await ref.stop();
    expect((await manager().restart(ref)).epoch).toBeGreaterThan(ref.epoch);
    expect(journal.lines).toEqual(['start', 'stop stop', 'start']);
  });

  it('restart rejects when the new instance cannot start', async () => {
    const { type } = recorded(
      { restart: 'temporary' },
      { start: (_ctx, count) => count > 1 && Promise.reject(new Error('not again')) },
    );
    await boot([type]);
    await isRunning('feed');
    await expect(manager().restart('feed')).rejects.toThrow(/not again/);
  });

  it.each(['stop', 'restart'] as const)('%s refuses an unknown name and lists the known ones', async (call) => {
    const { type } = recorded({});
    await boot([type]);
    const rejected = manager()[call]('fede');
    await expect(rejected).rejects.toBeInstanceOf(UnknownProcessError);
    await expect(rejected).rejects.toThrow(/Known processes: feed/);
    await expect(manager()[call]('')).rejects.toBeInstanceOf(ArgumentError);
    await expect(manager()[call](undefined as unknown as string)).rejects.toBeInstanceOf(ArgumentError);
  });
});

describe('@Channel', () => {
  const heard: string[] = [];
  beforeEach(() => void (heard.length = 0));

  @Injectable()
  class Orders {
    @Channel('events', { type: 'order.placed' })
    placed(order: { id: number }): void {
      heard.push(`placed ${order.id}`);
    }
    @Channel('events')
    any(_message: unknown, meta: { type?: string; from: string }): void {
      heard.push(`any ${meta.type} from ${meta.from}`);
    }
    @Channel('audit')
    broken(): void {
      throw new Error('bad handler');
    }
    @Channel('audit')
    good(): void {
      heard.push('audit');
    }
  }
  const options = { ...quick, nodeName: 'n1', channels: { names: ['audit'], maxMessageBytes: 1024 } };

  it('on a provider hears the channel, by type, as the instance that is injected', async () => {
    await boot([Orders], options);
    await app!.get(Channels).broadcast('events', { id: 7 }, { type: 'order.placed' });
    await app!.get(Channels).broadcast('events', { id: 8 });
    await eventually(() => heard.length === 3);
    expect(heard.sort()).toEqual(['any order.placed from n1', 'any undefined from n1', 'placed 7']);
  });

  it('that throws harms no other', async () => {
    await boot([Orders], options);
    for (let count = 0; count < 3; count++) await app!.get(Channels).broadcast('audit', count);
    await eventually(() => heard.length === 3);
  });

  it('on a process hears only while it runs', async () => {
    @Singleton({ name: 'feed' })
    class Feed {
      @Channel('events')
      hear(message: unknown): void {
        heard.push(String(message));
      }
    }
    await boot([Feed], options);
    await isRunning('feed');
    const channels = app!.get(Channels);
    const marker: unknown[] = [];
    await channels.subscribe('events', (message) => void marker.push(message));
    await channels.broadcast('events', 'while it runs');
    await eventually(() => heard.length === 1);
    await manager().stop('feed');
    await channels.broadcast('events', 'while it does not');
    await eventually(() => marker.length === 2);
    expect(heard).toEqual(['while it runs']);
    await manager().restart('feed');
    await channels.broadcast('events', 'again');
    await eventually(() => heard.length === 2);
    expect(heard).toEqual(['while it runs', 'again']);
  });

  it('gives local handlers a copy, which is what others would get', async () => {
    await boot([], options);
    const channels = app!.get(Channels);
    const seen: unknown[] = [];
    await channels.subscribe('data', (message) => void seen.push(message));
    const message = { at: new Date(0), gone: undefined, list: [1] };
    await channels.broadcast('data', message);
    message.list.push(2);
    await eventually(() => seen.length === 1);
    expect(seen).toEqual([{ at: '1970-01-01T00:00:00.000Z', list: [1] }]);
  });

  it('gives local handlers no property names that others would not get', async () => {
    await boot([], options);
    const channels = app!.get(Channels);
    const seen: object[] = [];
    await channels.subscribe('data', (message) => void seen.push(message as object));
    await channels.broadcast('data', JSON.parse('{"__proto__":{"x":1},"constructor":{"prototype":2},"keep":3}'));
    await eventually(() => seen.length === 1);
    expect(Object.getOwnPropertyNames(seen[0])).toEqual(['constructor', 'keep']);
    expect(seen[0]).toEqual({ constructor: {}, keep: 3 });
  });

  it.each<[string, (channels: Channels) => Promise<unknown>, new (...args: never[]) => Error, string]>([
    ['an unknown channel to broadcast', (channels) => channels.broadcast('evnets', 1), UnknownChannelError, 'audit'],
    ['one to subscribe', (channels) => channels.subscribe('evnets', () => undefined), UnknownChannelError, 'audit'],
    ['undefined', (channels) => channels.broadcast('events', undefined), MessageError, 'undefined'],
    ['a function', (channels) => channels.broadcast('events', () => 1), MessageError, 'function'],
    ['a BigInt', (channels) => channels.broadcast('events', { n: 5n }), MessageError, 'JSON'],
    ['too much', (channels) => channels.broadcast('events', 'x'.repeat(1023)), MessageError, '1025 bytes'],
    ['too many bytes', (channels) => channels.broadcast('events', 'é'.repeat(600)), MessageError, '1202 bytes'],
    ['a bad type', (channels) => channels.broadcast('events', 1, { type: '' }), ArgumentError, 'type'],
    [
      'a handler that is none',
      (channels) => channels.subscribe('events', 'x' as unknown as () => void),
      ArgumentError,
      'a function',
    ],
  ])('refuses %s', async (_what, call, type, message) => {
    await boot([], options);
    const rejected = call(app!.get(Channels));
    await expect(rejected).rejects.toBeInstanceOf(type);
    await expect(rejected).rejects.toThrow(message);
  });

  it('takes the largest message there may be', async () => {
    await boot([], options);
    await expect(app!.get(Channels).broadcast('events', 'x'.repeat(1022))).resolves.toBeUndefined();
  });

  it('reports the size in bytes', async () => {
    await boot([], options);
    const sent = jest.fn();
    app!.get(Telemetry).attach('message.sent', sent);
    await app!.get(Channels).broadcast('events', 'é'.repeat(10));
    expect(sent).toHaveBeenCalledWith('message.sent', { channel: 'events', size: 22 });
  });

  it('subscribes and unsubscribes', async () => {
    await boot([], options);
    const channels = app!.get(Channels);
    const handler = jest.fn<() => void>();
    const subscription = await channels.subscribe('events', handler, { type: 't' });
    await channels.broadcast('events', 1, { type: 't' });
    await channels.broadcast('events', 2);
    await eventually(() => subscription.received === 1);
    await subscription.unsubscribe();
    await subscription.unsubscribe();
    await channels.broadcast('events', 3, { type: 't' });
    expect(handler).toHaveBeenCalledTimes(1);
    expect(subscription).toMatchObject({ channel: 'events', received: 1, dropped: 0 });
  });
});

describe('Shutdown', () => {
  it.each([true, false])('drains before anything else is destroyed, isGlobal %s', async (isGlobal) => {
    const order: string[] = [];
    @Injectable()
    class Database implements OnModuleDestroy {
      open = true;
      onModuleDestroy(): void {
        this.open = false;
        order.push('database destroyed');
      }
    }
    @Module({ providers: [Database], exports: [Database] })
    class DatabaseModule {}
    @Singleton({ name: 'feed' })
    class Feed {
      constructor(private readonly database: Database) {}
      async onProcessStop(reason: StopReason): Promise<void> {
        order.push(`stop begins, ${reason}, database ${this.database.open ? 'open' : 'closed'}`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`stop ends, database ${this.database.open ? 'open' : 'closed'}`);
      }
    }
    @Module({ imports: [DatabaseModule], providers: [Feed] })
    class FeedModule implements OnModuleDestroy {
      onModuleDestroy(): void {
        order.push('feed module destroyed');
      }
    }
    @Injectable()
    class Root implements OnModuleDestroy {
      onModuleDestroy(): void {
        order.push('root destroyed');
      }
    }
    app = await Test.createTestingModule({
      imports: [FeedModule, FoundationModule.forRoot({ ...quick, isGlobal })],
      providers: [Root],
    }).compile();
    app.get(Telemetry).attach('lease.released', () => order.push('lease released'));
    await app.init();
    await isRunning('feed');
    await app.close();
    expect(order.slice(0, 3)).toEqual([
      'stop begins, shutdown, database open',
      'stop ends, database open',
      'lease released',
    ]);
    expect(order.slice(3).sort()).toEqual(['database destroyed', 'feed module destroyed', 'root destroyed']);
    app = undefined;
  });

  it('takes no longer than it may when a process does not stop', async () => {
    const { type } = recorded({ stopTimeout: 1500 }, { stop: () => new Promise(() => undefined) });
    await boot([type], { ...quick, shutdownTimeout: 200 });
    await isRunning('feed');
    const began = performance.now();
    await app!.close();
    expect(performance.now() - began).toBeLessThan(1200);
    app = undefined;
  });

  it('during a start aborts it', async () => {
    let aborted = false;
    const { type, journal } = recorded(
      {},
      {
        start: (ctx) =>
          new Promise<void>((resolve) =>
            ctx.signal.addEventListener('abort', () => {
              aborted = true;
              resolve();
            }),
          ),
      },
    );
    await boot([type], { ...quick, startupTimeout: 0 });
    await eventually(() => journal.lines.length === 1);
    await app!.close();
    app = undefined;
    expect(aborted).toBe(true);
    expect(journal.lines).toEqual(['start', 'stop shutdown']);
  });
});

describe('a stop that nobody heeds', () => {
  it('says at its deadline who had it at the last look', async () => {
    const { type } = recorded();
    await boot([type], { ...quick, processes: { ...quick.processes, stopTimeout: 20 } });
    await manager().startSingleton(type, [], { name: 'feed' });
    const [owner] = await parts().registry.owners(['feed']);
    jest.spyOn(parts().registry, 'owners').mockResolvedValue([owner]);
    await expect(manager().stop('feed')).rejects.toThrow(
      `At the last look there was "feed" on "${owner!.node}" (running, epoch ${owner!.epoch}).`,
    );
  });
});

describe('services that cannot be registered when the node joins', () => {
  it('are registered as soon as Redis allows it, whatever it says until then', async () => {
    @Service({ name: 'late' })
    class Late {}
    app = await Test.createTestingModule({ imports: [FoundationModule.forRoot(quick)], providers: [Late] }).compile();
    const [error, warn] = [jest.fn(), jest.fn()];
    Logger.overrideLogger({ log: jest.fn(), error, warn });
    const mesh = app.get(ServiceMesh);
    const away = new RedisUnavailableError('redis://127.0.0.1:1', 'registering a service', new Error('gone'));
    const register = jest.spyOn(mesh, 'registerService');
    const refusals = [away, new Error("NOPERM User node has no permissions to run 'hset'"), 7n, undefined];
    for (const refusal of refusals) register.mockRejectedValueOnce(refusal);
    await app.init();
    await eventually(async () => (await mesh.discoverServices({ name: 'late' })).length === 1, {
      what: 'The service',
      lastSeen: () => [warn.mock.calls, error.mock.calls],
    });
    expect(register).toHaveBeenCalledTimes(refusals.length + 1);
    const refused = { node: expect.any(String), error: expect.stringContaining('NOPERM') };
    expect(error).toHaveBeenCalledWith(expect.stringContaining('Failed to register services'), refused, 'Foundation');
    Logger.overrideLogger(false);
  });
});
