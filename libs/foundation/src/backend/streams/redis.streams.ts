/**
 * Streams in Redis, each with its consumer groups.
 * Underneath XADD and XRANGE, and `redis.consumer.ts`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { describe } from '../../errors/describe.js';
import { unattended } from '../../foreign/gate.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { Signer } from '../../security/signer.js';
import { monotonicNow } from '../../time/monotonic.clock.js';
import { LIVES, type Lives } from '../../wire/key.lifetimes.js';
import type { Keys } from '../../wire/keys.js';
import { Confirmations } from './confirmations.js';
import { MAX_APART_MS } from './deduplication.js';
import { RedisConsumer } from './redis.consumer.js';
import { RedisPlayed } from './redis.deduplication.js';
import { entriesOf } from './stream.entries.js';
import { appendOnceScript } from './stream.scripts.js';
import type {
  Consumer,
  ConsumerListener,
  ConsumerOptions,
  KeptOnce,
  Once,
  Safety,
  StreamEntry,
  Streams,
  Unsafe,
} from './streams.js';

const JUDGE_RETRY_MS = 200;
/** How often a sender prolongs the life of a channel; very many times within it. */
const PROLONG_EVERY_MS = 3_600_000;

/** What the streams are made of. */
export interface RedisStreamsParts {
  readonly control: Redis;
  /** Makes a connection that may block: for a second, or for so many milliseconds until entries are safe. */
  readonly connect: (waitMs?: number) => Redis;
  readonly keys: Keys;
  /** Begins the names of this node's consumers. */
  readonly name: string;
  readonly seal: Signer;
  readonly lives?: Lives;
}

/** See {@link Streams}. */
export class RedisStreams implements Streams {
  readonly #consumers = new Set<RedisConsumer>();
  /** When the life of a stream is prolonged next; one for each channel that is declared. */
  readonly #prolongAt = new Map<string, number>();
  readonly #log = new ThrottledLog();
  readonly isTied: boolean;
  #count = 0;
  readonly #lives: Lives;
  readonly confirmations: Confirmations;

  constructor(private readonly parts: RedisStreamsParts) {
    const { seal, lives = LIVES } = parts;
    this.#lives = lives;
    const isThere = async (key: string, id: string): Promise<boolean> =>
      (await parts.control.xrange(key, id, id)).length > 0;
    this.confirmations = new Confirmations({ connect: parts.connect, isThere, unused: lives.unused });
    this.isTied = seal.signs;
  }

  async append(stream: string, text: string, maxLength: number): Promise<string> {
    const key = this.parts.keys.stream(stream);
    const id = await this.parts.control.xadd(key, 'MAXLEN', '~', maxLength, '*', 'm', this.parts.seal.sign(key, text));
    this.#prolong(key);
    return id ?? '';
  }

  async appendOnce(stream: string, text: string, maxLength: number, { id, within, at }: Once): Promise<KeptOnce> {
    const { control, keys, seal } = this.parts;
    const key = keys.stream(stream);
    const marked = [key, keys.keptOnce(stream, id)];
    const apart = this.isTied ? MAX_APART_MS : Number.MAX_SAFE_INTEGER;
    const args = [maxLength, within, seal.sign(key, text), at, apart];
    const entry = String(await appendOnceScript.run(control, marked, args));
    this.#prolong(key);
    return entry.startsWith('=') ? { id: entry.slice(1), isNew: false } : { id: entry, isNew: true };
  }

  confirm(stream: string, id: string, safety: Safety): Promise<Unsafe | undefined> {
    return this.confirmations.confirm(this.parts.keys.stream(stream), id, safety);
  }

