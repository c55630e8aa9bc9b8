// Written by `npm run api -- --write`; the declarations in the sources are what to change.

import type { ArgumentsHost } from '@nestjs/common';
import { ConfigurableModuleAsyncOptions } from '@nestjs/common';
import { ConfigurableModuleCls } from '@nestjs/common';
import type { ContextType } from '@nestjs/common';
import { DynamicModule } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { Type } from '@nestjs/common';

export type Acknowledge = 'memory' | 'fsync' | {
    replicas: number;
};

export class AcknowledgementError extends FoundationError {
    constructor(channel: string, missing: readonly MissingAcknowledgement[], timeoutMs: number);
    readonly channel: string;
    readonly missing: readonly MissingAcknowledgement[];
    readonly timeoutMs: number;
}

export type AnswerOf<R> = Awaited<R> extends Observable<infer V> ? V : Awaited<R>;

export type AnyProcess = Record<string, (...args: unknown[]) => unknown>;

export class ArgumentError extends FoundationError {
    constructor(call: string, argument: string, received: string, expected: string, cause?: unknown);
    readonly argument: string;
}

export interface BackoffOptions {
    base?: Duration;
    cap?: Duration;
}

export type BalancerStrategy = 'round-robin' | 'random' | 'least-loaded' | 'local-first' | {
    hash: string;
};

export interface BroadcastOptions {
    compression?: boolean;
    priority?: Priority;
    timeout?: Duration;
    type?: string;
}

export interface BullQueue {
    add(name: string, data: never, options?: never): Promise<object>;
    readonly name: string;
    upsertJobScheduler(...settings: never[]): Promise<unknown>;
}

export function Callable(options?: CallableOptions): MethodDecorator;

export interface CallableOptions {
    args?: readonly (Schema | undefined)[];
    idempotent?: boolean;
    timeout?: Duration;
}

// Warning: (ae-forgotten-export) The symbol "Handled" needs to be exported by the entry point index.d.ts
//
export interface CallHost extends Handled {
    args: readonly unknown[];
    context: ContextValues;
    kind: 'call';
    method: string;
    name: string;
}

export class CallInterruptedError extends FoundationError {
    constructor(subject: CallSubject, why: string);
    readonly subject: CallSubject;
}

export interface CallOptions {
    signal?: AbortSignal;
    timeout?: Duration;
}

export class CallRefusedError extends FoundationError {
    constructor(subject: CallSubject, why: 'not-running' | 'not-callable' | 'busy', advice: string);
    readonly subject: CallSubject;
    readonly why: 'not-running' | 'not-callable' | 'busy';
}

export interface CallsOptions {
    concurrency?: number;
    queue?: number;
    stacks?: boolean;
    timeout?: Duration;
}

export interface CallSubject {
    idempotent?: true;
    method: string;
    node: string;
    processName: string;
}

export class CallTimeoutError extends FoundationError {
    constructor(subject: CallSubject, timeoutMs: number);
    readonly subject: CallSubject;
    readonly timeoutMs: number;
}

export interface Candidate {
    excluded: boolean;
    node: string;
    reason: string;
    score: readonly number[];
}

export function Channel(channel: ChannelName, options?: SubscribeOptions): MethodDecorator;

export interface ChannelDeclaration {
    durable?: boolean | DurableChannelOptions;
}

export type ChannelName = 'control' | 'events' | 'telemetry' | 'data' | (string & {});

export class Channels {
    broadcast(channel: ChannelName, message: unknown, options?: BroadcastOptions): Promise<void>;
    explainRoute(message: unknown, options?: RouteOptions): Route;
    gather<T = unknown>(channel: ChannelName, message: unknown, options?: GatherMessageOptions): Promise<Gathered<T>>;
    replay(channel: ChannelName, handler: MessageHandler, options: ReplayOptions): Promise<number>;
    routeMessage(message: unknown, options?: RouteOptions): Promise<void>;
    subscribe(channel: ChannelName, handler: MessageHandler, options?: SubscribeOptions): Promise<Subscription>;
}

export interface ChannelsOptions {
    maxMessageBytes?: number;
    names?: readonly string[] | Readonly<Record<string, ChannelDeclaration>>;
}

export class CircularWaitError extends FoundationError {
    constructor(
    way: readonly string[]);
    readonly way: readonly string[];
}

export class ClusterConfig<T extends object = Record<string, unknown>> {
    get(): Readonly<T>;
    get<P extends ConfigPath<T>>(path: P): ConfigValueAt<T, P>;
    set<P extends ConfigPath<T>>(path: P, value: ConfigValueAt<T, P>, options?: ConfigSetOptions): Promise<ConfigCommit>;
    watch<P extends ConfigPath<T>>(path: P, listener: (change: ConfigChange<ConfigValueAt<T, P>>) => unknown): () => void;
}

export interface ClusterConfigOptions {
    defaults: object;
    schema: object;
}

export function ClusterCron(expression: string, options?: ClusterCronOptions): MethodDecorator;

export interface ClusterCronOptions {
    missed?: MissedTicks;
    name?: string;
    overlap?: OverlappingTicks;
    timeZone?: string;
}

export interface ClusterHealth {
    lastCheck: number;
    nodes: NodeHealth[];
    reasons: HealthReason[];
    services: ServiceHealthSummary[];
    status: HealthStatus;
}

export type CommandKind =
/** Starts a process that a call has asked for, and that did not run. */
'start'
/** Stops a process in the whole cluster. */
| 'stop'
/** Stops a process and starts it again. */
| 'restart'
/** Moves a process to a node. */
| 'move'
/** Removes a process that no node declares any longer. */
| 'forget'
/** Moves everything that a node owns to others. */
| 'drain'
/** Lets a node take work again. */
| 'undrain'
/** Runs a cron job now. */
| 'run'
/** Sets a value of the cluster-wide configuration. */
| 'configure';

export type CommandSource =
/** A call in the application. */
'code'
/** The page of `FoundationDashboardModule`. */
| 'dashboard'
/** `npx foundation`. */
| 'command-line';

export interface ConfigChange<V = unknown> {
    before: V;
    node: string;
    path: string;
    revision: number;
    value: V;
}

export interface ConfigCommit {
    accepted: string[];
    missing: MissingAcceptance[];
    revision: number;
}

export class ConfigConflictError extends FoundationError {
    constructor(path: string,
    node: string);
    readonly node: string;
    readonly path: string;
}

export class ConfigOutcomeError extends FoundationError {
    constructor(path: string, endpoint: string, cause?: unknown);
    readonly path: string;
}

// Warning: (ae-forgotten-export) The symbol "Leaf" needs to be exported by the entry point index.d.ts
//
export type ConfigPath<T, Depth extends unknown[] = []> = Depth['length'] extends 8 ? string : [keyof T] extends [never] ? string : string extends keyof T ? string : {
    [K in keyof T & string]: T[K] extends Leaf ? K : NonNullable<T[K]> extends object ? K | `${K}.${ConfigPath<NonNullable<T[K]>, [...Depth, unknown]>}` : K;
}[keyof T & string];

export type ConfigQuorum = 'majority' | 'all' | number;

export class ConfigQuorumError extends FoundationError {
    constructor(path: string,
    accepted: number, needed: number,
    missing: readonly MissingAcceptance[]);
    readonly accepted: number;
    readonly missing: readonly MissingAcceptance[];
    readonly needed: number;
    readonly path: string;
}

