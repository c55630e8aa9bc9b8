// Methods and handlers that return Observables: subscribed, as Nest does it, with the last value as the answer; with
// and without an interceptor around them.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  ConsoleLogger,
  Injectable,
  type NestInterceptor,
  type Provider,
  type Type,
  UseInterceptors,
} from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Callable,
  Channel,
  Channels,
  ClusterCron,
  CronJobs,
  FoundationModule,
  ProcessManager,
  Service,
  ServiceMesh,
  Singleton,
  Telemetry,
} from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';
import { defer, EMPTY, from, Observable, of, Subject, throwError } from 'rxjs';
import { z } from 'zod';

class Through implements NestInterceptor {
  intercept(_context: unknown, next: CallHandler<unknown>): Observable<unknown> {
    return next.handle();
  }
}
class Nothing implements NestInterceptor {
  intercept(): Observable<unknown> {
    return EMPTY;
  }
}
const bare = (): void => undefined;

let app: TestingModule | undefined;
/** What was subscribed. */
let seen: unknown[];
let gate: Subject<string>;
beforeEach(() => {
  seen = [];
  gate = new Subject();
});
afterEach(async () => {
  gate.complete();
  await app?.close();
  app = undefined;
});

const saving = (what: unknown): Observable<unknown> =>
  new Observable((subscriber) => {
    seen.push(what);
    subscriber.complete();
  });

/** What the methods return, by what they are asked for. */
const RETURNED: Record<string, () => unknown> = {
  three: () => from([1, 2, 3]),
  none: () => EMPTY,
  error: () => throwError(() => new Error('boo')),
  promised: () => Promise.resolve(of('later')),
  generator: () =>
    (function* () {
      yield seen.push('iterated');
    })(),
  iterator: () =>
    (async function* () {
      yield seen.push('iterated');
    })(),
  observer: () => ({ subscribe: 1, lift: 2 }),
};

async function boot(...providers: Provider[]): Promise<TestingModule> {
  const channels = { names: { stored: { durable: { maxDeliveries: 2, retryAfter: 50 } } } };
  app = await Test.createTestingModule({ imports: [FoundationModule.forRoot({ channels })], providers })
    .setLogger(new ConsoleLogger({ logLevels: [] }))
    .compile();
  return app.init();
}

/** Time for what does not wait as it should. */
async function turns(): Promise<void> {
  for (let left = 50; left > 0; left--) await new Promise((done) => setImmediate(done));
}

const outcome = (answer: Promise<unknown>): Promise<unknown> =>
  answer.then(
    (value) => ['value', value],
    (error: Error) => ['error', error.message],
  );

const ways: [string, () => ClassDecorator & MethodDecorator][] = [
  ['with nothing around it', () => bare],
  ['within an interceptor', () => UseInterceptors(new Through())],
];

describe.each(ways)('what returns an Observable, %s,', (_how, around) => {
  const given: [string, unknown[]][] = [
    ['three', ['value', 3]],
    ['none', ['value', undefined]],
    ['error', ['error', expect.stringContaining('boo')]],
    ['promised', ['value', 'later']],
    ['generator', ['error', expect.stringContaining('Return a value, a promise or an Observable')]],
    ['iterator', ['error', expect.stringContaining('Return a value, a promise or an Observable')]],
    ['observer', ['value', { subscribe: 1, lift: 2 }]],
  ];

  it('answers a call of a process with its last value, or its error', async () => {
    @Singleton({ name: 'feed' })
    class Feed {
      @Callable()
      @around()
      get(what: string): unknown {
        return RETURNED[what]!();
      }
      @Callable({ args: [z.string()] })
      @around()
      read(what: string): unknown {
        return RETURNED[what]!();
      }
    }
    const processes = (await boot(Feed)).get(ProcessManager);
    const ref = await eventually(() => processes.lookupSingleton('feed'));
    for (const [what, expected] of given) {
      expect([what, await outcome(ref.call('get', what))]).toEqual([what, expected]);
      expect([what, await outcome(ref.call('read', what))]).toEqual([what, expected]);
    }
    expect(seen).toEqual([]);
  });

  it('answers a call of a service', async () => {
    @Service({ name: 'mail' })
    class Mail {
      @Callable()
      @around()
      get(what: string): unknown {
        return RETURNED[what]!();
      }
    }
    const mesh = (await boot(Mail)).get(ServiceMesh);
    for (const [what, expected] of given) {
      expect([what, await outcome(mesh.call('mail', 'get', [what]))]).toEqual([what, expected]);
    }
  });

  it('keeps its process until it completes', async () => {
    let observers = 0;
    const counted = (source: Observable<string>) => defer(() => ((observers += 1), source));
    @Singleton({ name: 'feed' })
    class Feed {
      @Callable()
      @around()
      wait(): Observable<string> {
        return counted(gate);
      }
      @Callable()
      @around()
      async waitLater(): Promise<Observable<string>> {
        return counted(gate);
      }
      onProcessStop(): void {
        seen.push('stop');
      }
    }
    const processes = (await boot(Feed)).get(ProcessManager);
    const ref = await eventually(() => processes.lookupSingleton<Feed>('feed'));
    // As the types say it.
    const answers: Promise<string>[] = [ref.call('wait'), ref.call('waitLater')];
    await eventually(() => observers === 2);
    const stopped = ref.stop().then(() => seen.push('stopped'));
    await eventually(() => seen.includes('stop'));
    gate.next('first');
    gate.next('last');
    await turns();
    expect(seen).toEqual(['stop']);
    gate.complete();
    expect(await Promise.all(answers)).toEqual(['last', 'last']);
    await stopped;
    expect(seen).toEqual(['stop', 'stopped']);
  });

  it('handles a message, of which its error is the failure', async () => {
    @Injectable()
    class Ears {
      @Channel('events')
      @around()
      onNews(message: string): unknown {
        return RETURNED[message]?.() ?? saving(message);
      }
      @Channel('stored', { group: 'g' })
      @around()
      onStored(message: string): unknown {
        return message === 'bad' ? throwError(() => new Error(`not saved ${seen.push('bad')}`)) : saving(message);
      }
    }
    const { channels, failures } = heard(await boot(Ears));
    await channels.broadcast('events', 'saved', { timeout: 10_000 });
    expect([seen, failures]).toEqual([['saved'], []]);
    await channels.broadcast('events', 'error', { timeout: 10_000 }).catch(() => undefined);
    await eventually(() => failures.length === 1);
    const { answers } = await channels.gather('events', 'three');
    expect(answers.map(({ value }) => value)).toEqual([3]);

    seen = [];
    await channels.broadcast('stored', 'good');
    await channels.broadcast('stored', 'bad');
    // Delivered again, and then a dead letter.
    await eventually(() => failures.length === 3, { lastSeen: () => [seen, failures] });
    expect(seen).toEqual(['good', 'bad', 'bad']);
  });
});

