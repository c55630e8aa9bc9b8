/**
 * Takes entries of this node and writes them soon, many at a time, in the order in which they came; while Redis is away
 * it keeps a number of them. Nobody waits for it. Fed by the recorder; underneath `JournalStore.append`.
 */
import type { JournalStore, JournalWrite } from '../backend/streams/journal.store.js';
import { ofNobody } from '../context/fresh.js';
import { describe } from '../errors/describe.js';
import { unattended } from '../foreign/gate.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import { type Clock, machineClock, type Timer } from '../time/clock.js';
import { endsWithin } from '../time/timeout.js';
import { type JournalFacts, writeEntry } from './journal.entry.js';

/** Entries that wait for Redis; of more, only the count is kept. */
export const MAX_WAITING = 1000;
/** Entries in one call: less than a millisecond of Redis. */
const BATCH = 100;
/** What happens together is written together. */
const SOON_MS = 50;
const RETRY_MS = 500;
const RETRY_CAP_MS = 5000;
/**
 * Of what is everyday (starts and stops in order) a node writes so many at once, and one more with each of these times:
 * thousands of short jobs must not push out why a node died.
 */
export const MAX_EVERYDAY = 500;
const EVERYDAY_MS = 1000;
/** How many were left out is said so often at most. */
const SAY_EVERY_MS = 10_000;
/** Kinds that are counted apart. */
const MAX_KINDS = 50;

/** What a writer needs. */
export interface JournalWriterParts {
  store: JournalStore;
  /** The name of this node. */
  node: string;
  /** Of all nodes; the oldest go. */
  maxEntries: number;
  /** Milliseconds since 1970. */
  now: () => number;
  clock?: Clock;
}

/** How an entry is written. */
export interface Writing {
  /** See `JournalWrite.mark`. */
  mark?: string;
  isEveryday?: boolean;
}

/** See the file header. */
export class JournalWriter {
  #waiting: (JournalFacts & { number: number; mark: string })[] = [];
  #last = 0;
  #everyday = MAX_EVERYDAY;
  #everydayAt: number;
  /** Kind → how many of it were left out since that was said. */
  readonly #leftOut = new Map<string, number>();
  #saidAt = -Infinity;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #retryMs = RETRY_MS;
  #isClosed = false;
  readonly #clock: Clock;
  readonly #log = new ThrottledLog();

  constructor(private readonly parts: JournalWriterParts) {
    this.#clock = parts.clock ?? machineClock;
    this.#everydayAt = this.#clock.now();
  }

  /** Costs an object and, with the first one, a timer. */
  add(facts: Omit<JournalFacts, 'at'>, { mark = '', isEveryday = false }: Writing = {}): void {
    if (this.#isClosed) return;
    if (this.#waiting.length >= MAX_WAITING || (isEveryday && !this.#hasRoom())) return this.#leaveOut(facts.kind);
    this.#push({ ...facts, at: this.parts.now() }, mark);
    this.#plan(SOON_MS);
  }

  /** Writes what waits; resolves when it is written, or could not be. */
  flush(): Promise<void> {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing ??= this.#write().then((isWritten) => {
      this.#writing = undefined;
      if (!isWritten) this.#plan(this.#pause());
      else if (this.#waiting.length > 0) this.#plan(SOON_MS);
      else if (this.#leftOut.size > 0) this.#plan(SAY_EVERY_MS);
    });
    return this.#writing;
  }

  /** Writes what waits for a time; what cannot be written then is lost. */
  async close(withinMs: number): Promise<void> {
    this.#saidAt = -Infinity;
    await endsWithin(withinMs, this.flush());
    if (!this.#isClosed && this.#waiting.length > 0) await endsWithin(withinMs, this.flush());
    this.#isClosed = true;
    this.#clock.clearTimeout(this.#timer);
    if (this.#last > 0 && this.#waiting.length === 0) await endsWithin(withinMs, this.#forget());
  }

  /** Never rejects. */
  async #forget(): Promise<void> {
    try {
      await this.parts.store.forget();
    } catch (error) {
      this.#log.debug('Left a key of the journal to expire', { error: describe(error) });
    }
  }

  #push(facts: JournalFacts, mark: string): void {
    this.#last += 1;
    this.#waiting.push({ ...facts, number: this.#last, mark });
  }

  #plan(ms: number): void {
    if (this.#timer !== undefined || this.#writing !== undefined || this.#isClosed) return;
    const flush = (): void => unattended('writing the journal', this.flush());
    this.#timer = ofNobody(() => this.#clock.setTimeout(flush, ms).unref());
  }

  /** Never rejects; false when Redis did not take it all. */
  async #write(): Promise<boolean> {
    this.#sayLeftOut();
    try {
      while (this.#waiting.length > 0) {
        const batch = this.#waiting.slice(0, BATCH);
        await this.parts.store.append(batch.map(rowOf), this.parts.maxEntries);
        this.#waiting.splice(0, batch.length);
      }
      this.#retryMs = RETRY_MS;
      return true;
    } catch (error) {
      this.#log.warn('Failed to write the journal of the cluster; retrying', { error: describe(error) });
      return false;
    }
  }

  #pause(): number {
    const pause = this.#retryMs;
    this.#retryMs = Math.min(2 * pause, RETRY_CAP_MS);
    return pause;
  }

  #hasRoom(): boolean {
    const now = this.#clock.now();
    const grown = Math.floor((now - this.#everydayAt) / EVERYDAY_MS);
    this.#everyday = Math.min(MAX_EVERYDAY, this.#everyday + grown);
    this.#everydayAt += grown * EVERYDAY_MS;
    if (this.#everyday === 0) return false;
    this.#everyday -= 1;
    return true;
  }

  #leaveOut(kind: string): void {
    const key = this.#leftOut.has(kind) || this.#leftOut.size < MAX_KINDS ? kind : 'other';
    this.#leftOut.set(key, (this.#leftOut.get(key) ?? 0) + 1);
    this.#plan(SAY_EVERY_MS);
  }

  /** One entry says how many there are that are none. */
  #sayLeftOut(): void {
    const now = this.#clock.now();
    if (this.#leftOut.size === 0 || this.#waiting.length >= MAX_WAITING || now - this.#saidAt < SAY_EVERY_MS) return;
    this.#saidAt = now;
    const counts = [...this.#leftOut].map(([kind, count]) => `${kind} ${count}`);
    const count = [...this.#leftOut.values()].reduce((sum, each) => sum + each, 0);
    this.#leftOut.clear();
    const { node, now: at } = this.parts;
    this.#push({ kind: 'journal.left_out', node, count, reason: counts.join(', '), at: at() }, '');
  }
}

function rowOf({ number, mark, ...facts }: JournalFacts & { number: number; mark: string }): JournalWrite {
  return { number, mark, text: writeEntry(facts) };
}