export interface ConfigSetOptions {
    quorum?: ConfigQuorum;
    timeout?: Duration;
}

export type ConfigValueAt<T, P> = P extends keyof T ? T[P] : P extends `${infer K}.${infer Rest}` ? K extends keyof T ? ConfigValueAt<NonNullable<T[K]>, Rest> : unknown : unknown;

export class ConfigValueError extends FoundationError {
    constructor(path: string,
    errors: readonly string[]);
    readonly errors: readonly string[];
    readonly path: string;
}

export class ConflictError extends FoundationError {
    constructor(
    subject: string, times: number);
    readonly subject: string;
    readonly times: number;
}

export interface ConsulSettings {
    address?: string;
    redisService?: string;
    service?: string;
    token?: string | Secret;
    ttl?: Duration;
}

export interface ContextOptions {
    capture: () => Readonly<Record<string, string | undefined>> | undefined;
    run: (values: ContextValues, handler: () => unknown) => unknown;
}

export type ContextValues = Readonly<Record<string, string>>;

export class CookieMismatchError extends FoundationError {
    constructor(node: string);
    readonly node: string;
}

export interface CronJobInfo {
    counts: JobCounts;
    expression: string;
    last?: JobRun;
    lastMissed?: MissedSpan;
    missed: string;
    name: string;
    next?: number;
    node?: string;
    overlap: string;
    run?: JobRun;
    state: ProcessState;
    timeZone: string;
    waiting?: number;
}

export class CronJobs {
    list(): Promise<CronJobInfo[]>;
    runNow(name: string): Promise<RunAnswer>;
}

export interface CronRun {
    // Warning: (ae-forgotten-export) The symbol "CronCause" needs to be exported by the entry point index.d.ts
    readonly cause: CronCause;
    readonly epoch: number;
    isOwner(): boolean;
    readonly name: string;
    readonly scheduledAt: Date;
    readonly signal: AbortSignal;
}

export type DeadLetterReason =
/** Its handler failed `maxDeliveries` times. */
'handler-failed'
/** It was delivered `maxDeliveries` times, and never acknowledged. */
| 'unacknowledged'
/** It is not what the `payload` class of the subscription says. */
| 'invalid-payload'
/** It is not JSON. */
| 'not-json'
/** It has no head that can be read. */
| 'malformed-envelope'
/** It is not a message that can be read. */
| 'malformed-message'
/** Another version of Foundation wrote it, and no member of the group could read it. */
| 'unknown-version'
/** It cannot be inflated. */
| 'not-inflatable'
/** It is not of the time of its entry: a copy, or a clock is wrong. */
| 'wrong-entry';

export class DeclarationError extends FoundationError {
    constructor(subject: string, problem: string, advice: string);
    readonly subject: string;
}

export function detectStrategy(env: Environment, input: Pick<Machine, 'podNamespace'>, knowsRedis: boolean): StrategyName | undefined;

export interface Difference {
    outcome: string;
    rule: 'refused' | 'settled';
    setting: string;
    values: {
        value: string;
        nodes: string[];
    }[];
}

export interface DirectConfig extends DirectOptions {
    cookie: Secret;
    port: number;
    tls?: TlsFiles;
}

export class DirectListenError extends FoundationError {
    constructor(address: string, cause: unknown);
    readonly address: string;
}

export interface DirectOptions {
    advertise?: string;
    host?: string;
    kind: 'direct';
    port?: number;
}

export interface DnsSettings {
    every?: Duration;
    query?: string;
    redisQuery?: string;
    servers?: readonly string[];
}

export class DuplicateNodeError extends FoundationError {
    constructor(node: string, otherBootId: string);
    readonly node: string;
    readonly otherBootId: string;
}

export interface DurableChannelOptions {
    acknowledge?: Acknowledge;
    acknowledgeTimeout?: Duration;
    maxDeliveries?: number;
    maxLength?: number;
    retryAfter?: Duration;
}

export type Duration = number | `${number}${DurationUnit}`;

export type DurationUnit = 'ms' | 's' | 'm' | 'h' | 'd';

export type Environment = Readonly<Record<string, string | undefined>>;

// Warning: (ae-forgotten-export) The symbol "Described" needs to be exported by the entry point index.d.ts
//
export interface EventMetric extends Described {
    event: FoundationEventName;
    kind: 'counter' | 'histogram';
    read(payload: never): {
        value: number;
        labels: Labels;
    };
}

export interface FencedEffects {
    delete(key: string): Promise<void>;
    set(key: string, value: string, options?: FencedOptions): Promise<void>;
}

export interface FencedOptions {
    ttl?: Duration;
}

export interface Figure {
    labels: Labels;
    value: number;
}

export interface FoundationConfig {
    appName: string;
    backend: 'local' | 'redis';
    calls: Resolved<CallsOptions>;
    capacity?: number;
    channels: {
        names: readonly string[];
        durable: Readonly<Record<string, Resolved<DurableChannelOptions>>>;
        maxMessageBytes: number;
    };
    clusterConfig?: ClusterConfigOptions;
    context?: ContextOptions;
    cookie?: Secret;
    detected: boolean;
    embeddedRedis: boolean;
    expectedNodes?: number;
    forgetOrphansAfter: number;
    globalEnhancers: boolean;
    isSwitchedOff?: boolean;
    isUnnamed?: boolean;
    journal: false | Resolved<JournalOptions>;
    labels: Readonly<Record<string, string>>;
    lease: LeaseTimes;
    // Warning: (ae-forgotten-export) The symbol "Resolved" needs to be exported by the entry point index.d.ts
    //
    membership: Resolved<MembershipOptions>;
    nodeName: string;
    observes?: boolean;
    processes: ResolvedProcessDefaults;
    queue?: BullQueue;
    quorum: readonly (RedisEndpoint | RedisClient)[];
    readiness: 'application' | 'member';
    redis: RedisEndpoint | RedisClient;
    redlock?: RedlockClient;
    release?: string;
    shutdownTimeout: number;
    startupTimeout: number;
    strategy: string;
    topologies: readonly (StrategyConfig | TopologyStrategy)[];
    transport: RedisTransportOptions | DirectConfig;
}

export class FoundationConfigError extends FoundationError {
    constructor(
    option: string,
    received: string, expected: string);
    readonly expected: string;
    readonly option: string;
    readonly received: string;
}

// Warning: (ae-forgotten-export) The symbol "FOUNDATION_CONTEXT" needs to be exported by the entry point index.d.ts
//
export type FoundationContextType = ContextType | typeof FOUNDATION_CONTEXT;

export class FoundationError extends Error {
    constructor(code: FoundationErrorCode,
    tool: string, message: string, cause?: unknown);
    readonly code: FoundationErrorCode;
    readonly tool: string;
}

