// What happens when in the life of an application: what is under way when it ends still has the cluster.
import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate as immediate } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import {
  type BeforeApplicationShutdown,
  Controller,
  Get,
  type INestApplication,
  type INestApplicationContext,
  Inject,
  Injectable,
  Module,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  Callable,
  Channel,
  Channels,
  CronJobs,
  FoundationModule,
  Journal,
  Membership,
  ProcessManager,
  Service,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import { FoundationLockStore } from 'nestjs-foundation/locks';
import { describe as describeError } from '../../libs/foundation/src/errors/describe.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { Early } from '../support/early.js';
import { boot, type Booted, CapturedLog, closeLater, LEASE, MEMBERSHIP, onOwnRedis } from './fixture.js';

let url: string;
let appName: string;
onOwnRedis(
  (ground) =>
    ({
      server: { url },
      appName,
    } = ground),
);

const channels = { names: { said: {}, paid: { durable: true } } };

@Singleton({ name: 'ledger', placement: { labels: { books: 'yes' } } })
class Ledger {
  @Callable()
  balance(): number {
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
class Listener {
  readonly heard: unknown[] = [];

  @Channel('said')
  said(message: unknown): void {
    this.heard.push(message);
  }

  @Channel('paid', { group: 'books' })
  paid(message: unknown): void {
    this.heard.push(message);
  }
}

/** Does all that an application does with the cluster. */
@Injectable()
class Clerk {
  constructor(
    @Inject(Channels) private readonly channels: Channels,
    @Inject(ProcessManager) private readonly processes: ProcessManager,
    @Inject(ServiceMesh) private readonly mesh: ServiceMesh,
  ) {}

  async work(from: string): Promise<unknown[]> {
    await this.channels.broadcast('said', from);
    await this.channels.broadcast('paid', from);
    const ledger = await this.processes.lookupSingleton(Ledger);
    return [await ledger?.call('balance'), await this.mesh.call('till', 'count')];
  }
}

const gates: { opened: Promise<void>; open: () => void; entered: boolean }[] = [];

@Controller()
class Pages {
  constructor(@Inject(Clerk) private readonly clerk: Clerk) {}

  @Get('slow')
  async slow(): Promise<unknown> {
    const [gate] = gates;
    gate!.entered = true;
    await gate!.opened;
    return this.clerk.work('request');
  }
}

const outcomes = new Map<string, unknown>();

@Injectable()
class Hooks implements OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(@Inject(Clerk) private readonly clerk: Clerk) {}
  onModuleDestroy = (): Promise<void> => this.#work('destroy');
  beforeApplicationShutdown = (): Promise<void> => this.#work('before-shutdown');
  onApplicationShutdown = (): Promise<void> => this.#work('shutdown');

  async #work(hook: string): Promise<void> {
    outcomes.set(hook, await this.clerk.work(hook).catch((error: unknown) => error));
  }
}

async function web(): Promise<INestApplication> {
  @Module({
    imports: [
      FoundationModule.forRoot({
        ...{ cluster: true, redis: url, appName, nodeName: 'web', channels, lease: LEASE, membership: MEMBERSHIP },
      }),
    ],
    controllers: [Pages],
    providers: [Clerk, Hooks],
  })
  class AppModule {}
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  const app = module.createNestApplication();
  closeLater(() => app.close());
  await app.listen(0, '127.0.0.1');
  return app;
}

async function books(): Promise<Booted> {
  return boot(url, appName, [Ledger, Till, Listener], {
    ...{ nodeName: 'books', channels, labels: { books: 'yes' } },
  });
}

const membersOf = ({ app }: Booted): string[] =>
  app
    .get(Membership)
    .members()
    .map(({ name, state }) => `${name} ${state}`);

describe('An application that ends', () => {
  it('has the cluster until its last request is answered and every hook has run', async () => {
    const node = await books();
    const app = await web();
    await eventually(() => membersOf(node).length === 2, { lastSeen: () => membersOf(node) });
    const processes = node.app.get(ProcessManager);
    await eventually(async () => (await processes.list()).every(({ state }) => state === 'running'));

    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    gates.splice(0, gates.length, { opened, open, entered: false });
    const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
    const asked = request({ host: '127.0.0.1', port, path: '/slow', agent: false }).end();
    const answered = once(asked, 'response');
    await eventually(() => gates[0]!.entered);

    const closed = app.close();
    await eventually(() => outcomes.has('before-shutdown'), { lastSeen: () => [...outcomes] });
    expect(membersOf(node)).toEqual(['books up', 'web draining']);
    open();
    const [response] = (await answered) as [import('node:http').IncomingMessage];
    expect(JSON.parse(await text(response))).toEqual([42, 7]);
    await closed;

    const all = ['destroy', 'before-shutdown', 'shutdown'];
    expect(all.map((hook) => outcomes.get(hook))).toEqual(all.map(() => [42, 7]));
    const { heard } = node.app.get(Listener);
    const expected = [...all, 'request'].flatMap((from) => [from, from]).sort();
    await eventually(() => heard.length >= expected.length, { lastSeen: () => heard });
    expect([...heard].sort()).toEqual(expected);
    await eventually(() => membersOf(node).length === 1, { lastSeen: () => membersOf(node) });
    await eventually(() => node.of('cluster.node_left').length > 0);
    expect(node.of('cluster.node_left')).toEqual([expect.objectContaining({ node: 'web', reason: 'shutdown' })]);
  });
});

describe('An application that has ended', () => {
  it.each(['redis', 'direct'] as const)(
    'hears from whatever it asks that its node has left (%s)',
    async (transport) => {
      const here = [Ledger, Till, Listener, FoundationLockStore];
      const { app } = await boot(url, appName, here, {
        channels,
        transport,
        security: { cookie: 'of all nodes of these books' },
        labels: { books: 'yes' },
      });
      const [said, processes, mesh] = [app.get(Channels), app.get(ProcessManager), app.get(ServiceMesh)] as const;
      const store = app.get(FoundationLockStore);
      const journal = app.get(Journal);
      await eventually(() => processes.lookupSingleton(Ledger).then((found) => found !== undefined));
      await app.close();
      const asked: Record<string, () => Promise<unknown>> = {
        broadcast: () => said.broadcast('said', 1),
        'broadcast to a durable channel': () => said.broadcast('paid', 1),
        subscribe: () => said.subscribe('said', () => undefined),
        'subscribe to a durable channel': () => said.subscribe('paid', () => undefined, { group: 'late' }),
        replay: () => said.replay('paid', () => undefined, { from: '0' }),
        acquire: () => store.acquire('k', 'o', 1000),
        renew: () => store.renew('k', 'o', 1000),
        release: () => store.release('k', 'o'),
        list: () => processes.list(),
        start: () => processes.startSingleton(Ledger, [], { name: 'late' }),
        call: () => processes.all(Ledger).call('balance'),
        service: () => mesh.call('till', 'count'),
        register: () => mesh.registerService('late', new Till()),
        journal: () => journal.read(),
        follow: () => journal.follow().next(),
        cron: () => app.get(CronJobs).list(),
      };
      const heard = await Promise.all(
        Object.entries(asked).map(
          async ([name, ask]) => [name, await ask().then(() => 'done', describeError)] as const,
        ),
      );
      const expected = Object.keys(asked).map((name) => [
        name,
        expect.stringMatching(/^Node ".*" has left the cluster/),
      ]);
      expect(heard).toEqual(expected);
    },
  );

  it('blames no Redis when it ends while it starts', async () => {
    const log = new CapturedLog();
    const silent = createServer((socket) => socket.resume().on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    closeLater(() => new Promise<void>((resolve) => silent.close(() => resolve())));
    let tell = (): void => undefined;
    const initialised = new Promise<void>((resolve) => (tell = resolve));
    const last = { provide: 'LAST', useValue: { onModuleInit: () => tell() } };
    const { port } = silent.address() as AddressInfo;
    const foundation = FoundationModule.forRoot({ cluster: true, redis: `redis://127.0.0.1:${port}`, appName });
    const module = await Test.createTestingModule({ imports: [foundation], providers: [last] })
      .setLogger(log)
      .compile();
    // A context alone waits in close() until it has started.
    const app = module.createNestApplication();
    const started = app.init();
    await initialised;
    // The hooks of the bootstrap come in the same turn, and wait for Redis.
    await immediate();
    await app.close();
    await started;
    expect(log.lines.filter((line) => line.includes('Could not join'))).toEqual([]);
  });
});

describe('Two applications of one process', () => {
  it('are two nodes when nobody names them', async () => {
    const apps: INestApplicationContext[] = [];
    for (let index = 0; index < 2; index++) {
      const foundation = FoundationModule.forRoot({
        ...{ cluster: true, redis: url, appName, lease: LEASE, membership: MEMBERSHIP },
      });
      const app = await Test.createTestingModule({ imports: [foundation] }).compile();
      closeLater(() => app.close());
      apps.push(await app.init());
    }
    const sees = () =>
      apps.map((app) =>
        app
          .get(Membership)
          .members()
          .map(({ name }) => name),
      );
    await eventually(() => sees().every((names) => names.length === 2), { lastSeen: sees });
  });
});

describe('a hook that comes too early', () => {
  it('is told at once that the cluster comes after onModuleInit, whatever it asks for', async () => {
    const { app: module } = await boot(url, appName, [Early, Listener], { channels });
    const early = module.get(Early);
    expect(early.said).toEqual(Array<string>(8).fill('FOUNDATION_NOT_READY'));
    expect(early.tookMs).toBeLessThan(2000);
    await module.get(Channels).broadcast('said', 'in time');
  });
});