/** Channels, and the errors of what heard them. */
function heard(module: TestingModule): { channels: Channels; failures: string[] } {
  const failures: string[] = [];
  module.get(Telemetry).attach('message.handler_failed', (_event, { error }) => void failures.push(error));
  return { channels: module.get(Channels), failures };
}

it('a handler that is given to subscribe() is heard out, of a durable channel, too, and so is one of replay()', async () => {
  const { channels, failures } = heard(await boot());
  await channels.subscribe('events', (message) => saving(message));
  await channels.subscribe('stored', (message) => saving(message), { group: 'g' });
  await channels.broadcast('events', 1, { timeout: 10_000 });
  await channels.broadcast('stored', 2);
  await eventually(() => seen.length === 2);
  await channels.replay('stored', (message) => saving(message), { from: '0' });
  expect([seen, failures]).toEqual([[1, 2, 2], []]);
});

it('an Observable of a durable channel may end the subscription that waits for it', async () => {
  const { channels } = heard(await boot());
  const ended = (): Observable<void> => defer(() => subscription.unsubscribe().then(() => void seen.push('ended')));
  const subscription = await channels.subscribe('stored', ended, { group: 'g' });
  await channels.broadcast('stored', 1);
  await eventually(() => seen.includes('ended'));
});

it('a process hears out the handlers of its messages', async () => {
  @Singleton({ name: 'hearing' })
  class Hearing {
    @Channel('events')
    async onNews(): Promise<Observable<string>> {
      return gate;
    }
    onProcessStop(): void {
      seen.push('stop');
    }
  }
  const module = await boot(Hearing);
  const ref = await eventually(() => module.get(ProcessManager).lookupSingleton('hearing'));
  await module.get(Channels).broadcast('events', 1);
  await eventually(() => gate.observed);
  const stopped = ref.stop().then(() => seen.push('stopped'));
  await eventually(() => seen.includes('stop'));
  await turns();
  expect(seen).toEqual(['stop']);
  gate.complete();
  await stopped;
  expect(seen).toEqual(['stop', 'stopped']);
});

it('an interceptor that completes without a value answers nothing', async () => {
  @Singleton({ name: 'feed' })
  @UseInterceptors(new Nothing())
  class Feed {
    @Callable()
    get(): number {
      return 1;
    }
    @Channel('events')
    onNews(): void {
      seen.push('events');
    }
  }
  const module = await boot(Feed as Type<object>);
  const { channels, failures } = heard(module);
  const ref = await eventually(() => module.get(ProcessManager).lookupSingleton('feed'));
  expect(await outcome(ref.call('get'))).toEqual(['value', undefined]);
  await channels.broadcast('events', 1, { timeout: 10_000 });
  expect([seen, failures]).toEqual([[], []]);
});

it('a job of a cron expression is done when its Observable completes, and fails with its error', async () => {
  @Injectable()
  class Jobs {
    @ClusterCron('0 0 1 1 *', { name: 'good' })
    good(): unknown {
      return saving('good');
    }
    @ClusterCron('0 0 1 1 *', { name: 'bad' })
    async bad(): Promise<unknown> {
      return throwError(() => new Error('boo'));
    }
  }
  const jobs = (await boot(Jobs)).get(CronJobs);
  const last = async (name: string): Promise<unknown> => (await jobs.list()).find((job) => job.name === name)?.last;
  for (const name of ['good', 'bad']) await eventually(() => jobs.runNow(name).catch(() => undefined));
  expect(await eventually(() => last('good'))).toMatchObject({ outcome: 'done' });
  expect(await eventually(() => last('bad'))).toMatchObject({
    outcome: 'failed',
    error: expect.stringContaining('boo'),
  });
  expect(seen).toEqual(['good']);
});
