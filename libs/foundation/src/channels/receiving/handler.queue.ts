/**
 * One handler and what waits for it: bounded, in order within each priority, and apart from every other handler.
 * Called by the dispatcher.
 */
import type { Type } from '@nestjs/common';
import { describe, isA } from '../../errors/describe.js';
import { Gate, unattended } from '../../foreign/gate.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { MessageDropReason } from '../../telemetry/events.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { isLongTurn, nextTurn } from '../../time/turn.budget.js';
import type { Lane } from '../../wire/lane.js';
import type { Gap, MessageHandler, SubscribeOptions, SubscriptionCounters } from '../channel.js';
import { traced } from '../channel.tracing.js';
import type { Envelope } from '../envelope.js';
import type { MessageDrops } from '../message.drops.js';
import { Fifo } from './fifo.js';
import { readAs } from './payload.js';

/** Why a subscription that has ended drops what comes. */
export const UNSUBSCRIBED = 'unsubscribed';
const DEFAULT_SIZE = 10_000;
/** What waits may have so many characters of JSON. */
const MAX_CHARACTERS = 64 * 1024 * 1024;
/** The longest turn in milliseconds of a queue that is half full: to fall behind would cost messages. */
const LONGER_MS = 50;

/** What the queues of one node share. */
export interface QueueTools {
  telemetry: Telemetry;
  drops: MessageDrops;
}

/** See the file header. */
export class HandlerQueue {
  received = 0;
  failed = 0;
  invalid = 0;
  missed = 0;
  unknown = 0;
  readonly #dropped: Partial<Record<MessageDropReason, number>> = {};
  readonly #lanes: Record<Lane, Fifo<Envelope>> = { high: new Fifo(), normal: new Fifo(), low: new Fifo() };
  readonly #limit: number;
  readonly #handling = new Set<Envelope>();
  readonly #log = new ThrottledLog();
  readonly #gate: Gate;
  /** Local senders whose message is beyond the limit, oldest first. */
  readonly #blocked: (() => void)[] = [];
  #waiting = 0;
  #characters = 0;
  #working = 0;
  #closed = false;
  /** Whoever waits for the last handler. */
  readonly #idleWanted: (() => void)[] = [];

  constructor(
    readonly channel: string,
    readonly options: SubscribeOptions,
    private readonly handler: MessageHandler,
    private readonly tools: QueueTools,
  ) {
    this.#limit = options.queue?.size ?? DEFAULT_SIZE;
    this.#gate = new Gate(tools.telemetry);
  }

