// Durable channels: at least once, on Redis Streams, and the same API without a cluster.
import { describe, expect, it } from '@jest/globals';
import { IsInt } from 'class-validator';
import { Redis } from 'ioredis';
import {
  ArgumentError,
  Channel,
  Channels,
  type FoundationOptions,
  Membership,
  type MessageHandler,
  type MessageMeta,
  RedisUnavailableError,
  type SubscribeOptions,
} from 'nestjs-foundation';
import { TcpProxy } from 'nestjs-foundation/testing';
import { RedisStreams } from '../../libs/foundation/src/backend/streams/redis.streams.js';
import { createSigner } from '../../libs/foundation/src/security/signer.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { secret } from '../support/secrets.js';
import { boot, type Booted, type CapturedLog, closeLater, onOwnRedis, settle } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;
let log: CapturedLog;

onOwnRedis((ground) => ({ server, appName, keys, log } = ground));

const orders = { retryAfter: 200, maxDeliveries: 3 };
const bootNode = (options: FoundationOptions = {}, providers: Parameters<typeof boot>[2] = []) =>
  boot(options.redis ?? server.url, appName, providers, {
    channels: { names: { orders: { durable: orders } } },
    ...options,
  });
const channelsOf = ({ app }: Booted) => app.get(Channels);
const send = (node: Booted, message: unknown, options?: Parameters<Channels['broadcast']>[2]) =>
  channelsOf(node).broadcast('orders', message, options);
const subscribe = (node: Booted, handler: MessageHandler, options: SubscribeOptions = {}) =>
  channelsOf(node).subscribe('orders', handler, { group: 'billing', from: '0', ...options });
/** Messages, the first ones of which were delivered to a consumer that is gone; with the id of the first. */
async function givenToTheDead(node: Booted, messages: readonly unknown[], count = messages.length) {
  const client = new Redis(server.adminUrl);
  closeLater(() => Promise.resolve(client.disconnect()));
  const stream = keys.stream('orders');
  await client.xgroup('CREATE', stream, 'billing', '$', 'MKSTREAM');
  for (const message of messages) await send(node, message);
  const read = ['XREADGROUP', 'GROUP', 'billing', 'dead', 'COUNT', count, 'STREAMS', stream, '>'];
  await client.call(...(read as unknown as [string]));
  const [[id]] = (await client.xpending(stream, 'billing', '-', '+', 1)) as [[string]];
  return { client, id };
}
const pending = async (group = 'billing') =>
  Number((await server.cli('XPENDING', keys.stream('orders'), group)).split('\n')[0]);

