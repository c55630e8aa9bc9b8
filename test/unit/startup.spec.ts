// The start of an application waits for what begins in it, and for nothing else; and an application whose code says
// that there is a cluster starts without one where FOUNDATION_CLUSTER says so.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Logger, type Provider } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Callable,
  Channel,
  Channels,
  FoundationModule,
  type FoundationOptions,
  HealthMonitor,
  Membership,
  Partitioned,
  type ProcessContext,
  ProcessManager,
  Replicated,
  Service,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from 'nestjs-foundation/testing';

let app: TestingModule | undefined;
let warned: string[] = [];
const KEPT = process.env['FOUNDATION_CLUSTER'];
beforeEach(() => {
  warned = [];
  const warn = (line: string): void => void warned.push(line);
  Logger.overrideLogger({ log: () => undefined, error: () => undefined, warn });
});
afterEach(async () => {
  if (KEPT === undefined) delete process.env['FOUNDATION_CLUSTER'];
  else process.env['FOUNDATION_CLUSTER'] = KEPT;
  await app?.close();
  app = undefined;
});

async function boot(providers: Provider[], options: FoundationOptions = {}): Promise<TestingModule> {
  const builder = Test.createTestingModule({ imports: [FoundationModule.forRoot(options)], providers });
  const warn = (line: string): void => void warned.push(line);
  app = await builder.setLogger({ log: () => undefined, error: () => undefined, warn }).compile();
  return app.init();
}

const states = async (): Promise<string[]> =>
  (await app!.get(ProcessManager).list()).map(({ name, state }) => `${name} ${state}`).sort();

/** A promise that a test resolves. */
function signal(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  return { promise: new Promise((done) => (resolve = done)), resolve: () => resolve() };
}

describe('init()', () => {
  it('resolves when singletons, replicas and partitions run', async () => {
    @Singleton({ name: 'feed' })
    class Feed {
      onProcessStart(): Promise<void> {
        return new Promise((resolve) => setTimeout(resolve, 30));
      }
    }
    @Replicated()
    class Cache {}
    @Replicated({ replicas: 2 })
    class Copies {}
    @Partitioned({ partitions: 3 })
    class Accounts {}
    await boot([Feed, Cache, Copies, Accounts], { nodeName: 'n' });
    expect(await states()).toEqual([
      'Accounts/0 running',
      'Accounts/1 running',
      'Accounts/2 running',
      'Cache@n running',
      'Copies#0 running',
      'Copies#1 running',
      'feed running',
    ]);
    expect(warned).toEqual([]);
  });

  it('waits for one that is slow', async () => {
    const begun = signal();
    const mayGo = signal();
    @Singleton({ name: 'slow' })
    class Slow {
      async onProcessStart(): Promise<void> {
        begun.resolve();
        await mayGo.promise;
      }
    }
    let isUp = false;
    const starting = boot([Slow]).then(() => (isUp = true));
    await begun.promise;
    expect(isUp).toBe(false);
    mayGo.resolve();
    await starting;
    expect(await states()).toEqual(['slow running']);
  });

  it('gives up after startupTimeout, and says what does not run yet', async () => {
    @Singleton({ name: 'hangs' })
    class Hangs {
      onProcessStart(ctx: ProcessContext): Promise<void> {
        return new Promise((resolve) => ctx.signal.addEventListener('abort', () => resolve()));
      }
    }
    await boot([Hangs], { startupTimeout: 60 });
    expect(await states()).toEqual(['hangs starting']);
    expect(warned).toEqual(['The application starts while processes of it are still starting: hangs']);
  });

  it('does not wait with a startupTimeout of 0', async () => {
    @Singleton({ name: 'hangs' })
    class Hangs {
      onProcessStart(ctx: ProcessContext): Promise<void> {
        return new Promise((resolve) => ctx.signal.addEventListener('abort', () => resolve()));
      }
    }
    await boot([Hangs], { startupTimeout: 0 });
    expect(warned).toEqual([]);
    await eventually(async () => (await states())[0] === 'hangs starting');
  });

  it('does not wait for one that crashes, and says so', async () => {
    @Singleton({ name: 'broken' })
    class Broken {
      onProcessStart(): void {
        throw new Error('no database');
      }
    }
    await boot([Broken], { startupTimeout: '1h', processes: { backoff: { base: 10_000 } } });
    expect(await states()).toEqual(['broken backing-off']);
    expect(warned.join('\n')).toContain('The application starts though processes of it have crashed: broken');
    expect(warned.join('\n')).not.toContain('completed');
  });

  it('says of a replica on every node that completes that it did', async () => {
    @Replicated({ name: 'done' })
    class Done {
      onProcessStart(ctx: ProcessContext): void {
        ctx.complete();
      }
    }
    await boot([Done], { nodeName: 'n', processes: { maxRestarts: 0 } });
    await eventually(async () => (await states())[0] === 'done@n escalated');
    const error = 'it completed, and it is to run for ever (restart: "permanent")';
    expect(await app!.get(ProcessManager).list()).toMatchObject([{ error }]);
  });

  it('does not say of one that completes that it crashed; nor does the rest, when it has done so too often', async () => {
    @Singleton({ name: 'done' })
    class Done {
      onProcessStart(ctx: ProcessContext): void {
        ctx.complete();
      }
    }
    const failures: string[] = [];
    const builder = Test.createTestingModule({
      imports: [FoundationModule.forRoot({ processes: { maxRestarts: 0 } })],
      providers: [Done],
    });
    const warn = (line: string): void => void warned.push(line);
    const error = (line: string): void => void failures.push(line);
    app = await builder.setLogger({ log: () => undefined, error, warn }).compile();
    await app.init();
    expect(warned).toEqual([
      'The application starts though processes of it have completed that are to run for ever (restart: "permanent"): done',
    ]);
    expect(await states()).toEqual(['done escalated']);
    const how =
      'Process "done" completed too often and stays down, though it is to run for ever (restart: "permanent")';
    const when = 'when it is "transient" or "temporary", or no longer completes';
    expect(failures).toEqual([expect.stringContaining(`${how}; ${when}, call restart("done")`)]);
    expect(failures[0]).not.toContain('crash');
    expect((await app.get(HealthMonitor).clusterHealth()).reasons).toContainEqual({
      code: 'process-escalated',
      severity: 'critical',
      message: `${how}. Bring it back with restart("done") ${when}.`,
    });
  });

  it('does not wait for a job that is over, nor for what may not run here', async () => {
    @Singleton({ name: 'job', restart: 'transient' })
    class Job {
      onProcessStart(ctx: ProcessContext): void {
        ctx.complete();
      }
    }
    @Singleton({ name: 'elsewhere', placement: { labels: { role: 'gpu' } } })
    class Elsewhere {}
    await boot([Job, Elsewhere], { startupTimeout: '1h' });
    expect(await states()).toEqual(['elsewhere waiting', 'job completed']);
  });
});

