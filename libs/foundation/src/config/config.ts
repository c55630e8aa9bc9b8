/**
 * What the rooms read: options, environment and defaults in one record, checked. Made by `resolve`.
 */
import type { ContextOptions } from '../context/context.hook.js';
import type { Secret } from '../security/secret.js';
import type { Duration } from '../time/duration.js';
import type {
  BackoffOptions,
  BullQueue,
  CallsOptions,
  ClusterConfigOptions,
  DirectOptions,
  DurableChannelOptions,
  JournalOptions,
  LeaseOptions,
  MembershipOptions,
  RedisClient,
  RedisEndpoint,
  RedisTransportOptions,
  RedlockClient,
  RestartPolicyName,
  TlsFiles,
} from './options.js';
import type { StrategyConfig } from './strategy.settings.js';
import type { TopologyStrategy } from './topology.strategy.js';

/** Options with every default filled in, and every time in milliseconds. */
export type Resolved<T> = { [K in keyof T]-?: Exclude<T[K], Exclude<Duration, number> | undefined> };

/** Lease times with every default filled in, plus the two that follow from them. */
export interface LeaseTimes extends Resolved<LeaseOptions> {
  /**
   * After this long since an acknowledged renewal was sent, the owner fences itself: ttl − 1 % − 2 ms − margin.
   */
  deadline: number;
  /** After Redis lost its data, new owners wait this long at least. */
  grace: number;
}

/** Process defaults with every value filled in. */
export interface ResolvedProcessDefaults {
  restart: RestartPolicyName;
  maxRestarts: number;
  maxSeconds: number;
  backoff: Resolved<BackoffOptions>;
  timeout: number | 'infinity';
  stopTimeout: number;
}

/** The direct transport with everything it needs. */
export interface DirectConfig extends DirectOptions {
  port: number;
  cookie: Secret;
  tls?: TlsFiles;
}

/** What the rooms read: options, environment and defaults in one record, checked. */
export interface FoundationConfig {
  backend: 'local' | 'redis';
  appName: string;
  /** True when nothing names the application, so that it shares its name with every other one of that kind. */
  isUnnamed?: boolean;
  nodeName: string;
  /** The version of the application, where one is known. */
  release?: string;
  /** True when the options say that there is a cluster, and FOUNDATION_CLUSTER that there is none. */
  isSwitchedOff?: boolean;
  /** What the log calls the way the cluster was found: `none`, `redis`, or the names of the strategies. */
  strategy: string;
  /** The strategies that run, in order of precedence. */
  topologies: readonly (StrategyConfig | TopologyStrategy)[];
  /**
   * True when the environment suggested the strategy, so that one which cannot be loaded is left out with a warning.
   */
  detected: boolean;
  /** Without a place (see `hasPlace`) in a cluster: it has to be found first. */
  redis: RedisEndpoint | RedisClient;
  /** Whether one may be started on this machine, for development, when none is found. */
  embeddedRedis: boolean;
  /** The further Redis servers that leases are on; none without a quorum. */
  quorum: readonly (RedisEndpoint | RedisClient)[];
  redlock?: RedlockClient;
  queue?: BullQueue;
  lease: LeaseTimes;
  membership: Resolved<MembershipOptions>;
  processes: ResolvedProcessDefaults;
  channels: {
    names: readonly string[];
    durable: Readonly<Record<string, Resolved<DurableChannelOptions>>>;
    maxMessageBytes: number;
  };
  calls: Resolved<CallsOptions>;
  labels: Readonly<Record<string, string>>;
  capacity?: number;
  expectedNodes?: number;
  startupTimeout: number;
  shutdownTimeout: number;
  forgetOrphansAfter: number;
  /** `false`: this node writes nothing into the journal of the cluster. */
  journal: false | Resolved<JournalOptions>;
  readiness: 'application' | 'member';
  globalEnhancers: boolean;
  context?: ContextOptions;
  clusterConfig?: ClusterConfigOptions;
  /** What is in Redis is signed with a key out of it. */
  cookie?: Secret;
  /** Without a cluster there is none, and this says `redis`. */
  transport: RedisTransportOptions | DirectConfig;
  /** True in the command line, which looks at the cluster without being in it. */
  observes?: boolean;
}