describe.each<[string, FoundationOptions]>([
  ['inside one process', { cluster: false }],
  ['over Redis', {}],
  ['over Redis, signed', { security: { cookie: secret('the cookie of the durable channels') } }],
])('%s', (_where, options) => {
  it('what was kept is handled in order, by each group once', async () => {
    const node = await bootNode(options);
    for (let message = 0; message < 100; message++) await send(node, message);
    const seen: Record<string, unknown[]> = { billing: [], shipping: [] };
    for (const group of ['billing', 'shipping']) {
      await subscribe(node, (message) => void seen[group]!.push(message), { group });
    }
    await eventually(() => Object.values(seen).every(({ length }) => length === 100));
    const all = Array.from({ length: 100 }, (_, index) => index);
    expect(seen).toEqual({ billing: all, shipping: all });
  });

  it('the members of a group share the messages', async () => {
    const node = await bootNode(options);
    const seen: unknown[][] = [[], []];
    for (const list of seen) {
      await subscribe(node, async (message) => {
        await new Promise((resolve) => setImmediate(resolve));
        list.push(message);
      });
    }
    await Promise.all(Array.from({ length: 200 }, (_, index) => send(node, index)));
    await eventually(() => seen.flat().length >= 200);
    expect(seen.flat().sort((x, y) => Number(x) - Number(y))).toEqual(Array.from({ length: 200 }, (_, index) => index));
  });

  it('a message whose handler fails comes again, then becomes a dead letter', async () => {
    const node = await bootNode(options);
    const metas: MessageMeta[] = [];
    const subscription = await subscribe(node, (message, meta) => {
      if (message === 'fine') return;
      metas.push({ ...meta });
      throw new Error('no such customer');
    });
    await send(node, 'poison');
    await send(node, 'fine');
    await eventually(() => node.of('message.dead_letter').length === 1);
    expect(metas.map(({ deliveries }) => deliveries)).toEqual([1, 2, 3]);
    expect(new Set(metas.map(({ id }) => id)).size).toBe(1);
    expect(node.of('message.dead_letter')).toEqual([
      {
        channel: 'orders',
        group: 'billing',
        id: metas[0]!.id,
        deliveries: 3,
        reason: 'handler-failed',
        error: 'no such customer',
      },
    ]);
    expect(subscription.counters).toMatchObject({ received: 4, failed: 3, dropped: { 'dead-letter': 1 }, waiting: 0 });
  });

  it('a group begins where it is told to', async () => {
    const node = await bootNode(options);
    await send(node, 1);
    const [meta] = await replayed(node);
    await eventually(() => Date.now() > meta!.sentAt + 1);
    const between = new Date();
    await send(node, 2);
    const seen: Record<string, unknown[]> = { all: [], later: [], time: [], id: [] };
    const from: Record<string, string | Date | undefined> = { all: '0', later: undefined, time: between, id: meta!.id };
    for (const group of Object.keys(seen)) {
      await subscribe(node, (message) => void seen[group]!.push(message), { group, from: from[group] });
    }
    await send(node, 3);
    await eventually(() => Object.values(seen).every((list) => list.at(-1) === 3));
    expect(seen).toEqual({ all: [1, 2, 3], later: [3], time: [2, 3], id: [2, 3] });
  });

  async function replayed(node: Booted, more: Partial<Parameters<Channels['replay']>[2]> = {}) {
    const metas: (MessageMeta & { message?: unknown })[] = [];
    const keep: MessageHandler = (message, meta) => void metas.push({ ...meta, message });
    const count = await channelsOf(node).replay('orders', keep, { from: '0', ...more });
    expect(count).toBe(metas.length);
    return metas;
  }

  it('what is kept can be replayed, from an id or a time, by type', async () => {
    const node = await bootNode(options);
    for (let message = 0; message < 250; message++) {
      await send(node, message, { type: message % 50 === 0 ? 'round' : 'other' });
    }
    const all = await replayed(node);
    expect(all.map(({ message }) => message)).toEqual(Array.from({ length: 250 }, (_, index) => index));
    const { id, sentAt } = all[240]!;
    expect((await replayed(node, { from: id! })).map(({ message }) => message)).toEqual(
      Array.from({ length: 10 }, (_, index) => 240 + index),
    );
    expect((await replayed(node, { to: id! })).length).toBe(241);
    expect((await replayed(node, { from: new Date(sentAt + 3_600_000) })).length).toBe(0);
    expect((await replayed(node, { type: 'round' })).length).toBe(5);
    const failing = channelsOf(node).replay('orders', () => Promise.reject(new Error('stop')), { from: '0' });
    await expect(failing).rejects.toThrow('stop');
  });

  it('is trimmed by length, and what was lost by that is told', async () => {
    const channels = { names: { orders: { durable: { ...orders, maxLength: 10 } } } };
    const node = await bootNode({ ...options, channels });
    const first = await subscribe(node, () => undefined, { from: '$' });
    await send(node, 'first');
    await eventually(() => first.received === 1);
    await first.unsubscribe();
    for (let message = 0; message < 500; message++) await send(node, message);
    const kept = (await replayed(node)).length;
    expect(kept).toBeLessThan(300);
    const seen: unknown[] = [];
    const second = await subscribe(node, (message) => void seen.push(message));
    await eventually(() => seen.at(-1) === 499);
    expect(seen).toHaveLength(kept);
    expect(second.counters.missed).toBe(500 - kept);
    expect(node.of('message.dropped')).toContainEqual({
      channel: 'orders',
      reason: 'trimmed',
      count: 500 - kept,
    });
  });

  it.each([
    ['that has handled some', 1],
    ['that has handled none', 0],
  ])('what is trimmed while a group %s is busy is told once, and the rest is handled', async (_which, handled) => {
    const channels = { names: { orders: { durable: { ...orders, maxLength: 10 } } } };
    const node = await bootNode({ ...options, channels });
    const seen: unknown[] = [];
    let end!: () => void;
    const gate = new Promise<void>((resolve) => (end = resolve));
    const handler: MessageHandler = async (message) => {
      seen.push(message);
      if (message !== 'first') await gate;
    };
    const members = [await subscribe(node, handler, { from: '$' }), await subscribe(node, handler, { from: '$' })];
    for (let each = 0; each < handled; each++) await send(node, 'first');
    await eventually(() => seen.length === handled);
    for (const busy of [1, 2]) {
      await send(node, 'busy');
      await eventually(() => seen.length === handled + busy);
    }
    for (let message = 0; message < 600; message++) await send(node, message);
    end();
    await eventually(() => seen.at(-1) === 599 || seen.includes(599));
    const lost = 600 - (seen.length - handled - 2);
    expect(lost).toBeGreaterThan(200);
    const missed = (more: typeof members = []) =>
      [...members, ...more].reduce((sum, { counters }) => sum + counters.missed, 0);
    await eventually(() => missed() === lost, { lastSeen: () => ({ missed: missed(), lost }) });
    const late = [await subscribe(node, handler), await subscribe(node, handler)];
    await send(node, 'last');
    await eventually(() => seen.includes('last'));
    expect(missed(late)).toBe(lost);
  });

  it('compression and payloads work; what does not pass becomes a dead letter at once', async () => {
    class Order {
      @IsInt() id!: number;
      note?: string;
    }
    const node = await bootNode(options);
    const seen: Order[] = [];
    const subscription = await subscribe(node, (order) => void seen.push(order as Order), { payload: Order });
    const note = 'word '.repeat(2000);
    await Promise.all([
      send(node, { id: 1 }),
      send(node, { id: 2, note }, { compression: true }),
      send(node, { id: 'x' }),
      send(node, { id: 3 }),
    ]);
    await eventually(() => seen.length === 3 && node.of('message.dead_letter').length === 1);
    expect(seen).toEqual([{ id: 1 }, { id: 2, note }, { id: 3 }]);
    expect(seen[1]).toBeInstanceOf(Order);
    expect(subscription.counters).toMatchObject({ invalid: 1, failed: 0 });
    expect(node.of('message.dead_letter')[0]).toMatchObject({
      reason: 'invalid-payload',
      error: expect.stringMatching(/^Order: id: /),
    });
  });

  it('handlers of one group for different types each get theirs', async () => {
    const heard: string[] = [];
    class Billing {
      @Channel('orders', { group: 'billing', type: 'placed', from: '0' })
      placed(message: unknown): void {
        heard.push(`placed ${String(message)}`);
      }
      @Channel('orders', { group: 'billing', type: 'cancelled', from: '0' })
      cancelled(message: unknown): void {
        heard.push(`cancelled ${String(message)}`);
      }
    }
    const node = await bootNode(options, [Billing]);
    for (const type of ['placed', 'cancelled', 'other', 'placed']) await send(node, 1, { type });
    await eventually(() => heard.length === 3);
    expect(heard.sort()).toEqual(['cancelled 1', 'placed 1', 'placed 1']);
  });

  it('concurrency handles as many at a time', async () => {
    const node = await bootNode(options);
    let now = 0;
    let most = 0;
    const subscription = await subscribe(
      node,
      async () => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setTimeout(resolve, 2));
        now -= 1;
      },
      { concurrency: 4 },
    );
    await Promise.all(Array.from({ length: 40 }, (_, index) => send(node, index)));
    await eventually(() => subscription.received === 40 && now === 0);
    expect(most).toBe(4);
  });

  it('with concurrency a slow message keeps one place and no other message waiting', async () => {
    const node = await bootNode(options);
    let end!: () => void;
    const gate = new Promise<void>((resolve) => (end = resolve));
    const seen: unknown[] = [];
    const subscription = await subscribe(
      node,
      async (message) => {
        seen.push(message);
        if (message === 'slow') await gate;
      },
      { concurrency: 2 },
    );
    await send(node, 'slow');
    await eventually(() => seen.length === 1);
    for (let index = 0; index < 50; index++) await send(node, index);
    await eventually(() => seen.length === 51, { lastSeen: () => seen });
    expect(seen).toEqual(['slow', ...Array.from({ length: 50 }, (_, index) => index)]);
    end();
    await subscription.unsubscribe();
    expect(subscription.counters).toMatchObject({ received: 51, failed: 0, waiting: 0 });
  });

  it.each([1, 2])(
    'what was not begun goes to another member at once, beside a slow handler (%i)',
    async (concurrency) => {
      const [first, second] = [await bootNode(), await bootNode()];
      let end!: () => void;
      const gate = new Promise<void>((resolve) => (end = resolve));
      const begun: unknown[] = [];
      const subscription = await subscribe(
        first,
        async (message) => {
          begun.push(message);
          await gate;
        },
        { concurrency },
      );
      await Promise.all(Array.from({ length: 10 }, (_, index) => send(first, index)));
      await eventually(() => subscription.counters.waiting === 10);
      const seen: unknown[] = [];
      await subscribe(second, (message) => void seen.push(message));
      const ending = subscription.unsubscribe();
      await eventually(() => seen.length === 10 - concurrency, { lastSeen: () => seen });
      expect(begun).toHaveLength(concurrency);
      end();
      await ending;
      expect(new Set([...begun, ...seen]).size).toBe(10);
      expect(await pending()).toBe(0);
    },
  );

  it('what may have ended its node is handled alone, however many are handled at a time', async () => {
    const node = await bootNode();
    const { client, id } = await givenToTheDead(node, ['poison']);
    const steps: unknown[] = [];
    let end!: () => void;
    const gate = new Promise<void>((resolve) => (end = resolve));
    let poisoned!: () => void;
    const poison = new Promise<void>((resolve) => (poisoned = resolve));
    await subscribe(
      node,
      async (message) => {
        steps.push(message);
        if (message === 'slow') await gate;
        if (message === 'poison') await poison;
        if (message === 'slow') steps.push('slow ends');
      },
      { concurrency: 4 },
    );
    await send(node, 'slow');
    await eventually(() => steps.length === 1, { lastSeen: () => steps });
    // Delivered twice, and its consumer is silent since long: the last time it is delivered by itself.
    await client.call('XCLAIM', keys.stream('orders'), 'billing', 'dead', 0, id, 'IDLE', 60_000, 'RETRYCOUNT', 2);
    const waitsFor = async () => (await client.xpending(keys.stream('orders'), 'billing', '-', '+', 9)).length === 2;
    await eventually(waitsFor);
    const until = Date.now() + 500;
    await eventually(() => Date.now() > until);
    expect(steps).toEqual(['slow']);
    end();
    await eventually(() => steps.includes('poison'), { lastSeen: () => steps });
    await send(node, 'behind');
    const later = Date.now() + 300;
    await eventually(() => Date.now() > later);
    expect(steps).toEqual(['slow', 'slow ends', 'poison']);
    poisoned();
    await eventually(() => steps.includes('behind'), { lastSeen: () => steps });
  });

  it.each<[string, SubscribeOptions, string]>([
    ['without a group', { group: undefined }, 'group'],
    ['that drops', { queue: { policy: 'drop-oldest' } }, 'queue.policy'],
    ['from nowhere', { from: 'yesterday' }, 'from'],
    ['from no time', { from: new Date(NaN) }, 'from'],
  ])('refuses a subscription %s', async (_what, given, argument) => {
    const node = await bootNode(options);
    const rejected = subscribe(node, () => undefined, given);
    await expect(rejected).rejects.toBeInstanceOf(ArgumentError);
    await expect(rejected).rejects.toThrow(`"${argument}"`);
  });

  it('refuses what only makes sense elsewhere', async () => {
    const channels = channelsOf(await bootNode(options));
    const nothing = () => undefined;
    await expect(channels.broadcast('orders', 1, { timeout: 5 })).rejects.toThrow(/"timeout"/);
    await expect(channels.subscribe('events', nothing, { from: '0' })).rejects.toThrow(/"from"/);
    await expect(channels.replay('events', nothing, { from: '0' })).rejects.toThrow(/durable channel/);
    await expect(channels.replay('orders', nothing, {} as never)).rejects.toThrow(/"from"/);
    await expect(channels.replay('orders', nothing, { from: '$' })).rejects.toThrow(/"from"/);
    await expect(channels.replay('orders', 5 as never, { from: '0' })).rejects.toThrow(/"handler"/);
  });
});

