// The instance that Nest makes of a process class: nobody is given it, nothing finds it, and no hook of Nest runs on
// it.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  type DynamicModule,
  forwardRef,
  Get,
  Inject,
  Injectable,
  Module,
  type OnModuleInit,
  Optional,
  type Provider,
  Scope,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { Interval, ScheduleModule } from '@nestjs/schedule';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Callable,
  FoundationModule,
  getProcessToken,
  InjectSingleton,
  Partitioned,
  type ProcessContext,
  ProcessDeclarationError,
  ProcessManager,
  type Remote,
  Replicated,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';

let app: TestingModule | undefined;
afterEach(async () => {
  await app?.close().catch(() => undefined);
  app = undefined;
});

interface Given {
  providers?: Provider[];
  controllers?: Type[];
  imports?: (Type | DynamicModule)[];
}

async function boot({ imports = [], ...given }: Given): Promise<TestingModule> {
  app = await Test.createTestingModule({ imports: [...imports, FoundationModule.forRoot()], ...given }).compile();
  return app.init();
}

const made: string[] = [];
beforeEach(() => void made.splice(0));

abstract class Prices {
  abstract last(): number;
}

@Singleton({ name: 'feed' })
class Feed extends Prices {
  #started = 0;

  onProcessStart(ctx: ProcessContext): void {
    this.#started = ctx.epoch;
    made.push('started');
  }

  @Callable()
  last(): number {
    return this.#started > 0 ? 42 : 0;
  }
}

describe('A process class that is injected itself is refused at start', () => {
  @Injectable()
  class ByParameter {
    constructor(
      readonly modules: ModuleRef,
      readonly feed: Feed,
    ) {}
  }
  @Injectable()
  class ByProperty {
    @Inject(Feed) readonly feed!: Feed;
  }
  @Injectable()
  class Optionally {
    constructor(@Optional() readonly feed?: Feed) {}
  }
  @Injectable()
  class Later {
    constructor(@Inject(forwardRef(() => Feed)) readonly feed: Feed) {}
  }
  @Injectable()
  class ByBase {
    constructor(readonly prices: Prices) {}
  }
  @Injectable()
  class ByToken {
    constructor(@Inject('PRICES') readonly prices: Prices) {}
  }
  @Injectable({ scope: Scope.REQUEST })
  class PerRequest {
    constructor(readonly feed: Feed) {}
  }
  @Injectable({ scope: Scope.TRANSIENT })
  class Transient {
    constructor(readonly feed: Feed) {}
  }
  @Injectable()
  class UsesTransient {
    constructor(readonly transient: Transient) {}
  }
  @Singleton()
  class Ledger {
    constructor(readonly feed: Feed) {}
  }
  @Injectable()
  class Guard {
    constructor(readonly feed: Feed) {}
    canActivate(): boolean {
      return true;
    }
  }
  @Controller()
  @UseGuards(Guard)
  class Guarded {
    @Get()
    list(): string[] {
      return [];
    }
  }
  @Controller()
  class Routes {
    constructor(readonly feed: Feed) {}
  }
  @Module({ providers: [Feed] })
  class FeedModule {
    constructor(readonly feed: Feed) {}
  }

  it.each<[string, Given, string]>([
    ['parameter', { providers: [Feed, ByParameter] }, 'parameter 2 of the constructor of ByParameter injects it,'],
    ['property', { providers: [Feed, ByProperty] }, 'property "feed" of ByProperty injects it,'],
    ['optional', { providers: [Feed, Optionally] }, 'parameter 1 of the constructor of Optionally injects it,'],
    ['forwardRef', { providers: [Feed, Later] }, 'parameter 1 of the constructor of Later injects it,'],
    [
      'abstract base class',
      { providers: [{ provide: Prices, useClass: Feed }, ByBase] },
      'parameter 1 of the constructor of ByBase injects it as ',
    ],
    [
      'alias',
      { providers: [Feed, { provide: 'PRICES', useExisting: Feed }, ByToken] },
      'parameter 1 of the constructor of ByToken injects it',
    ],
    [
      'factory',
      { providers: [Feed, { provide: 'PRICE', inject: [Feed], useFactory: (feed: Feed) => feed.last() }] },
      'inject[0] of the factory of PRICE injects it,',
    ],
    ['request-scoped', { providers: [Feed, PerRequest] }, 'parameter 1 of the constructor of PerRequest injects it,'],
    [
      'transient',
      { providers: [Feed, Transient, UsesTransient] },
      'parameter 1 of the constructor of Transient injects it,',
    ],
    ['another process', { providers: [Feed, Ledger] }, 'parameter 1 of the constructor of Ledger injects it,'],
    [
      'controller',
      { providers: [Feed], controllers: [Routes] },
      'parameter 1 of the constructor of Routes injects it,',
    ],
    ['guard', { providers: [Feed], controllers: [Guarded] }, 'parameter 1 of the constructor of Guard injects it,'],
    ['module', { imports: [FeedModule] }, 'parameter 1 of the constructor of FeedModule injects it,'],
  ])('%s', async (how, given, message) => {
    const starting = boot(given);
    await expect(starting).rejects.toBeInstanceOf(ProcessDeclarationError);
    await expect(starting).rejects.toThrow(`Process class Feed cannot be declared: ${message}`);
    await expect(starting).rejects.toThrow(how === 'factory' ? 'getProcessToken(Feed)' : '@InjectSingleton(Feed)');
    expect(made).toEqual([]);
  });
});

