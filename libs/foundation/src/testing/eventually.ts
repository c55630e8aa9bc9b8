/**
 * Polls a condition until a deadline, and says what it saw last when it never came.
 * For tests: it is what replaces sleeping.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** Options of {@link eventually}. */
export interface EventuallyOptions {
  /** Milliseconds, default 10 000. A generous safety limit, not a measurement. */
  timeout?: number;
  /** Milliseconds between polls, default 25. */
  every?: number;
  /** Begins the error. */
  what?: string;
}

/**
 * Calls `look` until it returns something that is not `undefined`, `null` or `false`, and returns that.
 *
 * A `look` that throws counts as not there yet; its last error, or the last value of `lastSeen`, ends up in the
 * message.
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  options: EventuallyOptions & { lastSeen?: () => unknown } = {},
): Promise<Exclude<T, undefined | null | false>> {
  const { timeout = 10_000, every = 25, what = 'The condition' } = options;
  const deadline = performance.now() + timeout;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      last = found;
      if (found !== undefined && found !== null && found !== false)
        return found as Exclude<T, undefined | null | false>;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= deadline) {
      const seen = options.lastSeen === undefined ? last : options.lastSeen();
      throw new Error(`${what} did not come true in ${timeout} ms. Last seen: ${show(seen)}`, { cause: last });
    }
    await sleep(every);
  }
}

function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === 'string') return value;
  return JSON.stringify(value, undefined, 1)?.slice(0, 4000) ?? String(value);
}
