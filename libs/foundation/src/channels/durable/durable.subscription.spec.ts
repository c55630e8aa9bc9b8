import { expect, it } from '@jest/globals';
import type { Consumer, StreamEntry, Streams } from '../../backend/streams/streams.js';
import { HandlerGoneError } from '../../calls/handler.gone.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import type { Envelope } from '../envelope.js';
import { MessageDrops } from '../message.drops.js';
import { DurableSubscription } from './durable.subscription.js';

const limits = {
  maxLength: 10,
  maxDeliveries: 3,
  retryAfter: 100,
  acknowledge: 'memory',
  acknowledgeTimeout: 5000,
} as const;

it('closes a consumer that opens after its subscription has ended', async () => {
  let closed = 0;
  const consumer = { close: () => Promise.resolve(void (closed += 1)) } as Consumer;
  let come!: () => void;
  const coming = new Promise<Consumer>((resolve) => (come = () => resolve(consumer)));
  const telemetry = new Telemetry();
  const subscription = new DurableSubscription(
    { channel: 'orders', group: 'billing', limits, options: {}, handler: () => undefined },
    {
      streams: { consume: () => coming } as unknown as Streams,
      telemetry,
      drops: new MessageDrops(telemetry),
      read: () => Promise.resolve('not-json'),
    },
  );
  const begun = subscription.start();
  await subscription.unsubscribe();
  expect(closed).toBe(0);
  come();
  await begun;
  expect(closed).toBe(1);
});

it('releases a message whose handler is gone, even at its last delivery', async () => {
  const steps: string[] = [];
  const consumer: Consumer = {
    acknowledge: (id) => Promise.resolve(void steps.push(`acknowledged ${id}`)),
    bury: ({ id }) => Promise.resolve(steps.push(`buried ${id}`) > 0),
    leave: () => undefined,
    release: (entries) => Promise.resolve(void steps.push(...entries.map(({ id }) => `released ${id}`))),
    close: () => Promise.resolve(),
  };
  const telemetry = new Telemetry();
  const subscription = new DurableSubscription(
    {
      ...{ channel: 'orders', group: 'billing', limits, options: {} },
      handler: (message) => {
        if (message === '2-0') throw new HandlerGoneError('process "feed"');
      },
    },
    {
      streams: { consume: () => Promise.resolve(consumer) } as unknown as Streams,
      telemetry,
      drops: new MessageDrops(telemetry),
      read: ({ id }: StreamEntry) => Promise.resolve({ message: id, meta: { sentAt: 0 } } as Envelope),
    },
  );
  await subscription.start();
  await subscription.take(['1-0', '2-0'].map((id) => ({ id, text: '', deliveries: limits.maxDeliveries })));
  expect(steps.sort()).toEqual(['acknowledged 1-0', 'released 2-0']);
  expect(subscription.counters).toMatchObject({ failed: 0, waiting: 0 });
});

it('does not wait for the handler that ends its own subscription, and for others it does', async () => {
  const steps: string[] = [];
  const taken: { handled?: Promise<void> } = {};
  const consumer = {
    acknowledge: (id: string) => Promise.resolve(void steps.push(`acknowledged ${id}`)),
    release: (entries: StreamEntry[]) => Promise.resolve(void steps.push(...entries.map(({ id }) => `released ${id}`))),
    close: () => taken.handled,
  } as unknown as Consumer;
  const telemetry = new Telemetry();
  const subscription: DurableSubscription = new DurableSubscription(
    {
      ...{ channel: 'orders', group: 'billing', limits, options: {} },
      handler: async () => {
        await subscription.unsubscribe();
        steps.push('handler goes on');
      },
    },
    {
      streams: { consume: () => Promise.resolve(consumer) } as unknown as Streams,
      telemetry,
      drops: new MessageDrops(telemetry),
      read: ({ id }: StreamEntry) => Promise.resolve({ message: id, meta: { sentAt: 0 } } as Envelope),
    },
  );
  await subscription.start();
  taken.handled = subscription.take(['1-0', '2-0'].map((id) => ({ id, text: '', deliveries: 1 })));
  await taken.handled;
  await subscription.unsubscribe();
  expect(steps).toEqual(['released 2-0', 'handler goes on', 'acknowledged 1-0']);
});

it.each([2, 3])('lets the handlers of %i subscriptions end each other, in a ring', async (count) => {
  const telemetry = new Telemetry();
  const handled: Promise<void>[] = [];
  let begun = 0;
  let allBegun!: () => void;
  const together = new Promise<void>((resolve) => (allBegun = resolve));
  const ring: DurableSubscription[] = Array.from({ length: count }, (_, index) => {
    const consumer = { acknowledge: () => Promise.resolve(), release: () => Promise.resolve() };
    return new DurableSubscription(
      {
        ...{ channel: `c${index}`, group: 'g', limits, options: {} },
        handler: async () => {
          if ((begun += 1) === count) allBegun();
          await together;
          await ring[(index + 1) % count]!.unsubscribe();
        },
      },
      {
        streams: { consume: async () => ({ ...consumer, close: () => handled[index] }) } as unknown as Streams,
        telemetry,
        drops: new MessageDrops(telemetry),
        read: ({ id }: StreamEntry) => Promise.resolve({ message: id, meta: { sentAt: 0 } } as Envelope),
      },
    );
  });
  for (const [index, subscription] of ring.entries()) {
    await subscription.start();
    handled[index] = subscription.take([{ id: '1-0', text: '', deliveries: 1 }]);
  }
  await Promise.all(handled);
  await Promise.all(ring.map((subscription) => subscription.unsubscribe()));
});
