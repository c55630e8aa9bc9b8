import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { ReplayGuard } from '../../security/replay.guard.js';
import { Secret } from '../../security/secret.js';
import { createSigner } from '../../security/signer.js';
import { type Bundle, unbundled } from '../../wire/bundle.js';
import { PACKED_VERSION } from '../../wire/packed.format.js';
import { PackedWriter } from '../../wire/packed.writer.js';
import { RedisTransport, type TransportGuard } from './redis.transport.js';

/** A subscriber as ioredis shows it: a status, a promise for each call, and events. */
class FakeSubscriber extends EventEmitter {
  status = 'ready';
  readonly topics = new Set<string>();
  readonly calls: string[] = [];
  refuse = 0;
  cut = 0;

  subscribe = async (...topics: string[]): Promise<number> => {
    this.calls.push(`subscribe ${topics.join(' ')}`);
    if (this.cut-- > 0) throw new Error('Connection is closed.');
    if (this.refuse-- > 0) {
      const error = new Error('NOPERM this user has no permissions to access one of the channels');
      throw Object.assign(error, { name: 'ReplyError' });
    }
    for (const topic of topics) this.topics.add(topic);
    return this.topics.size;
  };
  unsubscribe = async (topic: string): Promise<number> => {
    this.calls.push(`unsubscribe ${topic}`);
    this.topics.delete(topic);
    return this.topics.size;
  };
  ping = () => Promise.resolve('PONG');
  disconnect = jest.fn();

  say(topic: string, bundle: Bundle): void {
    if (this.topics.has(topic)) this.emit('messageBuffer', Buffer.from(topic), Buffer.from(bundle as Buffer));
  }
}

function packed(...values: unknown[]): Buffer {
  const writer = new PackedWriter();
  for (const value of values) writer.add(value);
  return writer.finish();
}

type Says = { packs?: number };
const reads: Says = { packs: PACKED_VERSION };
const VALUES = [{ v: 2, from: 'ü' }, { b: [1, 'x\u0000~'] }];

