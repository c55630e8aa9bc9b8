import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Inject, Injectable, Logger, Module, type Type } from '@nestjs/common';
import { Cron, Interval, Timeout } from '@nestjs/schedule';
import { Test, type TestingModule, type TestingModuleBuilder } from '@nestjs/testing';
import { Callable } from '../../calls/callable.decorator.js';
import type { Remote } from '../../calls/remote.proxy.js';
import { Channel } from '../../channels/channel.decorators.js';
import { Channels } from '../../channels/channels.js';
import { ClusterCron, type CronRun } from '../../cron/cron.decorator.js';
import { CronJobs } from '../../cron/cron.jobs.js';
import { FoundationModule } from '../../foundation.module.js';
import { HealthMonitor } from '../../health/health.monitor.js';
import { getProcessToken, InjectProcess } from '../../processes/declaration/inject.process.js';
import type { ProcessContext } from '../../processes/declaration/process.context.js';
import { Partitioned, Replicated, Singleton } from '../../processes/declaration/process.decorators.js';
import { ProcessManager } from '../../processes/process.manager.js';
import { eventually } from '../eventually.js';
import { FoundationTestingModule, type FoundationTestingOptions } from './foundation.testing.module.js';
import { ManualClock } from './manual.clock.js';
import { TestProcesses } from './test.processes.js';

const MIDNIGHT = '2026-01-01T00:00:00.000Z';

/** What happened, in order, with the time of the clock. */
let happened: string[] = [];
let clock: ManualClock;
const note = (what: string): void => void happened.push(`${what} ${clock.now.toISOString().slice(11, 19)}`);

@Injectable()
class Reports {
  work: (run: CronRun) => unknown = () => undefined;

  @ClusterCron('0 3 * * *', { timeZone: 'UTC', name: 'close' })
  async close(run: CronRun): Promise<void> {
    note(`${run.cause} for ${run.scheduledAt.toISOString().slice(11, 19)}`);
    await this.work(run);
  }
}

@Singleton({ backoff: { base: '1s', cap: '1m' }, maxRestarts: 5 })
class Feed {
  onProcessStart(): void {
    if (clock !== undefined) note('start');
  }

  @Callable()
  price(): number {
    return 42;
  }

  @Callable()
  never(): Promise<void> {
    return new Promise(() => undefined);
  }
}

@Injectable()
class Shop {
  constructor(@InjectProcess(Feed) readonly feed: Remote<Feed>) {}
}

@Module({
  imports: [FoundationModule.forRoot({ cluster: true, redis: { host: 'nowhere.invalid' } })],
  providers: [Reports, Feed, Shop],
})
class AppModule {}

