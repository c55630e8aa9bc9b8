import { expect, it } from '@jest/globals';
import { Telemetry } from '../telemetry/telemetry.js';
import type { Consumer, Streams } from '../tools/streams.js';
import { Drops } from './drops.js';
import { DurableSubscription } from './durable.subscription.js';

const limits = { maxLength: 10, maxDeliveries: 3, retryAfter: 100 };

it('a consumer that comes after the end of its subscription is closed', async () => {
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
      drops: new Drops(telemetry),
      read: () => Promise.resolve('not read'),
    },
  );
  const begun = subscription.begin();
  await subscription.unsubscribe();
  expect(closed).toBe(0);
  come();
  await begun;
  expect(closed).toBe(1);
});