describe('The start of an application', () => {
  class Newcomer {
    static heard: unknown[] = [];
    @Channel('orders', { group: 'newcomers' })
    hear(message: unknown): void {
      Newcomer.heard.push(message);
    }
  }

  it('a new group hears what comes from then on, not what was there', async () => {
    const early = await bootNode();
    for (const message of ['old', 'older']) await send(early, message);
    const late = await bootNode({}, [Newcomer]);
    await send(late, 'new');
    await eventually(() => Newcomer.heard.includes('new'));
    expect(Newcomer.heard.splice(0)).toEqual(['new']);
  });

  it('is no warning while the connection that it reads from is being made', async () => {
    const proxy = await TcpProxy.open(server.port);
    closeLater(() => proxy.close());
    proxy.mode = 20; // each way
    const node = await bootNode({ redis: server.urlAt(proxy.port) });
    const heard: unknown[] = [];
    await subscribe(node, (message) => void heard.push(message));
    await send(node, 'new');
    await eventually(() => heard.includes('new'));
    expect(log.lines.filter((line) => line.includes('durable channel'))).toEqual([]);
  });

  it('while Redis is away, the group begins once it is back', async () => {
    const proxy = await TcpProxy.open(server.port);
    closeLater(() => proxy.close());
    const early = await bootNode();
    await send(early, 'old');
    proxy.mode = 'cut';
    await bootNode({ redis: server.urlAt(proxy.port) }, [Newcomer]);
    proxy.mode = 'ok';
    await eventually(async () => (await server.cli('XINFO', 'GROUPS', keys.stream('orders'))).includes('newcomers'));
    await send(early, 'new');
    await eventually(() => Newcomer.heard.includes('new'));
    expect(Newcomer.heard.splice(0)).toEqual(['new']);
  });
});

