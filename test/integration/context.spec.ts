// What an application has travel with its messages and calls, between two nodes on real Redis and on one alone; and
// that a handler is part of nothing that happened to run when its message came.
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { type ExecutionContext, Injectable, UseGuards } from '@nestjs/common';
import { ClsService, ClsServiceManager } from 'nestjs-cls';
import {
  Callable,
  Channel,
  Channels,
  type ContextOptions,
  type MessageMeta,
  ProcessManager,
  ServiceMesh,
  Singleton,
  switchToFoundation,
} from 'nestjs-foundation';
import { headsOf } from '../../libs/foundation/src/channels/envelope.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, formed, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;
onOwnRedis((ground) => ({ server, appName, keys } = ground));

interface Store {
  tenant?: string | undefined;
  own?: string;
}
const STORE = new AsyncLocalStorage<Store>();
const CONTEXT: ContextOptions = {
  capture: () => ({ tenant: STORE.getStore()?.tenant }),
  run: ({ tenant }, handler) => STORE.run({ tenant }, handler),
};

/** What each place saw. */
let seen: unknown[] = [];

@Injectable()
class Tenants {
  canActivate(context: ExecutionContext): boolean {
    const host = switchToFoundation(context);
    const { context: values } = host.kind === 'call' ? host : host.meta;
    seen.push({ guard: { ...values }, store: STORE.getStore()?.tenant });
    return true;
  }
}

@Singleton({ name: 'till' })
class Till {
  onProcessStart(): void {
    seen.push({ started: STORE.getStore() });
  }
  @Callable()
  @UseGuards(Tenants)
  async pay(): Promise<unknown> {
    await new Promise((done) => setImmediate(done));
    return STORE.getStore();
  }
}

@Injectable()
class Listener {
  @Channel('events')
  onEvent(message: unknown, meta: MessageMeta): void {
    seen.push({ message, context: { ...meta.context }, store: STORE.getStore() });
  }
  @Channel('orders', { group: 'g' })
  onOrder(message: unknown, meta: MessageMeta): void {
    this.onEvent(message, meta);
  }
}

const channels = { names: { orders: { durable: true } } };
const node = (context?: ContextOptions, providers: Parameters<typeof boot>[2] = []): Promise<Booted> =>
  boot(server.url, appName, providers, { channels, ...(context === undefined ? {} : { context }) });
const pay = async ({ app }: Booted): Promise<unknown> => {
  const ref = await eventually(() => app.get(ProcessManager).lookupSingleton('till'));
  return ref.call('pay');
};
const within = <T>(tenant: string, work: () => T): T => STORE.run({ tenant, own: 'of the sender' }, work);

describe('values of the context', () => {
  it('travel with calls and messages to another node, and nothing else does', async () => {
    seen = [];
    const here = await node(CONTEXT);
    const there = await node(CONTEXT, [Till, Listener]);
    await formed(here, there);
    expect(await within('acme', () => pay(here))).toEqual({ tenant: 'acme' });
    expect(seen).toEqual([{ started: undefined }, { guard: { tenant: 'acme' }, store: 'acme' }]);
    expect(await pay(here)).toEqual({});

    seen = [];
    const { app } = here;
    await within('acme', () => app.get(Channels).broadcast('events', 1, { timeout: 20_000 }));
    await within('other', () => app.get(Channels).broadcast('orders', 2));
    await eventually(() => seen.length === 2, { lastSeen: () => seen });
    expect(seen).toEqual([
      { message: 1, context: { tenant: 'acme' }, store: { tenant: 'acme' } },
      { message: 2, context: { tenant: 'other' }, store: { tenant: 'other' } },
    ]);
  });

  it('travel on one node as between two', async () => {
    seen = [];
    const here = await node(CONTEXT, [Till, Listener]);
    expect(await within('acme', () => pay(here))).toEqual({ tenant: 'acme' });
    seen = [];
    await within('acme', () => here.app.get(Channels).broadcast('events', 1, { timeout: 20_000 }));
    expect(seen).toEqual([{ message: 1, context: { tenant: 'acme' }, store: { tenant: 'acme' } }]);
  });

  it('travel with messages that a process hears', async () => {
    seen = [];
    @Singleton({ name: 'hearing' })
    class Hearing extends Listener {}
    const here = await node(CONTEXT, [Hearing]);
    await eventually(() => here.app.get(ProcessManager).lookupSingleton('hearing'));
    await within('acme', () => here.app.get(Channels).broadcast('events', 1, { timeout: 20_000 }));
    await within('other', () => here.app.get(Channels).broadcast('orders', 2));
    await eventually(() => seen.length === 2, { lastSeen: () => seen });
    expect(seen).toEqual([
      { message: 1, context: { tenant: 'acme' }, store: { tenant: 'acme' } },
      { message: 2, context: { tenant: 'other' }, store: { tenant: 'other' } },
    ]);
  });

  it('travel with calls of services, and with casts', async () => {
    const here = await node(CONTEXT, [Till]);
    const ref = await eventually(() => here.app.get(ProcessManager).lookupSingleton('till'));
    await here.app.get(ServiceMesh).registerService('till', ref);
    expect(await within('acme', () => here.app.get(ServiceMesh).call('till', 'pay'))).toEqual({ tenant: 'acme' });
    seen = [];
    await within('acme', () => ref.cast('pay'));
    await eventually(() => seen.length === 1, { lastSeen: () => seen });
    expect(seen).toEqual([{ guard: { tenant: 'acme' }, store: 'acme' }]);
  });

  it('that are too much fail the sender, and nothing is sent', async () => {
    seen = [];
    const here = await node({ ...CONTEXT, capture: () => ({ tenant: 'x'.repeat(5000) }) }, [Till, Listener]);
    await expect(here.app.get(Channels).broadcast('events', 1)).rejects.toThrow('"context.capture"');
    await expect(pay(here)).rejects.toThrow('"context.capture"');
    // What Foundation itself sends has none.
    await here.app.get(ProcessManager).drain();
    expect(seen).toEqual([{ started: undefined }]);
  });

  it('come from a node without them, or from a stranger, as nothing that harms', async () => {
    seen = [];
    const plain = await node();
    const there = await node(CONTEXT, [Listener]);
    await formed(plain, there);
    await plain.app.get(Channels).broadcast('events', 1, { timeout: 20_000 });
    const { head } = headsOf('stranger', 'boot-of-a-stranger');
    const line = `[${head('normal', 1, Date.now())},{"c":{"tenant":5,"__proto__":"x"},"b":2},{"c":"x","b":3}]`;
    await server.cli('PUBLISH', keys.channel('events'), line);
    await eventually(() => seen.length === 3, { lastSeen: () => seen });
    expect(seen).toEqual([1, 2, 3].map((message) => expect.objectContaining({ message, store: {} })));
  });
});