export type FoundationErrorCode = 'FOUNDATION_CONFIG' | 'FOUNDATION_MISSING_PACKAGE' | 'FOUNDATION_PACKAGE_VERSION' | 'FOUNDATION_REDIS_REFUSED' | 'FOUNDATION_REDIS_UNAVAILABLE' | 'FOUNDATION_DIRECT_LISTEN' | 'FOUNDATION_TOPOLOGY' | 'FOUNDATION_REDIS_NOT_FOUND' | 'FOUNDATION_COOKIE_MISMATCH' | 'FOUNDATION_DUPLICATE_NODE' | 'FOUNDATION_NOT_READY' | 'FOUNDATION_LEASE_LOST' | 'FOUNDATION_STALE_EPOCH' | 'FOUNDATION_DECLARATION' | 'FOUNDATION_PROCESS_DECLARATION' | 'FOUNDATION_PROCESS_LOST' | 'FOUNDATION_PROCESS_START' | 'FOUNDATION_PROCESS_TIMEOUT' | 'FOUNDATION_PROCESS_UNKNOWN' | 'FOUNDATION_CALL_INTERRUPTED' | 'FOUNDATION_CALL_TIMEOUT' | 'FOUNDATION_CALL_REFUSED' | 'FOUNDATION_INVALID_ARGUMENTS' | 'FOUNDATION_CIRCULAR_WAIT' | 'FOUNDATION_ARGUMENT' | 'FOUNDATION_CHANNEL_UNKNOWN' | 'FOUNDATION_SERVICE_UNKNOWN' | 'FOUNDATION_MESSAGE_INVALID' | 'FOUNDATION_MESSAGE_TOO_LARGE' | 'FOUNDATION_MESSAGE_UNACKNOWLEDGED' | 'FOUNDATION_MESSAGE_NOT_SAFE' | 'FOUNDATION_OVERLOADED' | 'FOUNDATION_LIMIT' | 'FOUNDATION_REQUEST' | 'FOUNDATION_CONFLICT' | 'FOUNDATION_CONFIG_VALUE' | 'FOUNDATION_CONFIG_QUORUM' | 'FOUNDATION_CONFIG_CONFLICT' | 'FOUNDATION_CONFIG_OUTCOME' | 'FOUNDATION_MANUAL_CLOCK';

export type FoundationEventName = keyof FoundationEvents;

export interface FoundationEvents {
    'callback.failed': {
        callback: string;
        error: string;
    };
    'cluster.data_loss': {
        node: string;
        incarnation: string;
    };
    'cluster.isolated': {
        node: string;
        silentMs: number;
    };
    'cluster.name_taken': {
        node: string;
        bootId: string;
        otherBootId: string;
    };
    'cluster.node_joined': {
        node: string;
        bootId: string;
    };
    'cluster.node_left': {
        node: string;
        bootId: string;
        joinedAt?: number;
        release?: string;
        reason: LeaveReason;
    };
    'cluster.node_suspect': {
        node: string;
        bootId: string;
        suspect: boolean;
    };
    'cluster.rejoined': {
        node: string;
        isolatedMs: number;
    };
    'cluster.row_refused': {
        table: 'processes' | 'services' | 'settings';
        entry: string;
        reason: 'bad-signature' | 'unreadable';
        count: number;
    };
    'cluster.view_changed': {
        node: string;
        version: number;
        members: number;
    };
    'command.issued': {
        command: CommandKind;
        node: string;
        via: CommandSource;
        actor?: string;
        why?: string;
        process?: string;
        target?: string;
    };
    'config.changed': {
        name: string;
        path: string;
        revision: number;
        node: string;
        id: string;
    };
    'config.refused': {
        name: string;
        revision: number;
        errors: string[];
    };
    'cron.ended': {
        job: string;
        node: string;
        epoch: number;
        scheduled: number;
        cause: CronCause;
        outcome: 'done' | 'failed';
        durationMs: number;
        error?: string;
    };
    'cron.interrupted': {
        job: string;
        node: string;
        scheduled: number;
        ranOn: string;
        epoch: number;
    };
    'cron.missed': {
        job: string;
        node: string;
        count: number;
        first: number;
        last: number;
        caughtUp: boolean;
    };
    'cron.skipped': {
        job: string;
        node: string;
        scheduled: number;
    };
    'cron.started': {
        job: string;
        node: string;
        epoch: number;
        scheduled: number;
        cause: CronCause;
        lateMs: number;
    };
    'drain.progress': {
        node: string;
        left: number;
        total: number;
    };
    'lease.acquired': {
        name: string;
        node: string;
        epoch: number;
    };
    'lease.lost': {
        name: string;
        node: string;
        epoch: number;
        reason: LeaseLossReason;
    };
    'lease.reclaimed': {
        name: string;
        node: string;
        epoch: number;
        previousEpoch: number;
    };
    'lease.released': {
        name: string;
        node: string;
        epoch: number;
    };
    'message.dead_letter': {
        channel: string;
        group: string;
        id: string;
        deliveries: number;
        reason: DeadLetterReason;
        error?: string;
    };
    'message.dropped': {
        channel: string;
        reason: MessageDropReason;
        count: number;
        priority?: 'high' | 'normal' | 'low';
    };
    'message.gap': {
        channel: string;
        from: string;
        bootId: string;
        priority?: 'high' | 'normal' | 'low';
        missing?: {
            first: number;
            last: number;
            atMost?: true;
        };
    };
    'message.gathered': {
        channel: string;
        answers: number;
        missing: number;
        complete: boolean;
        waitedMs: number;
    };
    'message.handler_failed': {
        channel: string;
        error: string;
    };
    'message.invalid': {
        channel: string;
        from: string;
        type: string | undefined;
        errors: string[];
    };
    'message.not_safe': {
        channel: string;
        id: string;
        kept: boolean;
        error: string;
    };
    'message.received': {
        channel: string;
        from: string;
        latency: number;
    };
    'message.sent': {
        channel: string;
        size: number;
    };
    'process.crashed': {
        name: string;
        node: string;
        epoch: number;
        error: string;
    };
    'process.end_unrecorded': {
        name: string;
        node: string;
        epoch: number;
        reason: 'crash' | 'complete';
    };
    'process.escalated': {
        name: string;
        node: string;
        epoch: number;
        crashes: number;
    };
    'process.handoff_lost': {
        name: string;
        node: string;
        epoch: number;
        reason: HandoffLossReason;
        error: string;
    };
    'process.restart_scheduled': {
        name: string;
        node: string;
        epoch: number;
        delayMs: number;
        crashes: number;
    };
    'process.started': {
        name: string;
        node: string;
        epoch: number;
        startMs: number;
        before?: string;
    };
    'process.starting': {
        name: string;
        node: string;
        epoch: number;
    };
    'process.stopped': {
        name: string;
        node: string;
        epoch: number;
        reason: StopReason;
        clean: boolean;
    };
    'service.deregistered': {
        name: string;
        node: string;
        instanceId: string;
    };
    'service.health_changed': {
        name: string;
        node: string;
        instanceId: string;
        status: 'healthy' | 'unhealthy';
    };
    'service.registered': {
        name: string;
        node: string;
        instanceId: string;
    };
    'telemetry.executed': {
        event: readonly string[];
        measurements: Readonly<Record<string, unknown>>;
        metadata: Readonly<Record<string, unknown>>;
    };
    'transport.dropped': {
        node: string;
        lane: 'high' | 'normal' | 'low';
        bytes: number;
    };
    'transport.frame_unknown': {
        node: string;
        bootId: string;
        type: number;
    };
    'transport.interrupted': {
        node: string;
        bootId: string;
    };
    'transport.link_down': {
        node: string;
        bootId: string;
        reason: LinkEndReason;
        error?: string;
    };
    'transport.link_failed': {
        node: string;
        bootId: string;
        address: string;
        reason: LinkEndReason;
        error?: string;
    };
    'transport.link_up': {
        node: string;
        bootId: string;
    };
    'transport.refused': {
        address: string;
        reason: RejectionReason;
        error?: string;
    };
}

