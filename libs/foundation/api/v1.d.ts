// Written by `npm run api -- --write`; the declarations in the sources are what to change.

import { ConfigurableModuleAsyncOptions } from '@nestjs/common';
import { ConfigurableModuleCls } from '@nestjs/common';
import { DynamicModule } from '@nestjs/common';

export type BalancerStrategy = 'round-robin' | 'random' | 'least-loaded' | 'local-first' | {
    hash: string;
};

export interface ClusterAnswer {
    readonly complete: boolean;
    readonly missing: readonly MissingAnswer[];
}

export interface ClusterEvents extends ClusterAnswer {
    readonly events: readonly V1Event[];
}

export interface ClusterMetric {
    readonly count: number;
    readonly measurements: Readonly<Record<string, Distribution>>;
}

export interface ClusterMetrics extends ClusterAnswer {
    readonly metrics: Readonly<Record<string, unknown>>;
}

export interface ClusterQueryOptions {
    signal?: AbortSignal;
    timeout?: Duration;
}

export function collectErrorMetrics(error: V1Error, telemetry: ErrorCounter): void;

export class Config {
    available(): boolean;
    get(): Result<V1Config>;
    get(path: readonly string[]): Result<unknown>;
    getWithDefault<T>(path: readonly string[], fallback: T): T;
    initialize(_options?: Partial<V1Config>): Result;
    reset(): Result;
    resetState(): Result;
    safeUpdate(path: readonly string[], value: unknown): Result;
    setClusterWide(path: readonly string[], value: unknown, options?: ConfigSetOptions): Promise<Result<ConfigCommit>>;
    status(): Result<ConfigStatus>;
    subscribe(listener: ConfigListener, input?: {
        signal?: AbortSignal;
    }): Result;
    unsubscribe(listener: ConfigListener): Result;
    updatablePaths(): readonly (readonly string[])[];
    update(path: readonly string[], value: unknown): Result;
    validate(config: unknown): Result;
}

export interface ConfigCommit {
    accepted: string[];
    missing: MissingAcceptance[];
    revision: number;
}

export type ConfigListener = (notification: ConfigNotification) => unknown;

export type ConfigNotification = {
    readonly type: 'config_updated';
    readonly path: readonly string[];
    readonly value: unknown;
} | {
    readonly type: 'config_reset';
    readonly config: V1Config;
};

export type ConfigQuorum = 'majority' | 'all' | number;

export interface ConfigSetOptions {
    quorum?: ConfigQuorum;
    timeout?: Duration;
}

export interface ConfigStatus {
    readonly lastUpdate: number | null;
    readonly status: 'running';
    readonly subscribersCount: number;
    readonly updatesCount: number;
    readonly uptimeMs: number;
}

export interface Distribution {
    readonly count: number;
    readonly max: number;
    readonly mean: number;
    readonly min: number;
    readonly p50: number;
    readonly p90: number;
    readonly p95: number;
    readonly p99: number;
    readonly sum: number;
}

export type Duration = number | `${number}${DurationUnit}`;

export type DurationUnit = 'ms' | 's' | 'm' | 'h' | 'd';

export interface ErrorCounter {
    emitCounter(eventName: readonly string[], metadata: Readonly<Record<string, unknown>>): unknown;
}

export function errorOf(input: Partial<Omit<V1Error, 'errorType'>> & Pick<V1Error, 'errorType'>): V1Error;

export function errorResult(errorType: string, message?: string, options?: V1ErrorOptions): Result<never>;

export function errorToString(input: V1Error): string;

// @public (undocumented)
export type EventName = readonly string[];

export type EventOptions = Partial<Omit<V1Event, 'eventType' | 'data'>>;

export interface EventQuery {
    eventType?: string;
    limit?: number;
    offset?: number;
    orderBy?: 'eventId' | 'timestamp';
    timeRange?: readonly [from: number, to: number];
}

