// Channels between several applications in this one process, on real Redis.
import { describe, expect, it } from '@jest/globals';
import { IsInt } from 'class-validator';
import { Redis } from 'ioredis';
import {
  AcknowledgementError,
  type BroadcastOptions,
  Channel,
  Channels,
  type FoundationOptions,
  type Gap,
  Membership,
  type MessageHandler,
  type MessageMeta,
  type SubscribeOptions,
} from 'nestjs-foundation';
import { TcpProxy } from 'nestjs-foundation/testing';
import { headsOf } from '../../libs/foundation/src/channels/envelope.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, closeLater, formed, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, keys } = ground));

const channelsOf = ({ app }: Booted) => app.get(Channels);
const bootNode = (options: FoundationOptions = {}, providers: Parameters<typeof boot>[2] = []) =>
  boot(options.redis ?? server.url, appName, providers, options);
const send = (node: Booted, message: unknown, options?: BroadcastOptions) =>
  channelsOf(node).broadcast('events', message, options);

/** A subscription that keeps what it hears. */
async function hears(node: Booted, channel = 'events') {
  const heard: { message: unknown; meta: MessageMeta }[] = [];
  const gaps: Gap[] = [];
  const subscription = await channelsOf(node).subscribe(
    channel,
    (message, meta) => void heard.push({ message, meta: { ...meta } }),
    { onGap: (gap) => void gaps.push(gap) },
  );
  return { heard, gaps, subscription, messages: () => heard.map(({ message }) => message) };
}

/** A node whose way to Redis can be broken. */
async function behindProxy() {
  const proxy = await TcpProxy.open(server.port);
  closeLater(() => proxy.close());
  return { proxy, node: await bootNode({ redis: server.urlAt(proxy.port) }) };
}

/** What is written to a node alone, as it comes. */
async function lettersTo(node: Booted): Promise<string[]> {
  const client = new Redis(server.adminUrl);
  closeLater(() => Promise.resolve(client.disconnect()));
  const texts: string[] = [];
  client.on('message', (_topic: string, text: string) => texts.push(text));
  await client.subscribe(keys.mail(node.app.get(Membership).self.bootId));
  return texts;
}

/** Waits until the node's subscriptions are cut, or are back. */
const subscribers = (topic: string, count: number) =>
  eventually(async () => (await server.cli('PUBSUB', 'NUMSUB', topic)).split('\n')[1] === String(count), {
    what: `${count} subscribers of ${topic}`,
  });

