/**
 * `Foundation.Telemetry` of 1.x: events by lists of names, measured on this node, heard by handlers.
 * Underneath: counters and histograms in memory, and the event `telemetry.executed` of Foundation's own `Telemetry`.
 */
import { performance } from 'node:perf_hooks';
import { Inject, Injectable } from '@nestjs/common';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { adopted, isThenable, unattended } from '../foreign/gate.js';
import { Log } from '../logging/log.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import { Telemetry as FoundationTelemetry } from '../telemetry/telemetry.js';
import type { ClusterQueryOptions } from './cluster/cluster.queries.js';
import { captured } from './events/v1.event.js';
import { type ClusterMetrics, MetricQueries } from './telemetry/metric.queries.js';
import { type EventName, keyOf, MetricStore } from './telemetry/metric.store.js';
import { nested } from './telemetry/metric.tree.js';
import { mapOf, nameOf, namesOf, numberOf, prefixOf } from './telemetry/telemetry.arguments.js';
import { done, fail, ok, type Result } from './v1.result.js';
import { V1Service } from './v1.service.js';

/** Called with the name of the event, what was measured, and what is said about it; a promise may reject. */
export type TelemetryHandler = (
  eventName: EventName,
  measurements: Readonly<Record<string, unknown>>,
  metadata: Readonly<Record<string, unknown>>,
) => unknown;

/** What {@link Telemetry.status} says. */
export interface TelemetryStatus {
  readonly status: 'running';
  readonly metricsCount: number;
  readonly handlersCount: number;
  readonly config: {
    readonly enableVmMetrics: boolean;
    readonly enableProcessMetrics: boolean;
    readonly metricRetentionMs: number;
    readonly cleanupInterval: number;
  };
}

/** Metrics nested by the parts of their names; those that 1.x has as plain counts are numbers. */
export type MetricTree = { readonly retrievedAt: number } & Readonly<Record<string, unknown>>;

/** What is said about an event, or measured of it. */
export type Metadata = Readonly<Record<string, unknown>>;

const CONFIG = {
  enableVmMetrics: true,
  enableProcessMetrics: true,
  metricRetentionMs: 300_000,
  cleanupInterval: 60_000,
} as const;
/** The most handlers. */
const MAX_HANDLERS = 10_000;
const STOPPED = { message: 'Telemetry service not started' };

/** Injectable. `Foundation.Telemetry`: every call that 1.x has stays on this node, and answers at once. */
@Injectable()
export class Telemetry {
  readonly #metrics = new MetricStore({ retentionMs: CONFIG.metricRetentionMs, everyMs: CONFIG.cleanupInterval });
  readonly #handlers = new Map<string, TelemetryHandler>();
  readonly #log = new ThrottledLog();
  readonly #debugLog = new Log();

  /** @internal Made by Nest. */
  constructor(
    @Inject(V1Service) private readonly service: V1Service,
    @Inject(FoundationTelemetry) private readonly telemetry: FoundationTelemetry,
    @Inject(MetricQueries) private readonly queries: MetricQueries,
  ) {
    queries.find = (prefix) => {
      this.#measureProcess();
      return this.#metrics.records(prefix, service.ticks());
    };
  }

  /** Does nothing: telemetry runs from the start of the module on. */
  initialize(): Result {
    return this.service.unavailable(STOPPED) ?? done();
  }

