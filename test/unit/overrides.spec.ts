// What an application provides in place of a process class, as a test does with overrideProvider: nothing is started,
// and calls go to it.
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { type DynamicModule, Injectable, Logger, Module, type Provider, type Type } from '@nestjs/common';
import { Test, type TestingModule, type TestingModuleBuilder } from '@nestjs/testing';
import {
  Callable,
  Channel,
  Channels,
  FoundationModule,
  getProcessToken,
  InjectSingleton,
  Partitioned,
  ProcessManager,
  type Remote,
  RemoteError,
  Replicated,
  Singleton,
} from 'nestjs-foundation';

let app: TestingModule | undefined;
const done: string[] = [];
afterEach(async () => {
  // Nest 11 rejects again with what failed the start.
  await app?.close().catch(() => undefined);
  app = undefined;
  done.splice(0);
});

@Injectable()
class Database {
  readonly rows: number = 7;
}

@Singleton({ name: 'feed' })
class Feed {
  constructor(readonly database: Database) {
    done.push('made');
  }
  onProcessStart(): void {
    done.push('started');
  }
  @Callable()
  last(name: string): { name: string; price: number } {
    return { name, price: this.database.rows };
  }
  @Callable()
  all(): number[] {
    return [];
  }
  secret(): number {
    return 1;
  }
  @Channel('events')
  hear(): void {
    done.push('heard');
  }
}

@Injectable()
class Shop {
  constructor(
    @InjectSingleton(Feed) readonly feed: Remote<Feed>,
    readonly processes: ProcessManager,
  ) {}
}

@Module({ imports: [FoundationModule.forRoot()], providers: [Feed, Database, Shop] })
class AppModule {}

async function boot(
  override: (builder: TestingModuleBuilder) => TestingModuleBuilder,
  module: Type | DynamicModule = AppModule,
  providers: Provider[] = [],
): Promise<TestingModule> {
  app = await override(Test.createTestingModule({ imports: [module], providers })).compile();
  return app.init();
}

const price = (name: string, of: number): { name: string; price: number } => ({ name, price: of });

@Injectable()
class Fake {
  constructor(private readonly database: Database) {}
  last(name: string): { name: string; price: number } {
    return price(name, this.database.rows * 2);
  }
}

@Injectable()
class Sub extends Feed {
  override last(name: string): { name: string; price: number } {
    return price(name, 3);
  }
}

