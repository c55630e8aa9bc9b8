// Channels between several applications in this one process, on real Redis.
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Channels, type BroadcastOptions, type FoundationOptions, type Gap, type MessageMeta } from 'nestjs-foundation';
import { headsOf } from '../../libs/foundation/src/channels/envelope.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { keysOf, type Keys } from '../../libs/foundation/src/tools/keys.js';
import { startRedis, type RedisServer } from '../support/redis-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { CapturedLog, boot, closeAll, closeLater, formed, freshName, settle, type Booted } from './bench.js';

let server: RedisServer;
let appName: string;
let keys: Keys;

beforeAll(async () => void (server = await startRedis()));
afterAll(() => server.stop());
beforeEach(async () => {
  CapturedLog.install();
  appName = freshName();
  keys = keysOf(appName);
  await settle(server, appName);
});
afterEach(closeAll);

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
  return { proxy, node: await bootNode({ redis: proxy.url }) };
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
    expect(subscription.missed).toBe(2);
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

  it('a message that comes twice is delivered once', async () => {
    const a = await bootNode();
    const { messages } = await hears(a);
    const client = new Redis(server.url);
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
      await server.cli('PUBLISH', keys.letters('x'), text);
    }
    await eventually(() => a.of('message.dropped').length === 6);
    await send(a, 'fine');
    await eventually(() => messages().length === 1);
  });
});
