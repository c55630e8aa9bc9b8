// `@ClusterCron` in an application of one process: jobs run on the objects that Nest made, and what is wrong with one
// fails the start with a sentence that names it.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable, type Provider, Scope, type Type, UseGuards } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  ClusterCron,
  CronJobs,
  type CronRun,
  DeclarationError,
  FoundationModule,
  ProcessManager,
  Singleton,
  UnknownProcessError,
} from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';

let app: TestingModule | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function boot(providers: Provider[], controllers: Type[] = []): Promise<TestingModule> {
  app = await Test.createTestingModule({ imports: [FoundationModule.forRoot()], providers, controllers }).compile();
  return app.init();
}

/** A class whose method has the decorator. */
function jobs(name: string, ...decorators: MethodDecorator[]): Type {
  const type = { [name]: class {} }[name]!;
  decorators.forEach((decorate, index) => {
    const method = { [`run${index}`]: (): void => undefined }[`run${index}`]!;
    Object.defineProperty(type.prototype, `run${index}`, { value: method, configurable: true });
    decorate(type.prototype, `run${index}`, Object.getOwnPropertyDescriptor(type.prototype, `run${index}`)!);
  });
  Injectable()(type);
  return type;
}

const untyped = (expression: unknown, options?: unknown): MethodDecorator =>
  ClusterCron(expression as string, options as object);

