import { beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { HandlerGoneError } from '../../calls/handler.gone.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { eventually } from '../../testing/eventually.js';
import type { MessageHandler, Priority, SubscribeOptions } from '../channel.js';
import type { Envelope } from '../envelope.js';
import { MessageDrops } from '../message.drops.js';
import { HandlerQueue } from './handler.queue.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('HandlerQueue', () => {
  let telemetry: Telemetry;
  beforeEach(() => {
    Logger.overrideLogger(false);
    telemetry = new Telemetry();
  });

  const queueOf = (options: SubscribeOptions, handler: MessageHandler) =>
    new HandlerQueue('events', options, handler, { telemetry, drops: new MessageDrops(telemetry) });
  const envelope = (message: unknown, priority: Priority = 'normal', settle?: Envelope['settle']): Envelope => ({
    message,
    meta: { channel: 'events', from: 'n', bootId: 'b', seq: 1, sentAt: Date.now(), priority },
    settle,
  });

  /** A queue whose handler is stuck with one message, so that all others wait; `go` lets it end. */
  async function stuck(options: SubscribeOptions) {
    const seen: unknown[] = [];
    let go!: () => void;
    const gate = new Promise<void>((resolve) => (go = resolve));
    const queue = queueOf(options, async (message) => {
      seen.push(message);
      if (message === 'stuck') await gate;
    });
    void queue.push(envelope('stuck'), false);
    await turn();
    const push = (message: unknown, priority?: Priority, isLocal = false) =>
      queue.push(envelope(message, priority), isLocal);
    const drain = async () => {
      go();
      await eventually(() => queue.counters.waiting === 0);
      await turn();
      return seen.slice(1);
    };
    return { queue, push, drain, go, seen };
  }

  it('serves high before normal before low, each in order', async () => {
    const { push, drain } = await stuck({});
    for (const priority of ['low', 'normal', 'high'] as const) {
      for (const number of [1, 2]) void push(`${priority} ${number}`, priority);
    }
    expect(await drain()).toEqual(['high 1', 'high 2', 'normal 1', 'normal 2', 'low 1', 'low 2']);
  });

  it.each<[string, Priority[], Priority, SubscribeOptions['queue'], string[]]>([
    ['drop-oldest', ['normal', 'normal'], 'normal', { policy: 'drop-oldest' }, ['normal 1', 'normal new']],
    ['drop-oldest, low first', ['low', 'normal'], 'normal', {}, ['normal 1', 'normal new']],
    ['drop-oldest, low first for high, too', ['normal', 'low'], 'high', {}, ['high new', 'normal 0']],
    ['drop-oldest, nothing of a higher priority', ['high', 'normal'], 'low', {}, ['high 0', 'normal 1']],
    ['drop-newest', ['normal', 'normal'], 'normal', { policy: 'drop-newest' }, ['normal 0', 'normal 1']],
    ['drop-newest, low first', ['low', 'normal'], 'normal', { policy: 'drop-newest' }, ['normal 1', 'normal new']],
    [
      'drop-newest, nothing of a higher priority',
      ['high', 'normal'],
      'low',
      { policy: 'drop-newest' },
      ['high 0', 'normal 1'],
    ],
    [
      'block, for what another node sent',
      ['normal', 'normal'],
      'normal',
      { policy: 'block' },
      ['normal 0', 'normal 1'],
    ],
  ])('when it is full: %s', async (_what, waiting, coming, policy, left) => {
    const { queue, push, drain } = await stuck({ queue: { size: 2, ...policy } });
    for (const [index, priority] of waiting.entries()) void push(`${priority} ${index}`, priority);
    expect(push(`${coming} new`, coming)).toBeUndefined();
    expect(queue.dropped).toBe(1);
    expect(queue.counters.waiting).toBe(2);
    expect(await drain()).toEqual(left);
    expect(queue.counters.dropped).toEqual({ 'queue-full': 1 });
  });

  it('blocks a sender of this node until there is room, and drops beyond twice its size', async () => {
    const { queue, push, drain } = await stuck({ queue: { size: 2, policy: 'block' } });
    const order: string[] = [];
    expect([push(1, 'normal', true), push(2, 'normal', true)]).toEqual([undefined, undefined]);
    const rooms = [push(3, 'normal', true), push(4, 'normal', true)];
    rooms.forEach((room, index) => void room!.then(() => order.push(`room ${index}`)));
    expect(push(5, 'normal', true)).toBeUndefined();
    expect(queue.dropped).toBe(1);
    await turn();
    expect(order).toEqual([]);
    expect(await drain()).toEqual([1, 2, 3, 4]);
    expect(order).toEqual(['room 0', 'room 1']);
  });

  it('releases blocked publishers on unsubscribe', async () => {
    const { queue, push } = await stuck({ queue: { size: 1, policy: 'block' } });
    void push(1, 'normal', true);
    const room = push(2, 'normal', true);
    void queue.close();
    await expect(room).resolves.toBeUndefined();
  });

  it('handles up to `concurrency` messages at a time', async () => {
    let now = 0;
    let most = 0;
    const queue = queueOf({ concurrency: 3 }, async () => {
      most = Math.max(most, ++now);
      await turn();
      now -= 1;
    });
    for (let message = 0; message < 20; message++) void queue.push(envelope(message), false);
    await eventually(() => queue.received === 20 && now === 0);
    expect(most).toBe(3);
  });

  it('counts, and reports the age of the backlog', async () => {
    const { queue, push, drain } = await stuck({ queue: { size: 1 } });
    void push(1);
    void push(2);
    await eventually(() => queue.counters.lag > 0);
    expect(queue.counters).toMatchObject({ received: 1, failed: 0, missed: 0, waiting: 1 });
    expect(queue.counters.dropped).toEqual({ 'queue-full': 1 });
    await drain();
    expect(queue.counters).toMatchObject({ received: 2, waiting: 0, lag: 0 });
  });

  it('settles each message: handled, failed, dropped, unsubscribed', async () => {
    const settled: (string | undefined)[] = [];
    const settle = (failure?: string) => void settled.push(failure);
    let go!: () => void;
    const queue = queueOf({ queue: { size: 1 } }, async (message) => {
      if (message === 1) await new Promise<void>((resolve) => (go = resolve));
      if (message === 3) throw new Error('bad handler');
    });
    void queue.push(envelope(1, 'normal', settle), false);
    await turn();
    for (const message of [2, 3]) void queue.push(envelope(message, 'normal', settle), false);
    go();
    await eventually(() => settled.length === 3);
    expect(settled).toEqual(['queue full, normal priority', undefined, 'a handler failed: bad handler']);
    expect(queue.counters.failed).toBe(1);
    void queue.close();
    void queue.push(envelope(4, 'normal', settle), false);
    expect(settled[3]).toBe('unsubscribed');
  });

  it('lets the event loop turn during many messages whose handler returns at once', async () => {
    // However fast the machine is, all of them are more than a turn may take.
    const queue = queueOf({}, () => {
      for (const until = performance.now() + 0.02; performance.now() < until;);
    });
    for (let message = 0; message < 5000; message++) void queue.push(envelope(message), false);
    await turn();
    expect(queue.received).toBeLessThan(5000);
    await eventually(() => queue.received === 5000);
  });

  it('takes what comes to a handler that has gone, or after its end, for no failure, and does not warn', async () => {
    const said: unknown[] = [];
    const keep = (...words: unknown[]): void => void said.push(words);
    Logger.overrideLogger({ log: keep, warn: keep, error: keep, debug: keep });
    const settled: unknown[] = [];
    const settle = (failure?: string): void => void settled.push(failure);
    const queue = queueOf({}, () => Promise.reject(new HandlerGoneError('process "feed"')));
    void queue.push(envelope(1, 'normal', settle), false);
    await eventually(() => settled.length === 1);
    await queue.close();
    void queue.push(envelope(2, 'normal', settle), true);
    expect(settled).toEqual(['unsubscribed', 'unsubscribed']);
    expect(queue.counters).toMatchObject({ failed: 0, dropped: { unsubscribed: 2 } });
    expect(said).toEqual([]);
  });

  it('closes when no handler runs, and counts the dropped backlog', async () => {
    const { queue, push, go, seen } = await stuck({});
    for (const message of [1, 2]) void push(message);
    const settled: unknown[] = [];
    void queue.push(
      envelope(3, 'normal', (failure) => void settled.push(failure)),
      false,
    );
    let ended = false;
    const ending = queue.close().then(() => (ended = true));
    void queue.push(
      envelope(4, 'normal', (failure) => void settled.push(failure)),
      false,
    );
    await turn();
    expect(ended).toBe(false);
    expect(queue.counters).toMatchObject({ dropped: { unsubscribed: 4 }, waiting: 0 });
    expect(settled).toEqual(['unsubscribed', 'unsubscribed']);
    go();
    await ending;
    await queue.close();
    expect(seen).toEqual(['stuck']);
  });

  it.each<[string, MessageHandler]>([
    ['at once', () => void Math.sqrt(2)],
    ['later', async () => void (await Promise.resolve())],
  ])('lets timers fire while it serves many messages to a handler that returns %s', async (_what, handler) => {
    let handled = 0;
    const work = (): void => {
      for (const end = performance.now() + 0.01; performance.now() < end;);
      handled += 1;
    };
    const queue = queueOf({ queue: { size: 20_000 } }, (message, meta) => (work(), handler(message, meta)));
    let fired = 0;
    const timer = setInterval(() => (fired += 1), 0);
    for (let number = 0; number < 10_000; number++) void queue.push(envelope(number), false);
    await eventually(() => handled === 10_000);
    clearInterval(timer);
    // About a hundred milliseconds of work: 3 is far below what any machine has, and above the one that ends it.
    expect(fired).toBeGreaterThan(3);
  });

  it('bounds the backlog by its size, too', async () => {
    const { queue, push, drain } = await stuck({});
    const weighing = (message: string) => ({ ...envelope(message), size: 30 * 1024 * 1024 });
    for (const message of ['a', 'b', 'c']) void queue.push(weighing(message), false);
    void push('light');
    expect(queue.counters).toMatchObject({ waiting: 3, dropped: { 'queue-full': 1 } });
    expect(await drain()).toEqual(['b', 'c', 'light']);
  });

  it('accepts one message larger than the bound', async () => {
    const { queue, drain } = await stuck({});
    void queue.push({ ...envelope('heavy'), size: 1024 ** 3 }, false);
    expect(await drain()).toEqual(['heavy']);
  });

  it('counts what it drops on close, releases senders, and resolves when no handler runs', async () => {
    const { queue, push, drain } = await stuck({ queue: { size: 1, policy: 'block' } });
    void push('a');
    const blocked = push('b', 'normal', true);
    let closed = false;
    const closing = queue.close().then(() => (closed = true));
    await blocked;
    void push('late');
    await turn();
    expect([closed, queue.counters.dropped]).toEqual([false, { unsubscribed: 3 }]);
    expect(await drain()).toEqual([]);
    await closing;
  });
});