  /**
   * A stream lives for `Lives.unused` after the last use, by senders or consumers. When this fails, it lives
   * indefinitely until the next.
   */
  #prolong(key: string): void {
    const now = monotonicNow();
    if (now < (this.#prolongAt.get(key) ?? 0)) return;
    this.#prolongAt.set(key, now + PROLONG_EVERY_MS);
    const failed = (): boolean => this.#prolongAt.delete(key);
    unattended('prolonging the life of a channel', this.parts.control.pexpire(key, this.#lives.unused).catch(failed));
  }

  async consume(options: ConsumerOptions, listener: ConsumerListener): Promise<Consumer> {
    const name = `${this.parts.name}:${++this.#count}`;
    const { originOf, stream, group } = options;
    const played =
      this.isTied && originOf !== undefined
        ? new RedisPlayed(this.parts.control, (span) => this.parts.keys.played(stream, group, span))
        : undefined;
    const keys = {
      stream: this.parts.keys.stream(stream),
      groups: this.parts.keys.streamGroups(stream),
      dead: this.parts.keys.deadLetters(stream),
    };
    const opening: ConsumerListener = {
      take: async (entries) => {
        const opened = entries.map((entry) => this.#open(keys.stream, entry));
        await listener.take(played === undefined ? opened : await this.#judged(consumer, played, opened, originOf!));
      },
      buried: (entry, reason) => {
        unattended(
          'noting a buried message',
          played?.settle([entry.id]).catch(() => undefined),
        );
        listener.buried(this.#open(keys.stream, entry), reason);
      },
      lost: (count) => listener.lost(count),
      room: listener.room,
    };
    const consumer = new RedisConsumer({
      name,
      keys,
      options,
      listener: opening,
      control: this.parts.control,
      client: this.parts.connect(),
      unused: this.#lives.unused,
      settled: (ids) => played?.settle(ids),
    });
    consumer.onEnd(() => this.#consumers.delete(consumer));
    this.#consumers.add(consumer);
    await consumer.begin();
    return {
      acknowledge: (id) => consumer.acknowledge(id),
      // As it was in the stream, like those that Redis itself buries.
      bury: (entry, reason) => consumer.bury({ ...entry, text: this.parts.seal.sign(keys.stream, entry.text) }, reason),
      release: (entries) => {
        played?.release(entries.map(({ id }) => id));
        return consumer.release(entries);
      },
      leave: (id) => consumer.leave(id),
      close: () => consumer.close(),
    };
  }

  /**
   * Which of the entries may be handled. As long as Redis does not say, none: they are kept for this consumer
   * meanwhile.
   */
  async #judged(
    consumer: RedisConsumer,
    played: RedisPlayed,
    entries: StreamEntry[],
    originOf: NonNullable<ConsumerOptions['originOf']>,
  ): Promise<StreamEntry[]> {
    const known = entries.map((entry) => ({ entry, origin: entry.text === '' ? undefined : originOf(entry.text) }));
    for (;;) {
      try {
        return await played.judge(known);
      } catch (error) {
        if (consumer.isClosed) {
          await consumer.release(entries);
          throw error;
        }
        this.#log.warn('Failed to check whether messages were handled before; retrying', {
          key: this.parts.keys.stream(consumer.stream),
          error: describe(error),
        });
        await sleep(JUDGE_RETRY_MS);
      }
    }
  }

  async range(stream: string, from: string, to: string, count: number): Promise<StreamEntry[]> {
    const key = this.parts.keys.stream(stream);
    const entries = entriesOf(await this.parts.control.xrange(key, from, to, 'COUNT', count), 0);
    return entries.map((entry) => this.#open(key, entry));
  }

  /** What was written without the cookie has no text, so that it is dead-lettered as unreadable. */
  #open(key: string, entry: StreamEntry): StreamEntry {
    const text = this.parts.seal.open(key, entry.text);
    if (text !== undefined) return { ...entry, text };
    const { id } = entry;
    this.#log.warn('Rejected a message in Redis that is not signed with the cookie of this node', { key, id });
    return { ...entry, text: '' };
  }

  close(): void {
    for (const consumer of this.#consumers) consumer.stop();
    this.confirmations.close();
  }
}
