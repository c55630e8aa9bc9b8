/**
 * One handler of a durable channel: acknowledges handled messages, has failed ones redelivered, and makes those that
 * fail too often dead letters.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Consumer, ConsumerListener, StreamEntry, Streams } from '../../backend/streams/streams.js';
import { HandlerGoneError } from '../../calls/handler.gone.js';
import type { Resolved } from '../../config/config.js';
import type { DurableChannelOptions } from '../../config/options.js';
import { isA } from '../../errors/describe.js';
import { awaitable, unattended } from '../../foreign/gate.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { DeadLetterReason, MessageDropReason } from '../../telemetry/events.js';
import type { MessageHandler, MessageMeta, SubscribeOptions, Subscription, SubscriptionCounters } from '../channel.js';
import { type Envelope, originOf, type UnreadableReason } from '../envelope.js';
import { handlerName, HandlerRunner, InvalidPayload, type RunnerTools } from '../handler.runner.js';
import { DropCounts, type MessageDrops } from '../message.drops.js';
import { MessageTurns } from './message.turns.js';

/** One subscription to a durable channel. */
export interface DurableSubject {
  channel: string;
  group: string;
  limits: Resolved<DurableChannelOptions>;
  options: SubscribeOptions;
  handler: MessageHandler;
}

/** What it works with. */
export interface DurableSubscriptionTools extends RunnerTools {
  streams: Streams;
  drops: MessageDrops;
  /** The message of an entry, or why it cannot be read. */
  read: (entry: StreamEntry) => Promise<Envelope | UnreadableReason>;
}

/** Why a message is not handled that was copied by someone with write access to Redis. */
export const UNPLAYABLE = { again: 'replayed', elsewhere: 'wrong-entry' } as const;

/** The reasons in words, for the log and for the dead letter in Redis. */
const BURIED: Readonly<Record<DeadLetterReason, string>> = {
  'handler-failed': 'the handler failed',
  unacknowledged: 'delivered too often without an acknowledgement',
  'invalid-payload': 'not what its schema says',
  'not-json': 'not JSON',
  'malformed-envelope': 'not an envelope',
  'malformed-message': 'not a message',
  'unknown-version': 'another version of Foundation wrote it',
  'not-inflatable': 'cannot be inflated',
  'wrong-entry': 'not of the time of its entry: a copy, or a clock is wrong',
};

/** Of what runs now: the subscription whose handler it was called by. */
const HANDLING = new AsyncLocalStorage<DurableSubscription>();

/** A node of another version may be able to read the message. */
class UnknownVersion extends Error {}

/** See the file header. */
export class DurableSubscription implements Subscription, ConsumerListener {
  readonly channel: string;
  readonly #runner: HandlerRunner;
  #missed = 0;
  readonly #dropped = new DropCounts();
  readonly #waiting = new Map<string, StreamEntry>();
  readonly #acknowledging: Promise<void>[] = [];
  readonly #turns: MessageTurns;
  /** With one at a time, one batch after the other is as quick, and needs fewer reads. */
  readonly room: (() => Promise<void>) | undefined;
  /** Whose end its handlers wait for. In no ring, as {@link unsubscribe} closes none. */
  readonly #awaited: DurableSubscription[] = [];
  readonly #log = new ThrottledLog();
  #consumer: Consumer | undefined;
  #ended: () => void = () => undefined;
  #closing = false;
  readonly #group: string;

