// What happens when in the life of an application: what is under way when it ends still has the cluster.
import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { text } from 'node:stream/consumers';
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
  FoundationModule,
  Membership,
  ProcessManager,
  Service,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { Early } from '../support/early.js';
import { boot, type Booted, closeLater, LEASE, MEMBERSHIP, onOwnRedis } from './fixture.js';

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
