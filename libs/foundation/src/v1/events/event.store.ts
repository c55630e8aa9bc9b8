/**
 * The events that a node keeps in memory, oldest first, within their number, their size and their age.
 * Pure: the caller brings the time.
 */
import { eventOf, type KeptEvent, type V1Event } from './v1.event.js';

/** The most data that is kept, in characters of JSON; the newest event always is. */
const MAX_CHARACTERS = 64 * 1024 * 1024;

/** How many events are kept for how long; `storage.hot` of the configuration. */
export interface StoreLimits {
  readonly max_events: number;
  readonly max_age_seconds: number;
  /** How often the age is looked at, in milliseconds. */
  readonly prune_interval: number;
}

/** What {@link EventStore.query} takes. */
export interface EventQuery {
  eventType?: string;
  /** Both included, as `timestamp` counts. */
  timeRange?: readonly [from: number, to: number];
  /** Ascending. Without it: as they were stored. */
  orderBy?: 'eventId' | 'timestamp';
  offset?: number;
  limit?: number;
}

/** What is known of a store. */
export interface StoreStats {
  readonly eventsStored: number;
  readonly eventsPruned: number;
  readonly currentEventCount: number;
  readonly uptimeMs: number;
  /** Bytes, about: 1,000 for each event, and the characters of its data. */
  readonly memoryUsageEstimate: number;
}

interface Entry extends KeptEvent {
  storedAt: number;
}

/** See the file header. */
export class EventStore {
  /** By id, in the order in which they were stored. */
  readonly #entries = new Map<number, Entry>();
  #characters = 0;
  #prunedAt: number;
  stored = 0;
  pruned = 0;
  nextId = 1;

  constructor(
    readonly startedAt: number,
    private readonly limits: StoreLimits,
  ) {
    this.#prunedAt = startedAt;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Characters of JSON of all data. */
  get characters(): number {
    return this.#characters;
  }

  stats(now: number): StoreStats {
    return {
      eventsStored: this.stored,
      eventsPruned: this.pruned,
      currentEventCount: this.size,
      uptimeMs: Math.floor(now - this.startedAt),
      memoryUsageEstimate: this.size * 1000 + this.#characters,
    };
  }

  /** One that has the id of another takes its place. */
  add(event: KeptEvent, now: number): void {
    const { eventId } = event.head;
    this.#remove(eventId);
    this.#entries.set(eventId, { ...event, storedAt: now });
    this.#characters += event.data.length;
    this.nextId = Math.min(Math.max(this.nextId, eventId) + 1, Number.MAX_SAFE_INTEGER);
    this.stored += 1;
    for (const id of this.#entries.keys()) {
      if (this.size <= this.limits.max_events && (this.#characters <= MAX_CHARACTERS || id === eventId)) break;
      this.#remove(id);
      this.pruned += 1;
    }
    this.#forgetOld(now);
  }

  get(id: number, now: number): V1Event | undefined {
    this.#forgetOld(now);
    const entry = this.#entries.get(id);
    return entry && eventOf(entry);
  }

  /** All that are to be kept and pass the filter. */
  filter(isWanted: (head: KeptEvent['head']) => boolean, now: number): KeptEvent[] {
    this.#forgetOld(now);
    return [...this.#entries.values()].filter(({ head }) => isWanted(head));
  }

  query({ eventType, timeRange, orderBy, offset, limit }: EventQuery, now: number): V1Event[] {
    const [from, to] = timeRange ?? [-Infinity, Infinity];
    const found = this.filter(
      (head) =>
        (eventType === undefined || eventType === null || head.eventType === eventType) &&
        head.timestamp >= from &&
        head.timestamp <= to,
      now,
    );
    if (orderBy === 'eventId' || orderBy === 'timestamp') found.sort((a, b) => a.head[orderBy] - b.head[orderBy]);
    const rest = typeof offset === 'number' && offset > 0 ? found.slice(offset) : found;
    return (typeof limit === 'number' && limit > 0 ? rest.slice(0, limit) : rest).map(eventOf);
  }

  /** How many were older. */
  pruneBefore(timestamp: number): number {
    return this.#removeAll(({ head }) => head.timestamp < timestamp);
  }

  #forgetOld(now: number): void {
    if (now - this.#prunedAt < this.limits.prune_interval) return;
    this.#prunedAt = now;
    const oldest = now - this.limits.max_age_seconds * 1000;
    this.#removeAll(({ storedAt }) => storedAt < oldest);
  }

  #removeAll(isUnwanted: (entry: Entry) => boolean): number {
    const ids = [...this.#entries].filter(([, entry]) => isUnwanted(entry)).map(([id]) => id);
    for (const id of ids) this.#remove(id);
    this.pruned += ids.length;
    return ids.length;
  }

  #remove(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    this.#characters -= entry.data.length;
  }
}