  constructor(
    private readonly subject: DurableSubject,
    private readonly tools: DurableSubscriptionTools,
  ) {
    this.channel = subject.channel;
    const { type } = subject.options;
    // In a group that shares messages of different types it is unknown which member takes which: each type has its own.
    this.#group = type === undefined ? subject.group : `${subject.group}:${type}`;
    const { channel } = subject;
    // Within the context of its own that each message gets.
    const handler: MessageHandler = (message, meta) =>
      HANDLING.run(this, () => awaitable(subject.handler(message, meta)));
    const received = ({ from, sentAt }: MessageMeta): void =>
      tools.telemetry.emit('message.received', { channel, from, latency: Math.max(0, Date.now() - sentAt) });
    const { payload, concurrency = 1 } = subject.options;
    this.#turns = new MessageTurns(concurrency, async (entry) => {
      const isHandled = !this.#closing && (await this.#handle(entry));
      this.#waiting.delete(entry.id);
      return isHandled;
    });
    this.room = concurrency > 1 ? () => this.#turns.room() : undefined;
    const label = handlerName(subject.handler);
    this.#runner = new HandlerRunner({ channel, handler, payload, group: this.#group, received, label }, tools);
  }

  get received(): number {
    return this.#runner.received;
  }

  get dropped(): number {
    return this.#dropped.total;
  }

  get counters(): SubscriptionCounters {
    const { received, failed, invalid } = this.#runner;
    const oldest = Math.min(...[...this.#waiting.keys()].map((id) => Number(id.split('-')[0])));
    return {
      received,
      failed,
      invalid,
      missed: this.#missed,
      unknown: 0,
      dropped: this.#dropped.read(),
      waiting: this.#waiting.size,
      lag: Number.isFinite(oldest) ? Math.max(0, Date.now() - oldest) : 0,
    };
  }

  onEnd(ended: () => void): void {
    this.#ended = ended;
  }

  async start(): Promise<void> {
    const { channel, limits, options } = this.subject;
    const { concurrency = 1, queue, from } = options;
    // A message that may be delivered only once is not read ahead: that would count as its delivery.
    const ahead = limits.maxDeliveries === 1 ? 1 : Math.min(queue?.size ?? 16, 1000);
    const batch = Math.max(concurrency, ahead);
    this.#consumer = await this.tools.streams.consume(
      { stream: channel, group: this.#group, from: startOf(from), batch, originOf, ...limits },
      this,
    );
    // Ended in the meantime: nothing would close this consumer, which would get messages and handle none.
    if (this.#closing) await this.#consumer.close();
  }

  /**
   * Waits for what is being handled, unless that waits for what calls this: nothing waits for itself, also not in a
   * ring of handlers that end each other.
   */
  async unsubscribe(): Promise<void> {
    this.#closing = true;
    this.#ended();
    if (this.#consumer === undefined) return;
    const closing = Promise.all([this.#consumer.close(), this.#release(this.#turns.drop())]).then(() => undefined);
    const caller = HANDLING.getStore();
    if (caller === undefined) return closing;
    if (this.#waitsFor(caller)) return unattended('ending a durable subscription', closing);
    caller.#awaited.push(this);
    try {
      await closing;
    } finally {
      caller.#awaited.splice(caller.#awaited.indexOf(this), 1);
    }
  }

  #waitsFor(other: DurableSubscription): boolean {
    return this === other || this.#awaited.some((awaited) => awaited.#waitsFor(other));
  }

  async take(entries: StreamEntry[]): Promise<void> {
    for (const entry of entries) this.#waiting.set(entry.id, entry);
    const unbegun = await this.#turns.take(entries);
    await this.#release(unbegun);
    await Promise.all(this.#acknowledging.splice(0));
  }

  /**
   * Messages not begun when the subscription or its object ends go to another member at once, however long others of
   * their batch take: a deployment is no delivery.
   */
  async #release(unbegun: readonly StreamEntry[]): Promise<void> {
    for (const { id } of unbegun) this.#waiting.delete(id);
    if (unbegun.length > 0) await this.#consumer!.release(unbegun);
  }

  buried(entry: StreamEntry, error: string): void {
    this.#isBuried(entry, 'unacknowledged', error);
  }

  lost(count: number): void {
    this.#missed += count;
    this.tools.drops.add(this.channel, 'trimmed', count);
  }

  /** False when the handler was not called and the message goes to another member. */
  async #handle(entry: StreamEntry): Promise<boolean> {
    try {
      await this.#deliver(entry);
    } catch (error) {
      // No handler failed, so this must not lead to a dead letter.
      if (isA(error, HandlerGoneError)) return false;
      if (isA(error, InvalidPayload)) {
        await this.#bury(entry, 'invalid-payload', `${error.payload}: ${error.errors.join('; ')}`);
        return true;
      }
      const text = this.#runner.fail(error, { group: this.#group, id: entry.id });
      if (entry.deliveries < this.subject.limits.maxDeliveries) {
        this.#consumer!.leave(entry.id);
        return true;
      }
      if (isA(error, UnknownVersion)) await this.#bury(entry, 'unknown-version');
      else await this.#bury(entry, 'handler-failed', text);
    }
    return true;
  }

  async #deliver(entry: StreamEntry): Promise<void> {
    const { options } = this.subject;
    if (entry.unplayable === 'elsewhere') return this.#bury(entry, UNPLAYABLE.elsewhere);
    if (entry.unplayable === 'again') return this.#passOver(entry);
    const envelope = await this.tools.read(entry);
    // A node of a newer version may be able to read it, so it is redelivered.
    if (envelope === 'unknown-version') throw new UnknownVersion(BURIED[envelope]);
    if (typeof envelope === 'string') return this.#bury(entry, envelope);
    if (options.type === undefined || options.type === envelope.meta.type) await this.#run(envelope);
    // Awaited with the whole batch: the next message need not wait for Redis.
    this.#acknowledging.push(this.#consumer!.acknowledge(entry.id));
  }

  async #run(envelope: Envelope): Promise<void> {
    const began = performance.now();
    const took = (hasFailed: boolean): void => {
      const now = performance.now();
      this.#runner.took(now - began, hasFailed, now);
    };
    try {
      await this.#runner.run(envelope);
      took(false);
    } catch (error) {
      // In both cases the handler was not called.
      if (!isA(error, HandlerGoneError) && !isA(error, InvalidPayload)) took(true);
      throw error;
    }
  }

  /** The original is or was handled elsewhere: nothing is lost with the copy. */
  #passOver({ id }: StreamEntry): void {
    this.#count(UNPLAYABLE.again);
    const { channel } = this.subject;
    this.#log.warn('A message of a durable channel came a second time; it is not handled again', {
      channel,
      group: this.#group,
      id,
    });
    this.#acknowledging.push(this.#consumer!.acknowledge(id));
  }

  async #bury(entry: StreamEntry, reason: DeadLetterReason, error?: string): Promise<void> {
    const text = error === undefined ? BURIED[reason] : `${BURIED[reason]}: ${error}`;
    if (await this.#consumer!.bury(entry, text)) this.#isBuried(entry, reason, error);
  }

  #isBuried({ id, deliveries }: StreamEntry, reason: DeadLetterReason, error?: string): void {
    this.#count('dead-letter');
    const { channel } = this.subject;
    const details = { channel, group: this.#group, id, deliveries, reason, ...(error === undefined ? {} : { error }) };
    this.tools.telemetry.emit('message.dead_letter', details);
    this.#log.error(`A message became a dead letter: ${BURIED[reason]}`, details);
  }

  #count(reason: MessageDropReason): void {
    this.#dropped.add(reason);
    this.tools.drops.add(this.channel, reason);
  }
}

/** A group starts after an id, so a time becomes the last id before it. */
function startOf(from: string | Date | undefined): string {
  if (from instanceof Date) return `${from.getTime() - 1}-18446744073709551615`;
  return from ?? '$';
}
