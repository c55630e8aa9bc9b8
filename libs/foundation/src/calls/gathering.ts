/**
 * One question to several places, and what came of it: who answered, who did not, and why not.
 * Used by `Channels.gather` and `ProcessManager.all`; keeps no connection, others send and receive for it.
 */
import { ArgumentError } from '../errors/config.errors.js';
import { MAX_WORDS, plain, show } from '../errors/describe.js';
import { LimitError } from '../errors/limit.errors.js';
import { onAbort } from '../foreign/abort.signals.js';
import { checkSignal, givenOptions, givenTime } from '../foreign/given.options.js';
import { type Clock, machineClock, type Timer } from '../time/clock.js';
import type { Duration } from '../time/duration.js';

/** Why there is no answer of a node. */
export type MissingReason =
  /** It did not answer in time. */
  | 'timeout'
  /** It left the cluster, or was removed from it, before it answered. */
  | 'left'
  /** The handler or the method threw, or its answer cannot be sent: `message` says what. */
  | 'failed'
  /** The message is not what the `payload` of the handler says. */
  | 'invalid-payload'
  /** The queue of the handler is full, and dropped the message. */
  | 'queue-full'
  /** The subscription ended before the handler began. */
  | 'unsubscribed'
  /** The call was refused: too many wait for it, or the method is not `@Callable()`. */
  | 'refused'
  /** No node runs this replica or partition. */
  | 'not-running'
  /** The connection or the instance was lost: whether it was carried out is unknown. */
  | 'interrupted'
  /** The answers that came before it have reached the limit of their size. */
  | 'too-large'
  /** Its version of Foundation handles the message, and cannot answer it. */
  | 'unsupported'
  /** Redis did not say where it is. */
  | 'unreachable'
  /** `min` answers were there before its own. */
  | 'not-awaited'
  /** This node left the cluster before it answered. */
  | 'closing';

/** The answer of one node, or of one replica or partition on it. */
export interface GatherAnswer<T = unknown> {
  /** Name of the node. */
  node: string;
  /** The replica or partition that answered, such as `thumbnails#0`; absent for a channel. */
  process?: string;
  /** What the handler or the method returned, after JSON. */
  value: T;
}

/** A place that was asked and has not answered. */
export interface MissingAnswer {
  /** Name of the node; `?` for a replica or a partition that no node runs. */
  node: string;
  /** The replica or partition that was asked; absent for a channel. */
  process?: string;
  reason: MissingReason;
  /** What went wrong there, cut to 1,000 characters; where more is known than the reason says. */
  message?: string;
}

/** What came of a question to several nodes. */
export interface Gathered<T = unknown> {
  /** In the order in which they came. */
  answers: GatherAnswer<T>[];
  /** By node. */
  missing: MissingAnswer[];
  /** True only when every node that was expected to answer has answered. */
  complete: boolean;
}

/** Options of `gather` and of `all(…).with`. */
export interface GatherOptions {
  /** How long to wait, milliseconds or a text such as `'2s'`. Default: `calls.timeout`, 5000 ms. */
  timeout?: Duration;
  /** Resolves as soon as there are this many answers; the rest is `not-awaited`. Default: waits for all. */
  min?: number;
  /** Gives up waiting, and rejects with its reason; what was sent may still be handled. */
  signal?: AbortSignal;
}

/** Gathers of one node that may be under way at a time, each of channels and of processes. */
export const MAX_GATHERS = 1_000;
/** The places that one of them may ask. */
export const MAX_GATHER_PLACES = 10_000;
/** The characters of JSON that one of them keeps. */
export const MAX_GATHERED_CHARACTERS = 64 * 1024 * 1024;

/** Where an answer is expected. */
export interface GatherPlace {
  node: string;
  process?: string;
}

/** How many gathers of a kind are under way. */
export class GatherCount {
  #running = 0;