describe('Order, gaps and duplicates', () => {
  it('messages of one sender arrive in order and numbered, on every node', async () => {
    const [a, b, c] = [await bootNode(), await bootNode(), await bootNode()];
    const all = await Promise.all([a, b, c].map((node) => hears(node)));
    await formed(a, b, c);
    await Promise.all(Array.from({ length: 1000 }, (_, index) => send(a, index)));
    await eventually(() => all.every(({ heard }) => heard.length === 1000));
    for (const { heard, gaps } of all) {
      expect(heard.map(({ message }) => message)).toEqual(Array.from({ length: 1000 }, (_, index) => index));
      expect(heard.map(({ meta }) => meta.seq)).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1));
      expect(new Set(heard.map(({ meta }) => `${meta.from} ${meta.priority}`))).toEqual(new Set([`${a.name} normal`]));
      expect(gaps).toEqual([]);
    }
  });

  it('goes over to packed once all nodes read that, in order, and back for one that asks for JSON', async () => {
    const client = new Redis(server.adminUrl);
    closeLater(() => Promise.resolve(client.disconnect()));
    const forms: string[] = [];
    const isJson = (bytes: Buffer): boolean => bytes[0] === '['.charCodeAt(0);
    client.on('messageBuffer', (_topic, bytes: Buffer) => forms.push(isJson(bytes) ? 'json' : 'packed'));
    await client.subscribe(keys.channel('events'));
    const [a, b] = [await bootNode(), await bootNode()];
    const { messages, gaps } = await hears(b);
    await formed(a, b);
    await send(a, { n: 1 });
    const asks = await bootNode({ transport: { kind: 'redis', format: 'json' } });
    const other = await hears(asks);
    await formed(a, b, asks);
    await send(a, { n: 2 });
    await send(asks, { n: 3 });
    await eventually(() => messages().length === 3 && other.messages().length === 2);
    await asks.app.close();
    await formed(a, b);
    await send(a, { n: 4 });
    await eventually(() => messages().length === 4, { lastSeen: messages });
    expect(messages()).toEqual([1, 2, 3, 4].map((n) => ({ n })));
    expect([gaps, other.gaps]).toEqual([[], []]);
    expect(forms).toEqual(['packed', 'json', 'json', 'packed']);
  });

  it('what a cut connection lost is a gap, as soon as the sender sends again', async () => {
    const a = await bootNode();
    const { proxy, node: b } = await behindProxy();
    const { messages, gaps, subscription } = await hears(b);
    await formed(a, b);
    await send(a, 'before');
    await eventually(() => messages().length === 1);
    proxy.mode = 'cut';
    await subscribers(keys.channel('events'), 0);
    for (const message of ['lost', 'lost, too']) await send(a, message);
    proxy.mode = 'ok';
    await subscribers(keys.channel('events'), 1);
    await send(a, 'after');
    await eventually(() => messages().length === 2);
    expect(messages()).toEqual(['before', 'after']);
    expect(gaps).toEqual([
      {
        channel: 'events',
        from: a.name,
        bootId: expect.any(String),
        priority: 'normal',
        missing: { first: 2, last: 3 },
      },
    ]);
    expect(subscription.counters.missed).toBe(2);
    expect(b.of('message.gap')).toEqual(gaps);
  });

  it('is a gap even when the sender is silent since, and when it began to send only meanwhile', async () => {
    const { proxy, node: b } = await behindProxy();
    const { messages, gaps } = await hears(b);
    const [a, late] = [await bootNode(), await bootNode()];
    await formed(a, b, late);
    await send(a, 'before');
    await eventually(() => messages().length === 1);
    proxy.mode = 'cut';
    await subscribers(keys.channel('events'), 0);
    await send(a, 'lost');
    await send(late, 'lost, too');
    proxy.mode = 'ok';
    await eventually(() => gaps.length === 2, { what: 'Two gaps', lastSeen: () => gaps });
    expect(gaps.map(({ from, missing }) => [from, missing]).sort()).toEqual(
      [
        [a.name, { first: 2, last: 2 }],
        [late.name, { first: 1, last: 1 }],
      ].sort(),
    );
    await send(a, 'after');
    await eventually(() => messages().length === 2);
    expect(gaps).toHaveLength(2);
  });

  it('is a gap when the sender was there before this node, and silent on the channel until the cut', async () => {
    const a = await bootNode();
    await send(a, 'before anybody listened');
    const { proxy, node: b } = await behindProxy();
    const answers = await lettersTo(b);
    const { messages, gaps, subscription } = await hears(b);
    await formed(a, b);
    await eventually(() => answers.some((text) => text.includes('last')), { lastSeen: () => answers });
    proxy.mode = 'cut';
    await subscribers(keys.channel('events'), 0);
    for (const message of [1, 2, 3]) await send(a, message);
    proxy.mode = 'ok';
    await eventually(() => gaps.length > 0, { what: 'A gap' });
    expect(gaps).toEqual([expect.objectContaining({ from: a.name, missing: { first: 2, last: 4 } })]);
    expect(subscription.counters).toMatchObject({ missed: 3, unknown: 0 });
    expect(messages()).toEqual([]);
  });

  it('is a gap when the sender joined, sent and fell silent during the cut', async () => {
    const { proxy, node: b } = await behindProxy();
    const { gaps } = await hears(b);
    proxy.mode = 'cut';
    await subscribers(keys.channel('events'), 0);
    const late = await bootNode();
    for (const message of [1, 2]) await send(late, message);
    proxy.mode = 'ok';
    await eventually(() => gaps.length > 0, { what: 'A gap' });
    expect(gaps).toEqual([expect.objectContaining({ from: late.name, missing: { first: 1, last: 2 } })]);
  });

  it('is said to be possible when the sender left during the cut, since nobody knows any more', async () => {
    const a = await bootNode();
    const { proxy, node: b } = await behindProxy();
    const { gaps, subscription } = await hears(b);
    await formed(a, b);
    const { bootId } = a.app.get(Membership).self;
    proxy.mode = 'cut';
    await subscribers(keys.channel('events'), 0);
    await send(a, 'its last words');
    await a.app.close();
    proxy.mode = 'ok';
    await eventually(() => gaps.length > 0, { what: 'A gap', timeout: 20_000 });
    expect(gaps).toEqual([{ channel: 'events', from: a.name, bootId }]);
    expect(subscription.counters).toMatchObject({ missed: 0, unknown: 1 });
    expect(b.of('message.gap')).toEqual(gaps);
  });

  it('a message that comes twice is delivered once', async () => {
    const a = await bootNode();
    const { messages } = await hears(a);
    const client = new Redis(server.adminUrl);
    closeLater(() => Promise.resolve(client.disconnect()));
    const text = `[${headsOf('ghost', 'boot').head('normal', 1, Date.now())},{"b":"once"}]`;
    for (let time = 0; time < 3; time++) await client.publish(keys.channel('events'), text);
    await eventually(() => a.of('message.dropped').length === 2);
    expect(messages()).toEqual(['once']);
    expect(a.of('message.dropped')).toEqual(Array(2).fill({ channel: 'events', reason: 'duplicate', count: 1 }));
  });

  it('a restarted sender begins anew, and is no duplicate of the one before', async () => {
    const a = await bootNode();
    const { heard, gaps } = await hears(a);
    for (const message of [1, 2]) {
      const sender = await bootNode({ nodeName: 'sender' });
      await formed(a, sender);
      await send(sender, message);
      await eventually(() => heard.length === message);
      await sender.app.close();
    }
    expect(heard.map(({ meta }) => meta.seq)).toEqual([1, 1]);
    expect(new Set(heard.map(({ meta }) => meta.bootId)).size).toBe(2);
    expect(gaps).toEqual([]);
  });

  it('nonsense on a topic harms nobody', async () => {
    const a = await bootNode();
    const { messages } = await hears(a);
    for (const text of [
      '',
      'no JSON',
      '[[]]',
      '[{"v":9}]',
      '\u0000',
      '[{"v":2,"from":"x","boot":"x","seq":1,"at":1},1]',
    ]) {
      await server.cli('PUBLISH', keys.channel('events'), text);
      await server.cli('PUBLISH', keys.mail('x'), text);
    }
    await eventually(() => a.of('message.dropped').length === 6);
    await send(a, 'fine');
    await eventually(() => messages().length === 1);
  });
});

