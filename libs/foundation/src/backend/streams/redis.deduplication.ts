/**
 * What one consumer knows of the messages that its group was given: in this process, and in Redis for all members.
 * Called by `redis.streams.ts`; underneath `deduplication.scripts.ts`.
 */
import type { Redis } from 'ioredis';
import { ThrottledLog } from '../../logging/throttled.log.js';
import { isApart, Played, SPAN_MS, spanOf } from './deduplication.js';
import { claimScript, settleScript } from './deduplication.scripts.js';
import type { Origin, StreamEntry } from './streams.js';

/** How many memories that were written are remembered as such. */
const MAX_WRITTEN = 8;

/**
 * INVARIANT (I24): of all entries with the same signed message a group handles one. Each message is claimed for the id
 * of its entry before a handler sees it, in one step in Redis; the claim becomes a number that is handled when the
 * entry is acknowledged. A redelivery has the id of the claim and passes, a copy has another one and does not.
 */
export class RedisPlayed {
  readonly #here = new Played();
  /** By the id of the entry, as long as it is not handled. */
  readonly #claimed = new Map<string, Origin>();
  readonly #written = new Set<string>();
  readonly #log = new ThrottledLog();

  constructor(
    private readonly client: Redis,
    /** The key of a span. */
    private readonly keyOf: (span: number) => string,
  ) {}

  /**
   * Says of each entry why it is not to be handled, if it is not.
   *
   * @throws what Redis answers; then nothing is known, and nothing may be handled.
   */
  async judge(entries: readonly { entry: StreamEntry; origin: Origin | undefined }[]): Promise<StreamEntry[]> {
    const judged = entries.map(({ entry, origin }): StreamEntry => {
      if (origin === undefined) return entry;
      return isApart(entry.id, origin.at) ? { ...entry, unplayable: 'elsewhere' } : entry;
    });
    const spans = new Map<number, number[]>();
    entries.forEach(({ origin }, index) => {
      if (origin === undefined || judged[index]!.unplayable !== undefined) return;
      spans.set(spanOf(origin), [...(spans.get(spanOf(origin)) ?? []), index]);
    });
    for (const [span, indexes] of spans) {
      const mine = await this.#claim(
        span,
        indexes.map((index) => ({ id: entries[index]!.entry.id, origin: entries[index]!.origin! })),
      );
      indexes.forEach((index, at) => {
        const { entry, origin } = entries[index]!;
        // Both memories are checked: the one in Redis can be taken away, and this one knows of this node only.
        const isMine = this.#here.claim(origin!, entry.id) && mine[at] === true;
        if (isMine) this.#claimed.set(entry.id, origin!);
        else judged[index] = { ...entry, unplayable: 'again' };
      });
    }
    return judged;
  }

  /**
   * These entries are handled, or put aside for good. Of those that were not this consumer's to handle nothing is
   * noted.
   */
  async settle(ids: readonly string[]): Promise<void> {
    const spans = new Map<number, Origin[]>();
    for (const id of ids) {
      const origin = this.#claimed.get(id);
      if (origin === undefined) continue;
      this.#claimed.delete(id);
      this.#here.settle(origin);
      const span = spanOf(origin);
      spans.set(span, [...(spans.get(span) ?? []), origin]);
    }
    await Promise.all(
      [...spans].map(([span, origins]) =>
        settleScript.run(
          this.client,
          [this.keyOf(span)],
          [(span + 1) * SPAN_MS, ...origins.flatMap(({ sender, number }) => [sender, number])],
        ),
      ),
    );
  }

  /** They were released: another consumer may claim them by the same id. */
  release(ids: readonly string[]): void {
    for (const id of ids) this.#claimed.delete(id);
  }

  async #claim(span: number, messages: readonly { id: string; origin: Origin }[]): Promise<boolean[]> {
    const key = this.keyOf(span);
    const reply = await claimScript.run(
      this.client,
      [key],
      [(span + 1) * SPAN_MS, ...messages.flatMap(({ id, origin }) => [origin.sender, origin.number, id])],
    );
    const [was, ...mine] = Array.isArray(reply) ? (reply as unknown[]) : [];
    if (was !== 1 && this.#written.has(key)) {
      this.#log.warn(
        'Redis has lost what a group has handled of a durable channel, or somebody took it away; what other nodes handled in the last minutes could be played again',
        { key },
        key,
      );
    }
    this.#written.add(key);
    if (this.#written.size > MAX_WRITTEN) this.#written.delete(this.#written.values().next().value!);
    return mine.map((each) => each === 1);
  }
}