  /** @throws LimitError when there are as many as may be, or too many places to ask. */
  begin(subject: string, places: number): () => void {
    if (this.#running >= MAX_GATHERS) throw new LimitError(subject, 'gathers under way', MAX_GATHERS);
    if (places > MAX_GATHER_PLACES) throw new LimitError(subject, 'nodes to ask', MAX_GATHER_PLACES);
    this.#running += 1;
    return () => void (this.#running -= 1);
  }
}

/** @throws ArgumentError for an option that is wrong, or is none. */
export function checkGatherOptions(call: string, options: unknown): void {
  const { timeout, min, signal } = givenOptions<GatherOptions>(call, options, ['timeout', 'min', 'signal']);
  if (timeout !== undefined) givenTime(call, 'timeout', timeout);
  if (min !== undefined && !(Number.isSafeInteger(min) && min >= 1)) {
    throw new ArgumentError(call, 'min', show(min), 'a whole number from 1');
  }
  checkSignal(call, signal);
}

/** What ends a gathering before all have answered. */
export interface GatheringLimits {
  min?: number | undefined;
  /** Asked after each answer: true when no more are needed. */
  isEnough?: ((answers: readonly GatherAnswer[]) => boolean) | undefined;
  /** Milliseconds; without it whoever sends says of each place when its time is over. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  clock?: Clock;
}

/** What else is known of an answer. */
export interface AnswerDetails {
  /** In characters of JSON. */
  size?: number;
  missing?: { reason: MissingReason; message: string | undefined } | undefined;
  /** Who answered, where it is another node than the one that was expected to. */
  node?: string | undefined;
}

/** See the file header. Whoever is expected is asked once, and its first answer counts. */
export class Gathering {
  readonly result: Promise<Gathered>;
  readonly #expected: Map<string, GatherPlace>;
  readonly #answers: GatherAnswer[] = [];
  readonly #missing: MissingAnswer[] = [];
  readonly #isEnough: (answers: readonly GatherAnswer[]) => boolean;
  readonly #unheed: (() => void) | undefined;
  readonly #timer: Timer | undefined;
  readonly #clock: Clock;
  #characters = 0;
  #isOver = false;
  #resolve!: (gathered: Gathered) => void;
  #reject!: (error: unknown) => void;
  readonly #onEnd: (() => void)[] = [];

  /** @param expected by a key that its sender knows. */
  constructor(
    expected: ReadonlyMap<string, GatherPlace>,
    { min = Infinity, isEnough, timeoutMs, signal, clock = machineClock }: GatheringLimits,
  ) {
    this.#clock = clock;
    this.#expected = new Map(expected);
    this.#isEnough = isEnough ?? (({ length }) => length >= min);
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A sender that fails to send throws its own error, and nobody has awaited this one.
    this.result.catch(() => undefined);
    if (timeoutMs !== undefined) this.#timer = clock.setTimeout(() => this.end('timeout'), timeoutMs);
    if (signal !== undefined) this.#unheed = onAbort(signal, () => this.fail(signal.reason));
    this.#endIfDone();
  }

  /** Calls back once, when it is over; at once if it is. */
  onEnd(listener: () => void): void {
    if (this.#isOver) listener();
    else this.#onEnd.push(listener);
  }

  /** Those that have not answered yet. */
  get waiting(): IterableIterator<string> {
    return this.#expected.keys();
  }

  /**
   * The answers of a place, one for each handler there, and the first failure of those. With neither, nothing there is
   * concerned by the question, so the place is not among the expected ones.
   */
  answer(key: string, values: readonly unknown[], { size = 0, missing, node }: AnswerDetails = {}): void {
    const expected = this.#expected.get(key);
    if (expected === undefined || this.#isOver) return;
    if (this.#characters + size > MAX_GATHERED_CHARACTERS) return this.miss(key, 'too-large');
    this.#characters += size;
    this.#expected.delete(key);
    const place = node === undefined ? expected : { ...expected, node };
    for (const value of values) this.#answers.push({ ...place, value });
    if (missing !== undefined) this.#note(place, missing.reason, missing.message);
    this.#endIfDone();
  }

  /** A place does not answer. */
  miss(key: string, reason: MissingReason, message?: string, node?: string): void {
    const expected = this.#expected.get(key);
    if (expected === undefined || this.#isOver) return;
    this.#expected.delete(key);
    this.#note(node === undefined ? expected : { ...expected, node }, reason, message);
    this.#endIfDone();
  }

  /** Nobody else answers, for one reason. */
  end(reason: MissingReason): void {
    if (this.#isOver) return;
    for (const place of this.#expected.values()) this.#note(place, reason);
    this.#expected.clear();
    this.#finish();
  }

  /** Rejects. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#close();
    this.#reject(error);
  }

  #note(place: GatherPlace, reason: MissingReason, message?: string): void {
    this.#missing.push({ ...place, reason, ...(message === undefined ? {} : { message: plain(message, MAX_WORDS) }) });
  }

  #endIfDone(): void {
    if (this.#isOver) return;
    if (this.#expected.size === 0) this.#finish();
    else if (this.#isEnough(this.#answers)) this.end('not-awaited');
  }

  #finish(): void {
    this.#close();
    const missing = this.#missing.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    this.#resolve({ answers: this.#answers, missing, complete: missing.length === 0 });
  }

  #close(): void {
    this.#isOver = true;
    this.#clock.clearTimeout(this.#timer);
    this.#unheed?.();
    for (const listener of this.#onEnd.splice(0)) listener();
  }
}

function nameOf({ node, process: name = '' }: GatherPlace): string {
  return `${node} ${name}`;
}
