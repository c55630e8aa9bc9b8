/**
 * Channels whose messages are stored, and delivered at least once to each group that subscribes.
 * Underneath Redis Streams with consumer groups, see `redis.streams.ts`.
 */
import { isApart, Played, replayed, timeOf } from '../../backend/streams/deduplication.js';
import type { KeptOnce, Once, StreamEntry, Streams } from '../../backend/streams/streams.js';
import type { Resolved } from '../../config/config.js';
import type { DurableChannelOptions } from '../../config/options.js';
import type { ContextHook } from '../../context/context.hook.js';
import { ArgumentError } from '../../errors/config.errors.js';
import { LimitError, OverloadedError } from '../../errors/limit.errors.js';
import { redisError } from '../../errors/refusal.js';
import { awaitable } from '../../foreign/gate.js';
import { readAs } from '../../schemas/payload.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { parseJson } from '../../wire/json.js';
import type {
  BroadcastOptions,
  MessageHandler,
  ReplayOptions,
  SubscribeOptions,
  Subscription,
  SubscriptionCounters,
} from '../channel.js';
import { COMPRESS_FROM, deflate, inflate } from '../compression.js';
import {
  type Carried,
  decode,
  encode,
  type Envelope,
  type headsOf,
  originOf,
  type UnreadableReason,
  type Written,
} from '../envelope.js';
import { KeyedSequence } from '../keyed.sequence.js';
import type { MessageDrops } from '../message.drops.js';
import { DurableSubscription, UNPLAYABLE } from './durable.subscription.js';
import { requireSafe } from './message.safety.js';

/** What the durable channels work with. */
export interface DurableTools {
  streams: Streams;
  heads: ReturnType<typeof headsOf>;
  telemetry: Telemetry;
  drops: MessageDrops;
  context: ContextHook;
  /** For errors. */
  endpoint: string;
  maxMessageBytes: number;
}

/** Those of a broadcast, and how a message is not kept twice. */
export interface DurableOptions extends BroadcastOptions {
  once?: Omit<Once, 'at'>;
}

/** Entries that a replay reads at a time. */
const PAGE = 100;
/** The backlog of messages that Redis has not stored yet, or not as safely as their channels ask for. */
export const MAX_UNKEPT = { characters: 32 * 1024 * 1024, messages: 10_000 };
/** Subscriptions of one node to durable channels: each has a connection to Redis of its own. */
export const MAX_DURABLE = 1000;

/** See the file header. */
export class Durable {
  readonly #subscriptions = new Set<DurableSubscription>();
  readonly #turns = new KeyedSequence();
  readonly #numbers = new Map<string, number>();
  /**
   * By how much the time of a stream is ahead of this clock, where that is too much. Its ids never go back, as clocks
   * do.
   */
  readonly #ahead = new Map<string, number>();
  #unkept = { characters: 0, messages: 0 };

  constructor(
    private readonly channels: Readonly<Record<string, Resolved<DurableChannelOptions>>>,
    private readonly tools: DurableTools,
  ) {}

  has(channel: string): boolean {
    return Object.hasOwn(this.channels, channel);
  }

  /** Resolves once Redis has stored the message, and it is as safe as the channel asks for. */
  async send(channel: string, { body, size }: Written, options: DurableOptions = {}, carried?: Carried): Promise<void> {
    if (options.timeout !== undefined) {
      throw new ArgumentError(
        'broadcast',
        'timeout',
        `${options.timeout}`,
        'none on a durable channel, which keeps the message',
      );
    }
    const { characters, messages } = this.#unkept;
    // One always fits, whatever its size.
    const isTooMuch = messages > 0 && characters + body.length > MAX_UNKEPT.characters;
    if (isTooMuch || messages >= MAX_UNKEPT.messages) {
      this.tools.drops.add(channel, 'outbox-full');
      throw new OverloadedError(channel, `${messages} messages of ${characters} characters wait to be kept`);
    }
    this.tools.telemetry.emit('message.sent', { channel, size });
    this.#count(1, body.length);
    try {
      await this.#keep(channel, { body, size }, options, carried);
    } finally {
      this.#count(-1, -body.length);
    }
  }