describe('without the option', () => {
  it('a handler has a context of its own, on the node of the sender as well', async () => {
    seen = [];
    const here = await node(undefined, [Till, Listener]);
    expect(await within('acme', () => pay(here))).toBeUndefined();
    await within('acme', () => here.app.get(Channels).broadcast('events', 1, { timeout: 20_000 }));
    await within('acme', () => here.app.get(Channels).broadcast('orders', 2));
    await eventually(() => seen.length === 4, { lastSeen: () => seen });
    expect(seen.map((each) => (each as { store?: unknown }).store)).toEqual(Array(4).fill(undefined));
  });

  it('a process that a request starts is no part of the request', async () => {
    seen = [];
    @Injectable()
    class Late {
      onProcessStart(): void {
        seen.push({ started: STORE.getStore() });
      }
    }
    const { app } = await node(undefined, [Late]);
    await within('acme', () => app.get(ProcessManager).startSingleton(Late));
    expect(seen).toEqual([{ started: undefined }]);
  });

  it('what a handler enters does not stay for the next message', async () => {
    seen = [];
    @Injectable()
    class Entering {
      @Channel('events')
      onEvent(message: string): void {
        seen.push([message, STORE.getStore()?.tenant]);
        STORE.enterWith({ tenant: message });
      }
    }
    const here = await node(undefined, [Entering]);
    const { app } = here;
    await Promise.all(['a', 'b', 'c'].map((each) => app.get(Channels).broadcast('events', each, { timeout: 20_000 })));
    expect(seen).toEqual([
      ['a', undefined],
      ['b', undefined],
      ['c', undefined],
    ]);
  });
});

describe('nestjs-cls', () => {
  it('has its store in handlers and methods, filled by the hook', async () => {
    seen = [];
    @Singleton({ name: 'reader' })
    class Reader {
      constructor(private readonly cls: ClsService) {}
      @Callable()
      who(): unknown {
        return [this.cls.isActive(), this.cls.get('user')];
      }
    }
    const cls = ClsServiceManager.getClsService();
    const { app } = await boot(server.url, appName, [Reader, { provide: ClsService, useValue: cls }], {
      context: {
        capture: () => ({ user: cls.isActive() ? cls.get<string>('user') : undefined }),
        run: (values, handler) =>
          cls.run(() => {
            cls.set('user', values['user']);
            return handler();
          }),
      },
    });
    const ref = await eventually(() => app.get(ProcessManager).lookupSingleton('reader'));
    const answer = await cls.run(() => {
      cls.set('user', 'ada');
      return ref.call('who');
    });
    expect(answer).toEqual([true, 'ada']);
    expect(await ref.call('who')).toEqual([true, null]);
  });
});