describe('FOUNDATION_CLUSTER=off', () => {
  const heard: unknown[] = [];
  @Singleton({ name: 'feed' })
  class Feed {
    @Callable()
    last(): number {
      return 42;
    }
  }
  @Service({ name: 'till' })
  class Till {
    @Callable()
    count(): number {
      return 7;
    }
  }
  @Injectable()
  class Books {
    @Channel('paid', { group: 'books' })
    paid(message: unknown): void {
      heard.push(message);
    }
  }

  it.each<[string, FoundationOptions]>([
    ['cluster: true', { cluster: true }],
    ['a strategy', { cluster: 'gossip' }],
    [
      'strategies of its own',
      { topologies: [{ name: 'mine', start: async () => undefined, stop: async () => undefined }] },
    ],
  ])('runs an application with %s inside one process, with all that it has', async (_what, options) => {
    process.env['FOUNDATION_CLUSTER'] = 'off';
    heard.splice(0);
    const module = await boot([Feed, Till, Books], {
      ...options,
      redis: { url: 'redis://127.0.0.1:1' },
      transport: 'direct',
      channels: { names: { paid: { durable: true } } },
    });
    expect(await (await module.get(ProcessManager).lookupSingleton(Feed))?.remote.last()).toBe(42);
    expect(await module.get(ServiceMesh).call('till', 'count')).toBe(7);
    await module.get(Channels).broadcast('paid', { id: 1 });
    await eventually(() => heard.length === 1, { lastSeen: () => heard });
    expect((await module.get(HealthMonitor).clusterHealth()).status).toBe('healthy');
    expect(module.get(Membership).members()).toHaveLength(1);
    expect(warned.join('\n')).toContain(
      'Not clustered, because FOUNDATION_CLUSTER says so, and the options say otherwise',
    );
  });

  it('says nothing where the options say the same', async () => {
    process.env['FOUNDATION_CLUSTER'] = 'off';
    await boot([Feed], { cluster: false });
    await app?.close();
    await boot([Feed]);
    expect(warned).toEqual([]);
  });
});