describe('RedisTransport', () => {
  let subscriber: FakeSubscriber;
  let transport: RedisTransport;
  const publish = jest.fn<(topic: string, bundle: Bundle) => Promise<number>>().mockResolvedValue(1);

  beforeEach(() => {
    Logger.overrideLogger(false);
    subscriber = new FakeSubscriber();
    transport = make(true);
  });
  afterEach(() => transport.close());

  const make = (countsReceivers: boolean, guard: TransportGuard = {}) =>
    new RedisTransport({
      subscriber: subscriber as unknown as Redis,
      publisher: { publish } as unknown as Redis,
      countsReceivers,
      guard,
    });

  /** What a subscriber reads of what a publisher with this guard has sent. */
  async function carried(guard: (bootId: string) => TransportGuard, members: Says[]): Promise<unknown[]> {
    const [from, to] = [make(true, guard('a')), make(true, guard('b'))];
    const heard: unknown[] = [];
    await to.subscribe('t', (bundle) => void heard.push(typeof bundle, unbundled(bundle)));
    from.meet(members);
    for (const bundle of [packed(...VALUES), JSON.stringify(VALUES)]) {
      await from.publish('t', bundle);
      subscriber.say('t', publish.mock.lastCall![1]);
    }
    from.close();
    to.close();
    return heard;
  }

  describe.each([
    ['without a cookie', () => ({})],
    [
      'signed',
      (bootId: string) => ({
        signing: { seal: createSigner('shop', new Secret('the cookie of this spec')), stamps: new ReplayGuard(bootId) },
      }),
    ],
  ] as const)('%s', (_what, guard: (bootId: string) => TransportGuard) => {
    it('carries what is packed where all nodes read that, and texts beside it', async () => {
      expect(await carried(guard, [reads, reads])).toEqual(['object', VALUES, 'string', VALUES]);
    });

    it('carries JSON where a node does not, and before the nodes are known', async () => {
      for (const members of [[reads, {}], [{ packs: PACKED_VERSION + 1 }], []]) {
        expect(await carried(guard, members)).toEqual(['string', VALUES, 'string', VALUES]);
      }
    });
  });

  it('gives ioredis bytes of its own, because those of a bundle are written again', async () => {
    transport.meet([reads]);
    const bundle = packed(...VALUES);
    await transport.publish('t', bundle);
    const [, sent] = publish.mock.lastCall!;
    bundle.fill(0);
    expect(unbundled(sent)).toEqual(VALUES);
  });

  it('refuses bytes that were changed, moved or sent again, and those of a stranger', async () => {
    const refused = jest.fn();
    const seal = createSigner('shop', new Secret('the cookie of this spec'));
    const signing = { seal, stamps: new ReplayGuard('a') };
    const guarded = make(true, { signing, refused });
    const heard = jest.fn();
    await guarded.subscribe('t', heard);
    await guarded.subscribe('u', heard);
    guarded.meet([reads]);
    await guarded.publish('t', packed(...VALUES));
    const sent = Buffer.from(publish.mock.lastCall![1] as Buffer);
    const changed = Buffer.from(sent);
    changed[changed.length - 1]! ^= 1;
    for (const bytes of [changed, packed(...VALUES), Buffer.alloc(0), Buffer.from('~'), sent.subarray(1)]) {
      subscriber.say('t', bytes);
    }
    subscriber.say('u', sent);
    expect(heard).not.toHaveBeenCalled();
    subscriber.say('t', sent);
    subscriber.say('t', sent);
    guarded.close();
    expect(heard).toHaveBeenCalledTimes(1);
    expect(refused.mock.calls.map(([, reason]) => reason)).toEqual([
      ...Array.from({ length: 6 }, () => 'bad-signature'),
      'replayed',
    ]);
  });

  it('publishes', async () => {
    expect(await transport.publish('t', 'text')).toBe(1);
    expect(publish).toHaveBeenCalledWith('t', 'text');
  });

  it('does not say how many received it where Redis knows only some of them', async () => {
    const inCluster = make(false);
    expect(await inCluster.publish('t', 'text')).toBeUndefined();
    inCluster.close();
  });

  it('subscribes once for several listeners and unsubscribes with the last', async () => {
    const [one, two] = [jest.fn(), jest.fn()];
    const stops = [await transport.subscribe('t', one), await transport.subscribe('t', two)];
    subscriber.say('t', 'x');
    expect([one, two].map((listener) => listener.mock.calls)).toEqual([[['x']], [['x']]]);
    await stops[0]!();
    expect(subscriber.topics.has('t')).toBe(true);
    await stops[1]!();
    await stops[1]!();
    expect(subscriber.calls).toEqual(['subscribe t', 'unsubscribe t']);
  });

  it('remembers a subscription while it is not connected, and makes it on reconnection', async () => {
    subscriber.status = 'reconnecting';
    const listener = jest.fn();
    await transport.subscribe('t', listener);
    expect(subscriber.calls).toEqual([]);
    subscriber.status = 'ready';
    subscriber.emit('ready');
    subscriber.say('t', 'x');
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('says that texts may have been lost once a subscription is made that was only remembered, or confirmed late', async () => {
    const interrupted = jest.fn();
    transport.onInterrupted(interrupted);
    subscriber.status = 'reconnecting';
    await transport.subscribe('remembered', jest.fn());
    expect(interrupted).not.toHaveBeenCalled();
    subscriber.status = 'ready';
    subscriber.emit('ready');
    await new Promise((resolve) => setImmediate(resolve));
    expect(interrupted).toHaveBeenCalledTimes(1);
    subscriber.emit('ready');
    await new Promise((resolve) => setImmediate(resolve));
    expect(interrupted).toHaveBeenCalledTimes(1);

    jest.useFakeTimers();
    let confirm!: (count: number) => void;
    subscriber.subscribe = () => new Promise<number>((resolve) => (confirm = resolve));
    const subscribed = transport.subscribe('late', jest.fn());
    await jest.advanceTimersByTimeAsync(2500);
    await subscribed;
    expect(interrupted).toHaveBeenCalledTimes(1);
    confirm(1);
    await jest.advanceTimersByTimeAsync(1);
    expect(interrupted).toHaveBeenCalledTimes(2);
    jest.useRealTimers();
  });

  it('drops, and tells of, a text that is longer than any node sends', async () => {
    const dropped = jest.fn();
    const limited = new RedisTransport({
      subscriber: subscriber as unknown as Redis,
      publisher: {} as unknown as Redis,
      countsReceivers: true,
      guard: {
        longest: 5,
        refused: dropped,
      },
    });
    const listener = jest.fn();
    await limited.subscribe('t', listener);
    subscriber.say('t', '123456');
    subscriber.say('t', '12345');
    limited.close();
    expect([listener.mock.calls, dropped.mock.calls]).toEqual([[['12345']], [['t', 'too-large']]]);
  });

  it('keeps a listener that throws from the parser of ioredis and from the others', async () => {
    const good = jest.fn();
    await transport.subscribe('t', () => {
      throw new Error('bad');
    });
    await transport.subscribe('t', good);
    expect(() => subscriber.say('t', 'x')).not.toThrow();
    expect(good).toHaveBeenCalledTimes(1);
  });

  it('tries again to put back subscriptions that are refused, and not at once', async () => {
    jest.useFakeTimers();
    await transport.subscribe('t', jest.fn());
    subscriber.refuse = 2;
    subscriber.emit('ready');
    await jest.advanceTimersByTimeAsync(900);
    expect(subscriber.calls).toHaveLength(2);
    await jest.advanceTimersByTimeAsync(1200);
    expect(subscriber.calls).toEqual(Array.from({ length: 4 }, () => 'subscribe t'));
    jest.useRealTimers();
  });

  it('does not wait without limit for a Redis that hangs, and remembers the topic', async () => {
    jest.useFakeTimers();
    const listener = jest.fn();
    const { subscribe } = subscriber;
    subscriber.subscribe = () => new Promise<number>(() => undefined);
    const subscribed = transport.subscribe('t', listener);
    await jest.advanceTimersByTimeAsync(2500);
    const unsubscribe = await subscribed;
    subscriber.subscribe = subscribe;
    subscriber.emit('ready');
    await jest.advanceTimersByTimeAsync(1);
    subscriber.say('t', 'x');
    expect(listener.mock.calls).toEqual([['x']]);
    subscriber.unsubscribe = () => new Promise<number>(() => undefined);
    const ended = unsubscribe();
    await jest.advanceTimersByTimeAsync(2500);
    await ended;
    jest.useRealTimers();
  });

  it('remembers a topic that a Redis without time refuses', async () => {
    const { subscribe } = subscriber;
    subscriber.subscribe = () =>
      Promise.reject(Object.assign(new Error('BUSY Redis is busy running a script.'), { name: 'ReplyError' }));
    const listener = jest.fn();
    await transport.subscribe('t', listener);
    subscriber.subscribe = subscribe;
    subscriber.emit('ready');
    await new Promise((resolve) => setImmediate(resolve));
    subscriber.say('t', 'x');
    expect(listener.mock.calls).toEqual([['x']]);
  });

  it('takes a connection that breaks meanwhile for no error, and subscribes when it is back', async () => {
    const listener = jest.fn();
    subscriber.cut = 1;
    await transport.subscribe('t', listener);
    subscriber.say('t', 'lost');
    subscriber.emit('ready');
    await new Promise((resolve) => setImmediate(resolve));
    subscriber.say('t', 'x');
    expect(listener.mock.calls).toEqual([['x']]);
  });

  it('forgets a listener whose subscription was refused', async () => {
    const [refused, accepted] = [jest.fn(), jest.fn()];
    subscriber.refuse = 1;
    await expect(transport.subscribe('t', refused)).rejects.toThrow('NOPERM');
    await transport.subscribe('t', accepted);
    subscriber.say('t', 'x');
    expect(accepted).toHaveBeenCalledTimes(1);
    expect(refused).not.toHaveBeenCalled();
  });
});
