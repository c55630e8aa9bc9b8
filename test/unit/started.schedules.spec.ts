// `@Cron`, `@Interval` and `@Timeout` of @nestjs/schedule, and `@OnEvent`, the real ones, in process classes: they act
// on the started instance, as long as it runs, wherever their modules stand among the imports, and without them.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, type Provider, type Type } from '@nestjs/common';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { Cron, Interval, ScheduleModule, SchedulerRegistry, Timeout } from '@nestjs/schedule';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  FoundationModule,
  type OnProcessStart,
  Partitioned,
  type ProcessContext,
  ProcessDeclarationError,
  ProcessManager,
  Replicated,
  Singleton,
  Telemetry,
} from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';

let app: TestingModule | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

type Imports = (foundation: object) => object[];

async function boot(
  providers: Provider[],
  imports: Imports = (foundation) => [foundation],
  events?: [string, unknown][],
): Promise<TestingModule> {
  app = await Test.createTestingModule({ imports: imports(FoundationModule.forRoot()) as Type[], providers }).compile();
  if (events) app.get(Telemetry).attach('*', (event, payload) => events.push([event, payload]));
  return app.init();
}

/** What fired, and on an instance with which epoch; 0 is one that was never started. */
let fired: [string, number][] = [];
afterEach(() => void (fired = []));

class Started implements OnProcessStart {
  ctx: ProcessContext | undefined;
  onProcessStart(ctx: ProcessContext): void {
    this.ctx = ctx;
  }
  note(what: string): void {
    fired.push([what, this.ctx?.epoch ?? 0]);
  }
}

class Base extends Started {
  @Interval(20)
  beat(): void {
    this.note('inherited');
  }
}

const count = (what: string): number => fired.filter(([name]) => name === what).length;

const MODULES: [string, Imports][] = [
  ['without ScheduleModule', (foundation) => [foundation]],
  ['with ScheduleModule before', (foundation) => [ScheduleModule.forRoot(), foundation]],
  ['with ScheduleModule after', (foundation) => [foundation, ScheduleModule.forRoot()]],
];

describe('schedules in a process class', () => {
  it.each(MODULES)('fire on the started instance, as long as it runs, %s', async (_name, imports) => {
    @Singleton({ name: 'feed' })
    class Feed extends Base {
      @Cron('* * * * * *')
      cron(): void {
        this.note('cron');
      }
      @Interval('named', 20)
      interval(): void {
        this.note('interval');
      }
      @Timeout(20)
      timeout(): void {
        this.note('timeout');
      }
    }
    const module = await boot([Feed], imports);
    const all = ['cron', 'interval', 'timeout', 'inherited'];
    await eventually(() => all.every((what) => count(what) > 0), { lastSeen: () => fired });
    expect(count('timeout')).toBe(1);
    const processes = module.get(ProcessManager);
    const [info] = await processes.list();
    expect(new Set(fired.map(([, each]) => each))).toEqual(new Set([info?.epoch]));
    await processes.stop('feed');
    const stopped = fired.length;
    await eventually(async () => (await processes.list())[0]?.state === 'stopped');
    expect(fired.length).toBe(stopped);
    await processes.restart('feed');
    await eventually(() => count('timeout') === 2 && count('interval') > 0, { lastSeen: () => fired });
    if (imports({}).length > 1) expect(module.get(SchedulerRegistry).getIntervals()).toEqual([]);
  });

  it('fire on each partition, and on plain providers of the same parent as Nest has it', async () => {
    @Partitioned({ name: 'parts', partitions: 2 })
    class Parts extends Base {}
    @Injectable()
    class Plain extends Base {}
    await boot([Parts, Plain], (foundation) => [ScheduleModule.forRoot(), foundation]);
    await eventually(() => new Set(fired.map(([, epoch]) => epoch)).size === 3, { lastSeen: () => fired });
    expect(fired.map(([, epoch]) => epoch)).toContain(0);
  });

  it('that throw are reported, and crash nothing', async () => {
    @Singleton({ name: 'feed' })
    class Feed {
      @Interval(20)
      beat(): Promise<void> {
        return Promise.reject(new Error('no price'));
      }
    }
    const events: [string, unknown][] = [];
    await boot([Feed], undefined, events);
    const failed = (): unknown[] => events.filter(([event]) => event === 'callback.failed');
    await eventually(() => failed().length > 2, { lastSeen: () => events });
    expect(failed()[0]).toEqual(['callback.failed', { callback: '@Interval of Feed.beat', error: 'no price' }]);
    expect(events.filter(([event]) => event === 'process.crashed')).toEqual([]);
  });

  it('are waited for when the process stops', async () => {
    let end!: () => void;
    let [began, ended] = [0, 0];
    @Singleton({ name: 'feed' })
    class Feed {
      @Timeout(1)
      async long(): Promise<void> {
        began += 1;
        await new Promise<void>((resolve) => (end = resolve));
        ended += 1;
      }
    }
    const module = await boot([Feed]);
    await eventually(() => began === 1);
    const stopping = module
      .get(ProcessManager)
      .stop('feed')
      .then(() => expect(ended).toBe(1));
    end();
    await stopping;
  });

  it('heed what their options say: disabled, waitForCompletion, a delay, an offset', async () => {
    let running = 0;
    let most = 0;
    const overlaps: string[] = [];
    const offset = (new Date().getUTCHours() + 5) % 24;
    @Singleton({ name: 'feed' })
    class Feed extends Started {
      @Cron('* * * * * *', { disabled: true })
      never(): void {
        this.note('disabled');
      }
      @Cron('* * * * * *', { initialDelay: 600_000 })
      later(): void {
        this.note('delayed');
      }
      @Cron('* * * * * *', { waitForCompletion: true })
      async one(): Promise<void> {
        most = Math.max(most, (running += 1));
        overlaps.push('one');
        await eventually(() => count('each') >= 3, { timeout: 20_000 });
        running -= 1;
      }
      @Cron(`* * ${offset} * * *`, { utcOffset: 300 })
      east(): void {
        this.note('offset');
      }
      @Cron('* * * * * *')
      each(): void {
        this.note('each');
      }
      @Cron(new Date(0))
      past(): void {
        this.note('past');
      }
    }
    await boot([Feed], (foundation) => [ScheduleModule.forRoot(), foundation]);
    await eventually(() => overlaps.length >= 2 && count('offset') > 0, { timeout: 20_000, lastSeen: () => fired });
    expect(most).toBe(1);
    expect(count('disabled') + count('delayed') + count('past')).toBe(0);
  });

  it('are off where ScheduleModule says so', async () => {
    @Singleton({ name: 'feed' })
    class Feed extends Base {
      @Timeout(1)
      once(): void {
        this.note('timeout');
      }
    }
    await boot([Feed], (foundation) => [foundation, ScheduleModule.forRoot({ intervals: false })]);
    await eventually(() => count('timeout') === 1);
    expect(count('inherited')).toBe(0);
  });

  it.each<[string, MethodDecorator, string]>([
    [
      'an expression that is none',
      Cron('whenever'),
      '@Cron of its method run has a time that is none (Unknown alias: whe)',
    ],
    ['a time zone that is none', Cron('* * * * *', { timeZone: 'Mars/Base' }), '(Invalid timezone.)'],
    ['two time zones', Cron('* * * * *', { timeZone: 'UTC', utcOffset: 60 } as object), 'has a time that is none'],
    ['a time that is none', Interval(Number.NaN), '@Interval of its method run waits NaN (number), which no timer can'],
    ['a time beyond timers', Timeout(2 ** 31), '@Timeout of its method run waits 2147483648 (number)'],
  ])('with %s are refused at start', async (_what, decorate, problem) => {
    class Feed {
      run(): void {}
    }
    decorate(Feed.prototype, 'run', Object.getOwnPropertyDescriptor(Feed.prototype, 'run')!);
    Singleton({ name: 'feed' })(Feed);
    const starting = boot([Feed]);
    await expect(starting).rejects.toBeInstanceOf(ProcessDeclarationError);
    await expect(starting).rejects.toThrow(problem);
  });
});

