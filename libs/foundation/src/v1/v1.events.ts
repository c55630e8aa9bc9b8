/**
 * `Foundation.Events` of 1.x: events of this node, in memory, and published on the channel `events`.
 * Underneath: a map that is bounded by `storage.hot`, and `Channels`.
 */
import { Inject, Injectable } from '@nestjs/common';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { Log } from '../logging/log.js';
import type { ClusterQueryOptions } from './cluster/cluster.queries.js';
import { listOf } from './config/config.tree.js';
import { checkQuery, readBytes, storable, storableEvent } from './events/event.arguments.js';
import {
  EventFactory,
  type EventOptions,
  type FunctionEntryOptions,
  type StateChangeOptions,
} from './events/event.factory.js';
import { EventPublisher } from './events/event.publisher.js';
import { type ClusterEvents, EventQueries } from './events/event.queries.js';
import { type EventQuery, EventStore, type StoreStats } from './events/event.store.js';
import { eventOf, type KeptEvent, toBytes, type V1Event } from './events/v1.event.js';
import { done, fail, ok, type Result } from './v1.result.js';
import { V1Service } from './v1.service.js';
import { Telemetry } from './v1.telemetry.js';

/** What {@link Events.stats} says. */
export interface EventStats extends StoreStats {
  /** Milliseconds since 1970. */
  readonly startTime: number;
}

const STOPPED = { code: 3000, message: 'Event store not available' };
const STORED = ['foundation', 'event_store', 'events_stored'];

/** Injectable. `Foundation.Events`: every call that 1.x has stays on this node, and answers at once. */
@Injectable()
export class Events {
  #store: EventStore;
  readonly #log = new Log();

  /** @internal Made by Nest. */
  constructor(
    @Inject(V1Service) private readonly service: V1Service,
    @Inject(Telemetry) private readonly telemetry: Telemetry,
    @Inject(EventFactory) private readonly factory: EventFactory,
    @Inject(EventPublisher) private readonly publisher: EventPublisher,
    @Inject(EventQueries) private readonly queries: EventQueries,
  ) {
    queries.find = (correlationId) => this.#correlated(correlationId);
    this.#store = this.#newStore();
  }

  /** Does nothing: the store runs from the start of the module on. */
  initialize(): Result {
    return this.service.unavailable(STOPPED) ?? done();
  }

  /** How many events there are, and the number that would follow the highest id. */
  status(): Result<{ readonly status: 'running'; readonly eventCount: number; readonly nextId: number }> {
    const { size: eventCount, nextId } = this.#store;
    return this.service.unavailable(STOPPED) ?? ok({ status: 'running', eventCount, nextId });
  }

  /** Whether it runs; false once the application ends. */
  available(): boolean {
    return this.service.running;
  }

  /**
   * Makes an event and stores nothing. Its data is copied as JSON writes it; `undefined` becomes `null`.
   *
   * Fails with `validation_failed` (2001) where a field is missing, `type_mismatch` (2002) where it is of another type,
   * `data_too_large` (2003) for more than 1 MB of JSON.
   */
  newEvent(eventType: string, data: unknown, options: EventOptions = {}): Result<V1Event> {
    return read(this.factory.make(eventType, data, options));
  }

  /** The event itself, where {@link newEvent} gives a result. @throws TypeError where that fails. */
  debugNewEvent(eventType: string, data: unknown, options: EventOptions = {}): V1Event {
    const made = this.newEvent(eventType, data, options);
    if (!made.ok) throw new TypeError(`Failed to create debug event: ${made.error.message}`);
    return made.value;
  }

  /** An event `function_entry`. Arguments of more than 10 KB are cut; what JSON cannot write becomes a text. */
  functionEntry(
    module: string,
    fun: string,
    arity: number,
    args: readonly unknown[],
    options: FunctionEntryOptions = {},
  ): Result<V1Event> {
    return read(this.factory.entry({ module, fun, arity }, args, options));
  }