/** Waits until the node knows that so many others listen in this way. */
const knows = (node: Booted, count: number, entry = '', channel = 'events') =>
  eventually(
    () =>
      node.app
        .get(Membership)
        .members()
        .filter(({ self, listens }) => !self && listens[channel]?.includes(entry)).length === count,
    { what: `${count} others that listen to "${channel}" as "${entry}"` },
  );

describe('What a sender asks for', () => {
  it('routing takes the first rule that holds, and says so', async () => {
    const [a, b] = [await bootNode(), await bootNode()];
    const heard: string[] = [];
    for (const channel of ['control', 'events', 'telemetry', 'data']) {
      await channelsOf(b).subscribe(channel, (_message, meta) => void heard.push(meta.channel));
    }
    const channels = channelsOf(a);
    await channels.routeMessage(1);
    await channels.routeMessage('x'.repeat(11_000));
    await channels.routeMessage({ type: 'metric' });
    await channels.routeMessage(1, { priority: 'high' });
    await channels.routeMessage(1, { channel: 'data' });
    await eventually(() => heard.length === 5);
    expect(heard.sort()).toEqual(['control', 'data', 'data', 'events', 'telemetry']);
    expect(channels.explainRoute(1, { priority: 'high' })).toEqual({ channel: 'control', reason: expect.any(String) });
  });

  it('compression is undone, shrinks what travels, and keeps the order', async () => {
    const [a, b] = [await bootNode(), await bootNode()];
    const [own, other] = [await hears(a), await hears(b)];
    const travelled: string[] = [];
    const client = new Redis(server.adminUrl);
    closeLater(() => Promise.resolve(client.disconnect()));
    await client.subscribe(keys.channel('events'));
    client.on('message', (_topic, text: string) => void travelled.push(text));
    const large = { words: Array.from({ length: 2000 }, (_, index) => `word ${index}`) };
    const messages = ['first', large, 'in between', large, 'last'];
    await Promise.all(messages.map((message) => send(a, message, { compression: true })));
    await eventually(() => other.heard.length === 5 && own.heard.length === 5);
    for (const { messages: heard } of [own, other]) expect(heard()).toEqual(messages);
    expect(other.gaps).toEqual([]);
    await eventually(() => travelled.join('').includes('last'));
    expect(travelled.join('').length).toBeLessThan(JSON.stringify(large).length);
  });

  it('a bomb on a topic is dropped and counted', async () => {
    const a = await bootNode({ channels: { maxMessageBytes: 100_000 } });
    const { messages } = await hears(a);
    const sender = await bootNode();
    const bomb = 'x'.repeat(900_000);
    await send(sender, bomb, { compression: true });
    await send(sender, 'fine');
    await eventually(() => messages().length === 1);
    expect(a.of('message.dropped')).toEqual([{ channel: 'events', reason: 'too-large-inflated', count: 1 }]);
  });

  it('a priority is a sequence of its own', async () => {
    const [a, b] = [await bootNode(), await bootNode()];
    const { heard, gaps } = await hears(b);
    const priorities = ['low', 'normal', 'high', 'low', 'normal', 'high'] as const;
    await Promise.all(priorities.map((priority, index) => send(a, index, { priority })));
    await eventually(() => heard.length === 6);
    expect(heard.map(({ meta }) => `${meta.priority} ${meta.seq}`)).toEqual([
      ...['high 1', 'high 2', 'normal 1', 'normal 2', 'low 1', 'low 2'],
    ]);
    expect(gaps).toEqual([]);
  });

  it('timeout resolves once all nodes that listen have handled the message', async () => {
    const [a, b, c] = [await bootNode(), await bootNode(), await bootNode()];
    let handled = 0;
    for (const node of [a, b, c]) {
      await channelsOf(node).subscribe('events', async () => {
        await new Promise((resolve) => setImmediate(resolve));
        handled += 1;
      });
    }
    await knows(a, 2);
    await send(a, 1, { timeout: 10_000 });
    expect(handled).toBe(3);
    await send(a, 1, { timeout: 10_000, type: 'nobody asked for, but all take it' });
    expect(handled).toBe(6);
  });

  it('timeout rejects with the nodes that are missing, and why', async () => {
    const [a, b, c] = [await bootNode(), await bootNode(), await bootNode()];
    await channelsOf(b).subscribe('events', () => Promise.reject(new Error('bad handler')));
    await channelsOf(c).subscribe('events', () => new Promise(() => undefined));
    await knows(a, 2);
    const error = await send(a, 1, { timeout: 300 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AcknowledgementError);
    expect([...(error as AcknowledgementError).missing].sort((x, y) => (x.node < y.node ? -1 : 1))).toEqual([
      { node: b.name, reason: 'a handler failed: bad handler' },
      { node: c.name, reason: 'no answer' },
    ]);
  });

  it('timeout does not wait for a node that leaves', async () => {
    const [a, b] = [await bootNode(), await bootNode()];
    await channelsOf(b).subscribe('events', () => new Promise(() => undefined));
    await knows(a, 1);
    const sent = send(a, 1, { timeout: 30_000 });
    await b.app.close();
    await sent;
  });
});

describe('Groups', () => {
  it('each message goes to one member, in turn, and to every other subscription', async () => {
    const nodes = [await bootNode(), await bootNode(), await bootNode()];
    const heard = nodes.map(() => [] as unknown[]);
    const all = await hears(nodes[1]!);
    for (const [index, node] of nodes.entries()) {
      await channelsOf(node).subscribe('events', (message) => void heard[index]!.push(message), { group: 'workers' });
    }
    await knows(nodes[0]!, 2, 'workers');
    await Promise.all(Array.from({ length: 300 }, (_, index) => send(nodes[0]!, index)));
    await eventually(() => all.heard.length === 300 && heard.flat().length >= 300);
    expect(heard.flat().sort((x, y) => Number(x) - Number(y))).toEqual(
      Array.from({ length: 300 }, (_, index) => index),
    );
    expect(heard.map(({ length }) => length)).toEqual([100, 100, 100]);
  });

  it('loses nothing that is sent while a member unsubscribes, and after it has', async () => {
    const [a, b, c] = [await bootNode(), await bootNode(), await bootNode()];
    const heard: number[] = [];
    const join = (node: Booted) =>
      channelsOf(node).subscribe('events', (message) => void heard.push(message as number), { group: 'workers' });
    const leaving = await join(b);
    await join(c);
    await knows(a, 2, 'workers');
    let count = 0;
    const burst = (size: number) => Promise.all(Array.from({ length: size }, () => send(a, count++)));
    const ended = leaving.unsubscribe();
    await burst(30);
    await ended;
    await burst(30);
    await eventually(() => heard.length >= count, { lastSeen: () => heard.length });
    expect(heard.sort((x, y) => x - y)).toEqual(Array.from({ length: count }, (_, index) => index));
    await leaving.unsubscribe();
  });

  it('a member that leaves gets no more, and one that comes gets its share', async () => {
    const [a, b, c] = [await bootNode(), await bootNode(), await bootNode()];
    const heard: string[] = [];
    const join = async (node: Booted) =>
      channelsOf(node).subscribe('events', () => void heard.push(node.name), { group: 'workers' });
    await join(b);
    await knows(a, 1, 'workers');
    await Promise.all(Array.from({ length: 10 }, () => send(a, 1)));
    await eventually(() => heard.length === 10);
    await join(c);
    await knows(a, 2, 'workers');
    await b.app.close();
    await knows(a, 1, 'workers');
    heard.length = 0;
    await Promise.all(Array.from({ length: 10 }, () => send(a, 1)));
    await eventually(() => heard.length === 10);
    expect(new Set(heard)).toEqual(new Set([c.name]));
  });

  it('a decorated method is a member from the start, and takes its type only', async () => {
    const heard: string[] = [];
    class Workers {
      @Channel('events', { group: 'workers', type: 'placed' })
      placed(): void {
        heard.push('placed');
      }
      @Channel('events', { group: 'workers', type: 'gone' })
      gone(): void {
        heard.push('gone');
      }
    }
    const a = await bootNode();
    for (let node = 0; node < 2; node++) await bootNode({}, [Workers]);
    await knows(a, 2, 'workers placed');
    for (const type of ['placed', 'gone', 'other']) await send(a, 1, { type });
    for (let time = 0; time < 8; time++) await send(a, 1, { type: 'placed' });
    await eventually(() => heard.length === 10);
    expect(heard.filter((type) => type === 'gone')).toHaveLength(1);
  });

  it('many subscriptions at once are one change of the record', async () => {
    const [a, b] = [await bootNode(), await bootNode()];
    await formed(a, b);
    const before = a.app.get(Membership).version;
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        channelsOf(b).subscribe('events', () => undefined, { group: `g${index}` }),
      ),
    );
    await knows(a, 1, 'g49');
    expect(a.of('cluster.view_changed').filter(({ version }) => version > before).length).toBeLessThanOrEqual(2);
  });
});