  /** How many metrics and handlers there are. */
  status(): Result<TelemetryStatus> {
    const counts = { metricsCount: this.#metrics.size, handlersCount: this.#handlers.size };
    return this.service.unavailable(STOPPED) ?? ok({ status: 'running', ...counts, config: CONFIG });
  }

  /** Whether it runs; false once the application ends. */
  available(): boolean {
    return this.service.running;
  }

  /**
   * Measures an event: `counter` is added up, `gauge` is the last, of other numbers the distribution is kept. Then
   * calls the handler of its name.
   *
   * Underneath: `Telemetry.emit('telemetry.executed', …)` of Foundation, for those who listen to all. Never fails: at
   * the end of the application, and beyond 2,000 names, the event is not measured.
   *
   * @throws ArgumentError for a name that is not 1 to 20 texts, or measurements or metadata that are not objects.
   */
  execute(eventName: EventName, measurements: Metadata, metadata: Metadata): Result {
    const name = nameOf('execute', eventName);
    mapOf('execute', 'measurements', measurements);
    mapOf('execute', 'metadata', metadata);
    if (!this.service.running) return done();
    if (!this.#metrics.add(name, measurements, metadata, this.service.ticks())) {
      this.#log.warn('Did not measure an event: there are too many names', { event: keyOf(name) });
    }
    const handler = this.#handlers.get(keyOf(name));
    if (handler !== undefined)
      this.service.gate.tell('Telemetry.attachHandlers', handler, name, measurements, metadata);
    this.#publish(name, measurements, metadata);
    return done();
  }

  /**
   * Calls `work` and measures how long it takes, in milliseconds, as the event with `stop` behind its name; `exception`
   * and `error` in the metadata where it throws. Of a promise until it settles. Gives what `work` gives.
   *
   * @throws what `work` throws.
   */
  measure<T>(eventName: EventName, metadata: Metadata, work: () => T): T {
    const name = nameOf('measure', eventName);
    mapOf('measure', 'metadata', metadata);
    const startedAt = performance.now();
    const end = (how: 'stop' | 'exception', more: Metadata = {}): void => {
      this.execute([...name, how], { duration: performance.now() - startedAt }, { ...metadata, ...more });
    };
    let result: T;
    try {
      result = work();
    } catch (error) {
      end('exception', { error });
      throw error;
    }
    if (!isThenable(result)) end('stop');
    else {
      const ended = adopted(result).then(
        () => end('stop'),
        (error: unknown) => end('exception', { error }),
      );
      unattended('measuring', ended);
    }
    return result;
  }

  /** Adds 1, or another number, to the `counter` of an event. */
  emitCounter(eventName: EventName, metadata: Metadata): Result;
  emitCounter(eventName: EventName, value: number, metadata: Metadata): Result;
  emitCounter(eventName: EventName, ...given: [Metadata] | [number, Metadata]): Result {
    const [counter, metadata] = given.length === 1 ? [1, given[0]] : given;
    return this.execute(eventName, { counter: numberOf('emitCounter', counter) }, metadata);
  }

  /** Sets the `gauge` of an event. */
  emitGauge(eventName: EventName, value: number, metadata: Metadata): Result {
    return this.execute(eventName, { gauge: numberOf('emitGauge', value) }, metadata);
  }

  /** Adds a number to the `histogram` of an event. */
  emitHistogram(eventName: EventName, value: number, metadata: Metadata = {}): Result {
    return this.execute(eventName, { histogram: numberOf('emitHistogram', value) }, metadata);
  }

  /** All metrics; those of the last 5 minutes. */
  getMetrics(): Result<MetricTree> {
    return this.getMetricsFor([]);
  }

  /** The metrics whose names begin so, nested as in {@link getMetrics}. @throws ArgumentError for what is no list. */
  getMetricsFor(prefix: EventName): Result<MetricTree> {
    const parts = prefixOf(prefix);
    const stopped = this.service.unavailable(STOPPED);
    if (stopped !== undefined) return stopped;
    this.#measureProcess();
    const { service } = this;
    const found = this.#metrics.list(parts, service.ticks(), (ticks) => service.wallOf(ticks));
    return ok({ ...nested(found), retrievedAt: service.now() });
  }

  /**
   * The metrics of all nodes whose names begin so, added up: of each measurement count, sum, min, max, mean and
   * percentiles. A node that does not answer is in `missing`, with the reason, and `complete` is then false.
   *
   * Underneath: `Channels.gather`, and histograms that are added up; each node answers 512 KiB at most.
   *
   * Fails with `external_service_error` (4201) where nobody could be asked.
   *
   * @throws ArgumentError for what is no list, or for options that are wrong; the reason of the signal.
   */
  async getMetricsClusterWide(
    prefix: EventName = [],
    options: ClusterQueryOptions = {},
  ): Promise<Result<ClusterMetrics>> {
    const parts = prefixOf(prefix);
    return this.service.unavailable(STOPPED) ?? this.queries.all(parts, options);
  }

  /**
   * Calls `handler` with each event of these names; without one they are written to the log at DEBUG. One handler for
   * each name: a later one takes its place.
   *
   * Fails with `resource_exhausted` (2201) for more than 10,000 names.
   *
   * @throws ArgumentError
   */
  attachHandlers(eventNames: readonly EventName[], handler: TelemetryHandler = this.#logged): Result {
    const names = namesOf('attachHandlers', eventNames);
    if (typeof handler !== 'function') {
      throw new ArgumentError('Telemetry.attachHandlers', 'handler', show(handler), 'a function');
    }
    const stopped = this.service.unavailable(STOPPED);
    if (stopped !== undefined) return stopped;
    if (this.#handlers.size + names.length > MAX_HANDLERS) {
      return fail({ errorType: 'resource_exhausted', message: `No more than ${MAX_HANDLERS} handlers are attached` });
    }
    for (const name of names) this.#handlers.set(keyOf(name), handler);
    return done();
  }

  /** Removes the handlers of these names; those that are not there are no error. */
  detachHandlers(eventNames: readonly EventName[]): Result {
    for (const name of namesOf('detachHandlers', eventNames)) this.#handlers.delete(keyOf(name));
    return done();
  }

  /** The same as {@link measure} as `foundation`, `function`, `execution`, with both names in the metadata. */
  timeFunction<T>(module: string, fun: string, work: () => T): T {
    return this.measure(['foundation', 'function', 'execution'], { module, function: fun }, work);
  }

  /** Sets the gauge `foundation`, `performance`, and this name. */
  emitPerformance(metricName: string, value: number, metadata: Metadata = {}): Result {
    return this.emitGauge(['foundation', 'performance', metricName], value, metadata);
  }

  /** Counts `foundation`, `system`, and this type. */
  emitSystemEvent(eventType: string, metadata: Metadata = {}): Result {
    return this.emitCounter(['foundation', 'system', eventType], metadata);
  }

  /** Forgets all metrics, and no handler. */
  resetMetrics(): Result {
    this.#metrics.clear();
    return this.service.unavailable(STOPPED) ?? done();
  }

  /** For tests: as at the start. Fails with `operation_forbidden` (7002) outside of test mode. */
  resetState(): Result {
    const refused = this.service.forbidden(7002) ?? this.service.unavailable(STOPPED);
    if (refused !== undefined) return refused;
    this.#metrics.clear();
    this.#handlers.clear();
    return done();
  }

  /** For whoever listens to all events: of what is large, the beginning. */
  #publish(event: EventName, ...given: [Metadata, Metadata]): void {
    if (!this.telemetry.wants('telemetry.executed')) return;
    const [measurements, metadata] = given.map((each) => captured(each, new Date()) as Metadata) as typeof given;
    this.telemetry.emit('telemetry.executed', { event, measurements, metadata });
  }

  readonly #logged: TelemetryHandler = (event, measurements, metadata) => {
    this.#debugLog.debug('Telemetry event {event}', { event: keyOf(event), measurements, metadata });
  };

  /** What stands for the three gauges of the virtual machine in 1.x. */
  #measureProcess(): void {
    const now = this.service.ticks();
    const gauges = {
      memory: process.memoryUsage.rss(),
      total_run_queue_lengths: performance.eventLoopUtilization().utilization,
      system_counts: process.getActiveResourcesInfo().length,
    };
    for (const [what, gauge] of Object.entries(gauges))
      this.#metrics.add(['vm', what], { gauge }, { source: 'vm' }, now);
  }
}
