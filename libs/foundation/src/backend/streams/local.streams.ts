/**
 * Streams inside one process, for an application that is not clustered: kept as long as it runs, redelivered after a
 * failure.
 */
import type { Clock, Timer } from '../../time/clock.js';
import { LIVES, type Lives } from '../../wire/key.lifetimes.js';
import {
  compareIds,
  type Consumer,
  type ConsumerListener,
  type ConsumerOptions,
  type KeptOnce,
  type Once,
  type StreamEntry,
  type Streams,
  type Unsafe,
} from './streams.js';

interface Kept {
  id: string;
  text: string;
  index: number;
}

interface Pending {
  entry: StreamEntry;
  /** The consumer that it was delivered to last. */
  owner: LocalConsumer;
  /** Infinite while it is handled. */
  dueAt: number;
}

interface Group {
  /** When it had a consumer last; Infinity while it has one. */
  usedAt: number;
  /** Index of the next entry that was not delivered yet. */
  next: number;
  consumers: Set<LocalConsumer>;
  pending: Map<string, Pending>;
}

class Stream {
  readonly kept: Kept[] = [];
  readonly dead: { entry: StreamEntry; reason: string }[] = [];
  /** By name; one that had no consumer for `Lives.unused` goes when the next one comes, as in Redis. */
  readonly groups = new Map<string, Group>();
  /** Id of a text that is not to be kept twice → its entry, and until when. */
  readonly once = new Map<string, { id: string; until: number }>();
  length = 0;
}

/** As many entries as an operator would inspect. */
const MAX_DEAD = 10_000;
/** How many more than its length a stream keeps at least before it is trimmed. */
const SLACK = 100;

/** See {@link Streams}. */
export class LocalStreams implements Streams {
  readonly isTied = false;
  /** One for each channel that is declared. */
  readonly #streams = new Map<string, Stream>();
  readonly #consumers = new Set<LocalConsumer>();
  #last = { ms: 0, number: 0 };

  constructor(
    private readonly clock: Clock,
    private readonly lives: Lives = LIVES,
  ) {}

  append(stream: string, text: string, maxLength: number): Promise<string> {
    return Promise.resolve(this.#append(stream, text, maxLength));
  }

  #append(stream: string, text: string, maxLength: number): string {
    const into = this.#stream(stream);
    const id = this.#nextId();
    into.kept.push({ id, text, index: into.length++ });
    // As in Redis, about that many are kept: to move all of them for each that comes would take longer the more there
    // are.
    const slack = Math.max(SLACK, maxLength >> 4);
    if (into.kept.length > maxLength + slack) into.kept.splice(0, into.kept.length - maxLength);
    for (const { consumers } of into.groups.values()) for (const consumer of consumers) consumer.wake();
    return id;
  }

  async appendOnce(stream: string, text: string, maxLength: number, { id, within }: Once): Promise<KeptOnce> {
    const { once } = this.#stream(stream);
    const now = this.clock.monotonic();
    // In the order in which they were kept: what is remembered longer keeps those behind it a little longer.
    for (const [first, { until }] of once) {
      if (until > now) break;
      once.delete(first);
    }
    const before = once.get(id);
    if (before !== undefined && before.until > now) return { id: before.id, isNew: false };
    once.delete(id);
    const entry = this.#append(stream, text, maxLength);
    once.set(id, { id: entry, until: now + within });
    return { id: entry, isNew: true };
  }

  /** Here nothing is safer than the memory of this process. */
  confirm(): Promise<Unsafe | undefined> {
    return Promise.resolve(undefined);
  }

  consume(options: ConsumerOptions, listener: ConsumerListener): Promise<Consumer> {
    const stream = this.#stream(options.stream);
    const now = this.clock.wall();
    for (const [name, { usedAt }] of stream.groups) if (now - usedAt > this.lives.unused) stream.groups.delete(name);
    const group = stream.groups.get(options.group) ?? {
      usedAt: Infinity,
      next: startOf(stream, options.from),
      consumers: new Set<LocalConsumer>(),
      pending: new Map<string, Pending>(),
    };
    stream.groups.set(options.group, group);
    const consumer = new LocalConsumer(stream, group, options, listener, this.clock);
    this.#consumers.add(consumer);
    consumer.wake();
    return Promise.resolve(consumer);
  }

  range(stream: string, from: string, to: string, count: number): Promise<StreamEntry[]> {
    // As in Redis: `(` leaves the id itself out, and a time without a number is all of that millisecond.
    const isAfter = (id: string): boolean =>
      from === '-' || (from.startsWith('(') ? compareIds(id, from.slice(1)) > 0 : compareIds(id, from) >= 0);
    const last = to.includes('-') ? to : `${to}-Infinity`;
    const found = this.#stream(stream).kept.filter(
      ({ id }) => isAfter(id) && (to === '+' || compareIds(id, last) <= 0),
    );
    return Promise.resolve(found.slice(0, count).map(({ id, text }) => ({ id, text, deliveries: 0 })));
  }

  close(): void {
    for (const consumer of this.#consumers) consumer.stop();
  }

  #stream(name: string): Stream {
    const stream = this.#streams.get(name) ?? new Stream();
    this.#streams.set(name, stream);
    return stream;
  }

  #nextId(): string {
    const ms = Math.max(this.#last.ms, Math.floor(this.clock.wall()));
    this.#last = { ms, number: ms === this.#last.ms ? this.#last.number + 1 : 0 };
    return `${ms}-${this.#last.number}`;
  }
}