describe('overrideProvider of a process class', () => {
  it.each<[string, (builder: TestingModuleBuilder) => TestingModuleBuilder, number]>([
    ['useValue', (builder) => builder.overrideProvider(Feed).useValue({ last: (name: string) => price(name, 1) }), 1],
    [
      'useValue with a method that is asynchronous',
      (builder) => builder.overrideProvider(Feed).useValue({ last: async (name: string) => price(name, 2) }),
      2,
    ],
    ['useClass', (builder) => builder.overrideProvider(Feed).useClass(Fake), 14],
    ['useClass with a class that extends it', (builder) => builder.overrideProvider(Feed).useClass(Sub), 3],
    [
      'useFactory',
      (builder) =>
        builder.overrideProvider(Feed).useFactory({
          inject: [Database],
          factory: ({ rows }: Database) => ({ last: (name: string) => price(name, rows) }),
        }),
      7,
    ],
    [
      'useValue with an instance of the class',
      (builder) => builder.overrideProvider(Feed).useValue(new Feed({ rows: 5 })),
      5,
    ],
  ])('%s starts nothing, and calls go there', async (_how, override, expected) => {
    const { feed, processes } = (await boot(override)).get(Shop);
    expect(await feed.last('ABC')).toEqual(price('ABC', expected));
    const ref = await processes.lookupSingleton(Feed);
    expect(await ref?.call('last', 'DEF')).toEqual(price('DEF', expected));
    expect(await (await processes.lookupSingleton<Feed>('feed'))?.remote.last('G')).toEqual(price('G', expected));
    expect(await processes.list()).toEqual([]);
    await app!.get(Channels).broadcast('events', {});
    expect(done.filter((each) => each !== 'made')).toEqual([]);
  });

  it('gives the mock to who looks the class up, as Nest does', async () => {
    const last = jest.fn((name: string) => price(name, 1));
    const module = await boot((builder) => builder.overrideProvider(Feed).useValue({ last }));
    await module.get(Shop).feed.last('ABC');
    expect(last).toHaveBeenCalledWith('ABC');
    expect(module.get<object>(Feed)).toEqual({ last });
    expect(await module.get<Remote<Feed>>(getProcessToken(Feed)).last('X')).toEqual(price('X', 1));
  });

  it('refuses a method that it does not have, and one that is not marked in the class', async () => {
    const { feed } = (
      await boot((builder) => builder.overrideProvider(Feed).useValue({ last: () => 1, secret: () => 2 }))
    ).get(Shop);
    await expect(feed.all()).rejects.toBeInstanceOf(RemoteError);
    await expect(feed.all()).rejects.toThrow(
      'Feed: invalid argument "method": received "all" (string), expected a method of what is provided in place of the class Feed',
    );
    await expect(feed.secret()).rejects.toThrow('Mark it: @Callable() secret(…)');
  });

  it('passes on what it throws, as the process would', async () => {
    const thrown = (): never => {
      throw new RangeError('sold out');
    };
    const { feed } = (await boot((builder) => builder.overrideProvider(Feed).useValue({ last: thrown }))).get(Shop);
    await expect(feed.last('ABC')).rejects.toMatchObject({ name: 'RangeError', message: 'sold out' });
  });

  it('also of a process that is started by a call, under any name', async () => {
    const { processes } = (
      await boot((builder) => builder.overrideProvider(Feed).useValue({ last: (name: string) => price(name, 1) }))
    ).get(Shop);
    const ref = await processes.startSingleton(Feed, [], { name: 'second' });
    expect([ref.name, ref.completed]).toEqual(['second', false]);
    expect(await ref.remote.last('A')).toEqual(price('A', 1));
    expect(await processes.list()).toEqual([]);
  });

  it('also of replicas and partitions', async () => {
    @Partitioned({ partitions: 4 })
    class Accounts {
      @Callable()
      total(account: string): string {
        return account;
      }
    }
    @Replicated()
    class Copies {
      @Callable()
      one(): number {
        return 1;
      }
    }
    const module = await boot(
      (builder) =>
        builder
          .overrideProvider(Accounts)
          .useValue({ total: (account: string) => `mock ${account}` })
          .overrideProvider(Copies)
          .useValue({ one: () => 5 }),
      AppModule,
      [Accounts, Copies],
    );
    const processes = module.get(ProcessManager);
    const accounts = await processes.startPartitioned(Accounts);
    expect(accounts.partitions).toBe(4);
    expect(await accounts.for('a').call('total', 'a')).toBe('mock a');
    expect(await processes.lookupPartitioned(Accounts)?.for('b').remote.total('b')).toBe('mock b');
    const [copy] = await processes.startReplicated(Copies);
    expect(copy?.ok === true && (await copy.ref.remote.one())).toBe(5);
    expect((await processes.list()).map(({ type }) => type)).toEqual(['Feed']);
  });
});

describe('overrideProvider of the token of a process', () => {
  it('replaces what is injected, and the process is started all the same', async () => {
    const mock = { last: () => Promise.resolve(price('X', 9)) };
    const { feed, processes } = (
      await boot((builder) => builder.overrideProvider(getProcessToken(Feed)).useValue(mock))
    ).get(Shop);
    expect(feed).toBe(mock);
    expect(await (await processes.startSingleton(Feed)).remote.last('A')).toEqual(price('A', 7));
  });
});

describe('A module that provides something else under a process class', () => {
  it('says in the log that it is not started', async () => {
    const lines: string[] = [];
    @Module({
      imports: [FoundationModule.forRoot()],
      providers: [Database, { provide: Feed, useClass: Fake }, Shop],
    })
    class Other {}
    const logger = { log: () => undefined, error: () => undefined, warn: (line: string) => void lines.push(line) };
    const { feed } = (await boot((builder) => builder.setLogger(logger), Other)).get(Shop);
    Logger.overrideLogger(false);
    expect(await feed.last('A')).toEqual(price('A', 14));
    expect(lines.join('\n')).toContain(
      'Class Feed is not started here: another provider stands in its place, and calls of this node to process "feed" go',
    );
  });

  it('is refused when a factory makes the process itself', async () => {
    @Module({
      imports: [FoundationModule.forRoot()],
      providers: [{ provide: Feed, useFactory: () => new Feed({ rows: 1 }) }, Shop],
    })
    class Other {}
    await expect(boot((builder) => builder, Other)).rejects.toThrow(
      'class Feed cannot be declared: a factory or a value provides it',
    );
  });
});