  /** An event `function_exit`; `callId` is that of the entry, `durationNs` nanoseconds. */
  functionExit(
    module: string,
    fun: string,
    arity: number,
    callId: number,
    result: unknown,
    durationNs: number,
    exitReason: string,
    options: EventOptions = {},
  ): Result<V1Event> {
    const outcome = { callId, result, durationNs, exitReason };
    return read(this.factory.exit({ module, fun, arity }, outcome, options));
  }

  /** An event `state_change`, whose `stateDiff` is `no_change` or `changed`. */
  stateChange(
    server: unknown,
    callback: string,
    oldState: unknown,
    newState: unknown,
    options: StateChangeOptions = {},
  ): Result<V1Event> {
    return read(this.factory.change({ server, callback }, { oldState, newState }, options));
  }

  /**
   * Stores an event, or the good result of {@link newEvent}; a failed one is given back. Resolves its id. An event of
   * the same id is replaced; the oldest are removed beyond `storage.hot`.
   *
   * Underneath: memory, then `Channels.broadcast('events', …)`, which is not waited for.
   *
   * Fails with `invalid_argument` (2005) for what is no event, and as {@link newEvent} does.
   */
  store(event: V1Event | Result<V1Event>): Result<number> {
    const checked = this.service.unavailable(STOPPED) ?? storable(event);
    if (!checked.ok) return checked;
    const { eventType, eventId } = checked.value.head;
    this.#keep(checked.value);
    this.telemetry.emitCounter(STORED, { eventType, eventId });
    return ok(eventId);
  }

  /** Stores all, or none where one of them is refused. @throws ArgumentError for what is not a list. */
  storeBatch(events: readonly V1Event[]): Result<number[]> {
    const given = listOf(events);
    if (given === undefined) throw new ArgumentError('Events.storeBatch', 'events', show(events), 'a list of events');
    const stopped = this.service.unavailable(STOPPED);
    if (stopped !== undefined) return stopped;
    const kept: KeptEvent[] = [];
    for (const each of given) {
      const checked = storableEvent(each);
      if (!checked.ok) return checked;
      kept.push(checked.value);
    }
    for (const each of kept) this.#keep(each);
    this.telemetry.emitCounter(STORED, kept.length, { batchSize: kept.length });
    return ok(kept.map(({ head }) => head.eventId));
  }

  /**
   * The event with an id. Fails with `not_found` (3001).
   *
   * @throws ArgumentError for what is not a positive whole number.
   */
  get(eventId: number): Result<V1Event> {
    if (!Number.isSafeInteger(eventId) || eventId <= 0) {
      throw new ArgumentError('Events.get', 'eventId', show(eventId), 'a positive whole number');
    }
    const stopped = this.service.unavailable(STOPPED);
    if (stopped !== undefined) return stopped;
    const found = this.#store.get(eventId, this.service.ticks());
    if (found !== undefined) return ok(found);
    const of = { category: 'data', subcategory: 'retrieval', severity: 'low' } as const;
    return fail({ errorType: 'not_found', code: 3001, message: 'Event not found', context: { eventId }, ...of });
  }