  get dropped(): number {
    return Object.values(this.#dropped).reduce((sum, count) => sum + count, 0);
  }

  get counters(): SubscriptionCounters {
    const { received, failed, invalid, missed, unknown } = this;
    return {
      received,
      failed,
      invalid,
      missed,
      unknown,
      dropped: { ...this.#dropped },
      waiting: this.#waiting,
      lag: this.#lag(),
    };
  }

  /** False for a message of a type that was not asked for. */
  takes(type: string | undefined): boolean {
    return this.options.type === undefined || this.options.type === type;
  }

  /** Returns a promise where a sender of this node has to wait until there is room: policy `block`. */
  push(envelope: Envelope, isLocal: boolean): Promise<void> | undefined {
    if (this.#closed) return void this.#drop(envelope, UNSUBSCRIBED);
    const { size = 0 } = envelope;
    let room: Promise<void> | undefined;
    if (this.#isFull(size)) {
      if (isLocal && this.options.queue?.policy === 'block' && !this.#isFull(size, 2)) {
        room = new Promise((resolve) => this.#blocked.push(resolve));
      } else {
        while (this.#isFull(size)) if (!this.#makeRoom(envelope)) return undefined;
      }
    }
    this.#lanes[envelope.meta.priority].push(envelope);
    this.#waiting += 1;
    this.#characters += size;
    if (this.#working < (this.options.concurrency ?? 1)) unattended('handling messages', this.#work());
    return room;
  }

  gap(gap: Gap): void {
    if (gap.missing === undefined) this.unknown += 1;
    else this.missed += gap.missing.last - gap.missing.first + 1;
    const { onGap } = this.options;
    if (onGap !== undefined) this.#gate.tell('onGap', onGap, gap);
  }

  /** Drops what waits, and resolves once no handler runs any more; so a handler must not wait for it. */
  close(): Promise<void> {
    this.#closed = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) this.#drop(next, UNSUBSCRIBED);
    return this.#working === 0 ? Promise.resolve() : new Promise((resolve) => this.#idleWanted.push(resolve));
  }

  /** One message may always wait, whatever its size. */
  #isFull(size: number, times = 1): boolean {
    if (this.#waiting >= times * this.#limit) return true;
    return this.#waiting > 0 && this.#characters + size > times * MAX_CHARACTERS;
  }

  /** Low goes first: of what waits, else of what comes. True when there is room for what comes. */
  #makeRoom(coming: Envelope): boolean {
    const oldest = (this.options.queue?.policy ?? 'drop-oldest') === 'drop-oldest';
    const { priority } = coming.meta;
    for (const lane of ['low', 'normal', 'high'] as const) {
      const waiting = this.#lanes[lane];
      if (lane === priority && !oldest) break;
      if (waiting.size > 0) {
        const victim = (oldest ? waiting.shift() : waiting.pop())!;
        this.#waiting -= 1;
        this.#characters -= victim.size ?? 0;
        this.#drop(victim, 'queue-full');
        return true;
      }
      if (lane === priority) break;
    }
    this.#drop(coming, 'queue-full');
    return false;
  }

  #drop(envelope: Envelope, reason: 'queue-full' | typeof UNSUBSCRIBED): void {
    const { priority } = envelope.meta;
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
    this.tools.drops.add(this.channel, reason, 1, reason === 'queue-full' ? { priority } : {});
    envelope.settle?.(reason === 'queue-full' ? `queue full, ${priority} priority` : reason);
  }

  #next(): Envelope | undefined {
    const { high, normal, low } = this.#lanes;
    const next = high.shift() ?? normal.shift() ?? low.shift();
    if (next === undefined) return undefined;
    this.#waiting -= 1;
    this.#characters -= next.size ?? 0;
    const beyond = this.#characters > MAX_CHARACTERS ? this.#blocked.length : this.#waiting - this.#limit;
    while (this.#blocked.length > Math.max(0, beyond)) this.#blocked.shift()!();
    return next;
  }

  async #work(): Promise<void> {
    this.#working += 1;
    // Handlers run in a later turn, so that the sender's own code is not interrupted by its own message.
    await Promise.resolve();
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const handled = this.#handle(next);
      if (handled !== undefined) await handled;
      const budget = 2 * this.#waiting > this.#limit ? LONGER_MS : undefined;
      if (isLongTurn(budget)) await nextTurn(this.#lanes.high.size > 0);
    }
    this.#working -= 1;
    if (this.#working === 0) for (const idle of this.#idleWanted.splice(0)) idle();
  }

  #handle(envelope: Envelope): Promise<void> | undefined {
    const { payload } = this.options;
    if (payload !== undefined) return this.#settled(envelope, this.#readFirst(payload, envelope));
    this.received += 1;
    try {
      const result: unknown = this.#call(envelope, envelope.message);
      if (isPromise(result)) return this.#settled(envelope, result);
      envelope.settle?.();
    } catch (error) {
      this.#fail(envelope, error);
    }
    return undefined;
  }

  #call({ meta, trace }: Envelope, message: unknown): void | Promise<void> {
    // Nearly always, and a closure for each message would cost something.
    if (this.tools.telemetry.tracing === undefined) return this.handler(message, meta);
    return traced(this.tools.telemetry, meta, trace, this.options.group, () => this.handler(message, meta));
  }

  async #readFirst(payload: Type<object>, envelope: Envelope): Promise<void> {
    const { message, meta } = envelope;
    const { value, errors } = await readAs(payload, message);
    if (errors === undefined) {
      this.received += 1;
      return this.#call(envelope, value);
    }
    this.invalid += 1;
    this.tools.telemetry.emit('message.invalid', { channel: this.channel, from: meta.from, type: meta.type, errors });
    throw new InvalidPayload(payload.name);
  }

  async #settled(envelope: Envelope, result: PromiseLike<unknown>): Promise<void> {
    this.#handling.add(envelope);
    try {
      await result;
      envelope.settle?.();
    } catch (error) {
      this.#fail(envelope, error);
    } finally {
      this.#handling.delete(envelope);
    }
  }

  #fail({ meta: { channel, type }, settle }: Envelope, error: unknown): void {
    if (isA(error, InvalidPayload)) {
      this.tools.drops.add(channel, 'invalid-payload', 1, { payload: error.payload });
      return settle?.(error.message);
    }
    this.failed += 1;
    this.tools.telemetry.emit('message.handler_failed', { channel, error: describe(error) });
    this.#log.error('A message handler failed', { channel, type, error: describe(error) });
    settle?.(`a handler failed: ${describe(error)}`);
  }

  #lag(): number {
    const { high, normal, low } = this.#lanes;
    const oldest = [...this.#handling, high.peek(), normal.peek(), low.peek()].filter((each) => each !== undefined);
    return oldest.length === 0 ? 0 : Math.max(0, Date.now() - Math.min(...oldest.map(({ meta }) => meta.sentAt)));
  }
}

/** Told already; the handler was not called. */
class InvalidPayload extends Error {
  constructor(readonly payload: string) {
    super(`not a valid ${payload}`);
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
