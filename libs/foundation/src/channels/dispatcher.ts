/**
 * Delivers messages to the handlers of this node: in order, one after the other for each subscription, and apart from
 * one another, so that a slow or throwing handler harms no other one. Called by the facade.
 */
import { Logger } from '@nestjs/common';
import { describe } from '../errors.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { Gap, MessageHandler, SubscribeOptions } from './channel.js';
import type { Drops } from './drops.js';
import type { Envelope } from './envelope.js';

/** How many messages may wait for one handler before the oldest are dropped. */
const MAX_WAITING = 10_000;

/** One handler and what waits for it. */
export class HandlerQueue {
  received = 0;
  dropped = 0;
  missed = 0;
  readonly #waiting: Envelope[] = [];
  #busy = false;
  #closed = false;

  constructor(
    readonly options: SubscribeOptions,
    private readonly handler: MessageHandler,
    private readonly telemetry: Telemetry,
    private readonly drops: Drops,
  ) {}

  push(envelope: Envelope): void {
    if (this.#closed || (this.options.type !== undefined && this.options.type !== envelope.meta.type)) return;
    this.#waiting.push(envelope);
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.shift();
      this.dropped += 1;
      this.drops.add(envelope.meta.channel, 'slow handler');
    }
    if (!this.#busy) void this.#work();
  }

  gap(gap: Gap): void {
    this.missed += gap.missing.last - gap.missing.first + 1;
    try {
      this.options.onGap?.(gap);
    } catch (error) {
      logger.error('A gap handler threw; the others were told', { channel: gap.channel, error: describe(error) });
    }
  }

  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
  }

  async #work(): Promise<void> {
    this.#busy = true;
    // Handlers run in a later turn, so that the sender's own code is not interrupted by its own message.
    await Promise.resolve();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.received += 1;
      await this.#handle(next);
    }
    this.#busy = false;
  }

  async #handle({ message, meta }: Envelope): Promise<void> {
    try {
      await this.handler(message, meta);
    } catch (error) {
      this.telemetry.emit('message.handler_failed', { channel: meta.channel, error: describe(error) });
      logger.error('A message handler failed', { channel: meta.channel, type: meta.type, error: describe(error) });
    }
  }
}

const logger = new Logger('Foundation');

/** The subscriptions of this node by channel. */
export class Dispatcher {
  readonly #queues = new Map<string, Set<HandlerQueue>>();

  constructor(
    private readonly telemetry: Telemetry,
    private readonly drops: Drops,
  ) {}

  /** False when nobody here would get a message of the channel. */
  has(channel: string): boolean {
    return this.#queues.has(channel);
  }

  add(channel: string, options: SubscribeOptions, handler: MessageHandler): HandlerQueue {
    const queue = new HandlerQueue(options, handler, this.telemetry, this.drops);
    const queues = this.#queues.get(channel) ?? new Set();
    this.#queues.set(channel, queues.add(queue));
    return queue;
  }

  /** Returns how many handlers the channel has left. */
  remove(channel: string, queue: HandlerQueue): number {
    queue.close();
    const queues = this.#queues.get(channel);
    // Removing one twice must not count as the last one leaving.
    if (queues?.delete(queue) !== true) return Infinity;
    if (queues.size === 0) this.#queues.delete(channel);
    return queues.size;
  }

  deliver(envelope: Envelope, now: number): void {
    const { channel, from, sentAt } = envelope.meta;
    this.telemetry.emit('message.received', { channel, from, latency: Math.max(0, now - sentAt) });
    for (const queue of this.#queues.get(channel) ?? []) queue.push(envelope);
  }

  gap(gap: Gap): void {
    const { channel, from, bootId, priority, missing } = gap;
    this.telemetry.emit('message.gap', { channel, from, bootId, priority, missing });
    for (const queue of this.#queues.get(channel) ?? []) queue.gap(gap);
  }
}