describe('FoundationTestingModule', () => {
  const open: TestingModule[] = [];

  beforeEach(() => {
    Logger.overrideLogger(false);
    happened = [];
  });
  afterEach(async () => {
    jest.useRealTimers();
    await Promise.all(open.splice(0).map((module) => module.close()));
  });

  async function start(
    imports: unknown[],
    providers: Type[] = [],
    change: (builder: TestingModuleBuilder) => TestingModuleBuilder = (builder) => builder,
  ): Promise<TestingModule> {
    const builder = change(Test.createTestingModule({ imports: imports as Type[], providers }));
    const module = await builder.compile();
    open.push(module);
    clock = module.get(ManualClock);
    return module.init();
  }
  const testing = (options: FoundationTestingOptions = {}): unknown =>
    FoundationTestingModule.forRoot({ startsAt: MIDNIGHT, ...options });

  describe('with an application', () => {
    it.each([
      ['after it', (): unknown[] => [AppModule, testing()]],
      ['before it', (): unknown[] => [testing(), AppModule]],
    ])('runs it without Redis, whatever it says, imported %s', async (_where, imports) => {
      const module = await start(imports());
      expect(await module.get(Shop).feed.price()).toBe(42);
      expect(module.get(ProcessManager, { strict: false })).toBeDefined();
      await clock.advanceTo('2026-01-01T03:00:00Z');
      expect(happened).toEqual(['start 00:00:00', 'tick for 03:00:00 03:00:00']);
    });

    it('takes the options of forRootAsync, and its own before them', async () => {
      @Module({
        imports: [
          FoundationModule.forRootAsync({
            useFactory: () => Promise.resolve({ cluster: true, appName: 'shop', labels: { disk: 'fast' } }),
          }),
        ],
      })
      class Async {}
      const module = await start([Async, testing({ labels: { disk: 'slow' } })]);
      const { self } = module.get(HealthMonitor, { strict: false })['parts'].membership;
      const [member] = module.get(HealthMonitor, { strict: false })['parts'].membership.members();
      expect([member?.name, member?.labels]).toEqual([self.name, { disk: 'slow' }]);
    });

    it('gives each application of one imported module a clock of its own', async () => {
      const shared = testing();
      const first = await start([AppModule, shared]);
      const second = await start([AppModule, shared]);
      await second.get(ManualClock).advance('1h');
      expect(first.get(ManualClock).now.toISOString()).toBe(MIDNIGHT);
    });

    it('is refused without forRoot()', async () => {
      const bare = Test.createTestingModule({ imports: [AppModule, FoundationTestingModule] });
      await expect(bare.compile()).rejects.toThrow('expected FoundationTestingModule.forRoot()');
    });

    it('is refused twice', async () => {
      const twice = Test.createTestingModule({
        imports: [AppModule, FoundationTestingModule.forRoot(), FoundationTestingModule.forRoot()],
      });
      await expect(twice.compile()).rejects.toThrow('once, in the test module');
    });
  });

  it('is Foundation itself where no module imports it', async () => {
    const module = await start([testing()], [Feed, Shop]);
    expect(await module.get(Shop).feed.price()).toBe(42);
    expect((await module.get(HealthMonitor).clusterHealth()).status).toBe('healthy');
  });

  it.each([
    [{ startsAt: 'soon' }, 'startsAt'],
    [{ startsAt: Number.NaN }, 'startsAt'],
    [{ startsAt: '2100-01-01' }, 'seven years'],
    [{ patience: -1 }, 'patience'],
    [{ patience: '1 year' }, 'patience'],
    [{ cluster: true }, 'TestCluster'],
    [null, 'an object'],
  ])('refuses %j', (options, expected) => {
    expect(() => FoundationTestingModule.forRoot(options as FoundationTestingOptions)).toThrow(expected);
  });

  it('refuses what is no option of Foundation', async () => {
    const module = Test.createTestingModule({ imports: [FoundationTestingModule.forRoot({ lease: { ttl: 1 } })] });
    await expect(module.compile()).rejects.toThrow('lease.ttl');
  });

  describe('the clock', () => {
    it('stands still, and moves as far as it is told', async () => {
      await start([testing()]);
      expect(clock.now.toISOString()).toBe(MIDNIGHT);
      await clock.advance('1.5s');
      await clock.advance(500);
      await clock.settle();
      expect(clock.now.toISOString()).toBe('2026-01-01T00:00:02.000Z');
      await clock.advanceTo(new Date('2026-01-02T00:00:00Z'));
      expect(clock.now.toISOString()).toBe('2026-01-02T00:00:00.000Z');
    });

    it.each([-1, Number.NaN, Infinity, '1 fortnight', undefined, null, {}, '-1s', '400d'])(
      'refuses to advance by %j',
      async (by) => {
        await start([testing()]);
        await expect(clock.advance(by as number)).rejects.toThrow('ManualClock.advance: invalid argument "by"');
        expect(clock.now.toISOString()).toBe(MIDNIGHT);
      },
    );

    it.each(['yesterday', '2025-12-31', Number.NaN, undefined, '2999-01-01'])(
      'refuses to advance to %j',
      async (time) => {
        await start([testing()]);
        await expect(clock.advanceTo(time as string)).rejects.toThrow('invalid argument "time"');
      },
    );

    it('is moved once at a time, and by no job that it has begun', async () => {
      const module = await start([AppModule, testing()]);
      const errors: unknown[] = [];
      module.get(Reports).work = () => clock.advance('1s').catch((error: unknown) => errors.push(error));
      const moving = clock.advance('4h');
      await expect(clock.advance('1s')).rejects.toThrow('being moved already');
      await moving;
      expect(String(errors)).toContain('The manual clock cannot be moved: it is being moved already');
      await clock.advance('1s');
      expect(happened.filter((each) => each.startsWith('tick'))).toHaveLength(1);
    });

    it('runs by itself once the application is closed', async () => {
      @Singleton({ stopTimeout: '1d' })
      class Stubborn {
        onProcessStop(): Promise<void> {
          return new Promise(() => undefined);
        }
      }
      const module = await start([testing({ patience: '20ms' })], [Stubborn]);
      const began = performance.now();
      await module.close();
      // A day, had it waited for what it waits for elsewhere.
      expect(performance.now() - began).toBeLessThan(60_000);
      await expect(clock.advance('1s')).rejects.toThrow('its application ends or has ended');
    });

    it('needs no timers of the machine', async () => {
      const module = await start([AppModule, testing()]);
      jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick'] });
      await clock.advance('3h');
      expect(happened.at(-1)).toBe('tick for 03:00:00 03:00:00');
      expect(await module.get(Shop).feed.price()).toBe(42);
      expect(jest.getTimerCount()).toBe(0);
    });

    it('says so when a test fakes what Foundation needs to go on', async () => {
      await start([testing()]);
      jest.useFakeTimers();
      await expect(clock.advance('1s')).rejects.toThrow('the test fakes setImmediate or queueMicrotask');
      jest.useRealTimers();
      await clock.advance('1s');
    });

    it('may begin long ago', async () => {
      const module = await start([AppModule, testing({ startsAt: '1999-12-31T00:00:00Z' })]);
      await clock.advance('3h');
      expect(happened.at(-1)).toBe('tick for 03:00:00 03:00:00');
      await module.get(TestProcesses).crash(Feed);
      await clock.advance('1s');
      expect(await module.get(Shop).feed.price()).toBe(42);
    });

    it('may be moved before the application has begun', async () => {
      const module = await Test.createTestingModule({
        imports: [AppModule, FoundationTestingModule.forRoot({ startsAt: MIDNIGHT })],
      }).compile();
      open.push(module);
      clock = module.get(ManualClock);
      await clock.advance('2h');
      await module.init();
      await clock.advance('1h');
      expect(happened).toEqual(['start 02:00:00', 'tick for 03:00:00 03:00:00']);
    });

    it('waits for work that takes some turns of the event loop, and not for ever', async () => {
      const module = await start([AppModule, testing({ patience: '50ms' })]);
      const reports = module.get(Reports);
      let isDone = false;
      reports.work = async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        isDone = true;
      };
      await clock.advance('3h');
      expect(isDone).toBe(true);
      reports.work = () => new Promise(() => undefined);
      await clock.advance('24h');
      await clock.advance('24h');
      const [job] = await module.get(CronJobs, { strict: false }).list();
      expect(job).toMatchObject({ name: 'close', counts: { fired: 2, skipped: 1 } });
    });
  });

  describe('moves', () => {
    it('the backoff of a process that crashes, exactly, until it is given up', async () => {
      const module = await start([testing({ processes: { maxSeconds: 600 } })], [Feed]);
      const processes = module.get(TestProcesses);
      for (const seconds of [1, 2, 4]) {
        await processes.crash(Feed, new Error('no prices'));
        await clock.advance(seconds * 1000 - 1);
        await expect(processes.instance(Feed)).rejects.toThrow('expected a process that runs now: none does');
        await clock.advance(1);
        expect(await processes.instance(Feed)).toBeInstanceOf(Feed);
      }
      expect(happened).toEqual(['start 00:00:00', 'start 00:00:01', 'start 00:00:03', 'start 00:00:07']);
    });

    it('the timeout of a call, exactly', async () => {
      const module = await start([testing({ calls: { timeout: '2s' } })], [Feed, Shop]);
      let outcome: unknown;
      void module
        .get(Shop)
        .feed.never()
        .catch((error: unknown) => (outcome = error));
      await clock.advance('1999ms');
      expect(outcome).toBeUndefined();
      await clock.advance(1);
      expect(outcome).toMatchObject({ name: 'CallTimeoutError' });
    });

    it('the limit of a start, and of a stop', async () => {
      let release: (() => void) | undefined;
      @Singleton({ timeout: '30s', restart: 'transient', maxRestarts: 0 })
      class Slow {
        onProcessStart(): Promise<void> {
          return new Promise((resolve) => (release = resolve));
        }
      }
      const module = await start([testing({ startupTimeout: 0, patience: '10ms' })], [Slow]);
      await clock.advance('29s');
      expect((await module.get(ProcessManager).list())[0]?.state).toBe('starting');
      // Its start is given up, and then its stop.
      await clock.advance('6s');
      const [slow] = await module.get(ProcessManager).list();
      expect(slow).toMatchObject({ name: 'Slow', state: 'escalated' });
      release?.();
    });

    it('@Cron, @Interval and @Timeout of a process', async () => {
      @Singleton()
      class Ticker {
        @Cron('30 * * * * *')
        cron(): void {
          note('cron');
        }

        @Interval(40_000)
        interval(): void {
          note('interval');
        }

        @Timeout(10_000)
        timeout(): void {
          note('timeout');
        }
      }
      const module = await start([testing()], [Ticker]);
      await clock.advance('2m');
      expect(happened).toEqual([
        'timeout 00:00:10',
        'cron 00:00:30',
        'interval 00:00:40',
        'interval 00:01:20',
        'cron 00:01:30',
        'interval 00:02:00',
      ]);
      await module.get(ProcessManager).stop(Ticker);
      await clock.advance('2m');
      expect(happened).toHaveLength(6);
    });

    it('what a job missed', async () => {
      const module = await start([AppModule, testing({ startsAt: '2026-01-01T03:00:00Z' })]);
      await clock.advance('24h');
      expect(happened.slice(1)).toEqual(['tick for 03:00:00 03:00:00']);
      expect((await module.get(CronJobs, { strict: false }).list())[0]?.next).toBe(Date.parse('2026-01-03T03:00:00Z'));
    });

    it('the redelivery of a durable message', async () => {
      @Injectable()
      class Billing {
        @Channel('payments', { group: 'billing' })
        onPayment(): void {
          note('payment');
          if (happened.length < 3) throw new Error('not yet');
        }
      }
      const module = await start(
        [testing({ channels: { names: { payments: { durable: { retryAfter: '10s' } } } } })],
        [Billing],
      );
      await module.get(Channels).broadcast('payments', { amount: 1 });
      await clock.advance('1m');
      expect(happened).toEqual(['payment 00:00:00', 'payment 00:00:10', 'payment 00:00:20']);
    });

    it('the time for which the name of a lost lease stays taken', async () => {
      @Singleton({ stopTimeout: '1h' })
      class Owner {
        onProcessStart({ signal }: ProcessContext): void {
          note('start');
          signal.addEventListener('abort', () => note('lost'));
        }
      }
      const module = await start([testing()], [Owner]);
      await module.get(TestProcesses).loseLease(Owner);
      await clock.advance('1m');
      expect(happened.slice(0, 2)).toEqual(['start 00:00:00', 'lost 00:00:00']);
      expect(await module.get(TestProcesses).instance(Owner)).toBeInstanceOf(Owner);
    });
  });

  describe('overrides', () => {
    @Replicated()
    class Thumbnails {
      @Callable()
      cached(): number {
        return 1;
      }
    }
    @Partitioned({ partitions: 4 })
    class Accounts {
      @Callable()
      balance(_account: string): number {
        return 1;
      }
    }
    @Injectable()
    class Prices {
      of(): number {
        return 1;
      }
    }
    @Singleton()
    class Quotes {
      constructor(@Inject(Prices) private readonly prices: Prices) {}

      @Callable()
      quote(): number {
        return this.prices.of();
      }
    }

    it('process classes of all kinds, by Nest itself', async () => {
      const module = await start([AppModule, testing()], [Thumbnails, Accounts], (builder) =>
        builder
          .overrideProvider(Feed)
          .useValue({ price: () => 7 })
          .overrideProvider(Thumbnails)
          .useClass(
            class Fake {
              cached = (): number => 8;
            },
          )
          .overrideProvider(Accounts)
          .useFactory({ factory: () => ({ balance: (account: string) => account.length }) }),
      );
      const processes = module.get(ProcessManager, { strict: false });
      expect(await module.get(Shop).feed.price()).toBe(7);
      expect(await processes.all(Thumbnails).call('cached')).toMatchObject({ answers: [{ value: 8 }] });
      const accounts = processes.lookupPartitioned(Accounts)!;
      expect(await accounts.for('anna').call('balance', 'anna')).toBe(4);
      expect(happened).toEqual([]);
    });

    it('what is injected, and nothing else', async () => {
      const module = await start([AppModule, testing()], [], (builder) =>
        builder.overrideProvider(getProcessToken(Feed)).useValue({ price: () => Promise.resolve(9) }),
      );
      expect(await module.get(Shop).feed.price()).toBe(9);
      expect(await module.get(TestProcesses).instance(Feed)).toBeInstanceOf(Feed);
    });

    it('what a process needs', async () => {
      const module = await start([testing()], [Quotes, Prices], (builder) =>
        builder.overrideProvider(Prices).useValue({ of: () => 5 }),
      );
      expect(await module.get<Remote<Quotes>>(getProcessToken(Quotes)).quote()).toBe(5);
    });

    it('what nobody provides, by a mocker', async () => {
      const asked: unknown[] = [];
      const module = await start([testing()], [Quotes, Shop], (builder) =>
        builder.useMocker((token) => {
          asked.push(token);
          return token === Prices ? { of: () => 6 } : {};
        }),
      );
      expect(await module.get<Remote<Quotes>>(getProcessToken(Quotes)).quote()).toBe(6);
      expect(asked).toEqual([Prices]);
    });
  });

  it('lets a test look at the object that runs, and says what runs where it does not', async () => {
    const module = await start([testing()], [Feed]);
    const processes = module.get(TestProcesses);
    jest.spyOn(await processes.instance(Feed), 'price').mockReturnValue(1);
    expect(await module.get<Remote<Feed>>(getProcessToken(Feed)).price()).toBe(1);
    await expect(processes.instance('Fed')).rejects.toThrow('a process that runs now: Feed');
    await expect(processes.crash(Feed, 'boom' as never)).rejects.toThrow('an Error');
  });

  it('is heard by what runs beside it', async () => {
    const module = await start([testing()], [Feed]);
    await eventually(async () => (await module.get(ProcessManager).list()).length === 1);
  });
});
