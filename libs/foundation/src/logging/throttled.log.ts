/**
 * A log for what may happen again and again: each kind is said once in a while, with how often it has happened since.
 * Called by every room; underneath `log.ts`.
 */
import { Log } from './log.js';

/** The time in milliseconds in which one kind is said once. */
const EVERY_MS = 10_000;
/** How many kinds are remembered; a sender must not be able to fill our memory. */
const MAX_KINDS = 256;
/**
 * How many tries of ours that failed are said at DEBUG in that time, by the whole process: while Redis is away each of
 * thirty places fails again and again, and what there is to know of that is said once, as a warning.
 */
const MAX_TRIES = 2;

/** See the file header. */
export class ThrottledLog {
  readonly #said = new Map<string, Said>();
  /** By their message: kinds for which there was no room. */
  readonly #beyond = new Map<string, Said>();
  readonly #logger = new Log();

  constructor(
    private readonly everyMs = EVERY_MS,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** `kind` says what counts as the same besides the message; `count` how often it happened just now. */
  warn(message: string, details: object, kind = '', count = 1): void {
    const times = this.#due(message, kind, count);
    if (times !== undefined) this.#logger.warn(message, { ...details, ...timesOf(times) });
  }

  /** As {@link warn}; `thrown` as in `Log.error`. */
  error(message: string, details: object, kind = '', count = 1, thrown?: unknown): void {
    const times = this.#due(message, kind, count);
    if (times !== undefined) this.#logger.error(message, { ...details, ...timesOf(times) }, thrown);
  }

  /** For a try of ours that failed and is made again. */
  debug(message: string, details: object = {}): void {
    const times = this.#due(message, '', 1);
    if (times === undefined) return;
    const now = this.now();
    while (tries[0] !== undefined && (tries[0] > now || now - tries[0] >= this.everyMs)) tries.shift();
    if (tries.length >= MAX_TRIES) return;
    tries.push(now);
    this.#logger.debug(message, { ...details, ...timesOf(times) });
  }

  /** How often it has happened since it was last said, now included; undefined when it is too soon to say it again. */
  #due(message: string, kind: string, count: number): number | undefined {
    const key = `${message} ${kind}`;
    // A hundred thousand kinds in that time become one line for all that are beyond.
    return this.#said.has(key) || !this.#isFull()
      ? this.#dueIn(this.#said, key, count)
      : this.#dueIn(this.#beyond, message, count);
  }

  /** True while as many kinds as are remembered have been said, all of them a short time ago. */
  #isFull(): boolean {
    const [oldest] = this.#said.values();
    return this.#said.size >= MAX_KINDS && oldest !== undefined && this.now() - oldest.at < this.everyMs;
  }

  #dueIn(said: Map<string, Said>, key: string, count: number): number | undefined {
    const now = this.now();
    const known = said.get(key);
    if (known !== undefined && now - known.at < this.everyMs) {
      known.since += count;
      return undefined;
    }
    // At the end of the map, so that the one that was said longest ago is forgotten first.
    said.delete(key);
    said.set(key, { at: now, since: 0 });
    const oldest = said.size > MAX_KINDS ? said.keys().next().value : undefined;
    if (oldest !== undefined) said.delete(oldest);
    return (known?.since ?? 0) + count;
  }
}

/** When a kind was last said, and how often it has happened since. */
interface Said {
  at: number;
  since: number;
}

/** When the last tries were said that failed. */
const tries: number[] = [];

function timesOf(count: number): { count?: number } {
  return count > 1 ? { count } : {};
}
