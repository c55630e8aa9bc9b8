/**
 * One handler and its backlog: bounded, in order within each priority, and independent of every other handler.
 */
import { HandlerGoneError } from '../../calls/handler.gone.js';
import { ofNobody } from '../../context/fresh.js';
import { isA } from '../../errors/describe.js';
import { Gate, unattended } from '../../foreign/gate.js';
import { isLongTurn, nextTurn } from '../../time/turn.budget.js';
import type { Lane } from '../../wire/lane.js';
import type { Gap, MessageHandler, SubscribeOptions, SubscriptionCounters } from '../channel.js';
import type { Envelope } from '../envelope.js';
import { HandlerRunner, InvalidPayload, type RunnerTools } from '../handler.runner.js';
import { DropCounts, type MessageDrops, UNSUBSCRIBED } from '../message.drops.js';
import { Fifo } from './fifo.js';

const DEFAULT_SIZE = 10_000;
/** The most characters of JSON in the backlog. */
const MAX_CHARACTERS = 64 * 1024 * 1024;
/** The longest turn in milliseconds of a queue that is half full: falling behind would cost messages. */
const LONGER_MS = 50;

/** What the queues of one node share. */
export interface QueueTools extends RunnerTools {
  drops: MessageDrops;
}

/** See the file header. */
export class HandlerQueue {
  missed = 0;
  unknown = 0;
  readonly #dropped = new DropCounts();
  readonly #lanes: Record<Lane, Fifo<Envelope>> = { high: new Fifo(), normal: new Fifo(), low: new Fifo() };
  readonly #limit: number;
  readonly #handling = new Set<Envelope>();
  readonly #runner: HandlerRunner;
  readonly #gate: Gate;
  /** Senders of this node that wait for room, oldest first. */
  readonly #blocked: (() => void)[] = [];
  #waiting = 0;
  #characters = 0;
  #working = 0;
  #closed = false;
  readonly #begin = (): Promise<void> => this.#work();
  /** Resolves those that await the last handler. */
  readonly #idleWanted: (() => void)[] = [];

  constructor(
    readonly channel: string,
    readonly options: SubscribeOptions,
    handler: MessageHandler,
    private readonly tools: QueueTools,
  ) {
    this.#limit = options.queue?.size ?? DEFAULT_SIZE;
    const { payload, group } = options;
    this.#runner = new HandlerRunner({ channel, handler, payload, group, isOfNobody: true }, tools);
    this.#gate = new Gate(tools.telemetry);
  }

  get received(): number {
    return this.#runner.received;
  }

  get dropped(): number {
    return this.#dropped.total;
  }

  get counters(): SubscriptionCounters {
    const { received, failed, invalid } = this.#runner;
    const { missed, unknown } = this;
    return {
      received,
      failed,
      invalid,
      missed,
      unknown,
      dropped: this.#dropped.read(),
      waiting: this.#waiting,
      lag: this.#lag(),
    };
  }

  /** False for a type that the subscription does not take. */
  takes(type: string | undefined): boolean {
    return this.options.type === undefined || this.options.type === type;
  }