describe('@OnEvent in a process class', () => {
  it('hears the events of its node on each node of a process that runs on all, as long as it runs', async () => {
    @Replicated({ name: 'board' })
    class Board extends Started {
      @OnEvent('order')
      onOrder(order: { id: number }): void {
        this.note(`order ${order.id}`);
      }
      @OnEvent('broken')
      onBroken(): void {
        throw new Error('no board');
      }
    }
    const events: [string, unknown][] = [];
    const module = await boot([Board], (foundation) => [EventEmitterModule.forRoot(), foundation], events);
    const emitter = module.get(EventEmitter2);
    await eventually(() => emitter.listenerCount('order') === 1);
    await eventually(() => emitter.emit('order', { id: 1 }) && fired.length > 0, { lastSeen: () => fired });
    expect(fired[0]![1]).toBeGreaterThan(0);
    emitter.emit('broken');
    const failure = { callback: '@OnEvent of Board.onBroken', error: 'no board' };
    await eventually(() => events.some(([event]) => event === 'callback.failed'));
    expect(events).toContainEqual(['callback.failed', failure]);
    await module.get(ProcessManager).stop('board');
    await eventually(() => emitter.listenerCount('order') === 0);
  });

  it('is refused where it would hear part of what is emitted, and where nothing emits', async () => {
    const decorate = (Class: Type): void => {
      OnEvent('order')(Class.prototype as object, 'hear', Object.getOwnPropertyDescriptor(Class.prototype, 'hear')!);
    };
    class Feed {
      hear(): void {}
    }
    decorate(Feed);
    Singleton({ name: 'feed' })(Feed);
    const starting = boot([Feed], (foundation) => [EventEmitterModule.forRoot(), foundation]);
    await expect(starting).rejects.toThrow(
      'would hear what its own node emits, and a singleton process runs on one node only',
    );
    await app?.close().catch(() => undefined);
    class Board {
      hear(): void {}
    }
    decorate(Board);
    Replicated({ name: 'board' })(Board);
    await expect(boot([Board])).rejects.toThrow('the application has no emitter');
  });
});