export class Events {
    available(): boolean;
    debugNewEvent(eventType: string, data: unknown, options?: EventOptions): V1Event;
    deserialize(bytes: Uint8Array): Result<V1Event>;
    functionEntry(module: string, fun: string, arity: number, args: readonly unknown[], options?: FunctionEntryOptions): Result<V1Event>;
    functionExit(module: string, fun: string, arity: number, callId: number, result: unknown, durationNs: number, exitReason: string, options?: EventOptions): Result<V1Event>;
    get(eventId: number): Result<V1Event>;
    getByCorrelation(correlationId: string): Result<V1Event[]>;
    getByCorrelationClusterWide(correlationId: string, options?: ClusterQueryOptions): Promise<Result<ClusterEvents>>;
    getCorrelationChain(correlationId: string): Result<V1Event[]>;
    getRecent(limit?: number): Result<V1Event[]>;
    getTimeRange(from: number, to: number): Result<V1Event[]>;
    initialize(): Result;
    newEvent(eventType: string, data: unknown, options?: EventOptions): Result<V1Event>;
    pruneBefore(timestamp: number): Result<number>;
    query(query: EventQuery): Result<V1Event[]>;
    resetState(): Result;
    serialize(event: V1Event): Result<Buffer>;
    serializedSize(event: V1Event): Result<number>;
    stateChange(server: unknown, callback: string, oldState: unknown, newState: unknown, options?: StateChangeOptions): Result<V1Event>;
    stats(): Result<EventStats>;
    status(): Result<{
        readonly status: 'running';
        readonly eventCount: number;
        readonly nextId: number;
    }>;
    store(event: V1Event | Result<V1Event>): Result<number>;
    storeBatch(events: readonly V1Event[]): Result<number[]>;
}

export interface EventStats extends StoreStats {
    readonly startTime: number;
}

export interface Failure<E = V1Error> {
    readonly error: E;
    readonly ok: false;
}

export function filterByTimeRange(events: readonly V1Event[], from: number, to: number): V1Event[];

// Warning: (ae-forgotten-export) The symbol "ConfigurableModuleClass" needs to be exported by the entry point index.d.ts
//
export class FoundationV1Module extends ConfigurableModuleClass {
    static forRootAsync(options: FoundationV1ModuleAsyncOptions): DynamicModule;
}

// Warning: (ae-forgotten-export) The symbol "_asyncOptions" needs to be exported by the entry point index.d.ts
//
export type FoundationV1ModuleAsyncOptions = typeof _asyncOptions;

// Warning: (ae-forgotten-export) The symbol "_options" needs to be exported by the entry point index.d.ts
//
export type FoundationV1ModuleOptions = typeof _options;

export interface FunctionEntryOptions extends EventOptions {
    callerFunction?: string;
    callerLine?: number;
    callerModule?: string;
}

export function groupByCorrelation(events: readonly V1Event[]): Map<string, V1Event[]>;

export interface HealthCheckOptions {
    debugHealthCheck?: boolean;
    healthCheck?: (service: Service) => unknown;
    timeout?: number;
}

export type HealthFailure = Reason<'process_dead' | 'health_check_failed' | 'health_check_timeout' | 'health_check_crashed' | 'health_check_error'>;

export function isRetryable(input: V1Error): boolean;

export type Metadata = Readonly<Record<string, unknown>>;

export interface Metric {
    readonly count: number;
    readonly distributions: Readonly<Record<string, Distribution>>;
    readonly measurements: Readonly<Record<string, unknown>>;
    readonly metadata: unknown;
    readonly timestamp: number;
}

export type MetricTree = {
    readonly retrievedAt: number;
} & Readonly<Record<string, unknown>>;

export interface MissingAcceptance {
    node: string;
    reason: string;
}

export interface MissingAnswer {
    message?: string;
    node: string;
    process?: string;
    reason: MissingReason;
}

export type MissingReason =
/** It did not answer in time. */
'timeout'
/** It left the cluster, or was removed from it, before it answered. */
| 'left'
/** The handler or the method threw, or its answer cannot be sent: `message` says what. */
| 'failed'
/** The message is not what the `payload` of the handler says. */
| 'invalid-payload'
/** The queue of the handler is full, and dropped the message. */
| 'queue-full'
/** The subscription ended before the handler began. */
| 'unsubscribed'
/** The call was refused: too many wait for it, or the method is not `@Callable()`. */
| 'refused'
/** No node runs this replica or partition. */
| 'not-running'
/** The connection or the instance was lost: whether it was carried out is unknown. */
| 'interrupted'
/** The answers that came before it have reached the limit of their size. */
| 'too-large'
/** Its version of Foundation handles the message, and cannot answer it. */
| 'unsupported'
/** Redis did not say where it is. */
| 'unreachable'
/** `min` answers were there before its own. */
| 'not-awaited'
/** This node left the cluster before it answered. */
| 'closing';

export type Namespace = string | {
    readonly test: string;
};

export interface NamespaceInfo {
    readonly healthyServices: number;
    readonly namespace: Namespace;
    readonly services: Readonly<Record<string, {
        readonly service: Service;
        readonly alive: boolean;
        readonly uptimeMs: number;
    }>>;
    readonly totalServices: number;
}

export function newError(errorType: string, message?: string, options?: V1ErrorOptions): V1Error;