  /**
   * The events that meet all criteria; keys that are none are ignored, as an offset below 0 and a limit below 1 are.
   *
   * @throws ArgumentError for what is not an object, or a time range that is not two numbers.
   */
  query(query: EventQuery): Result<V1Event[]> {
    const checked = checkQuery(query);
    return this.service.unavailable(STOPPED) ?? ok(this.#store.query(checked, this.service.ticks()));
  }

  /** The events of this node with a correlation id, by time. @throws ArgumentError for what is not a string. */
  getByCorrelation(correlationId: string): Result<V1Event[]> {
    if (typeof correlationId !== 'string') {
      throw new ArgumentError('Events.getByCorrelation', 'correlationId', show(correlationId), 'a string');
    }
    const stopped = this.service.unavailable(STOPPED);
    if (stopped !== undefined) return stopped;
    return ok(this.#correlated(correlationId).map(eventOf));
  }

  /**
   * The events of all nodes with a correlation id, by time. A node that does not answer is in `missing`, with the
   * reason, and `complete` is then false; the events of a node that has left are gone with it.
   *
   * Underneath: `Channels.gather`; each node answers 512 KiB at most, of its newest events.
   *
   * Fails with `external_service_error` (4201) where nobody could be asked.
   *
   * @throws ArgumentError for what is not a string, or for options that are wrong; the reason of the signal.
   */
  async getByCorrelationClusterWide(
    correlationId: string,
    options: ClusterQueryOptions = {},
  ): Promise<Result<ClusterEvents>> {
    const own = this.getByCorrelation(correlationId);
    return own.ok ? this.queries.byCorrelation(correlationId, options) : own;
  }

  /** The same as {@link getByCorrelation}. */
  getCorrelationChain(correlationId: string): Result<V1Event[]> {
    return this.getByCorrelation(correlationId);
  }

  /** The events from one time to another, both included, by time. */
  getTimeRange(from: number, to: number): Result<V1Event[]> {
    return this.query({ timeRange: [from, to], orderBy: 'timestamp' });
  }

  /** The newest events, by time: at most `limit`. */
  getRecent(limit = 100): Result<V1Event[]> {
    const all = this.query({ orderBy: 'timestamp' });
    return all.ok && limit > 0 ? ok(all.value.slice(-limit)) : all;
  }

  /** Removes what is older than a time, and says how many there were. @throws ArgumentError for what is no number. */
  pruneBefore(timestamp: number): Result<number> {
    if (!Number.isSafeInteger(timestamp)) {
      throw new ArgumentError('Events.pruneBefore', 'timestamp', show(timestamp), 'a whole number of milliseconds');
    }
    return this.service.unavailable(STOPPED) ?? ok(this.#store.pruneBefore(timestamp));
  }

  /** How many were stored and removed, how many are there, and about how much they take. */
  stats(): Result<EventStats> {
    const startTime = this.service.wallOf(this.#store.startedAt);
    return this.service.unavailable(STOPPED) ?? ok({ ...this.#store.stats(this.service.ticks()), startTime });
  }

  /** An event as bytes: deflated JSON. Fails as {@link store} does for what is no event. */
  serialize(event: V1Event): Result<Buffer> {
    const checked = storableEvent(event);
    return checked.ok ? ok(toBytes(checked.value)) : checked;
  }

  /**
   * The event of such bytes. They may come from anyone: no more than an event can have is inflated, nothing is run.
   *
   * Fails with `deserialization_failed` (3102), or as {@link newEvent} does.
   */
  deserialize(bytes: Uint8Array): Result<V1Event> {
    return read(readBytes(bytes));
  }

  /** The number of bytes that {@link serialize} gives. */
  serializedSize(event: V1Event): Result<number> {
    const bytes = this.serialize(event);
    return bytes.ok ? ok(bytes.value.length) : bytes;
  }

  /** For tests: as at the start. Fails with `operation_forbidden` (3002) outside of test mode. */
  resetState(): Result {
    const refused = this.service.forbidden(3002) ?? this.service.unavailable(STOPPED);
    if (refused !== undefined) return refused;
    this.#store = this.#newStore();
    return done();
  }

  /**
   * Makes and stores an event of Foundation's own; what goes wrong is logged.
   *
   * @internal
   */
  record(eventType: string, data: unknown): void {
    const stored = this.store(this.newEvent(eventType, data));
    if (!stored.ok) this.#log.warn('Failed to store an event, {error}', { eventType, error: stored.error.message });
  }

  #keep(event: KeptEvent): void {
    this.#store.add(event, this.service.ticks());
    this.publisher.publish(event);
  }

  #correlated(correlationId: string): KeptEvent[] {
    const found = this.#store.filter((head) => head.correlationId === correlationId, this.service.ticks());
    return found.sort((a, b) => a.head.timestamp - b.head.timestamp);
  }

  #newStore(): EventStore {
    return new EventStore(this.service.ticks(), this.service.start.storage.hot);
  }
}

function read(made: Result<KeptEvent>): Result<V1Event> {
  return made.ok ? ok(eventOf(made.value)) : made;
}