  #count(messages: number, characters: number): void {
    this.#unkept = {
      characters: this.#unkept.characters + characters,
      messages: this.#unkept.messages + messages,
    };
  }

  async #keep(
    channel: string,
    { body, size }: Written,
    options: DurableOptions,
    carried: Carried | undefined,
  ): Promise<void> {
    const deflating = options.compression === true && size >= COMPRESS_FROM;
    if (!deflating && !this.#turns.busy(channel)) return this.#append(channel, body, options, false, carried);
    let sent!: Promise<void>;
    await this.#turns.take(channel, async () => {
      const small = deflating ? await deflate(body) : undefined;
      sent = this.#append(channel, small ?? body, options, small !== undefined, carried);
      sent.catch(() => undefined);
    });
    return sent;
  }

  async #append(
    channel: string,
    body: string,
    options: DurableOptions,
    zip: boolean,
    carried: Carried | undefined,
  ): Promise<void> {
    const id = await this.#added(channel, body, options, zip, carried);
    return requireSafe(this.tools, channel, id, this.channels[channel]!);
  }

  /** Resolves with the id of the entry. */
  async #added(
    channel: string,
    body: string,
    { type, priority = 'normal', once }: DurableOptions,
    zip: boolean,
    carried: Carried | undefined,
  ): Promise<string> {
    const number = (this.#numbers.get(channel) ?? 0) + 1;
    this.#numbers.set(channel, number);
    const extras = type === undefined && !zip && carried === undefined ? undefined : { type, zip, ...carried };
    const message = encode(body, extras);
    const at = Date.now();
    const { streams } = this.tools;
    const { maxLength } = this.channels[channel]!;
    const textOf = (keptAt?: number): string => `[${this.tools.heads.head(priority, number, at, keptAt)},${message}]`;
    const append = async (keptAt?: number): Promise<KeptOnce> =>
      once === undefined
        ? { id: await streams.append(channel, textOf(keptAt), maxLength), isNew: true }
        : streams.appendOnce(channel, textOf(keptAt), maxLength, { ...once, at: keptAt ?? at });
    const ahead = this.#ahead.get(channel);
    try {
      const { id, isNew } = await append(ahead === undefined ? undefined : at + ahead);
      if (!isNew || !streams.isTied || !isApart(id, at + (ahead ?? 0))) return id;
      // This clock and that of the stream differ by more than a message may be from its entry, so no group takes this
      // one. It is put there once more with the time of the stream: only the one of its time is handled.
      const time = timeOf(id);
      this.#ahead.delete(channel);
      if (isApart(id, Date.now())) this.#ahead.set(channel, time - Date.now());
      return (await append(time)).id;
    } catch (error) {
      throw redisError(this.tools.endpoint, `XADD of a message on "${channel}"; it may be kept all the same`, error);
    }
  }

  async subscribe(channel: string, handler: MessageHandler, options: SubscribeOptions): Promise<Subscription> {
    const { group, queue } = options;
    if (group === undefined) {
      throw new ArgumentError(
        'subscribe',
        'group',
        'none',
        'the name of those that share the messages of a durable channel',
      );
    }
    if (queue?.policy !== undefined && queue.policy !== 'block') {
      throw new ArgumentError('subscribe', 'queue.policy', queue.policy, `'block': a durable channel drops nothing`);
    }
    if (this.#subscriptions.size >= MAX_DURABLE) {
      throw new LimitError(`subscribe("${channel}")`, 'subscriptions of this node to durable channels', MAX_DURABLE);
    }
    const { telemetry, drops, context } = this.tools;
    const read = (entry: StreamEntry): Promise<Envelope | UnreadableReason> => this.#read(channel, entry);
    const subscription = new DurableSubscription(
      { channel, group, limits: this.channels[channel]!, options, handler },
      { streams: this.tools.streams, telemetry, drops, context, read },
    );
    this.#subscriptions.add(subscription);
    subscription.onEnd(() => this.#subscriptions.delete(subscription));
    try {
      await subscription.start();
    } catch (error) {
      await subscription.unsubscribe().catch(() => undefined);
      throw redisError(this.tools.endpoint, `subscribing to "${channel}"`, error);
    }
    return subscription;
  }

  /** Messages sent by this node, by channel. */
  get sent(): Iterable<readonly [channel: string, number]> {
    return this.#numbers;
  }

  /** The counters of the subscriptions, by channel. */
  counters(): [channel: string, SubscriptionCounters][] {
    return [...this.#subscriptions].map(({ channel, counters }) => [channel, counters]);
  }

  /** Resolves with the number of messages passed to the handler. */
  async replay(channel: string, handler: MessageHandler, options: ReplayOptions): Promise<number> {
    let count = 0;
    const played = new Played();
    let from = idOf(options.from, '-');
    const to = options.to === undefined ? '+' : idOf(options.to, '+');
    for (;;) {
      const entries = await this.#range(channel, from, to);
      for (const entry of entries) {
        const copy = this.tools.streams.isTied ? replayed(played, entry, originOf(entry.text)) : undefined;
        if (copy !== undefined) {
          this.tools.drops.add(channel, UNPLAYABLE[copy]);
          continue;
        }
        const envelope = await this.#read(channel, entry);
        if (typeof envelope === 'string') this.tools.drops.add(channel, envelope);
        else if (await this.#replayed(envelope, handler, options)) count += 1;
      }
      const last = entries.at(-1);
      if (entries.length < PAGE || last === undefined) return count;
      from = `(${last.id}`;
    }
  }

  /** Stops reading; resolves when the handlers in progress are done. */
  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.unsubscribe()));
  }

  async #range(channel: string, from: string, to: string): Promise<StreamEntry[]> {
    try {
      return await this.tools.streams.range(channel, from, to, PAGE);
    } catch (error) {
      throw redisError(this.tools.endpoint, `XRANGE of "${channel}"`, error);
    }
  }

  async #replayed({ message, meta }: Envelope, handler: MessageHandler, options: ReplayOptions): Promise<boolean> {
    if (options.type !== undefined && options.type !== meta.type) return false;
    const read = await readAs(options.payload, message);
    if (read.errors !== undefined) {
      const { channel, from, type } = meta;
      this.tools.telemetry.emit('message.invalid', { channel, from, type, errors: read.errors });
      return false;
    }
    await awaitable(handler(read.value, meta));
    return true;
  }

  /** The message of an entry, or why it cannot be read. */
  async #read(channel: string, { id, text, deliveries }: StreamEntry): Promise<Envelope | UnreadableReason> {
    const envelope = decode(channel, text);
    // An entry is one message.
    if (envelope === 'too-many-messages') return 'malformed-message';
    if (typeof envelope === 'string') return envelope;
    Object.assign(envelope.meta, { id, deliveries });
    if (envelope.zip === undefined) return envelope;
    try {
      const text = await inflate(envelope.zip, this.tools.maxMessageBytes);
      envelope.message = parseJson(text);
      envelope.size = text.length;
      delete envelope.zip;
      return envelope;
    } catch {
      return 'not-inflatable';
    }
  }
}

/** What is at an id or a time and after it. */
function idOf(from: string | Date, all: string): string {
  if (from instanceof Date) return all === '+' ? String(from.getTime()) : `${from.getTime()}-0`;
  return from === '0' ? '-' : from;
}