describe('A process class that is looked up', () => {
  it('is found as calls to the one that runs, under each of its tokens and in each of its modules', async () => {
    @Module({ providers: [Feed, { provide: 'PRICES', useExisting: Feed }] })
    class One {}
    @Module({
      providers: [Feed, { provide: 'AGAIN', useExisting: 'PRICES' }, { provide: 'PRICES', useExisting: Feed }],
    })
    class Other {}
    const module = await boot({ imports: [One, Other] });
    for (const token of [Feed, 'PRICES', 'AGAIN', getProcessToken(Feed)]) {
      const found: Remote<Feed>[] = module.get(token as never, { each: true });
      expect(await Promise.all(found.map((each) => each.last()))).toEqual(found.map(() => 42));
    }
    expect(made).toEqual(['started']);
  });

  it('which runs in parts says how to call one of them', async () => {
    @Partitioned({ partitions: 2 })
    class Accounts {
      @Callable()
      total(): number {
        return 1;
      }
    }
    @Replicated({ replicas: 2 })
    class Copies {
      @Callable()
      total(): number {
        return 1;
      }
    }
    const module = await boot({ providers: [Accounts, Copies] });
    await expect(module.get<Remote<Accounts>>(getProcessToken(Accounts)).total()).rejects.toThrow(
      'It has partitions: call that of a key, with lookupPartitioned("Accounts")',
    );
    await expect(module.get<Remote<Copies>>(getProcessToken(Copies)).total()).rejects.toThrow(
      'It has replicas: call one of them, such as lookupSingleton("Copies#0")',
    );
  });

  it('is not found as an object with methods by what looks for marked ones, wherever that is imported', async () => {
    const found: string[] = [];
    @Injectable()
    class Explorer implements OnModuleInit {
      constructor(private readonly discovery: DiscoveryService) {}
      onModuleInit(): void {
        for (const { instance } of this.discovery.getProviders()) {
          const prototype: unknown = instance == null ? null : Object.getPrototypeOf(instance as object);
          if (prototype === Feed.prototype || instance instanceof Feed) found.push('Feed');
        }
        found.push('looked');
      }
    }
    @Module({})
    class ExplorerModule {}
    const explorer = { module: ExplorerModule, global: true, providers: [Explorer, DiscoveryService] };
    await boot({ imports: [explorer], providers: [Feed] });
    expect(found).toEqual(['looked']);
  });

  it('is made with its own dependencies for each start, and processes may call each other', async () => {
    @Injectable()
    class Clock {
      now(): number {
        return 7;
      }
    }
    interface Ponging {
      one(): number;
    }
    @Singleton({ name: 'ping' })
    class Ping {
      constructor(
        readonly clock: Clock,
        @InjectSingleton(() => Pong) readonly pong: Remote<Ponging>,
      ) {}
      @Callable()
      async both(): Promise<number[]> {
        return [this.clock.now(), await this.pong.one()];
      }
      @Callable()
      one(): number {
        return 1;
      }
    }
    @Singleton({ name: 'pong' })
    class Pong {
      constructor(@InjectSingleton(Ping) readonly ping: Remote<Ping>) {}
      @Callable()
      one(): Promise<number> {
        return this.ping.one();
      }
    }
    const module = await boot({ providers: [Clock, Ping, Pong] });
    expect(await module.get<Remote<Ping>>(getProcessToken(Ping)).both()).toEqual([7, 1]);
  });
});

describe('A hook of Nest on a process class is refused at start', () => {
  it.each([
    ['onModuleInit', 'onProcessStart'],
    ['onApplicationBootstrap', 'onProcessStart'],
    ['onModuleDestroy', 'onProcessStop'],
    ['beforeApplicationShutdown', 'onProcessStop'],
    ['onApplicationShutdown', 'onProcessStop'],
  ])('%s, with what to write', async (hook, instead) => {
    class Base {}
    Object.defineProperty(Base.prototype, hook, { value: () => made.push(hook), configurable: true });
    class Own extends Base {}
    Singleton()(Own);
    const starting = boot({ providers: [Own] });
    await expect(starting).rejects.toBeInstanceOf(ProcessDeclarationError);
    await expect(starting).rejects.toThrow(`class Own cannot be declared: it has ${hook}, which Nest would call`);
    await expect(starting).rejects.toThrow(`Do it in ${instead}`);
    expect(made).toEqual([]);
  });

  it('also as a property of the instance', async () => {
    @Singleton()
    class Poller {
      readonly onModuleInit = (): void => void made.push('init');
    }
    await expect(boot({ providers: [Poller] })).rejects.toThrow('it has onModuleInit');
    expect(made).toEqual([]);
  });

  it('and so is a controller', async () => {
    @Singleton()
    @Controller()
    class Routes {
      @Get()
      list(): string[] {
        return [];
      }
    }
    await expect(boot({ controllers: [Routes] })).rejects.toThrow(
      'class Routes cannot be declared: it is a controller',
    );
  });
});

describe('Decorators of others', () => {
  it('act on other classes beside a process, whose modules come first', async () => {
    let ticks = 0;
    let events = 0;
    @Injectable()
    class Jobs {
      constructor(@InjectSingleton(Feed) readonly feed: Remote<Feed>) {}
      @Interval(5)
      tick(): void {
        ticks += 1;
      }
      @OnEvent('order')
      onOrder(): void {
        events += 1;
      }
    }
    const module = await boot({
      imports: [ScheduleModule.forRoot(), EventEmitterModule.forRoot()],
      providers: [Feed, Jobs],
    });
    module.get(EventEmitter2).emit('order');
    await eventually(() => ticks > 1 && events === 1, { lastSeen: () => ({ ticks, events }) });
    expect((await module.get(ProcessManager).list()).map(({ name }) => name)).toEqual(['feed']);
  });
});