export class FoundationHealthController {
    constructor(monitor: HealthMonitor, host: HttpAdapterHost);
    cluster(response: unknown): Promise<void>;
    live(response: unknown): void;
    ready(response: unknown): void;
}

export class FoundationHealthModule {
}

export type FoundationHost = CallHost | MessageHost;

export class FoundationMetrics {
    readonly counted: readonly EventMetric[];
    readonly gauges: readonly Gauge[];
    record(add: (metric: EventMetric, figure: Figure) => void): () => void;
    readonly work: readonly WorkMeasure[];
}

// Warning: (ae-forgotten-export) The symbol "ConfigurableModuleClass" needs to be exported by the entry point index.d.ts
//
export class FoundationModule extends ConfigurableModuleClass {
    static forRoot(options?: FoundationModuleOptions): DynamicModule;
    static forRootAsync(options: FoundationModuleAsyncOptions): DynamicModule;
}

// Warning: (ae-forgotten-export) The symbol "_asyncOptions" needs to be exported by the entry point index.d.ts
//
export type FoundationModuleAsyncOptions = typeof _asyncOptions;

// Warning: (ae-forgotten-export) The symbol "_options" needs to be exported by the entry point index.d.ts
//
export type FoundationModuleOptions = typeof _options;

export interface FoundationOptions {
    appName?: string;
    calls?: CallsOptions;
    capacity?: number;
    channels?: ChannelsOptions;
    cluster?: boolean | StrategyName | StrategyOptions;
    clusterConfig?: ClusterConfigOptions;
    context?: ContextOptions;
    expectedNodes?: number;
    forgetOrphansAfter?: Duration;
    globalEnhancers?: boolean;
    journal?: boolean | JournalOptions;
    labels?: Record<string, string>;
    lease?: LeaseOptions;
    membership?: MembershipOptions;
    nodeName?: string;
    processes?: ProcessDefaults;
    queue?: BullQueue;
    readiness?: 'application' | 'member';
    redis?: string | RedisEndpoint | RedisClient | RedisQuorum;
    redlock?: RedlockClient;
    release?: string;
    security?: SecurityOptions;
    shutdownTimeout?: Duration;
    startupTimeout?: Duration;
    topologies?: readonly (StrategyName | StrategyOptions | StrategyConfig | TopologyStrategy)[];
    transport?: 'redis' | 'direct' | RedisTransportOptions | DirectOptions;
}

export interface FoundationOptionsFactory {
    createFoundationOptions(): FoundationOptions | Promise<FoundationOptions>;
}

export const FoundationTools: {
    readonly leases: symbol;
    readonly control: symbol;
    readonly subscriber: symbol;
    readonly publisher: symbol;
    readonly redlock: symbol;
    readonly queue: symbol;
    readonly worker: symbol;
};

export interface Gap {
    bootId: string;
    channel: string;
    from: string;
    missing?: Range;
    priority?: Priority;
}

export interface GatherAnswer<T = unknown> {
    node: string;
    process?: string;
    value: T;
}

export interface Gathered<T = unknown> {
    answers: GatherAnswer<T>[];
    complete: boolean;
    missing: MissingAnswer[];
}

export interface GatherMessageOptions extends GatherOptions, Pick<BroadcastOptions, 'type' | 'priority' | 'compression'> {
}

export interface GatherOptions {
    min?: number;
    signal?: AbortSignal;
    timeout?: Duration;
}

export interface Gauge extends GaugeMetric {
    read(): Figure[];
}

export interface GaugeMetric extends Described {
    kind: 'gauge';
}

export function getProcessToken(type: Type<unknown>): symbol;

export interface GossipSettings {
    every?: Duration;
    group?: string;
    interface?: string;
    port?: number;
    previousSecret?: string | Secret;
    secret?: string | Secret;
}

export type HandoffLossReason =
/** The next instance could not read it. */
'unreadable'
/** `onHandoff` threw, or returned what JSON cannot write. */
| 'hook-failed'
/** `onHandoff` took longer than `stopTimeout`. */
| 'hook-timeout'
/** The state is too large. */
| 'too-large'
/** The instance did not stop in its time. */
| 'not-stopped'
/** The instance that had taken the state ended while it started. */
| 'ended-in-start'
/** The lease was lost before Redis had the state. */
| 'lease-lost';

export class HealthMonitor {
    clusterHealth(): Promise<ClusterHealth>;
    isReady(): boolean;
}

export interface HealthReason {
    code: 'isolated' | 'not-joined' | 'too-few-nodes' | 'nodes-missing' | 'node-suspect' | 'node-lagging' | 'clock-off' | 'process-escalated' | 'process-waiting' | 'process-misplaced' | 'process-orphaned' | 'service-unhealthy' | 'redis-slow' | 'redis-evicts' | 'redis-silent' | 'redis-connection' | 'sweep-overdue' | 'settings-differ' | 'topology-failing';
    detail?: string;
    message: string;
    severity: Exclude<HealthStatus, 'healthy'>;
}

export type HealthStatus = 'healthy' | 'degraded' | 'critical';

export type InjectedProcess = Type<unknown> | (() => Type<unknown>);

export function InjectProcess(type: InjectedProcess): ParameterDecorator & PropertyDecorator;

export const InjectSingleton: typeof InjectProcess;

export interface Inspectable {
    inspect(): unknown;
}

export class InvalidArgumentsError extends FoundationError {
    constructor(subject: string, errors: readonly string[]);
    readonly errors: readonly string[];
}

export interface JobCounts {
    failed: number;
    fired: number;
    interrupted: number;
    missed: number;
    skipped: number;
}

export interface JobRun {
    cause: CronCause;
    ended?: number;
    epoch: number;
    error?: string;
    node: string;
    outcome?: RunOutcome;
    scheduled: number;
    started: number;
}

export class Journal {
    actAs<T>(actor: {
        name?: string;
        reason?: string;
    }, work: () => T): T;
    follow(query?: Omit<JournalQuery, 'limit' | 'until' | 'since'>, options?: {
        signal?: AbortSignal;
    }): AsyncGenerator<JournalEntry, void, undefined>;
    read(query?: JournalQuery): Promise<JournalEntry[]>;
}

export interface JournalEntry {
    actor?: string;
    at: number;
    bootId?: string;
    by?: string;
    count?: number;
    epoch?: number;
    error?: string;
    from?: string;
    id: string;
    kind: string;
    ms?: number;
    node: string;
    others?: string;
    process?: string;
    reason?: string;
    release?: string;
    target?: string;
    version?: string;
    via?: CommandSource;
}

export interface JournalOptions {
    maxEntries?: number;
}

export interface JournalQuery {
    after?: string;
    kind?: string;
    limit?: number;
    node?: string;
    process?: string;
    since?: JournalTime;
    until?: JournalTime;
}

export type JournalTime = number | Date | string;

export interface KubernetesSettings {
    kubeconfig?: string;
    namespace?: string;
    redisService?: string;
    selector?: string;
}

export type Labels = Readonly<Record<string, string>>;

export type LeaseLossReason =
/** The deadline passed without an acknowledged renewal: Redis, the network or this event loop was too slow. */
'deadline'
/** Redis answered that the key is gone or belongs to another node. */
| 'taken'
/** The instance did not stop in its time; the lease is no longer renewed. */
| 'abandoned'
/** This node's name was taken over by another process. */
| 'replaced';

