/**
 * Waits for a thing itself, against a deadline; and the clock that the processes of one machine share.
 */
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 20;

/** What was waited for did not come in time: an unmet expectation, while any other error is a failure of the demo. */
export class NotInTimeError extends Error {}

/** Looks until there is something, and returns it; rejects with the signal's reason when that is aborted. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  { timeout, signal }: { timeout: number; signal: AbortSignal },
): Promise<T> {
  const deadline = performance.now() + timeout;
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() >= deadline) throw new NotInTimeError(`${what}: not within ${timeout} ms`);
    await delay(LOOK_EVERY_MS);
  }
}

/** CLOCK_MONOTONIC in milliseconds: the same for every process of one host, whatever happens to the time of day. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
