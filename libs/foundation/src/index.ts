/**
 * The public API, by story. Nothing inside the library imports this file.
 */
// Before the application loads ioredis itself.
import './foreign/fast.strings.js';

// Configuration
export {
  FoundationModule,
  type FoundationModuleAsyncOptions,
  type FoundationModuleOptions,
  type FoundationOptionsFactory,
} from './foundation.module.js';
export type {
  BackoffOptions,
  BullQueue,
  CallsOptions,
  ChannelDeclaration,
  ChannelsOptions,
  ClusterConfigOptions,
  DirectOptions,
  RedisTransportOptions,
  Acknowledge,
  DurableChannelOptions,
  FoundationOptions,
  JournalOptions,
  LeaseOptions,
  MembershipOptions,
  ProcessDefaults,
  RedisClient,
  RedisAddress,
  RedisEndpoint,
  RedisQuorum,
  RedlockClient,
  RestartPolicyName,
  SecurityOptions,
  TlsFiles,
} from './config/options.js';
export type { DirectConfig, FoundationConfig, LeaseTimes, ResolvedProcessDefaults } from './config/config.js';
export { resolve } from './config/resolve.js';
export type { Duration, DurationUnit } from './time/duration.js';
export type { Machine } from './config/machine.js';
export type { Environment } from './config/environment.js';

// Topology strategies
export { detectStrategy } from './config/detect.js';
export {
  translateConsul,
  translateDns,
  translateGossip,
  translateKubernetes,
  translateMdns,
  translateStatic,
  type TranslateContext,
} from './config/translate.js';
export type {
  ConsulSettings,
  DnsSettings,
  GossipSettings,
  KubernetesSettings,
  MdnsSettings,
  StaticSettings,
  StrategyConfig,
  StrategyConfigs,
  StrategyName,
  StrategyOptions,
  StrategySettings,
  Translated,
} from './config/strategy.settings.js';
export type {
  Peer,
  PeerState,
  TopologyFindings,
  TopologyReport,
  TopologySelf,
  TopologyStrategy,
} from './config/topology.strategy.js';
export type { Secret } from './security/secret.js';
export { Topologies } from './cluster/topologies/topologies.js';
export type { StrategyStatus } from './cluster/topologies/strategy.runner.js';

// Cluster
export type { Member, NodeState } from './cluster/member.js';
export { Membership } from './cluster/membership.js';
export type { Difference } from './cluster/compatibility.js';
export type { MemberState } from './cluster/failure.detector.js';

// Processes
export {
  Partitioned,
  Replicated,
  Singleton,
  type PartitionedOptions,
  type ProcessOptions,
  type RebalanceName,
  type ReplicatedOptions,
  type SingletonOptions,
} from './processes/declaration/process.decorators.js';
export { Callable, type CallableOptions } from './calls/callable.decorator.js';
export type { Schema } from './schemas/payload.js';
export type { StandardIssue, StandardResult, StandardSchema } from './schemas/standard.schema.js';
export type { CallHost } from './calls/callee.js';
export { switchToFoundation, type FoundationContextType, type FoundationHost } from './execution.host.js';
export {
  getProcessToken,
  InjectProcess,
  InjectSingleton,
  type InjectedProcess,
} from './processes/declaration/inject.process.js';
export type { CallOptions } from './calls/call.target.js';
export type { GatherAnswer, Gathered, GatherOptions, MissingAnswer, MissingReason } from './calls/gathering.js';
export { ProcessManager, type StartOptions } from './processes/process.manager.js';
export type {
  FencedEffects,
  FencedOptions,
  OnProcessHandoff,
  OnProcessStart,
  Inspectable,
  OnProcessStop,
  ProcessContext,
  StopReason,
} from './processes/declaration/process.context.js';
export type {
  PartitionedRef,
  ProcessGroup,
  ProcessInfo,
  ProcessRef,
  ProcessState,
  StartResult,
} from './processes/process.ref.js';
export type { AnswerOf, AnyProcess, MethodNames, Remote, RemoteCalls } from './calls/remote.proxy.js';
export type { ProcessKind } from './cluster/slot.names.js';
export type { ProcessTarget } from './processes/declaration/process.target.js';
export type { Candidate } from './processes/placement/placement.js';
export type { PlacementName } from './processes/placement/placement.exclusion.js';

// Cron jobs
export {
  ClusterCron,
  type ClusterCronOptions,
  type CronRun,
  type MissedTicks,
  type OverlappingTicks,
} from './cron/cron.decorator.js';
export {
  type CronJobInfo,
  CronJobs,
  type JobCounts,
  type JobRun,
  type MissedSpan,
  type RunAnswer,
} from './cron/cron.jobs.js';
export type { RunOutcome } from './cron/job.record.js';