describe('When something breaks', () => {
  it('what a dead consumer had goes to another one', async () => {
    const node = await bootNode();
    await givenToTheDead(node, [1, 2, 3], 2);
    const seen: [unknown, number | undefined][] = [];
    await subscribe(node, (message, { deliveries }) => void seen.push([message, deliveries]));
    await eventually(() => seen.length === 3);
    expect(seen.sort()).toEqual([
      [1, 2],
      [2, 2],
      [3, 1],
    ]);
    await eventually(async () => (await pending()) === 0);
  });

  it('what a node had that is cut off goes to another one, and nothing is lost', async () => {
    const proxy = await TcpProxy.open(server.port);
    closeLater(() => proxy.close());
    const [a, b] = [
      await bootNode(),
      await bootNode({ redis: server.urlAt(proxy.port), processes: { stopTimeout: 200 } }),
    ];
    const onB: unknown[] = [];
    let begin!: () => void;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    await subscribe(b, (message) => {
      onB.push(message);
      begin();
      return new Promise(() => undefined);
    });
    await Promise.all(Array.from({ length: 10 }, (_, index) => send(a, index)));
    await begun;
    proxy.mode = 'blackhole';
    const onA: unknown[] = [];
    await subscribe(a, (message) => void onA.push(message));
    await eventually(() => new Set(onA).size === 10, { timeout: 20_000, lastSeen: () => ({ onA, onB }) });
    await eventually(async () => (await pending()) === 0);
    proxy.mode = 'ok';
  });

  it('a handler that takes longer than retryAfter is not given its message again', async () => {
    const [a, b] = [await bootNode(), await bootNode()];
    const seen: unknown[] = [];
    let end!: () => void;
    const handler = (message: unknown) => {
      seen.push(message);
      return new Promise<void>((resolve) => (end = resolve));
    };
    for (const node of [a, b]) await subscribe(node, handler);
    await send(a, 'slow');
    await eventually(() => seen.length === 1);
    const before = Date.now();
    await eventually(() => Date.now() > before + 4 * orders.retryAfter);
    expect(seen).toEqual(['slow']);
    end();
    await eventually(async () => (await pending()) === 0);
  });

  it('a subscription that ends with a handler under way keeps its message from the others until then', async () => {
    const [a, b] = [await bootNode(), await bootNode()];
    const seen: string[] = [];
    let end!: () => void;
    const gate = new Promise<void>((resolve) => (end = resolve));
    const ending = await subscribe(a, async () => {
      seen.push('a begins');
      await gate;
    });
    await send(a, 'slow');
    await eventually(() => seen.length === 1);
    await subscribe(b, () => void seen.push('b begins'));
    const ended = ending.unsubscribe();
    const before = Date.now();
    await eventually(() => Date.now() > before + 4 * orders.retryAfter);
    expect(seen).toEqual(['a begins']);
    end();
    await ended;
    expect(await pending()).toBe(0);
  });

  it('a message that another consumer has by now is not put aside by the one that had it', async () => {
    const node = await bootNode();
    const client = new Redis(server.adminUrl);
    closeLater(() => Promise.resolve(client.disconnect()));
    let end!: () => void;
    const gate = new Promise<void>((resolve) => (end = resolve));
    let begun = '';
    const subscription = await subscribe(node, async (_message, { id, deliveries }) => {
      if (deliveries !== orders.maxDeliveries) throw new Error('not the last time');
      begun = id!;
      await gate;
      throw new Error('too late');
    });
    await send(node, 'moved');
    await eventually(() => begun !== '');
    await client.call(...(['XCLAIM', keys.stream('orders')] as unknown as [string]), 'billing', 'dead', 0, begun);
    end();
    await eventually(() => subscription.counters.failed === 3);
    await subscription.unsubscribe();
    expect(await client.xlen(keys.deadLetters('orders'))).toBe(0);
    expect(node.of('message.dead_letter')).toEqual([]);
    expect(await pending()).toBe(1);
  });

  it('a poisonous message that kills every consumer becomes a dead letter', async () => {
    const node = await bootNode();
    const { client, id } = await givenToTheDead(node, ['poison']);
    await client.call('XCLAIM', keys.stream('orders'), 'billing', 'dead', 0, id, 'RETRYCOUNT', 3);
    const seen: unknown[] = [];
    await subscribe(node, (message) => void seen.push(message));
    await eventually(() => node.of('message.dead_letter').length === 1);
    expect(node.of('message.dead_letter')[0]).toMatchObject({
      id,
      reason: 'unacknowledged',
    });
    expect(seen).toEqual([]);
    const [[, fields]] = (await client.xrange(keys.deadLetters('orders'), '-', '+')) as [[string, string[]]];
    expect(fields.slice(0, 8)).toEqual([
      ...['id', id, 'group', 'billing', 'deliveries', '3'],
      ...['reason', 'delivered 3 times without an acknowledgement'],
    ]);
    expect(fields[9]).toContain('poison');
  });

  it('after FLUSHALL the group is created again, and nothing that is sent then is lost', async () => {
    const node = await bootNode();
    const seen: unknown[] = [];
    await subscribe(node, (message) => void seen.push(message), { from: '$' });
    await send(node, 'before');
    await eventually(() => seen.length === 1);
    await server.cli('FLUSHALL');
    for (const message of ['after', 'later']) await send(node, message);
    await eventually(() => seen.length === 3, { lastSeen: () => seen });
    expect(seen).toEqual(['before', 'after', 'later']);
  });

  it('a Redis that restarts without its data is read again', async () => {
    const own = await startRedis();
    closeLater(() => own.stop());
    await settle(own, appName);
    const node = await bootNode({ redis: own.url });
    const seen: unknown[] = [];
    await subscribe(node, (message) => void seen.push(message));
    await send(node, 1);
    await eventually(() => seen.length === 1);
    await own.kill();
    await expect(send(node, 'lost')).rejects.toBeInstanceOf(RedisUnavailableError);
    await own.restart();
    await eventually(async () => send(node, 2).then(() => true));
    await eventually(() => seen.includes(2));
    expect(seen).toEqual([1, 2]);
  });

  it('nonsense in a stream becomes a dead letter; what only a newer node can read is left to it first', async () => {
    const node = await bootNode();
    await subscribe(node, () => undefined);
    await server.cli('XADD', keys.stream('orders'), '*', 'm', 'no JSON');
    await server.cli('XADD', keys.stream('orders'), '*', 'm', '[{"v":99},{"b":1}]');
    await eventually(() => node.of('message.dead_letter').length === 2);
    expect(node.of('message.dead_letter').map(({ deliveries, reason }) => [deliveries, reason])).toEqual([
      [1, 'not-json'],
      [3, 'unknown-version'],
    ]);
  });

  it.each([2, 3, 5])('a poisonous message takes no other one along, with %d deliveries', async (maxDeliveries) => {
    const channels = { names: { orders: { durable: { retryAfter: 50, maxDeliveries } } } };
    const sender = await bootNode({ channels });
    const messages = ['poison', ...Array.from({ length: 9 }, (_, index) => index)];
    for (const message of messages) await send(sender, message);
    const client = new Redis(server.adminUrl);
    closeLater(() => Promise.resolve(client.disconnect()));
    const key = keys.stream('orders');
    const handled = new Set<string>();
    const buried: string[] = [];
    // Each consumer ends with the poison in its hand, and says nothing any more about whatever else it had.
    for (let life = 0; buried.length === 0 && life < 10; life++) {
      let die!: () => void;
      const dead = new Promise<void>((resolve) => (die = resolve));
      const lifetime = new RedisStreams({
        control: client,
        connect: () => new Redis(server.adminUrl),
        keys,
        name: `life-${life}`,
        seal: createSigner('life', undefined),
      });
      const consumer = await lifetime.consume(
        { stream: 'orders', group: 'billing', from: '0', batch: 16, retryAfter: 50, maxDeliveries },
        {
          take: async (entries) => {
            for (const { id, text } of entries) {
              if (text.includes('poison')) {
                lifetime.close();
                return die();
              }
              await consumer.acknowledge(id);
              handled.add(text);
            }
          },
          buried: ({ text }) => {
            buried.push(text);
            die();
          },
          lost: () => undefined,
        },
      );
      closeLater(() => consumer.close());
      await dead;
      if (buried.length === 0) lifetime.close();
      else await eventually(() => handled.size === 9, { lastSeen: () => [...handled] });
    }
    expect(buried).toEqual([expect.stringContaining('poison')]);
    expect(await client.xlen(keys.deadLetters('orders'))).toBe(1);
    expect((await client.xpending(key, 'billing'))[0]).toBe(0);
  });

  it('a closed application waits for what it handles, acknowledges it, and leaves no consumer and no connection', async () => {
    const node = await bootNode({ nodeName: 'closing' });
    const seen: unknown[] = [];
    let end!: () => void;
    const gate = new Promise<void>((resolve) => (end = resolve));
    await subscribe(node, async (message) => {
      seen.push(message);
      await gate;
    });
    for (const message of [1, 2, 3]) await send(node, message);
    await eventually(() => seen.length === 1);
    const closing = node.app.close();
    await eventually(() => node.app.get(Membership).state === 'draining');
    end();
    await closing;
    expect(seen).toEqual([1]);
    await eventually(async () => !(await server.cli('CLIENT', 'LIST')).includes('foundation:closing:'));
    const other = await bootNode();
    const deliveries: unknown[] = [];
    await subscribe(other, (message, meta) => {
      seen.push(message);
      deliveries.push(meta.deliveries);
    });
    await eventually(() => seen.length === 3);
    expect(seen).toEqual(expect.arrayContaining([1, 2, 3]));
    // A deployment does not count as a delivery of what was not begun.
    expect(deliveries).toEqual([1, 1]);
    await other.app.close();
    expect(await pending()).toBe(0);
    expect((await server.cli('XINFO', 'CONSUMERS', keys.stream('orders'), 'billing')).match(/^name$/gm)).toHaveLength(
      1,
    );
  });
});
