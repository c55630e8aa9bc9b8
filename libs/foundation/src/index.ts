/**
 * The public API, by story. Nothing inside the library imports this file.
 */

// Configuration
export {
  FoundationModule,
  type FoundationModuleAsyncOptions,
  type FoundationModuleOptions,
  type FoundationOptionsFactory,
} from './foundation.module.js';
export type {
  BackoffOptions,
  ChannelsOptions,
  FoundationConfig,
  FoundationOptions,
  LeaseOptions,
  LeaseTimes,
  MembershipOptions,
  ProcessDefaults,
  RedisClient,
  RedisEndpoint,
  ResolvedProcessDefaults,
  RestartPolicyName,
  StrategyName,
  StrategyOptions,
} from './config/options.js';
export { resolve, type Machine } from './config/resolve.js';
export type { Environment } from './config/presets.js';

// Cluster
export { Membership, type Member, type MembershipListener, type NodeState } from './cluster/membership.js';
export type { MemberState } from './cluster/failure-detector.js';

// Processes
export { Singleton, type ProcessOptions, type SingletonOptions } from './processes/process.decorators.js';
export { ProcessManager, type StartOptions } from './processes/process.manager.js';
export type {
  FencedEffects,
  OnProcessStart,
  OnProcessStop,
  ProcessContext,
  StopReason,
} from './processes/process.context.js';
export type { ProcessInfo, ProcessRef, ProcessState } from './processes/process.ref.js';
export type { PlacementName } from './processes/placement.js';

// Channels
export { Channel } from './channels/channel.decorators.js';
export { Channels } from './channels/channels.js';
export type {
  BroadcastOptions,
  ChannelName,
  MessageHandler,
  MessageMeta,
  SubscribeOptions,
  Subscription,
} from './channels/channel.js';

// Telemetry
export { Telemetry, type TelemetryListener } from './telemetry/telemetry.js';
export type { FoundationEventName, FoundationEvents, LeaseLossReason, LeaveReason } from './telemetry/events.js';

// Tools
export { FoundationTools } from './tools/tools.js';

// Errors
export {
  ArgumentError,
  DuplicateNodeError,
  FoundationConfigError,
  FoundationError,
  LeaseLostError,
  MessageError,
  MissingPackageError,
  NotInThisVersionError,
  NotReadyError,
  ProcessDeclarationError,
  ProcessStartError,
  ProcessTimeoutError,
  RedisRefusedError,
  RedisUnavailableError,
  StaleEpochError,
  UnknownChannelError,
  UnknownProcessError,
  type FoundationErrorCode,
} from './errors.js';