describe('Back-pressure', () => {
  const gate = () => {
    let open!: () => void;
    const opened = new Promise<void>((resolve) => (open = resolve));
    return { open, opened };
  };
  const subscribe = (node: Booted, handler: MessageHandler, options: SubscribeOptions) =>
    channelsOf(node).subscribe('events', handler, options);

  it('a full queue drops by its policy and counts, and harms no other subscription', async () => {
    const [a, b] = [await bootNode(), await bootNode()];
    const { open, opened } = gate();
    const seen: Record<string, unknown[]> = { oldest: [], newest: [], quick: [] };
    const slow = (name: string) => async (message: unknown) => {
      await opened;
      seen[name]!.push(message);
    };
    const oldest = await subscribe(b, slow('oldest'), { queue: { size: 5, policy: 'drop-oldest' } });
    const newest = await subscribe(b, slow('newest'), { queue: { size: 5, policy: 'drop-newest' } });
    await subscribe(b, (message) => void seen['quick']!.push(message), { queue: { size: 100 } });
    await send(a, 0);
    await eventually(() => oldest.received === 1 && newest.received === 1);
    await Promise.all(Array.from({ length: 20 }, (_, index) => send(a, index + 1)));
    await eventually(() => seen['quick']!.length === 21);
    expect([oldest.dropped, newest.dropped]).toEqual([15, 15]);
    expect(oldest.counters).toMatchObject({ waiting: 5, dropped: { 'queue-full': 15 } });
    open();
    await eventually(() => seen['oldest']!.length === 6 && seen['newest']!.length === 6);
    expect(seen).toMatchObject({ oldest: [0, 16, 17, 18, 19, 20], newest: [0, 1, 2, 3, 4, 5] });
    expect(b.of('message.dropped').reduce((sum, { count }) => sum + count, 0)).toBe(30);
  });

  it('block makes a sender of the same node wait, and nobody else', async () => {
    const [a, b] = [await bootNode(), await bootNode()];
    const { open, opened } = gate();
    const blocked = await subscribe(a, () => opened, { queue: { size: 1, policy: 'block' } });
    const { messages } = await hears(b);
    await send(a, 1);
    await eventually(() => blocked.received === 1);
    await send(a, 2);
    let done = false;
    const third = send(a, 3).then(() => (done = true));
    await eventually(() => messages().length === 3);
    await send(b, 4);
    await eventually(() => messages().length === 4);
    expect(done).toBe(false);
    open();
    await third;
    await eventually(() => blocked.received === 3);
  });
});

