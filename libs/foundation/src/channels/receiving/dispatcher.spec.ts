import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { FoundationEvents } from '../../telemetry/events.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { eventually } from '../../testing/eventually.js';
import type { Gap, MessageHandler, SubscribeOptions } from '../channel.js';
import type { Envelope } from '../envelope.js';
import { MessageDrops } from '../message.drops.js';
import { Dispatcher } from './dispatcher.js';

let seq = 0;
const envelope = (message: unknown, type?: string, channel = 'events'): Envelope => ({
  message,
  meta: {
    channel,
    from: 'n1',
    bootId: 'b',
    seq: ++seq,
    sentAt: 1000,
    priority: 'normal',
    ...(type === undefined ? {} : { type }),
  },
});

/** Several, because on a busy machine a queue gives way to others after each message. */
const turn = async () => {
  for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve));
};

describe('Dispatcher', () => {
  const error = jest.fn();
  let telemetry: Telemetry;
  let dispatcher: Dispatcher;
  let events: { event: string; payload: unknown }[];

  beforeEach(() => {
    Logger.overrideLogger({ log: jest.fn(), warn: jest.fn(), error });
    error.mockReset();
    telemetry = new Telemetry();
    events = [];
    telemetry.attach('*', (event, payload) => events.push({ event, payload }));
    dispatcher = new Dispatcher('b', { telemetry, drops: new MessageDrops(telemetry) });
  });

  const payloads = <E extends keyof FoundationEvents>(name: E) =>
    events.filter(({ event }) => event === name).map(({ payload }) => payload as FoundationEvents[E]);

  it('delivers to every handler of the channel, with its meta, and to no other', async () => {
    const [one, two, other] = [jest.fn<MessageHandler>(), jest.fn<MessageHandler>(), jest.fn<MessageHandler>()];
    dispatcher.add('events', {}, one);
    dispatcher.add('events', {}, two);
    dispatcher.add('data', {}, other);
    const sent = envelope({ n: 1 });
    void dispatcher.deliver(sent, 1005);
    await turn();
    for (const handler of [one, two]) expect(handler.mock.calls).toEqual([[{ n: 1 }, sent.meta]]);
    expect(other).not.toHaveBeenCalled();
    expect(payloads('message.received')).toEqual([{ channel: 'events', from: 'n1', latency: 5 }]);
  });

  it('gives each handler an object of its own, so that none sees what another one did to it', async () => {
    const seen: unknown[] = [];
    const handler: MessageHandler = (message) => {
      seen.push(structuredClone(message));
      (message as { list: number[] }).list.push(seen.length);
    };
    for (const group of [undefined, undefined, 'workers']) {
      dispatcher.add('events', group === undefined ? {} : { group }, handler);
    }
    void dispatcher.deliver({ ...envelope({ list: [0] }), groups: { workers: 'b' } }, 1000);
    await turn();
    expect(seen).toEqual([{ list: [0] }, { list: [0] }, { list: [0] }]);
  });

  it('counts a group message without a chosen member, and not one for another node', async () => {
    const handler = jest.fn<MessageHandler>();
    dispatcher.add('events', { group: 'workers', type: 'placed' }, handler);
    void dispatcher.deliver(envelope(1, 'placed'), 1000);
    void dispatcher.deliver(envelope(2, 'gone'), 1000);
    void dispatcher.deliver({ ...envelope(3, 'placed'), groups: { workers: 'another' } }, 1000);
    await turn();
    expect(handler).not.toHaveBeenCalled();
    expect(payloads('message.dropped')).toEqual([{ channel: 'events', reason: 'no-group-member', count: 1 }]);
  });

  it('stops handling at the end, and waits for running handlers', async () => {
    let end!: () => void;
    dispatcher.add('events', {}, () => new Promise<void>((resolve) => (end = resolve)));
    void dispatcher.deliver(envelope(1), 1000);
    await turn();
    let ended = false;
    const ending = dispatcher.end().then(() => (ended = true));
    await turn();
    void dispatcher.deliver(envelope(2), 1000);
    await turn();
    expect(ended).toBe(false);
    end();
    await ending;
    expect(payloads('message.dropped')).toMatchObject([{ reason: 'unsubscribed' }]);
  });

  it('never reports a negative latency', () => {
    void dispatcher.deliver(envelope(1), 900);
    expect(payloads('message.received')[0]!.latency).toBe(0);
  });

  it('does not call a handler within the turn of the sender', () => {
    const handler = jest.fn<MessageHandler>();
    dispatcher.add('events', {}, handler);
    void dispatcher.deliver(envelope(1), 0);
    expect(handler).not.toHaveBeenCalled();
  });

  it('delivers in order, one after the other, however long each takes', async () => {
    const order: string[] = [];
    const queue = dispatcher.add('events', {}, async (message) => {
      order.push(`begin ${String(message)}`);
      await turn();
      order.push(`end ${String(message)}`);
    });
    for (const message of [1, 2, 3]) void dispatcher.deliver(envelope(message), 0);
    await eventually(() => queue.received === 3 && order.length === 6);
    expect(order).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3']);
  });

  it('delivers only the type of the subscription', async () => {
    const [placed, all] = [jest.fn<MessageHandler>(), jest.fn<MessageHandler>()];
    const queue = dispatcher.add('events', { type: 'order.placed' }, placed);
    dispatcher.add('events', {}, all);
    void dispatcher.deliver(envelope(1, 'order.placed'), 0);
    void dispatcher.deliver(envelope(2, 'order.gone'), 0);
    void dispatcher.deliver(envelope(3), 0);
    await turn();
    expect(placed.mock.calls.map(([message]) => message)).toEqual([1]);
    expect(all.mock.calls.map(([message]) => message)).toEqual([1, 2, 3]);
    expect(queue.received).toBe(1);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('bad handler');
      },
    ],
    ['rejects', () => Promise.reject(new Error('bad handler'))],
  ])('goes on after a handler that %s, and harms no other', async (_how, fail) => {
    const good = jest.fn<MessageHandler>();
    const queue = dispatcher.add('events', {}, fail);
    dispatcher.add('events', {}, good);
    for (const message of [1, 2]) void dispatcher.deliver(envelope(message), 0);
    await eventually(() => queue.received === 2);
    await turn();
    expect(good).toHaveBeenCalledTimes(2);
    expect(payloads('message.handler_failed')).toEqual(Array(2).fill({ channel: 'events', error: 'bad handler' }));
    expect(error).toHaveBeenCalledTimes(1); // the second time would repeat the first
  });

  it('serves other handlers while one never ends', async () => {
    const good = jest.fn<MessageHandler>();
    const stuck = dispatcher.add('events', {}, () => new Promise(() => undefined));
    dispatcher.add('events', {}, good);
    for (const message of [1, 2, 3]) void dispatcher.deliver(envelope(message), 0);
    await turn();
    expect(good).toHaveBeenCalledTimes(3);
    expect(stuck.received).toBe(1);
  });

  it('drops the oldest beyond 10 000 for a slow handler, counts and reports them, and goes on', async () => {
    const seen: unknown[] = [];
    let go!: () => void;
    const queue = dispatcher.add('events', {}, async (message) => {
      seen.push(message);
      if (message === 0) await new Promise<void>((resolve) => (go = resolve));
    });
    void dispatcher.deliver(envelope(0), 0);
    await turn();
    for (let message = 1; message <= 10_005; message++) void dispatcher.deliver(envelope(message), 0);
    expect(queue.dropped).toBe(5);
    expect(payloads('message.dropped')).toEqual(
      Array(5).fill({ channel: 'events', reason: 'queue-full', count: 1, priority: 'normal' }),
    );
    go();
    await eventually(() => queue.received === 10_001);
    expect(seen.slice(0, 3)).toEqual([0, 6, 7]);
    expect(seen.at(-1)).toBe(10_005);
  });

  it('delivers nothing after the removal, not even the backlog', async () => {
    const seen: unknown[] = [];
    const queue = dispatcher.add('events', {}, async (message) => {
      seen.push(message);
      await turn();
    });
    for (const message of [1, 2]) void dispatcher.deliver(envelope(message), 0);
    await turn();
    expect(dispatcher.remove(queue)).toBe(true);
    void dispatcher.deliver(envelope(3), 0);
    await turn();
    await turn();
    expect(seen).toEqual([1]);
  });

  it('reports the removal of the last subscription once, groups included', () => {
    const [one, two, three] = [{}, { group: 'g' }, { group: 'h' }].map((options) =>
      dispatcher.add('events', options, jest.fn<MessageHandler>()),
    );
    expect(dispatcher.has('events')).toBe(true);
    expect([one, one, two, three, three].map((queue) => dispatcher.remove(queue!))).toEqual([
      false,
      false,
      false,
      true,
      false,
    ]);
    expect(dispatcher.has('events')).toBe(false);
  });

  it('delivers to one member of each group chosen by the sender, in turn and by type', async () => {
    const heard: string[] = [];
    const member = (name: string, options: SubscribeOptions) =>
      dispatcher.add('events', options, () => void heard.push(name));
    member('a1', { group: 'a' });
    member('a2', { group: 'a' });
    member('a typed', { group: 'a', type: 't' });
    member('b', { group: 'b' });
    member('plain', {});
    const deliver = async (groups: Record<string, string> | undefined, type?: string) => {
      heard.length = 0;
      void dispatcher.deliver({ ...envelope(1, type), groups }, 0);
      await turn();
      return [...heard].sort();
    };
    expect(await deliver({ a: 'b' })).toEqual(['a1', 'plain']);
    expect(await deliver({ a: 'b', b: 'b' })).toEqual(['a2', 'b', 'plain']);
    expect(await deliver({ a: 'another node' })).toEqual(['plain']);
    expect(await deliver(undefined)).toEqual(['plain']);
    const typed = new Set<string>();
    for (let time = 0; time < 6; time++) for (const name of await deliver({ a: 'b' }, 't')) typed.add(name);
    expect([...typed].sort()).toEqual(['a typed', 'a1', 'a2', 'plain']);
  });

  it('settles a message once, when all subscriptions are done, with the first failure', async () => {
    const settle = jest.fn<(failure?: string) => void>();
    dispatcher.add('events', { type: 'other' }, jest.fn<MessageHandler>());
    void dispatcher.deliver({ ...envelope(1, 'nobody asked for'), settle }, 0);
    expect(settle.mock.calls).toEqual([[]]);
    let go!: () => void;
    dispatcher.add('events', {}, () => new Promise<void>((resolve) => (go = resolve)));
    dispatcher.add('events', {}, () => Promise.reject(new Error('bad handler')));
    void dispatcher.deliver({ ...envelope(1), settle }, 0);
    await turn();
    expect(settle).toHaveBeenCalledTimes(1);
    go();
    await turn();
    expect(settle.mock.calls.slice(1)).toEqual([['a handler failed: bad handler']]);
  });

  it('reports a gap to each subscription of the channel, also when one throws', () => {
    const gap: Gap = { channel: 'events', from: 'n1', bootId: 'b', priority: 'low', missing: { first: 3, last: 5 } };
    const onGap = jest.fn<(gap: Gap) => void>();
    const bad = dispatcher.add(
      'events',
      {
        onGap: () => {
          throw new Error('bad gap handler');
        },
      },
      jest.fn<MessageHandler>(),
    );
    const good = dispatcher.add('events', { onGap }, jest.fn<MessageHandler>());
    const other = dispatcher.add('data', { onGap }, jest.fn<MessageHandler>());
    dispatcher.gap(gap);
    expect(onGap.mock.calls).toEqual([[gap]]);
    expect([bad.missed, good.missed, other.missed]).toEqual([3, 3, 0]);
    expect(payloads('message.gap')).toEqual([gap]);
    expect(error).toHaveBeenCalledTimes(1);
  });

  it('lets a handler subscribe and unsubscribe while it is called', async () => {
    const late = jest.fn<MessageHandler>();
    const queue = dispatcher.add('events', {}, () => {
      dispatcher.remove(queue);
      dispatcher.add('events', {}, late);
    });
    void dispatcher.deliver(envelope(1), 0);
    await turn();
    void dispatcher.deliver(envelope(2), 0);
    await turn();
    expect(queue.received).toBe(1);
    expect(late.mock.calls.map(([message]) => message)).toEqual([2]);
  });
});