  /** Returns a promise where a sender of this node has to wait until there is room: policy `block`. */
  push(envelope: Envelope, isLocal: boolean): Promise<void> | undefined {
    if (this.#closed) return void this.#refuse(envelope);
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
    if (this.#working < (this.options.concurrency ?? 1)) unattended('handling messages', ofNobody(this.#begin));
    return room;
  }

  gap(gap: Gap): void {
    if (gap.missing === undefined) this.unknown += 1;
    else this.missed += gap.missing.last - gap.missing.first + 1;
    const { onGap } = this.options;
    if (onGap !== undefined) this.#gate.tell('onGap', onGap, gap);
  }

  /** Drops the backlog; resolves once no handler runs, so a handler must not await it. */
  close(): Promise<void> {
    this.#closed = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) this.#drop(next, UNSUBSCRIBED);
    return this.#working === 0 ? Promise.resolve() : new Promise((resolve) => this.#idleWanted.push(resolve));
  }

  /** One message always fits, whatever its size. */
  #isFull(size: number, times = 1): boolean {
    if (this.#waiting >= times * this.#limit) return true;
    return this.#waiting > 0 && this.#characters + size > times * MAX_CHARACTERS;
  }

  /** Drops low priorities first: of the backlog, else the new message. True when there is room for the new message. */
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

  /** Only what was for one member of a group is lost; of the others this is one that has ended, as it should. */
  #refuse(envelope: Envelope): void {
    if (this.options.group !== undefined) return this.#drop(envelope, UNSUBSCRIBED);
    this.#dropped.add(UNSUBSCRIBED);
    this.tools.drops.note(this.channel, UNSUBSCRIBED);
    envelope.settle?.(UNSUBSCRIBED, { reason: UNSUBSCRIBED });
  }

  #drop(envelope: Envelope, reason: 'queue-full' | typeof UNSUBSCRIBED): void {
    const { priority } = envelope.meta;
    this.#dropped.add(reason);
    this.tools.drops.add(this.channel, reason, 1, reason === 'queue-full' ? { priority } : {});
    envelope.settle?.(reason === 'queue-full' ? `queue full, ${priority} priority` : reason, { reason });
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
    let now = performance.now();
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const began = now;
      const handled = this.#handle(next, began);
      if (typeof handled === 'object') await handled;
      // One reading for the end of this handler, the beginning of the next one, and the length of the turn.
      now = performance.now();
      if (typeof handled === 'boolean') this.#runner.took(now - began, !handled, now);
      const budget = 2 * this.#waiting > this.#limit ? LONGER_MS : undefined;
      if (!isLongTurn(budget, now)) continue;
      await nextTurn(this.#lanes.high.size > 0);
      now = performance.now();
    }
    this.#working -= 1;
    if (this.#working === 0) for (const idle of this.#idleWanted.splice(0)) idle();
  }

  /** Whether the handler did it, where it is over at once; `undefined` where it was not called. */
  #handle(envelope: Envelope, began: number): Promise<void> | boolean | undefined {
    try {
      const result = this.#runner.run(envelope);
      if (isPromise(result)) return this.#settled(envelope, result, began);
      envelope.settle?.(undefined, { value: result });
      return true;
    } catch (error) {
      return this.#fail(envelope, error);
    }
  }

  async #settled(envelope: Envelope, result: PromiseLike<unknown>, began: number): Promise<void> {
    this.#handling.add(envelope);
    let isDone: boolean | undefined;
    try {
      const value = await result;
      envelope.settle?.(undefined, { value });
      isDone = true;
    } catch (error) {
      isDone = this.#fail(envelope, error);
    } finally {
      this.#handling.delete(envelope);
    }
    const now = performance.now();
    if (isDone !== undefined) this.#runner.took(now - began, !isDone, now);
  }

  /** False, or `undefined` where no handler failed. */
  #fail(envelope: Envelope, error: unknown): false | undefined {
    const { meta, settle } = envelope;
    const { channel, type } = meta;
    if (isA(error, InvalidPayload)) {
      this.tools.drops.add(channel, 'invalid-payload', 1, { payload: error.payload });
      settle?.(error.message, { reason: 'invalid-payload' });
      return undefined;
    }
    // The process whose handler it was has stopped, as after the end of a subscription.
    if (isA(error, HandlerGoneError)) {
      this.#refuse(envelope);
      return undefined;
    }
    const text = this.#runner.fail(error, { type });
    settle?.(`a handler failed: ${text}`, { reason: 'failed' });
    return false;
  }

  #lag(): number {
    const { high, normal, low } = this.#lanes;
    const oldest = [...this.#handling, high.peek(), normal.peek(), low.peek()].filter((each) => each !== undefined);
    return oldest.length === 0 ? 0 : Math.max(0, Date.now() - Math.min(...oldest.map(({ meta }) => meta.sentAt)));
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
