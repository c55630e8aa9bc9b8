import { describe, expect, it } from '@jest/globals';
import { ProcessTimeoutError } from '../errors/process.errors.js';
import { type StopParts, type Stopped, untilStopped } from './process.stop.js';

/** As a poll finds it: the row, and the epochs of those that own it; `graceMs` after a loss of data. */
interface Found {
  row: { status: string; version: number } | undefined;
  owned: Record<string, number>;
  graceMs?: number;
}

const SLOTS = ['carts/0', 'carts/1'];

/** A stop that was written as version 10, when the owners had the epochs 5 and 6. */
function wait({ row, owned, graceMs = 0 }: Found): Promise<void> {
  const owners = (names: readonly string[]) =>
    Promise.resolve(
      names.map((name) => {
        const epoch = owned[name];
        return epoch === undefined ? undefined : { name, node: 'n1', bootId: 'b', epoch, state: 'running', since: 0 };
      }),
    );
  const parts = {
    config: { lease: { ttl: 1500, grace: 1517 } },
    backend: { leases: { grace: () => Promise.resolve(graceMs) } },
    table: { get: () => row },
    registry: { owners },
    waiter: { until: (_name: string, _timeout: number, poll: () => Promise<unknown>) => poll() },
  } as unknown as StopParts;
  const entry = { name: 'carts', version: 10, status: 'stopped', options: { stopTimeout: 5000 } };
  const epochs = new Map(SLOTS.map((slot, index) => [slot, 5 + index]));
  return untilStopped(parts, { entry, slots: SLOTS, epochs } as unknown as Stopped);
}

const STOPPED = { status: 'stopped', version: 10 };
const AGAIN = { status: 'wanted', version: 11 };

describe('A stop', () => {
  it.each<[string, Found]>([
    ['nobody owns any of it', { row: STOPPED, owned: {} }],
    ['it has been forgotten', { row: undefined, owned: {} }],
    ['only those are left that somebody has started since', { row: AGAIN, owned: { 'carts/0': 7, 'carts/1': 8 } }],
    ['one of those is there so far', { row: AGAIN, owned: { 'carts/1': 8 } }],
  ])('is over when %s', async (_when, found) => {
    await expect(wait(found)).resolves.toBeUndefined();
  });

  it.each<[string, Found, RegExp]>([
    ['an owner has not let go', { row: STOPPED, owned: { 'carts/1': 6 } }, /marked as stopped.*Let onProcessStop/],
    // It was won between the look at the owners and the stop: that one is to end as well.
    ['an owner took it a moment before', { row: STOPPED, owned: { 'carts/1': 9 } }, /marked as stopped/],
    [
      'one goes on as it was',
      { row: AGAIN, owned: { 'carts/0': 7, 'carts/1': 6 } },
      /started it again.*Stop it once more/,
    ],
    ['Redis has lost its data and knows no owner', { row: STOPPED, owned: {}, graceMs: 100 }, /marked as stopped/],
  ])('is not over while %s, and says what is so', async (_while, found, words) => {
    const error = await wait(found).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ProcessTimeoutError);
    expect(String(error)).toMatch(words);
  });
});
