// What waits when its application closes ends then, with what is so; nothing of it keeps the process alive.
import 'reflect-metadata';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Callable,
  CallInterruptedError,
  FoundationModule,
  Membership,
  NotReadyError,
  type OnProcessStart,
  ProcessManager,
  Service,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';

const never = new Promise<never>(() => undefined);

@Singleton({ name: 'feed' })
class Feed {
  @Callable()
  hang(): Promise<void> {
    return never;
  }
}

/** Its start never ends, whatever the signal says. */
class Endless implements OnProcessStart {
  onProcessStart(): Promise<void> {
    return never;
  }
}

@Service({ name: 'desk' })
class Desk {
  @Callable()
  hang(): Promise<void> {
    return never;
  }
}

async function boot(options: Parameters<typeof FoundationModule.forRoot>[0] = {}): Promise<TestingModule> {
  const all = {
    processes: { stopTimeout: 50, timeout: '10m' as const },
    calls: { timeout: '10m' as const },
    ...options,
  };
  const app = await Test.createTestingModule({
    imports: [FoundationModule.forRoot(all)],
    providers: [Feed, Endless, Desk],
  }).compile();
  app.useLogger(false);
  return app.init();
}

/** Of the timers that keep a process alive. */
const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
const errorOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => new Error('it resolved'),
    (error: Error) => error,
  );

beforeEach(() => void Logger.overrideLogger(false));

describe('When an application closes', () => {
  it('each wait ends, and no timer is left', async () => {
    const before = timers();
    const app = await boot();
    const [processes, membership, mesh] = [app.get(ProcessManager), app.get(Membership), app.get(ServiceMesh)];
    const feed = await eventually(() => processes.lookupSingleton(Feed));
    await eventually(async () => (await mesh.discoverServices({ name: 'desk' })).length === 1);
    const ended = {
      ready: errorOf(membership.whenReady({ minNodes: 2, timeout: '10m' })),
      start: errorOf(processes.startSingleton(Endless)),
      stranger: errorOf(processes.startSingleton(Feed, [], { name: 'nowhere', placement: { labels: { role: 'no' } } })),
      call: errorOf(feed.call('hang')),
      service: errorOf(mesh.call('desk', 'hang')),
      watch: (async () => {
        for await (const change of mesh.watch({ name: 'nothing' })) return change;
        return 'ended';
      })(),
    };
    await app.close();
    expect(await ended.ready).toBeInstanceOf(NotReadyError);
    expect(await ended.start).toMatchObject({ code: expect.stringMatching(/^FOUNDATION_(NOT_READY|PROCESS_)/) });
    expect(await ended.stranger).toBeInstanceOf(NotReadyError);
    for (const call of [ended.call, ended.service]) expect(await call).toBeInstanceOf(CallInterruptedError);
    expect(await ended.watch).toBe('ended');
    await eventually(() => timers() <= before, { what: 'No timer left', lastSeen: timers });
  });

  it('what is begun after that is refused at once', async () => {
    const app = await boot();
    const [processes, membership] = [app.get(ProcessManager), app.get(Membership)];
    const feed = await eventually(() => processes.lookupSingleton(Feed));
    await app.close();
    for (const late of [
      () => membership.whenReady({ timeout: '10m' }),
      () => feed.call('hang'),
      () => feed.cast('hang'),
      () => processes.startSingleton(Endless),
      () => processes.stop('feed'),
      () => processes.restart('feed'),
    ]) {
      const error = await errorOf(late());
      expect([late.toString(), error.name]).toEqual([late.toString(), 'NotReadyError']);
    }
  });

  it('that never reached Redis, nothing tries on', async () => {
    const before = timers();
    const app = await boot({ cluster: true, redis: 'redis://127.0.0.1:1', appName: 'closing' });
    const ready = errorOf(app.get(Membership).whenReady({ timeout: '10m' }));
    const start = errorOf(app.get(ProcessManager).startSingleton(Endless));
    await app.close();
    expect(await ready).toBeInstanceOf(NotReadyError);
    expect(await start).toBeInstanceOf(NotReadyError);
    await eventually(() => timers() <= before, { what: 'No timer left', lastSeen: timers });
  });
});