describe('a cluster-wide cron job', () => {
  it('runs on the object that Nest made, of a provider and of a controller', async () => {
    const runs: [object, CronRun][] = [];
    @Injectable()
    class Reports {
      @ClusterCron('* * * * * *')
      nightly(run: CronRun): void {
        runs.push([this, run]);
      }
    }
    @Controller()
    class Orders {
      @ClusterCron('* * * * * *', { name: 'orders' })
      close(run: CronRun): void {
        runs.push([this, run]);
      }
    }
    const module = await boot([Reports], [Orders]);
    await eventually(() => new Set(runs.map(([object]) => object)).size === 2, { lastSeen: () => runs.length });
    expect(runs.map(([object]) => object)).toEqual(expect.arrayContaining([module.get(Reports), module.get(Orders)]));
    const [, run] = runs.find(([object]) => object === module.get(Reports))!;
    expect(run).toMatchObject({ name: 'Reports.nightly', cause: 'tick', epoch: expect.any(Number) });
    expect(run.scheduledAt.getMilliseconds()).toBe(0);
    const listed = await module.get(ProcessManager).list();
    expect(listed.map(({ name, state }) => [name, state])).toEqual([
      ['cron:Reports.nightly', 'running'],
      ['cron:orders', 'running'],
    ]);
  });

  it('is listed, and run by hand', async () => {
    const runs: CronRun[] = [];
    @Injectable()
    class Reports {
      @ClusterCron('0 3 * * *', { name: 'nightly', timeZone: 'Europe/Berlin', missed: 'run-once' })
      nightly(run: CronRun): void {
        runs.push(run);
      }
    }
    const cron = (await boot([Reports])).get(CronJobs);
    await eventually(async () => (await cron.list())[0]?.next !== undefined);
    expect(await cron.runNow('nightly')).toBe('started');
    await eventually(async () => (await cron.list())[0]?.last !== undefined);
    expect(runs.map(({ cause }) => cause)).toEqual(['manual']);
    expect(await cron.list()).toEqual([
      expect.objectContaining({
        name: 'nightly',
        expression: '0 3 * * *',
        timeZone: 'Europe/Berlin',
        missed: 'run-once',
        overlap: 'skip',
        state: 'running',
        last: expect.objectContaining({ cause: 'manual', outcome: 'done' }),
      }),
    ]);
    await expect(cron.runNow('weekly')).rejects.toBeInstanceOf(UnknownProcessError);
    await expect(cron.runNow('weekly')).rejects.toThrow('Known cron jobs: nightly');
  });

  it.each<[string, MethodDecorator, string]>([
    ['an expression that is none', ClusterCron('whenever'), '"whenever" is no cron expression (Unknown alias: whe)'],
    ['no expression', untyped(undefined), 'it has no cron expression'],
    ['an expression without a time', ClusterCron('0 0 30 2 *'), '"0 0 30 2 *" is no cron expression'],
    ['a time zone that is none', ClusterCron('0 3 * * *', { timeZone: 'Mars/Base' }), '"Mars/Base" is no time zone'],
    ['a number for a time zone', untyped('0 3 * * *', { timeZone: 2 }), 'it has no time zone'],
    ['"missed" that is none', untyped('0 3 * * *', { missed: 'once' }), `"missed" is neither 'skip' nor 'run-once'`],
    ['"overlap" that is none', untyped('0 3 * * *', { overlap: 1 }), `"overlap" is neither 'skip' nor 'queue'`],
    ['an option that is none', untyped('0 3 * * *', { timezone: 'UTC' }), 'it knows no option "timezone"'],
    ['options that are none', untyped('0 3 * * *', 'UTC'), '"UTC" (string) are no options'],
    ['a name that is none', ClusterCron('0 3 * * *', { name: 'a\nb' }), 'is no name'],
    ['a name without letters', ClusterCron('0 3 * * *', { name: '' }), 'is no name'],
    ['a name that is too long', ClusterCron('0 3 * * *', { name: 'n'.repeat(196) }), 'is no name'],
  ])('with %s is refused at start', async (_what, decorator, problem) => {
    const starting = boot([jobs('Reports', decorator)]);
    await expect(starting).rejects.toBeInstanceOf(DeclarationError);
    await expect(starting).rejects.toThrow('@ClusterCron of Reports.run0 has no effect: ');
    await expect(starting).rejects.toThrow(problem);
  });

  it('with the name of another one is refused at start', async () => {
    const twice = jobs('A', ClusterCron('0 3 * * *', { name: 'close' }), ClusterCron('0 4 * * *', { name: 'close' }));
    await expect(boot([twice])).rejects.toThrow('its name "close" is taken: @ClusterCron of A.run0 has it, too');
    await app?.close().catch(() => undefined);
    const one = jobs('A', ClusterCron('0 3 * * *'));
    await expect(boot([one, { provide: 'other', useClass: one }])).rejects.toThrow('the class is provided twice');
  });

  it('with the name of a process is refused at start', async () => {
    const feed = jobs('Feed');
    Singleton({ name: 'cron:close' })(feed);
    const reports = jobs('Reports', ClusterCron('0 3 * * *', { name: 'close' }));
    await expect(boot([feed, reports])).rejects.toThrow('a process of this application is called "cron:close"');
  });

  it('of a class that is a process, or of which no object is shared, is refused at start', async () => {
    const process = jobs('Feed', ClusterCron('0 3 * * *'));
    Singleton()(process);
    await expect(boot([process])).rejects.toThrow('the class Feed is a process');
    await app?.close().catch(() => undefined);
    const request = jobs('PerRequest', ClusterCron('0 3 * * *'));
    Injectable({ scope: Scope.REQUEST })(request);
    await expect(boot([request])).rejects.toThrow('@ClusterCron of the class PerRequest has no effect');
  });

  it('with a guard, which nothing asks at a time of the clock, is refused at start', async () => {
    const guarded: MethodDecorator = (target, key, descriptor) => {
      ClusterCron('0 3 * * *')(target, key, descriptor);
      UseGuards({ canActivate: () => false })(target, key, descriptor as never);
    };
    await expect(boot([jobs('A', guarded)])).rejects.toThrow(
      '@ClusterCron of A.run0 has no effect: it has @UseGuards, which is for requests, calls and messages',
    );
  });

  it('cannot be static, a property, or named by a symbol', () => {
    class Odd {
      static stand(): void {}
      [Symbol.iterator](): void {}
      value = 1;
    }
    const descriptor = Object.getOwnPropertyDescriptor(Odd, 'stand')!;
    expect(() => ClusterCron('0 3 * * *')(Odd, 'stand', descriptor)).toThrow(
      'Odd.stand has no effect: the method is static',
    );
    expect(() => untyped('0 3 * * *')(Odd.prototype, 'value', undefined as never)).toThrow('it is no method');
    const iterator = Object.getOwnPropertyDescriptor(Odd.prototype, Symbol.iterator)!;
    expect(() => ClusterCron('0 3 * * *')(Odd.prototype, Symbol.iterator, iterator)).toThrow('is a symbol');
  });

  it('of a thousand and one is one too many', async () => {
    const many = jobs('Many', ...Array.from({ length: 1001 }, () => ClusterCron('0 3 * * *')));
    await expect(boot([many])).rejects.toThrow('an application has at most 1000 such jobs');
  });
});