export class LeaseLostError extends FoundationError {
    constructor(processName: string, node: string, epoch: number, why: string);
    readonly epoch: number;
    readonly node: string;
    readonly processName: string;
    readonly why: string;
}

export interface LeaseOptions {
    commandTimeout?: Duration;
    grace?: Duration;
    margin?: Duration;
    onStall?: 'fence' | 'exit';
    renewEvery?: Duration;
    ttl?: Duration;
}

export interface LeaseTimes extends Resolved<LeaseOptions> {
    deadline: number;
    grace: number;
}

export type LeaveReason =
/** It announced it. */
'shutdown'
/** It sent no heartbeat for as long as `membership.ttl`. */
| 'timeout'
/** A topology strategy reports it as terminated. */
| 'terminated';

export class LimitError extends FoundationError {
    constructor(
    subject: string,
    kind: string, limit: number);
    readonly kind: string;
    readonly limit: number;
    readonly subject: string;
}

export type LinkEndReason = RejectionReason
/** The other side closed the connection. */
| 'closed'
/** The other side closed the connection before both had proven to know the cookie. */
| 'closed-in-handshake'
/** The connection failed: `error` says why. */
| 'broken'
/** The other side was silent for too long. */
| 'silent'
/** A newer link to the same node took its place. */
| 'replaced'
/** This node leaves. */
| 'leaving'
/** The other node left the cluster. */
| 'left'
/** The other node never was a member of the cluster. */
| 'not-a-member'
/** No address that can be used is in the record of the node. */
| 'no-address'
/** There was no link in time. */
| 'timeout'
/** The address cannot be reached: `error` says why. */
| 'unreachable'
/** This node could not handle what came: `error` says why. */
| 'failed';

export interface Machine {
    host: string;
    packageName?: string;
    packageVersion?: string;
    pid: number;
    podNamespace?: string;
    random?: string;
}

export interface MdnsSettings {
    every?: Duration;
    interface?: string;
}

export interface Member {
    address?: string;
    bootId: string;
    capacity?: number;
    classes: readonly string[];
    host: string;
    joinedAt: number;
    labels: Readonly<Record<string, string>>;
    lag: number;
    load: number;
    name: string;
    pid: number;
    release?: string;
    self: boolean;
    state: MemberState;
    version: string;
}

export class Membership {
    get appName(): string;
    clusterNow(): number;
    differences(): Difference[];
    members(): readonly Member[];
    get own(): Member;
    get self(): {
        name: string;
        bootId: string;
    };
    get state(): NodeState;
    get version(): number;
    whenReady(options?: {
        minNodes?: number;
        timeout?: Duration;
    }): Promise<void>;
}

export interface MembershipOptions {
    beatEvery?: Duration;
    ttl?: Duration;
}

export type MemberState = 'up' | 'suspect' | 'draining';

export type MessageDropReason =
/** The queue of a handler is full; `priority` says for which messages. */
'queue-full'
/** The subscription has ended. */
| 'unsubscribed'
/** No member of its group takes it: the sender chose none. */
| 'no-group-member'
/** It has arrived before. */
| 'duplicate'
/** It is not what the `payload` class of the subscription says; see `message.invalid`. */
| 'invalid-payload'
/** More waits to be sent than this node keeps. */
| 'outbox-full'
/** More waits to be inflated than this node keeps. */
| 'inflate-backlog-full'
/** It is larger than `channels.maxMessageBytes` once it is inflated. */
| 'too-large-inflated'
/** It cannot be inflated. */
| 'not-inflatable'
/** What arrived is not JSON, or is nested too deeply. */
| 'not-json'
/** What arrived is packed, and not as this node packs. */
| 'not-packed'
/** What arrived has more messages than any node sends in one text. */
| 'too-many-messages'
/** What arrived has no head that can be read. */
| 'malformed-envelope'
/** It is not a message that can be read. */
| 'malformed-message'
/** Another version of Foundation wrote it, in a format that this one does not read. */
| 'unknown-version'
/** What arrived in the inbox is neither a call nor an answer. */
| 'not-a-call'
/** What arrived is larger than any node sends. */
| 'too-large'
/** It is not signed with the cookie of this node. */
| 'bad-signature'
/** It is signed, and came a second time or late: an attacker may have copied it. */
| 'replayed'
/** It is signed, and too old, or a clock is wrong. */
| 'too-old'
/** It is signed, and does not say which message of its sender it is. */
| 'no-stamp'
/** Durable channels: it is not of the time of its entry: a copy, or a clock is wrong. */
| 'wrong-entry'
/** Durable channels: the stream was trimmed before it was handled. */
| 'trimmed'
/** Durable channels: it became a dead letter; see `message.dead_letter`. */
| 'dead-letter';

export class MessageError extends FoundationError {
    constructor(channel: string, problem: string, advice: string, code?: 'FOUNDATION_MESSAGE_INVALID' | 'FOUNDATION_MESSAGE_TOO_LARGE', cause?: unknown);
    readonly channel: string;
}

export type MessageHandler<T = unknown> = (message: T, meta: MessageMeta) => unknown;

export interface MessageHost extends Handled {
    kind: 'message';
    message: unknown;
    meta: MessageMeta;
}

export interface MessageMeta {
    bootId: string;
    channel: string;
    context?: ContextValues;
    deliveries?: number;
    from: string;
    id?: string;
    priority: Priority;
    sentAt: number;
    seq: number;
    type?: string;
}

export class MessageNotSafeError extends FoundationError {
    constructor(channel: string, what: Pick<MessageNotSafeError, 'id' | 'acknowledge' | 'isKept'> & {
        reached?: number;
        reason: string;
        advice: string;
        cause?: unknown;
    });
    readonly acknowledge: 'fsync' | {
        readonly replicas: number;
    };
    readonly channel: string;
    readonly id: string;
    readonly isKept: boolean;
    readonly reached: number | undefined;
}

// Warning: (ae-forgotten-export) The symbol "Hook" needs to be exported by the entry point index.d.ts
//
export type MethodNames<T> = {
    [K in keyof T]: T[K] extends (...args: never[]) => unknown ? (K extends Hook ? never : K) : never;
}[keyof T] & string;

export interface MissedSpan {
    count: number;
    first: number;
    last: number;
}

export type MissedTicks = 'skip' | 'run-once';

export interface MissingAcceptance {
    node: string;
    reason: string;
}

export interface MissingAcknowledgement {
    node: string;
    reason: string;
}

export interface MissingAnswer {
    message?: string;
    node: string;
    process?: string;
    reason: MissingReason;
}