export type Partly<T> = T extends object ? {
    readonly [K in keyof T]?: Partly<T[K]>;
} : T;

export interface Reason<R extends string = string> {
    readonly reason: R;
    readonly value?: unknown;
}

export type Result<T = void, E = V1Error> = {
    readonly ok: true;
    readonly value: T;
} | Failure<E>;

export function retryDelay(input: V1Error, attempt: number): number;

export type Service = object & {
    isAlive?: () => boolean;
    stop?: () => unknown;
};

export interface ServiceCallOptions {
    signal?: AbortSignal;
    strategy?: BalancerStrategy;
    timeout?: Duration;
    where?: Omit<ServiceCriteria, 'name'>;
}

export interface ServiceCriteria {
    [field: string]: unknown;
    capabilities?: string | readonly string[];
    healthCheck?: (service: ServiceInfo) => boolean | Promise<boolean>;
    metadata?: Readonly<Record<string, unknown>>;
    name?: string;
    node?: string;
}

export interface ServiceInfo {
    readonly bootId: string;
    readonly capabilities: readonly string[];
    readonly instanceId: string;
    readonly metadata: Readonly<Record<string, unknown>>;
    readonly name: string;
    readonly node: string;
    readonly process?: string;
    readonly registeredAt: number;
    readonly stale?: true;
    readonly status: ServiceStatus;
    readonly url?: string;
}

export class ServiceRegistry {
    callClusterWide(namespace: Namespace, service: string, method: string, args?: readonly unknown[], options?: ServiceCallOptions): Promise<unknown>;
    cleanupTestNamespace(ref: string): Promise<Result>;
    countServices(namespace: Namespace): number;
    getAllServices(namespace: Namespace): Record<string, Service>;
    getServiceInfo(namespace: Namespace): NamespaceInfo;
    healthCheck(namespace: Namespace, service: string, input?: HealthCheckOptions): Promise<Result<Service, V1Error | HealthFailure>>;
    listServices(namespace: Namespace): string[];
    listServicesClusterWide(namespace: Namespace): Promise<string[]>;
    lookup(namespace: Namespace, service: string): Result<Service>;
    lookupClusterWide(namespace: Namespace, service: string): Promise<Result<ServiceInfo[]>>;
    register(namespace: Namespace, service: string, object: Service): Result<void, V1Error | Reason<'already_registered'>>;
    registerClusterWide(namespace: Namespace, service: string, object: Service): Promise<Result<void, V1Error | Reason<'already_registered'>>>;
    registered(namespace: Namespace, service: string): boolean;
    stats(): {
        totalServices: number;
        productionServices: number;
        testNamespaces: number;
    };
    unregister(namespace: Namespace, service: string): Result;
    unregisterClusterWide(namespace: Namespace, service: string): Promise<Result>;
    viaTuple(_namespace: Namespace, service: string): Failure;
    waitForService(namespace: Namespace, service: string, timeout?: number): Promise<Result<Service, Reason<'timeout'>>>;
}

export type ServiceStatus = 'healthy' | 'unhealthy';

export function shouldEscalate(input: V1Error): boolean;

export interface StateChangeOptions extends EventOptions {
    triggerCallId?: number;
    triggerMessage?: unknown;
}

export interface StoreStats {
    readonly currentEventCount: number;
    readonly eventsPruned: number;
    readonly eventsStored: number;
    readonly memoryUsageEstimate: number;
    readonly uptimeMs: number;
}

export class Telemetry {
    attachHandlers(eventNames: readonly EventName[], handler?: TelemetryHandler): Result;
    available(): boolean;
    detachHandlers(eventNames: readonly EventName[]): Result;
    emitCounter(eventName: EventName, metadata: Metadata): Result;
    emitCounter(eventName: EventName, value: number, metadata: Metadata): Result;
    emitGauge(eventName: EventName, value: number, metadata: Metadata): Result;
    emitHistogram(eventName: EventName, value: number, metadata?: Metadata): Result;
    emitPerformance(metricName: string, value: number, metadata?: Metadata): Result;
    emitSystemEvent(eventType: string, metadata?: Metadata): Result;
    execute(eventName: EventName, measurements: Metadata, metadata: Metadata): Result;
    getMetrics(): Result<MetricTree>;
    getMetricsClusterWide(prefix?: EventName, options?: ClusterQueryOptions): Promise<Result<ClusterMetrics>>;
    getMetricsFor(prefix: EventName): Result<MetricTree>;
    initialize(): Result;
    measure<T>(eventName: EventName, metadata: Metadata, work: () => T): T;
    resetMetrics(): Result;
    resetState(): Result;
    status(): Result<TelemetryStatus>;
    timeFunction<T>(module: string, fun: string, work: () => T): T;
}

