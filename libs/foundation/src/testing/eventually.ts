/**
 * Polls a condition until a deadline, and says what it saw last when it never came.
 * For tests: it is what replaces sleeping.
 */
import { clearTimeout, setTimeout } from 'node:timers';
import { inspect } from 'node:util';
import { ArgumentError } from '../errors/config.errors.js';
import { show as shown } from '../errors/describe.js';
import { givenOptions } from '../foreign/given.options.js';
import { LONGEST_TIMER_MS } from '../time/duration.js';

/** Options of {@link eventually}. */
export interface EventuallyOptions {
  /** Milliseconds, default 10 000. A generous safety limit, not a measurement. */
  timeout?: number;
  /** Milliseconds between polls, default 25. */
  every?: number;
  /** Begins the error. */
  what?: string;
}

/** Those of the machine, also once a test fakes timers: it would wait for itself. */
const [realNow, setReal, clearReal] = [performance.now.bind(performance), setTimeout, clearTimeout];
const SHOWN = 4000;

/** What a `look` that is under way at the deadline is seen as. */
const UNANSWERED = Symbol('unanswered');

/**
 * Calls `look` until it returns something that is not `undefined`, `null` or `false`, and returns that.
 *
 * A `look` that throws counts as not there yet; its last error, or the last value of `lastSeen`, ends up in the
 * message. One that does not end is given up at the deadline. Fake timers of a test change nothing here.
 *
 * @throws Error at the deadline; ArgumentError for a `look` that is no function, and for a `timeout` or `every` that is
 *   no number of milliseconds.
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  options: EventuallyOptions & { lastSeen?: () => unknown } = {},
): Promise<Exclude<T, undefined | null | false>> {
  if (typeof look !== 'function') throw new ArgumentError('eventually', 'look', shown(look), 'a function');
  const known = ['timeout', 'every', 'what', 'lastSeen'] as const;
  const {
    timeout = 10_000,
    every = 25,
    what = 'The condition',
  } = givenOptions<typeof options>('eventually', options, known);
  requireMs('timeout', timeout);
  requireMs('every', every);
  const deadline = realNow() + timeout;
  let last: unknown;
  for (;;) {
    try {
      const found = await before(deadline, look);
      last = found === UNANSWERED ? 'what it looks at had not answered' : found;
      if (found !== undefined && found !== null && found !== false && found !== UNANSWERED)
        return found as Exclude<T, undefined | null | false>;
    } catch (error) {
      last = error;
    }
    if (realNow() >= deadline) {
      const seen = options.lastSeen === undefined ? last : seenBy(options.lastSeen);
      throw new Error(`${what} did not come true in ${timeout} ms. Last seen: ${show(seen)}`, { cause: last });
    }
    await pause(every);
  }
}

/** What it answers, or that it did not by then. */
async function before<T>(deadline: number, look: () => T | Promise<T>): Promise<T | typeof UNANSWERED> {
  const answer = look();
  if (typeof (answer as PromiseLike<T> | undefined)?.then !== 'function') return answer;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof UNANSWERED>((resolve) => {
    timer = setReal(resolve, Math.max(0, deadline - realNow()), UNANSWERED);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearReal(timer);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setReal(resolve, ms));
}

function requireMs(option: string, ms: unknown): void {
  if (typeof ms === 'number' && ms >= 0 && ms <= LONGEST_TIMER_MS) return;
  throw new ArgumentError('eventually', option, shown(ms), `milliseconds from 0 to ${LONGEST_TIMER_MS}`);
}

function seenBy(lastSeen: () => unknown): unknown {
  try {
    return lastSeen();
  } catch (error) {
    return error;
  }
}

function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === 'string') return value;
  try {
    return (JSON.stringify(value, undefined, 1) ?? String(value)).slice(0, SHOWN);
  } catch {
    // What is circular, or has a bigint.
    return inspect(value).slice(0, SHOWN);
  }
}
