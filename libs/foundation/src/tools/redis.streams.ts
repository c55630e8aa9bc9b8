/**
 * Streams in Redis, each with its consumer groups.
 * Called by the durable channels; underneath XADD and XRANGE, and `redis.consumer.ts`.
 */
import type { Redis } from 'ioredis';
import type { Keys } from './keys.js';
import { RedisConsumer, entriesOf } from './redis.consumer.js';
import type { Consumer, ConsumerListener, ConsumerOptions, StreamEntry, Streams } from './streams.js';

/** See {@link Streams}. */
export class RedisStreams implements Streams {
  readonly #consumers = new Set<RedisConsumer>();
  #count = 0;

  constructor(
    private readonly control: Redis,
    /** Makes a connection that may block. */
    private readonly connect: () => Redis,
    private readonly keys: Keys,
    /** Begins the names of this node's consumers. */
    private readonly name: string,
  ) {}

  async append(stream: string, text: string, maxLength: number): Promise<string> {
    const id = await this.control.xadd(this.keys.stream(stream), 'MAXLEN', '~', maxLength, '*', 'm', text);
    return id ?? '';
  }

  async consume(options: ConsumerOptions, listener: ConsumerListener): Promise<Consumer> {
    const name = `${this.name}:${++this.#count}`;
    const keys = { stream: this.keys.stream(options.stream), dead: this.keys.deadLetters(options.stream) };
    const consumer = new RedisConsumer(name, keys, options, listener, this.control, this.connect(), () =>
      this.#consumers.delete(consumer),
    );
    this.#consumers.add(consumer);
    await consumer.begin();
    return consumer;
  }

  async range(stream: string, from: string, to: string, count: number): Promise<StreamEntry[]> {
    return entriesOf(await this.control.xrange(this.keys.stream(stream), from, to, 'COUNT', count), 0);
  }

  close(): void {
    for (const consumer of this.#consumers) consumer.stop();
  }
}