export class MissingPackageError extends FoundationError {
    constructor(packages: string, neededBy: string, cause: unknown);
    readonly neededBy: string;
    readonly packages: string;
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

export interface NodeHealth {
    metrics: {
        processes: number;
        lagMs: number;
        memberMs: number;
    };
    node: string;
    status: HealthStatus;
}

export type NodeState = 'joining' | 'observing' | 'up' | 'isolated' | 'draining' | 'left';

export class NotReadyError extends FoundationError {
    constructor(node: string, state: string, waitedMs: number, known?: {
        cause?: unknown;
        nodes?: {
            seen: number;
            wanted: number;
        };
        trouble?: string | undefined;
    });
    readonly node: string;
    readonly state: string;
}

export interface OnProcessHandoff {
    onHandoff(): unknown;
}

export interface OnProcessStart {
    onProcessStart(ctx: ProcessContext): void | Promise<void>;
}

export interface OnProcessStop {
    onProcessStop(reason: StopReason): void | Promise<void>;
}

export interface OnServiceHealth {
    onServiceHealth(): boolean | Promise<boolean>;
}

export type OverlappingTicks = 'skip' | 'queue';

export class OverloadedError extends FoundationError {
    constructor(topic: string, waiting: string);
    readonly topic: string;
}

export class PackageVersionError extends FoundationError {
    constructor(
    packages: string, neededBy: string,
    needs: string,
    suitable: string);
    readonly neededBy: string;
    readonly packages: string;
}

export function Partitioned(options?: PartitionedOptions): ClassDecorator;

export interface PartitionedOptions extends SingletonOptions {
    partitions?: number;
}

export interface PartitionedRef<T = AnyProcess> {
    for(key: string): RemoteCalls<T>;
    readonly name: string;
    partitionOf(key: string): number;
    readonly partitions: number;
    stop(): Promise<void>;
}

export interface Peer {
    readonly address?: string;
    readonly host?: string;
    readonly id: string;
    readonly node?: string;
    readonly state: PeerState;
}

export type PeerState = 'ready' | 'not-ready' | 'leaving' | 'terminated';

export type PlacementName = 'spread' | 'hash';

// Warning: (ae-forgotten-export) The symbol "Lane" needs to be exported by the entry point index.d.ts
//
export type Priority = Lane;

export interface ProcessContext {
    readonly args: readonly unknown[];
    complete(): void;
    readonly epoch: number;
    fail(error: Error): void;
    readonly fenced: FencedEffects;
    readonly handoff: unknown;
    readonly index: number | undefined;
    isOwner(): boolean;
    readonly name: string;
    readonly node: string;
    run(task: (signal: AbortSignal) => Promise<void>): void;
    readonly signal: AbortSignal;
}

export class ProcessDeclarationError extends FoundationError {
    constructor(subject: string, problem: string, advice: string);
    readonly subject: string;
}

export interface ProcessDefaults {
    backoff?: BackoffOptions;
    maxRestarts?: number;
    maxSeconds?: number;
    restart?: RestartPolicyName;
    stopTimeout?: Duration;
    timeout?: Duration | 'infinity';
}

export interface ProcessGroup<T = AnyProcess> {
    call<K extends MethodNames<T>>(method: K, ...args: T[K] extends (...args: infer A) => unknown ? A : never): Promise<Gathered<T[K] extends (...args: never[]) => infer R ? AnswerOf<R> : never>>;
    readonly name: string;
    with(options: GatherOptions): ProcessGroup<T>;
}

export interface ProcessInfo {
    crashes?: number;
    epoch?: number;
    error?: string;
    kind: ProcessKind;
    name: string;
    node?: string;
    reason?: string;
    restart: RestartPolicyName;
    stack?: string;
    startedAt?: number;
    state: ProcessState;
    type: string;
}

export type ProcessKind = 'singleton' | 'replicated' | 'partitioned';

export class ProcessLostError extends FoundationError {
    constructor(processName: string);
    readonly processName: string;
}

export class ProcessManager {
    all<T = AnyProcess>(name: string | Type<T>): ProcessGroup<T>;
    drain(options?: {
        node?: string;
        timeout?: Duration;
    }): Promise<void>;
    explainPlacement(target: ProcessTarget, owner?: string): Candidate[];
    forget(target: ProcessTarget): Promise<void>;
    list(): Promise<ProcessInfo[]>;
    lookupPartitioned<T = AnyProcess>(name: string | Type<T>): PartitionedRef<T> | undefined;
    lookupSingleton<T = AnyProcess>(name: string | Type<T>): Promise<ProcessRef<T> | undefined>;
    move<T = AnyProcess>(target: ProcessTarget<T>, node: string): Promise<ProcessRef<T>>;
    restart<T = AnyProcess>(target: ProcessTarget<T>): Promise<ProcessRef<T>>;
    startPartitioned<T>(type: Type<T>, args?: unknown[], opts?: StartOptions & {
        partitions?: number;
    }): Promise<PartitionedRef<T>>;
    startReplicated<T>(type: Type<T>, args?: unknown[], opts?: StartOptions & {
        replicas?: number | 'all';
    }): Promise<StartResult<T>[]>;
    startSingleton<T>(type: Type<T>, args?: unknown[], opts?: StartOptions): Promise<ProcessRef<T>>;
    stop(target: ProcessTarget): Promise<void>;
    undrain(options?: {
        node?: string;
    }): Promise<void>;
}

export interface ProcessOptions extends ProcessDefaults {
    handoff?: boolean;
    name?: string;
    placement?: PlacementName | {
        strategy?: PlacementName;
        labels?: Record<string, string>;
    };
    rebalance?: RebalanceName;
}

export interface ProcessRef<T = AnyProcess> extends RemoteCalls<T> {
    readonly completed: boolean;
    readonly epoch: number;
    readonly name: string;
    readonly node: string;
    readonly startedAt: number;
    stop(): Promise<void>;
}

export class ProcessStartError extends FoundationError {
    constructor(processName: string, node: string, reason: string, cause?: unknown);
    readonly node: string;
    readonly processName: string;
    readonly reason: string;
}

export type ProcessState = 'running' | 'starting' | 'waiting' | 'backing-off' | 'completed' | 'stopped' | 'failed' | 'escalated' | 'lost' | 'orphaned';

export type ProcessTarget<T = unknown> = string | Type<T> | {
    readonly name: string;
};

export class ProcessTimeoutError extends FoundationError {
    constructor(processName: string, what: string, timeoutMs: number, did: string, advice: string);
    readonly processName: string;
    readonly timeoutMs: number;
}

export type QueuePolicy =
/** The oldest message of the backlog is dropped. */
'drop-oldest'
/** The new message is dropped. */
| 'drop-newest'
/**
* `broadcast` on this very node does not resolve before there is room, up to as many messages as `size` again. A
* message of another node cannot be made to wait, because what comes after it on the connection would, too: it is
* dropped.
*/
| 'block';

export interface Range {
    atMost?: true;
    first: number;
    last: number;
}

export function readTraceContext(value: unknown): TraceCarrier | undefined;

export type RebalanceName = 'off' | 'on-join';

export interface RecordedSpan {
    readonly attributes: Readonly<Record<string, string | number>>;
    end?: number;
    error?: string;
    readonly kind: SpanKindName;
    readonly name: string;
    readonly parentId?: string;
    readonly spanId: string;
    readonly start: number;
    readonly traceId: string;
}

export interface RedisAddress {
    host: string;
    port: number;
}

export interface RedisClient {
    duplicate(...overrides: never[]): object;
    readonly options: object;
    readonly status: string;
}

export interface RedisEndpoint {
    cluster?: RedisAddress[];
    db?: number;
    host?: string;
    name?: string;
    options?: Record<string, unknown>;
    password?: string;
    port?: number;
    sentinels?: RedisAddress[];
    url?: string;
    username?: string;
}

export class RedisNotFoundError extends FoundationError {
    constructor(
    tried: readonly string[]);
    readonly tried: readonly string[];
}

export interface RedisQuorum {
    quorum: (string | RedisEndpoint | RedisClient)[];
}

export class RedisRefusedError extends FoundationError {
    constructor(endpoint: string, reply: string, advice: string, cause?: unknown,
    consequence?: string);
    readonly endpoint: string;
    readonly reply: string;
}

export interface RedisTransportOptions {
    format?: 'packed' | 'json';
    kind: 'redis';
}

export class RedisUnavailableError extends FoundationError {
    constructor(endpoint: string, doing: string, cause: unknown,
    advice?: string);
    readonly endpoint: string;
}

export interface RedlockClient {
    acquire(resources: string[], duration: number, settings?: object): Promise<object>;
    readonly clients: ReadonlySet<unknown>;
    release(lock: never, settings?: object): Promise<unknown>;
}

export type RejectionReason =
/** The other side does not know the cookie of this node. */
'wrong-cookie'
/** It does not speak this protocol. */
| 'no-handshake'
/** It speaks another version of the protocol. */
| 'unknown-version'
/** It belongs to another application. */
| 'other-application'
/** It was meant for another node. */
| 'other-node'
/** It is this node's turn to dial that node, not the other way round. */
| 'not-its-turn'
/** What came cannot be read. */
| 'malformed'
/** It sent too many bytes before it had proven to know the cookie. */
| 'too-many-bytes'
/** It has proven nothing in its time. */
| 'no-proof'
/** Too many connections of its address have proven nothing. */
| 'too-many-of-address'
/** Too many connections have proven nothing. */
| 'too-many-connections'
/** TLS was refused: `error` says why. */
| 'tls'
/** The connection could not be accepted: `error` says why. */
| 'socket'
/** It spoke through Redis in the name of a node that is linked to. */
| 'linked-sender';

export type Remote<T> = {
    readonly [K in MethodNames<T>]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<AnswerOf<R>> : never;
};

export interface RemoteCalls<T = AnyProcess> {
    call<K extends MethodNames<T>>(method: K, ...args: T[K] extends (...args: infer A) => unknown ? A : never): Promise<T[K] extends (...args: never[]) => infer R ? AnswerOf<R> : never>;
    cast<K extends MethodNames<T>>(method: K, ...args: T[K] extends (...args: infer A) => unknown ? A : never): Promise<void>;
    readonly remote: Remote<T>;
    with(options: CallOptions): RemoteCalls<T>;
}

export class RemoteError extends Error {
    constructor(subject: CallSubject, error: {
        name: string;
        message: string;
        code?: string;
        stack?: string;
    });
    readonly code: string | undefined;
    readonly subject: CallSubject;
}

export interface ReplayOptions {
    from: string | Date;
    payload?: Schema;
    to?: string | Date;
    type?: string;
}

export function Replicated(options?: ReplicatedOptions): ClassDecorator;

export interface ReplicatedOptions extends SingletonOptions {
    replicas?: number | 'all';
}

export class RequestError extends FoundationError {
    constructor(pattern: string, why: string,
    mayBeDone: boolean, advice?: string);
    readonly mayBeDone: boolean;
    readonly pattern: string;
    readonly why: string;
}

export function resolve(options: FoundationOptions, env: Environment, machine: Machine): FoundationConfig;

export interface ResolvedProcessDefaults {
    backoff: Resolved<BackoffOptions>;
    maxRestarts: number;
    maxSeconds: number;
    restart: RestartPolicyName;
    stopTimeout: number;
    timeout: number | 'infinity';
}

export type RestartPolicyName = 'permanent' | 'transient' | 'temporary';

export interface Route {
    channel: string;
    reason: string;
}

export interface RouteOptions extends BroadcastOptions {
    channel?: ChannelName;
}

export type RunAnswer = 'started' | 'queued' | 'skipped';

export type RunOutcome = 'done' | 'failed' | 'interrupted';

export type Schema = Type<object> | StandardSchema;

export class Secret {
    constructor(text: string);
    reveal(): string;
    toJSON(): string;
    toString(): string;
}

export interface SecurityOptions {
    cookie?: string;
    tls?: TlsFiles;
}

export function Service(options?: ServiceOptions): ClassDecorator;

export interface ServiceCallOptions {
    signal?: AbortSignal;
    strategy?: BalancerStrategy;
    timeout?: Duration;
    where?: Omit<ServiceCriteria, 'name'>;
}

export interface ServiceChange {
    service: ServiceInfo;
    type: 'added' | 'changed' | 'removed';
}

export interface ServiceCriteria {
    [field: string]: unknown;
    capabilities?: string | readonly string[];
    healthCheck?: (service: ServiceInfo) => boolean | Promise<boolean>;
    metadata?: Readonly<Record<string, unknown>>;
    name?: string;
    node?: string;
}

export interface ServiceHandle {
    deregister(): Promise<void>;
    readonly instanceId: string;
    readonly name: string;
}

export interface ServiceHealthSummary {
    instances: number;
    service: string;
    status: HealthStatus;
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

export class ServiceMesh {
    call(name: string, method: string, args?: readonly unknown[], options?: ServiceCallOptions): Promise<unknown>;
    deregisterService(service: string | Pick<ServiceHandle, 'name' | 'instanceId'>): Promise<void>;
    discoverServices(criteria?: ServiceCriteria): Promise<ServiceInfo[]>;
    registerService(name: string, target: ServiceTarget, capabilities?: readonly string[], metadata?: Readonly<Record<string, unknown>>): Promise<ServiceHandle>;
    routeToService(name: string, method: string, args?: readonly unknown[], options?: ServiceCallOptions): Promise<unknown>;
    watch(criteria?: ServiceCriteria): AsyncIterable<ServiceChange>;
}

export class ServiceNotFoundError extends FoundationError {
    constructor(service: string,
    why: string);
    readonly service: string;
}

export interface ServiceOptions {
    capabilities?: readonly string[];
    metadata?: Readonly<Record<string, unknown>>;
    name?: string;
}

export type ServiceStatus = 'healthy' | 'unhealthy';

export type ServiceTarget = object | {
    url: string;
};

export function Singleton(options?: SingletonOptions): ClassDecorator;

export interface SingletonOptions extends ProcessOptions {
    args?: unknown[];
}

export interface SpanDescription {
    attributes: Record<string, string | number>;
    kind: SpanKindName;
    name: string;
    parent?: TraceCarrier | undefined;
}

export type SpanInput = Omit<SpanDescription, 'attributes'> & Partial<Pick<SpanDescription, 'attributes'>>;

export type SpanKindName = 'internal' | 'producer' | 'consumer' | 'client' | 'server';

export class SpanRecorder implements Tracing {
    constructor(parts: SpanRecorderParts);
    carry(): TraceCarrier | undefined;
    span<T>(description: SpanDescription, work: () => T): T;
}

export interface SpanRecorderParts {
    keep: (span: RecordedSpan) => void;
    now?: () => number;
    tracing?: Tracing | undefined;
}

export class StaleEpochError extends FoundationError {
    constructor(key: string, epoch: number, storedEpoch: number, why?: 'written' | 'lost');
    readonly epoch: number;
    readonly key: string;
    readonly storedEpoch: number;
    readonly why: 'written' | 'lost';
}

export interface StandardIssue {
    readonly message: string;
    readonly path?: readonly (PropertyKey | {
        readonly key: PropertyKey;
    })[] | undefined;
}

export type StandardResult<Output> = {
    readonly value: Output;
    readonly issues?: undefined;
} | {
    readonly issues: readonly StandardIssue[];
};

export interface StandardSchema<Output = unknown> {
    readonly '~standard': {
        readonly version: 1;
        readonly vendor: string;
        readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
        readonly types?: {
            readonly input: unknown;
            readonly output: Output;
        } | undefined;
    };
}

export type StartOptions = ProcessOptions;

export type StartResult<T = AnyProcess> = {
    ok: true;
    node: string;
    ref: ProcessRef<T>;
} | {
    ok: false;
    node: string;
    error: Error;
};

export interface StaticSettings {
    every?: Duration;
    hosts?: readonly string[];
    redis?: string;
}

export type StopReason =
/** Somebody called `stop`, or the process was removed. */
'stop'
/** `restart` was called; the next instance may run anywhere. */
| 'restart'
/** It goes on on another node. */
| 'move'
/** Its node leaves. */
| 'shutdown'
/** It failed. */
| 'crash'
/** It called `ctx.complete()`. */
| 'complete'
/** Its lease is lost; another node may own the name already. */
| 'lease-lost';

export type StrategyConfig = {
    [N in StrategyName]: Translated<N>;
}[StrategyName];

export interface StrategyConfigs {
    consul: {
        address: string;
        service: string;
        redisService: string;
        token?: Secret;
        ttl: number;
    };
    dns: {
        query: string;
        redisQuery?: string;
        every: number;
        servers?: readonly string[];
    };
    gossip: {
        secret: Secret;
        previousSecret?: Secret;
        group: string;
        port: number;
        interface?: string;
        every: number;
    };
    kubernetes: {
        selector: string;
        namespace?: string;
        redisService: string;
        kubeconfig?: string;
    };
    mdns: {
        interface?: string;
        every: number;
    };
    static: {
        hosts: readonly string[];
        redis?: string;
        every: number;
    };
}

// Warning: (ae-forgotten-export) The symbol "STRATEGY_NAMES" needs to be exported by the entry point index.d.ts
//
export type StrategyName = (typeof STRATEGY_NAMES)[number];

export type StrategyOptions = {
    [N in StrategyName]: ({
        strategy: N;
    } & StrategySettings[N]) | {
        strategy: N;
        config: StrategySettings[N];
    };
}[StrategyName];

export interface StrategySettings {
    consul: ConsulSettings;
    dns: DnsSettings;
    gossip: GossipSettings;
    kubernetes: KubernetesSettings;
    mdns: MdnsSettings;
    static: StaticSettings;
}

export interface StrategyStatus {
    readonly counters?: Readonly<Record<string, number>>;
    readonly dropped: number;
    readonly error?: string;
    readonly failures: number;
    readonly peers: number;
    readonly redisFound: boolean;
    readonly reports: number;
    readonly state: 'starting' | 'looking' | 'failing' | 'stopped';
    readonly strategy: string;
}

export interface SubscribeOptions {
    concurrency?: number;
    from?: string | Date;
    group?: string;
    onGap?: (gap: Gap) => unknown;
    payload?: Schema;
    queue?: {
        size?: number;
        policy?: QueuePolicy;
    };
    type?: string;
}

export interface Subscription {
    readonly channel: string;
    readonly counters: SubscriptionCounters;
    readonly dropped: number;
    readonly received: number;
    unsubscribe(): Promise<void>;
}

export interface SubscriptionCounters {
    dropped: Readonly<Partial<Record<MessageDropReason, number>>>;
    failed: number;
    invalid: number;
    lag: number;
    missed: number;
    received: number;
    unknown: number;
    waiting: number;
}

export function switchToFoundation(context: Pick<ArgumentsHost, 'getType' | 'getArgs'>): FoundationHost;

export class Telemetry {
    attach<P extends TelemetryPattern>(pattern: P, listener: TelemetryListener<TelemetryEventsOf<P>>): () => void;
    attach<P extends TelemetryPattern>(pattern: P, listener: (event: TelemetryEventsOf<P>) => unknown): () => void;
    carry(): TraceCarrier | undefined;
    emit<E extends FoundationEventName>(event: E, payload: FoundationEvents[E]): void;
    span<T>(description: SpanInput, work: () => T): T;
    tracing: Tracing | undefined;
    wants(event: FoundationEventName): boolean;
}

export type TelemetryEvent<E extends FoundationEventName = FoundationEventName> = {
    [Name in E]: [event: Name, payload: FoundationEvents[Name]];
}[E];

export type TelemetryEventsOf<P extends TelemetryPattern> = P extends '*' ? FoundationEventName : P extends `${infer Room}.*` ? Extract<FoundationEventName, `${Room}.${string}`> : Extract<P, FoundationEventName>;

export type TelemetryListener<E extends FoundationEventName = FoundationEventName> = (...args: TelemetryEvent<E>) => unknown;

// Warning: (ae-forgotten-export) The symbol "RoomOf" needs to be exported by the entry point index.d.ts
//
export type TelemetryPattern = FoundationEventName | `${RoomOf<FoundationEventName>}.*` | '*';

export interface TlsFiles {
    caFile: string;
    certificateFile: string;
    keyFile: string;
}

export class Topologies {
    expectedNodes(): number | undefined;
    peers(): readonly Peer[];
    status(): StrategyStatus[];
}

export class TopologyError extends FoundationError {
    constructor(strategy: string,
    tool: string, problem: string, advice: string, cause?: unknown);
    readonly strategy: string;
}

export interface TopologyFindings {
    readonly peers?: readonly Peer[];
    readonly redis?: string;
}

export interface TopologyReport {
    failed(error: unknown): void;
    found(findings: TopologyFindings): void;
}

export interface TopologySelf {
    readonly address?: string;
    readonly appName: string;
    readonly bootId: string;
    readonly host: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly node: string;
    readonly observes?: boolean;
    readonly redis?: string;
}

export interface TopologyStrategy {
    announce?(self: TopologySelf): void;
    readonly counters?: Readonly<Record<string, number>>;
    readonly name: string;
    start(report: TopologyReport, self: TopologySelf): Promise<void>;
    stop(leaving: boolean): Promise<void>;
}

export interface TraceCarrier {
    traceparent: string;
    tracestate?: string;
}

export interface Tracing {
    carry(): TraceCarrier | undefined;
    span<T>(description: SpanDescription, work: () => T): T;
}

export function translateConsul(input?: ConsulSettings & TranslateContext): Translated<'consul'>;

export interface TranslateContext {
    appName?: string;
}

export interface Translated<N extends StrategyName> {
    config: StrategyConfigs[N];
    strategy: N;
}

export function translateDns(input?: DnsSettings & TranslateContext): Translated<'dns'>;

export function translateGossip(input?: GossipSettings & TranslateContext): Translated<'gossip'>;

export function translateKubernetes(input?: KubernetesSettings & TranslateContext): Translated<'kubernetes'>;

export function translateMdns(input?: MdnsSettings & TranslateContext): Translated<'mdns'>;

export function translateStatic(input?: StaticSettings & TranslateContext): Translated<'static'>;

export class UnknownChannelError extends FoundationError {
    constructor(channel: string, declared: readonly string[]);
    readonly channel: string;
    readonly declared: readonly string[];
}

export class UnknownProcessError extends FoundationError {
    constructor(processName: string, known: readonly string[], job?: string);
    readonly processName: string;
}

export interface WorkFigure {
    buckets: {
        le: number;
        count: number;
    }[];
    count: number;
    labels: Labels;
    sum: number;
}

export type WorkKind = 'call' | 'handler' | 'job';

export interface WorkMeasure extends WorkMetric {
    read(): WorkFigure[];
}

export interface WorkMetric extends Described {
    kind: 'counter' | 'histogram';
    work: WorkKind;
}
