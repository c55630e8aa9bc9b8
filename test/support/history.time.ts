// The time of the history, which is in microseconds.
import { eventually, historyNow } from 'nestjs-foundation/testing';

/** Milliseconds from one time of the history to another. */
export function msBetween(from: number, to: number): number {
  return (to - from) / 1000;
}

/** For faults that last, and for seeing that nothing happens: there is nothing to look at but the clock. */
export async function passed(since: number, ms: number): Promise<void> {
  await eventually(() => msBetween(since, historyNow()) >= ms, { timeout: ms + 5000, every: 5 });
}
