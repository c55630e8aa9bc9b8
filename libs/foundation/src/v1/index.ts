/**
 * The entry `nestjs-foundation/v1`: the API of Foundation 1.x, for applications that come from there.
 */
export type { MissingAnswer, MissingReason } from '../calls/gathering.js';
export type {
  BalancerStrategy,
  ServiceCallOptions,
  ServiceCriteria,
  ServiceInfo,
  ServiceStatus,
} from '../services/service.js';
export type { MissingAcceptance } from '../errors/settings.errors.js';
export type { ConfigCommit, ConfigQuorum, ConfigSetOptions } from '../settings/config.setter.js';
export type { Duration, DurationUnit } from '../time/duration.js';
export type { ClusterAnswer, ClusterQueryOptions } from './cluster/cluster.queries.js';
export type { V1Config } from './config/config.defaults.js';
export type { EventOptions, FunctionEntryOptions, StateChangeOptions } from './events/event.factory.js';
export { filterByTimeRange, groupByCorrelation, transformEventData } from './events/event.logic.js';
export type { ClusterEvents } from './events/event.queries.js';
export type { EventQuery, StoreStats } from './events/event.store.js';
export type { V1Event } from './events/v1.event.js';
export {
  FoundationV1Module,
  type FoundationV1ModuleAsyncOptions,
  type FoundationV1ModuleOptions,
} from './foundation.v1.module.js';
export type { HealthCheckOptions, HealthFailure, Reason } from './registry/registry.arguments.js';
export type { Namespace, Service } from './registry/service.table.js';
export type { Distribution } from './telemetry/distribution.js';
export type { ClusterMetric, ClusterMetrics } from './telemetry/metric.queries.js';
export type { EventName, Metric } from './telemetry/metric.store.js';
export { Config, type ConfigListener, type ConfigNotification, type ConfigStatus } from './v1.config.js';
export {
  collectErrorMetrics,
  type ErrorCounter,
  errorOf,
  errorToString,
  isRetryable,
  newError,
  retryDelay,
  shouldEscalate,
  type V1Error,
  type V1ErrorOptions,
  type V1RetryStrategy,
  type V1Severity,
} from './v1.error.js';
export { Events, type EventStats } from './v1.events.js';
export type { Partly, V1Options } from './v1.options.js';
export { errorResult, type Failure, type Result, wrapError } from './v1.result.js';
export { type NamespaceInfo, ServiceRegistry } from './v1.service.registry.js';
export {
  type Metadata,
  type MetricTree,
  Telemetry,
  type TelemetryHandler,
  type TelemetryStatus,
} from './v1.telemetry.js';
