import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../testing/eventually.js';
import { machineClock } from '../../time/clock.js';
import { LIVES } from '../../wire/key.lifetimes.js';
import { LocalStreams } from './local.streams.js';
import type { ConsumerListener } from './streams.js';

const options = { stream: 'orders', group: 'billing', from: '0', batch: 1, retryAfter: 1000, maxDeliveries: 3 };
const listener = (more: Partial<ConsumerListener>): ConsumerListener => ({
  take: () => Promise.resolve(),
  buried: () => undefined,
  lost: () => undefined,
  ...more,
});

async function filled(count: number, maxLength = 1000): Promise<LocalStreams> {
  const streams = new LocalStreams(machineClock);
  for (let each = 0; each < count; each++) await streams.append('orders', String(each), maxLength);
  return streams;
}

describe('LocalStreams', () => {
  it('lets the event loop have a turn between the batches of a backlog', async () => {
    const streams = await filled(50);
    let taken = 0;
    let turns = 0;
    let ended = false;
    const turn = (): void => {
      turns += 1;
      if (!ended) setImmediate(turn);
    };
    setImmediate(turn);
    await streams.consume(options, listener({ take: () => Promise.resolve(void (taken += 1)) }));
    await eventually(() => taken === 50);
    ended = true;
    expect(turns).toBeGreaterThanOrEqual(49);
  });

  it('forgets a group that had no consumer for long when the next one comes, and no other', async () => {
    let now = 1000;
    const streams = new LocalStreams({ ...machineClock, wall: () => now }, { ...LIVES, unused: 500 });
    await streams.append('orders', 'one', 100);
    const takenBy = async (group: string): Promise<number> => {
      let taken = 0;
      const take = (): Promise<void> => Promise.resolve(void (taken += 1));
      const consumer = await streams.consume({ ...options, group }, listener({ take }));
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      await consumer.close();
      return taken;
    };
    expect(await takenBy('billing')).toBe(1);
    now += 500;
    expect(await takenBy('billing')).toBe(0);
    now += 501;
    // It begins anew, and what was not acknowledged is not pending any more.
    expect(await takenBy('other')).toBe(1);
    expect(await takenBy('billing')).toBe(1);
  });

  it('reads nothing once it is closed', async () => {
    const streams = await filled(1);
    let taken = 0;
    const consumer = await streams.consume(options, listener({ take: () => Promise.resolve(void (taken += 1)) }));
    await consumer.close();
    expect(taken).toBe(0);
    await streams.consume(options, listener({ take: () => Promise.resolve(void (taken += 1)) }));
    await eventually(() => taken === 1);
  });

  it('keeps about as many as it may, and moves them seldom', async () => {
    const lengthOf = async (streams: LocalStreams) => (await streams.range('orders', '-', '+', 10_000)).length;
    expect(await lengthOf(await filled(1100))).toBe(1100);
    expect(await lengthOf(await filled(1101))).toBe(1000);
    expect(await lengthOf(await filled(8500, 8000))).toBe(8500);
    expect(await lengthOf(await filled(8501, 8000))).toBe(8000);
  });
});
