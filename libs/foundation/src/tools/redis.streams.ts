/**
 * Streams in Redis, each with its consumer groups.
 * Called by the durable channels; underneath XADD and XRANGE, and `redis.consumer.ts`.
 */
import type { Redis } from 'ioredis';
import { RepeatedLog } from '../telemetry/repeated.log.js';
import type { Keys } from './keys.js';
import { RedisConsumer, entriesOf } from './redis.consumer.js';
import type { Seal } from './seal.js';
import type { Consumer, ConsumerListener, ConsumerOptions, StreamEntry, Streams } from './streams.js';

/** See {@link Streams}. */
export class RedisStreams implements Streams {
  readonly #consumers = new Set<RedisConsumer>();
  readonly #log = new RepeatedLog();
  #count = 0;

  constructor(
    private readonly control: Redis,
    /** Makes a connection that may block. */
    private readonly connect: () => Redis,
    private readonly keys: Keys,
    /** Begins the names of this node's consumers. */
    private readonly name: string,
    private readonly seal: Seal,
  ) {}

  async append(stream: string, text: string, maxLength: number): Promise<string> {
    const key = this.keys.stream(stream);
    const id = await this.control.xadd(key, 'MAXLEN', '~', maxLength, '*', 'm', this.seal.sign(key, text));
    return id ?? '';
  }

  async consume(options: ConsumerOptions, listener: ConsumerListener): Promise<Consumer> {
    const name = `${this.name}:${++this.#count}`;
    const keys = { stream: this.keys.stream(options.stream), dead: this.keys.deadLetters(options.stream) };
    const opening: ConsumerListener = {
      take: (entries) => listener.take(entries.map((entry) => this.#open(keys.stream, entry))),
      buried: (entry, reason) => listener.buried(this.#open(keys.stream, entry), reason),
      lost: (count) => listener.lost(count),
    };
    const consumer = new RedisConsumer(name, keys, options, opening, this.control, this.connect(), () =>
      this.#consumers.delete(consumer),
    );
    this.#consumers.add(consumer);
    await consumer.begin();
    return {
      acknowledge: (id) => consumer.acknowledge(id),
      // As it was in the stream, like those that Redis itself buries.
      bury: (entry, reason) => consumer.bury({ ...entry, text: this.seal.sign(keys.stream, entry.text) }, reason),
      release: (entries) => consumer.release(entries),
      close: () => consumer.close(),
    };
  }

  async range(stream: string, from: string, to: string, count: number): Promise<StreamEntry[]> {
    const key = this.keys.stream(stream);
    const entries = entriesOf(await this.control.xrange(key, from, to, 'COUNT', count), 0);
    return entries.map((entry) => this.#open(key, entry));
  }

  /** What somebody else wrote has no text, so that it is put aside as what cannot be read. */
  #open(key: string, entry: StreamEntry): StreamEntry {
    const text = this.seal.open(key, entry.text);
    if (text !== undefined) return { ...entry, text };
    const { id } = entry;
    this.#log.warn('A message in Redis is not signed with the cookie of this node; it is not handled', { key, id });
    return { ...entry, text: '' };
  }

  close(): void {
    for (const consumer of this.#consumers) consumer.stop();
  }
}
