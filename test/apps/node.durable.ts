// Sends on a durable channel and is one of the consumers of a group of it, and writes down what Redis has kept, what
// was delivered and what was handled.
import { setTimeout as delay } from 'node:timers/promises';
import type { Channels, DurableChannelOptions } from 'nestjs-foundation';
import { historyNow, type HistoryRecorder } from 'nestjs-foundation/testing';

type Recorder = Pick<HistoryRecorder, 'record'>;

const CHANNEL = 'orders';
const GROUP = 'billing';
const SEND_EVERY_MS = 250;
/** So many do not fail so often, so that no message becomes a dead letter in a run. */
const MOST_DELIVERIES = 100;
/** Each of so many fails the first time. */
const FAILS_EVERY = 9;
/** Each of so many takes longer than a consumer may be silent. */
const SLOW_EVERY = 23;
const RETRY_AFTER_MS = 3000;

/** The channel, for the options of the node. */
export const DURABLE: Record<string, { durable: DurableChannelOptions }> = {
  [CHANNEL]: { durable: { retryAfter: RETRY_AFTER_MS, maxDeliveries: MOST_DELIVERIES } },
};

/** Subscribes as a member of the group; handlers take a moment, and some fail the first time. */
export async function consume(channels: Channels, recorder: Recorder): Promise<void> {
  const [channel, group] = [CHANNEL, GROUP];
  await channels.subscribe(
    channel,
    async (message, { id, deliveries = 1 }) => {
      const { n } = message as { n: number };
      const delivered = { channel, group, message: (message as { id: string }).id, entry: id, deliveries };
      recorder.record('test.durable_delivered', delivered);
      await delay(n % SLOW_EVERY === 0 ? RETRY_AFTER_MS * 1.5 : (n * 37) % 90);
      if (deliveries === 1 && n % FAILS_EVERY === FAILS_EVERY - 1) throw new Error('The first time it fails');
      recorder.record('test.durable_handled', delivered);
    },
    { group, from: '0' },
  );
  recorder.record('test.durable_listening', { channel, group });
}

/** Sends until it is over; whether Redis has kept one is what `broadcast` resolved with. */
export async function orderForEver(
  channels: Channels,
  recorder: Recorder,
  { bootId }: { bootId: string },
  isOver: () => boolean,
): Promise<void> {
  for (let n = 1; !isOver(); n++) {
    const id = `${bootId} ${n}`;
    const sentAt = historyNow();
    void channels.broadcast(CHANNEL, { id, n }).then(
      () => recorder.record('test.durable_kept', { channel: CHANNEL, message: id, sentAt }),
      () => undefined,
    );
    await delay(SEND_EVERY_MS);
  }
}