describe('Typed payloads', () => {
  class OrderPlaced {
    @IsInt() id!: number;
  }

  it('what does not pass is not given to the handler: an event, counted, and not acknowledged', async () => {
    const seen: unknown[] = [];
    class Orders {
      @Channel('events', { type: 'order.placed', payload: OrderPlaced })
      placed(order: OrderPlaced): void {
        seen.push(order);
      }
    }
    const [a, b] = [await bootNode(), await bootNode({}, [Orders])];
    await knows(a, 1);
    await send(a, { id: 'x' }, { type: 'order.placed' });
    await expect(send(a, 5, { type: 'order.placed', timeout: 10_000 })).rejects.toMatchObject({
      missing: [{ node: b.name, reason: 'not a valid OrderPlaced' }],
    });
    await send(a, { id: 7 }, { type: 'order.placed', timeout: 10_000 });
    expect(seen).toEqual([{ id: 7 }]);
    expect(seen[0]).toBeInstanceOf(OrderPlaced);
    expect(b.of('message.invalid')).toEqual([
      { channel: 'events', from: a.name, type: 'order.placed', errors: ['id: id must be an integer number'] },
      { channel: 'events', from: a.name, type: 'order.placed', errors: ['not an object'] },
    ]);
    expect(b.of('message.dropped').map(({ reason }) => reason)).toEqual(Array(2).fill('invalid-payload'));
  });

  it('a class without rules is an error at start', async () => {
    class Orders {
      @Channel('events', { payload: class Plain {} })
      placed(): void {}
    }
    await expect(bootNode({}, [Orders])).rejects.toThrow(/payload.*the class Plain/);
  });
});

describe('Two clusters of one name in two databases of one Redis', () => {
  it('hear nothing of each other', async () => {
    const [first, second] = [await bootNode(), await bootNode({ redis: `${server.url}/1` })];
    const third = await bootNode({ redis: { url: server.url, db: 1 } });
    await formed(second, third);
    const all = await Promise.all(
      [first, second, third].flatMap((node) => ['events', 'control'].map((channel) => hears(node, channel))),
    );
    for (const node of [first, second]) {
      for (const channel of ['events', 'control']) await channelsOf(node).broadcast(channel, node.name);
    }
    // What would have come from the other cluster was sent before this.
    await eventually(() => all.every(({ heard }) => heard.length > 0), { lastSeen: () => all.map((one) => one.heard) });
    expect(all.map(({ messages }) => messages())).toEqual(
      [first, second, second].flatMap(({ name }) => [[name], [name]]),
    );
  });
});