// Channels
export type { ContextOptions, ContextValues } from './context/context.hook.js';
export { Channel } from './channels/channel.decorators.js';
export { Channels } from './channels/channels.js';
export type {
  BroadcastOptions,
  ChannelName,
  Gap,
  GatherMessageOptions,
  MessageHandler,
  MessageHost,
  MessageMeta,
  Priority,
  QueuePolicy,
  Range,
  ReplayOptions,
  SubscribeOptions,
  Subscription,
  SubscriptionCounters,
} from './channels/channel.js';
export type { Route, RouteOptions } from './channels/channel.routing.js';

// Cluster-wide configuration
export { ClusterConfig, type ConfigChange, type ConfigPath, type ConfigValueAt } from './settings/cluster.config.js';
export type { ConfigCommit, ConfigQuorum, ConfigSetOptions } from './settings/config.setter.js';

// The journal
export { Journal, type JournalEntry, type JournalQuery, type JournalTime } from './journal/journal.js';

// Services
export { Service, type ServiceOptions } from './services/service.decorators.js';
export { ServiceMesh } from './services/service.mesh.js';
export type {
  BalancerStrategy,
  OnServiceHealth,
  ServiceCallOptions,
  ServiceChange,
  ServiceCriteria,
  ServiceHandle,
  ServiceInfo,
  ServiceStatus,
  ServiceTarget,
} from './services/service.js';

// Health
export { FoundationHealthController, FoundationHealthModule } from './health/health.controller.js';
export { HealthMonitor } from './health/health.monitor.js';
export type { HealthReason, HealthStatus, ServiceHealthSummary } from './health/health.reasons.js';
export type { ClusterHealth, NodeHealth } from './health/health.report.js';

// Telemetry
export {
  Telemetry,
  type SpanInput,
  type TelemetryEvent,
  type TelemetryEventsOf,
  type TelemetryListener,
  type TelemetryPattern,
} from './telemetry/telemetry.js';
export { SpanRecorder, type RecordedSpan, type SpanRecorderParts } from './telemetry/span.recorder.js';
export {
  readTraceContext,
  type SpanDescription,
  type SpanKindName,
  type TraceCarrier,
  type Tracing,
} from './telemetry/tracing.js';
export {
  FoundationMetrics,
  type Figure,
  type Gauge,
  type WorkFigure,
  type WorkMeasure,
} from './metrics/foundation.metrics.js';
export type { EventMetric, GaugeMetric, Labels, WorkMetric } from './metrics/metric.definitions.js';
export type { WorkKind } from './telemetry/figures.report.js';
export type {
  CommandKind,
  CommandSource,
  DeadLetterReason,
  FoundationEventName,
  FoundationEvents,
  HandoffLossReason,
  LeaseLossReason,
  LeaveReason,
  LinkEndReason,
  MessageDropReason,
  RejectionReason,
} from './telemetry/events.js';

// Tools
export { FoundationTools } from './backend/foundation.tools.js';

// Errors
export {
  AcknowledgementError,
  MessageError,
  MessageNotSafeError,
  RequestError,
  UnknownChannelError,
  type MissingAcknowledgement,
} from './errors/message.errors.js';
export {
  ArgumentError,
  DeclarationError,
  FoundationConfigError,
  MissingPackageError,
  PackageVersionError,
} from './errors/config.errors.js';
export {
  CallInterruptedError,
  CallRefusedError,
  InvalidArgumentsError,
  CallTimeoutError,
  CircularWaitError,
  RemoteError,
  type CallSubject,
} from './errors/call.errors.js';
export {
  ConflictError,
  DirectListenError,
  CookieMismatchError,
  DuplicateNodeError,
  NotReadyError,
  TopologyError,
} from './errors/cluster.errors.js';
export { FoundationError, type FoundationErrorCode } from './errors/foundation.error.js';
export {
  LeaseLostError,
  ProcessDeclarationError,
  ProcessLostError,
  ProcessStartError,
  ProcessTimeoutError,
  StaleEpochError,
  UnknownProcessError,
} from './errors/process.errors.js';
export { LimitError, OverloadedError } from './errors/limit.errors.js';
export { RedisNotFoundError, RedisRefusedError, RedisUnavailableError } from './errors/connection.errors.js';
export {
  ConfigConflictError,
  ConfigOutcomeError,
  ConfigQuorumError,
  ConfigValueError,
  type MissingAcceptance,
} from './errors/settings.errors.js';
export { ServiceNotFoundError } from './errors/service.errors.js';