export type TelemetryHandler = (eventName: EventName, measurements: Readonly<Record<string, unknown>>, metadata: Readonly<Record<string, unknown>>) => unknown;

export interface TelemetryStatus {
    readonly config: {
        readonly enableVmMetrics: boolean;
        readonly enableProcessMetrics: boolean;
        readonly metricRetentionMs: number;
        readonly cleanupInterval: number;
    };
    readonly handlersCount: number;
    readonly metricsCount: number;
    readonly status: 'running';
}

export function transformEventData(event: V1Event, transform: (data: unknown) => unknown): V1Event;

export interface V1Config {
    readonly ai: {
        readonly provider: 'mock' | 'openai' | 'anthropic' | 'gemini';
        readonly api_key: string | null;
        readonly model: string;
        readonly analysis: {
            readonly max_file_size: number;
            readonly timeout: number;
            readonly cache_ttl: number;
        };
        readonly planning: {
            readonly default_strategy: 'fast' | 'balanced' | 'thorough';
            readonly performance_target: number;
            readonly sampling_rate: number;
        };
    };
    readonly capture: {
        readonly ring_buffer: {
            readonly size: number;
            readonly max_events: number;
            readonly overflow_strategy: 'drop_oldest' | 'drop_newest' | 'block';
            readonly num_buffers: 'schedulers' | number;
        };
        readonly processing: {
            readonly batch_size: number;
            readonly flush_interval: number;
            readonly max_queue_size: number;
        };
        readonly vm_tracing: {
            readonly enable_spawn_trace: boolean;
            readonly enable_exit_trace: boolean;
            readonly enable_message_trace: boolean;
            readonly trace_children: boolean;
        };
    };
    readonly dev: {
        readonly debug_mode: boolean;
        readonly verbose_logging: boolean;
        readonly performance_monitoring: boolean;
    };
    readonly infrastructure: {
        readonly rate_limiting: {
            readonly default_rules: Readonly<Record<string, {
                readonly scale: number;
                readonly limit: number;
            }>>;
            readonly enabled: boolean;
            readonly cleanup_interval: number;
        };
        readonly circuit_breaker: {
            readonly default_config: {
                readonly failure_threshold: number;
                readonly recovery_time: number;
                readonly call_timeout: number;
            };
            readonly enabled: boolean;
        };
        readonly connection_pool: {
            readonly default_config: {
                readonly size: number;
                readonly max_overflow: number;
                readonly strategy: 'lifo' | 'fifo';
            };
            readonly enabled: boolean;
        };
    };
    readonly interface: {
        readonly query_timeout: number;
        readonly max_results: number;
        readonly enable_streaming: boolean;
    };
    readonly storage: {
        readonly hot: {
            readonly max_events: number;
            readonly max_age_seconds: number;
            readonly prune_interval: number;
        };
        readonly warm: {
            readonly enable: boolean;
            readonly path: string;
            readonly max_size_mb: number;
            readonly compression: 'none' | 'gzip' | 'zstd';
        };
        readonly cold: {
            readonly enable: boolean;
        };
    };
}

export interface V1Error {
    readonly category: string;
    readonly code: number;
    readonly context: Readonly<Record<string, unknown>>;
    readonly correlationId: string | null;
    readonly errorType: string;
    readonly message: string;
    readonly recoveryActions: readonly string[];
    readonly retryStrategy: V1RetryStrategy;
    readonly severity: V1Severity;
    readonly stacktrace: readonly string[] | null;
    readonly subcategory: string;
    readonly timestamp: Date;
}

export interface V1ErrorOptions {
    context?: Readonly<Record<string, unknown>>;
    correlationId?: string;
    stacktrace?: readonly string[];
}

export interface V1Event {
    readonly correlationId: string | null;
    readonly data: unknown;
    readonly eventId: number;
    readonly eventType: string;
    readonly node: string | null;
    readonly parentId: number | null;
    readonly pid: number | null;
    readonly timestamp: number;
    readonly wallTime: Date | null;
}

export interface V1Options {
    config?: Partly<V1Config>;
    overrides?: Partial<V1Config>;
    publishEvents?: boolean;
    testMode?: boolean;
}

export type V1RetryStrategy = 'no_retry' | 'immediate' | 'fixed_delay' | 'exponential_backoff';

export type V1Severity = 'low' | 'medium' | 'high' | 'critical';

export function wrapError<T>(result: Result<T, unknown>, errorType: string, message?: string, options?: V1ErrorOptions): Result<T>;
