// Every public asynchronous method, on a node that is cut off from Redis: each settles in its time.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  Callable,
  Channels,
  FoundationError,
  HealthMonitor,
  Membership,
  Partitioned,
  type ProcessContext,
  ProcessManager,
  Replicated,
  ServiceMesh,
  Singleton,
} from 'nestjs-foundation';
import { TcpProxy } from 'nestjs-foundation/testing';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, closeLater, formed, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
onOwnRedis((ground) => ({ server, appName } = ground));

const contexts = new Map<string, ProcessContext>();

@Singleton({ name: 'held' })
class Held {
  onProcessStart(ctx: ProcessContext): void {
    contexts.set(ctx.node, ctx);
  }
  @Callable()
  ping(): string {
    return 'pong';
  }
}
@Replicated({ name: 'everywhere' })
class Everywhere {}
@Partitioned({ name: 'parts', partitions: 2 })
class Parts {}
@Injectable()
class Other {}

/** A safety limit: the longest of the times below is that of a start, which waits for ten seconds beside its own. */
const IN_TIME_MS = 30_000;
const options = {
  calls: { timeout: 1000 },
  processes: { timeout: 500, stopTimeout: 500 },
  channels: { names: { kept: { durable: {} } } },
  shutdownTimeout: 1000,
} as const;

let proxies: TcpProxy[] = [];
afterEach(() => {
  // So that closing needs no patience.
  for (const proxy of proxies) proxy.mode = 'ok';
  proxies = [];
});

async function victim(transport: 'redis' | 'direct'): Promise<{ node: Booted; proxy: TcpProxy }> {
  const providers = [Held, Everywhere, Parts, Other];
  const security = { cookie: 'cookie-of-these-nodes-0123456789' };
  const given = { ...options, transport, security };
  const proxy = await TcpProxy.open(server.port);
  closeLater(() => proxy.close());
  proxies.push(proxy);
  const node = await boot(server.urlAt(proxy.port), appName, providers, { ...given, nodeName: 'victim' });
  const witness = await boot(server.url, appName, providers, { ...given, nodeName: 'witness' });
  await formed(node, witness);
  for (const name of ['held', 'parts/0', 'parts/1']) {
    await eventually(() => node.app.get(ProcessManager).lookupSingleton(name), { what: `${name} to run` });
  }
  return { node, proxy };
}

type Work = (node: Booted) => Promise<unknown>;
const processes = ({ app }: Booted): ProcessManager => app.get(ProcessManager);
const channels = ({ app }: Booted): Channels => app.get(Channels);
const mesh = ({ app }: Booted): ServiceMesh => app.get(ServiceMesh);
const none = (): void => undefined;

const WORKS: Record<string, Work> = {
  startSingleton: (node) => processes(node).startSingleton(Other, [], { name: 'new' }),
  startReplicated: (node) => processes(node).startReplicated(Other, [], { name: 'new-everywhere' }),
  startPartitioned: (node) => processes(node).startPartitioned(Other, [], { name: 'new-parts', partitions: 2 }),
  lookupSingleton: (node) => processes(node).lookupSingleton('held'),
  list: (node) => processes(node).list(),
  stop: (node) => processes(node).stop('held'),
  restart: (node) => processes(node).restart('held'),
  move: (node) => processes(node).move('held', 'witness'),
  forget: (node) => processes(node).forget('held'),
  'drain another': (node) => processes(node).drain({ node: 'witness', timeout: 1000 }),
  call: (node) => processes(node).lookupPartitioned('parts')!.for('a').call('ping'),
  cast: (node) => processes(node).lookupPartitioned('parts')!.for('a').cast('ping'),
  broadcast: (node) => channels(node).broadcast('events', 1),
  'broadcast with a timeout': (node) => channels(node).broadcast('events', 1, { timeout: 1000 }),
  'broadcast durable': (node) => channels(node).broadcast('kept', 1),
  subscribe: (node) => channels(node).subscribe('data', none),
  'subscribe again': async (node) => {
    await channels(node).subscribe('telemetry', none);
    return channels(node).subscribe('telemetry', none);
  },
  'subscribe and unsubscribe': async (node) => (await channels(node).subscribe('control', none)).unsubscribe(),
  'subscribe in a group': (node) => channels(node).subscribe('data', none, { group: 'g' }),
  'subscribe durable': (node) => channels(node).subscribe('kept', none, { group: 'g' }),
  replay: (node) => channels(node).replay('kept', none, { from: new Date(0) }),
  routeMessage: (node) => channels(node).routeMessage({ some: 'thing' }),
  registerService: (node) => mesh(node).registerService('s', new Held()),
  deregisterService: (node) => mesh(node).deregisterService('s'),
  discoverServices: (node) => mesh(node).discoverServices({}),
  'call of a service': (node) => mesh(node).call('s', 'ping'),
  whenReady: ({ app }) => app.get(Membership).whenReady({ timeout: 1000 }),
  clusterHealth: ({ app }) => app.get(HealthMonitor).clusterHealth(),
  'fenced.set': async () => contexts.get('victim')?.fenced.set('key', 'value'),
  'fenced.delete': async () => contexts.get('victim')?.fenced.delete('key'),
};

describe.each([
  ['cut', 'redis'],
  ['cut', 'direct'],
  ['blackhole', 'redis'],
  ['blackhole', 'direct'],
] as const)('a node whose connections to Redis are all %s, with the transport %s', (mode, transport) => {
  it('settles every call in its time, with an error of ours where there is one', async () => {
    const { node, proxy } = await victim(transport);
    proxy.mode = mode;
    const settled = new Map<string, string>();
    const all = Object.entries(WORKS).map(async ([name, work]) => {
      const outcome = await work(node).then(
        () => 'ok',
        (error: unknown) => (error instanceof FoundationError ? error.code : `foreign: ${String(error)}`),
      );
      settled.set(name, outcome);
    });
    const open = (): string[] => Object.keys(WORKS).filter((name) => !settled.has(name));
    await eventually(() => open().length === 0, { timeout: IN_TIME_MS, what: 'Every call to settle', lastSeen: open });
    await Promise.all(all);
    expect([...settled].filter(([, outcome]) => outcome.startsWith('foreign'))).toEqual([]);
    // What was subscribed in the cut hears when it is over.
    let heard = 0;
    await channels(node).subscribe('telemetry', () => void (heard += 1));
    proxy.mode = 'ok';
    const say = async (): Promise<boolean> => {
      await channels(node).broadcast('telemetry', 'again').catch(none);
      return heard > 0;
    };
    await eventually(say, { timeout: IN_TIME_MS, every: 100, what: 'The handler to hear' });
  }, 60_000);
});