class LocalConsumer implements Consumer {
  #working: Promise<void> | undefined;
  #timer: Timer | undefined;
  #closed = false;
  readonly #taking = new Set<Promise<void>>();

  constructor(
    private readonly stream: Stream,
    private readonly group: Group,
    private readonly options: ConsumerOptions,
    private readonly listener: ConsumerListener,
    private readonly clock: Clock,
  ) {
    group.consumers.add(this);
    group.usedAt = Infinity;
  }

  wake(): void {
    if (this.#closed) return;
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
      this.#wakeWhenDue();
    });
  }

  acknowledge(id: string): Promise<void> {
    this.group.pending.delete(id);
    return Promise.resolve();
  }

  bury(entry: StreamEntry, reason: string): Promise<boolean> {
    const isOwn = this.#ownPending(entry.id) !== undefined;
    if (isOwn) this.#bury(entry, reason);
    return Promise.resolve(isOwn);
  }

  release(entries: readonly StreamEntry[]): Promise<void> {
    for (const entry of entries) {
      const pending = this.#ownPending(entry.id);
      if (pending === undefined) continue;
      pending.dueAt = 0;
      pending.entry = { ...entry, deliveries: entry.deliveries - 1 };
    }
    for (const consumer of this.group.consumers) consumer.wake();
    return Promise.resolve();
  }

  stop(): void {
    this.#closed = true;
    this.clock.clearTimeout(this.#timer);
    this.group.consumers.delete(this);
    if (this.group.consumers.size === 0) this.group.usedAt = this.clock.wall();
  }

  leave(id: string): void {
    this.#dueLater([this.#ownPending(id)]);
  }

  async close(): Promise<void> {
    this.stop();
    await this.#working;
    await Promise.all(this.#taking);
    for (const other of this.group.consumers) other.wake();
  }

  async #work(): Promise<void> {
    for (;;) {
      // As over Redis, what is appended is handled in a later turn, and a long backlog lets others have turns.
      await new Promise(setImmediate);
      await this.listener.room?.();
      const entries = this.#closed ? [] : this.#read();
      if (entries.length === 0) return;
      const taking = this.#take(entries).finally(() => this.#taking.delete(taking));
      this.#taking.add(taking);
      if (this.listener.room === undefined) await taking;
    }
  }

  async #take(entries: StreamEntry[]): Promise<void> {
    const taken = entries.map(({ id }) => this.group.pending.get(id));
    await this.listener.take(entries);
    this.#dueLater(taken);
  }

  /** What was not acknowledged is redelivered later, to any consumer; what was since is another delivery. */
  #dueLater(taken: readonly (Pending | undefined)[]): void {
    const dueAt = this.clock.wall() + this.options.retryAfter;
    const isOurs = (each?: Pending): boolean => each !== undefined && this.group.pending.get(each.entry.id) === each;
    for (const each of taken) if (each?.dueAt === Infinity && isOurs(each)) each.dueAt = dueAt;
    this.#wakeWhenDue();
  }

  /** What is due again, then what is new. */
  #read(): StreamEntry[] {
    const { pending } = this.group;
    const { batch } = this.options;
    const now = this.clock.wall();
    const due = [...pending.values()].filter(({ dueAt }) => dueAt <= now).slice(0, batch);
    const again = due.flatMap(({ entry }) => {
      if (entry.deliveries < this.options.maxDeliveries) return [{ ...entry, deliveries: entry.deliveries + 1 }];
      const reason = `delivered ${entry.deliveries} times without an acknowledgement`;
      this.#bury(entry, reason);
      this.listener.buried(entry, reason);
      return [];
    });
    const entries = [...again, ...this.#readNew(batch - again.length)];
    for (const entry of entries) pending.set(entry.id, { entry, owner: this, dueAt: Infinity });
    return entries;
  }

  /**
   * INVARIANT (I24): a consumer decides on what was delivered to it last, and on nothing that another one has by now.
   */
  #ownPending(id: string): Pending | undefined {
    const pending = this.group.pending.get(id);
    return pending?.owner === this ? pending : undefined;
  }

  #bury(entry: StreamEntry, reason: string): void {
    this.group.pending.delete(entry.id);
    this.stream.dead.push({ entry, reason });
    if (this.stream.dead.length > MAX_DEAD) this.stream.dead.shift();
  }

  #readNew(count: number): StreamEntry[] {
    const oldest = this.stream.kept[0]?.index ?? this.stream.length;
    if (oldest > this.group.next) {
      this.listener.lost(oldest - this.group.next);
      this.group.next = oldest;
    }
    const fresh = this.stream.kept.slice(this.group.next - oldest, this.group.next - oldest + count);
    this.group.next += fresh.length;
    return fresh.map(({ id, text }) => ({ id, text, deliveries: 1 }));
  }

  #wakeWhenDue(): void {
    this.clock.clearTimeout(this.#timer);
    const dueAt = Math.min(...[...this.group.pending.values()].map((pending) => pending.dueAt));
    if (this.#closed || !Number.isFinite(dueAt)) return;
    this.#timer = this.clock.setTimeout(() => this.wake(), Math.max(1, dueAt - this.clock.wall())).unref();
  }
}

function startOf(stream: Stream, from: string): number {
  if (from === '$') return stream.length;
  const first = stream.kept.find(({ id }) => compareIds(id, from) > 0);
  return first?.index ?? stream.length;
}
