/* eslint-disable max-lines -- all options of the module, of which docs/reference/configuration.md is made */
/**
 * The options of `FoundationModule.forRoot`, tier by tier, as documented types.
 * Defaults and checks live in `resolve.ts`; nothing here runs.
 */

import type { ContextOptions } from '../context/context.hook.js';
import type { Duration } from '../time/duration.js';
import type { StrategyConfig, StrategyName, StrategyOptions } from './strategy.settings.js';
import type { TopologyStrategy } from './topology.strategy.js';

/**
 * What Foundation needs of a ready-made ioredis client (`Redis` of ioredis 5 or 6).
 *
 * It is adopted: Foundation makes its own connections with `duplicate()`, of which `redis.options` says
 * what they take over, and never closes yours.
 */
export interface RedisClient {
  readonly status: string;
  readonly options: object;
  duplicate(...overrides: never[]): object;
}

/** What Foundation needs of a ready-made Redlock (`redlock` 5): it takes and frees leases with it. */
export interface RedlockClient {
  readonly clients: ReadonlySet<unknown>;
  acquire(resources: string[], duration: number, settings?: object): Promise<object>;
  release(lock: never, settings?: object): Promise<unknown>;
}

/** What Foundation needs of a ready-made `Queue` of BullMQ: restarts are its jobs. */
export interface BullQueue {
  readonly name: string;
  add(name: string, data: never, options?: never): Promise<object>;
  upsertJobScheduler(...settings: never[]): Promise<unknown>;
}

/** One server among several. */
export interface RedisAddress {
  host: string;
  port: number;
}

/** Where Redis is, as single values; whatever else ioredis takes goes into `options`. */
export interface RedisEndpoint {
  /**
   * Wins over `host` and `port`: `redis://`, `rediss://` (TLS) or `unix://`;
   * `redis-sentinel://host:26379,host:26379/0#mymaster` for a primary that sentinels watch;
   * `redis-cluster://host:6379,host:6379` for a Redis Cluster. User and password go before the first host.
   */
  url?: string;
  /** Default `127.0.0.1`. */
  host?: string;
  /** Default 6379. */
  port?: number;
  username?: string;
  /** Never appears in a log, an error or health. */
  password?: string;
  /** The number of the database. Default 0. */
  db?: number;
  /** The sentinels that know the primary `name`. */
  sentinels?: RedisAddress[];
  /** What the sentinels call the primary. Default `mymaster`. */
  name?: string;
  /** Some nodes of a Redis Cluster; the others are found through them. */
  cluster?: RedisAddress[];
  /**
   * What else every ioredis client gets (`tls`, `sentinels`, `family`, …). What changes what is sent, when, or what is
   * read (`enableAutoPipelining`, `stringNumbers`, `commandTimeout`, `readOnly`, …) stays as Foundation needs it, and a
   * `keyPrefix` is refused.
   */
  options?: Record<string, unknown>;
}

/**
 * Leases on several independent Redis servers (not replicas of one another), of which a majority decides.
 *
 * One of three may die or hang and no owner changes; with two gone, every owner stops itself in time. Everything else
 * (membership, the process table, channels, jobs) is on the first one: while it is away, what runs goes on running and
 * nothing new starts.
 */
export interface RedisQuorum {
  /** Three or another odd number, each as `redis` itself would be given. */
  quorum: (string | RedisEndpoint | RedisClient)[];
}

/** Times of the ownership lease. They are checked against one another when the module is created. */
export interface LeaseOptions {
  /** How long Redis keeps a lease that is not renewed. Default 1500: a dead owner is replaced after about this long. */
  ttl?: Duration;
  /** How often the owner renews all its leases, with one script call. Default 350, ±10 % of jitter. */
  renewEvery?: Duration;
  /** After how long a Redis command of the lease connection counts as failed. Default 200. */
  commandTimeout?: Duration;
  /** How long before the lease can expire the owner stops itself. Default 250; it covers the stop and a late timer. */
  margin?: Duration;
  /**
   * How long a new owner waits after Redis lost its data. Default, and the least: ttl + 1 % + 2 ms. Nodes that have met
   * one with a longer ttl wait for that one's; a node that starts after the loss knows of none. So before a roll-out
   * that lowers `ttl`, give the new nodes the old ttl + 1 % + 2 ms here.
   */
  grace?: Duration;
  /**
   * What happens when the event loop is blocked past the deadline. `fence` (default): the instances are stopped once it
   * is free again; until then a blocked one may go on beside its successor. `exit`: a thread ends the process at the
   * deadline.
   */
  onStall?: 'fence' | 'exit';
}

/** Times of the membership. */
export interface MembershipOptions {
  /** How often a node beats. Default 1000. */
  beatEvery?: Duration;
  /** After how long without a beat a node is down. Default 3000. */
  ttl?: Duration;
}

/** How long and how often a crashed process is restarted. */
export interface BackoffOptions {
  /** The first delay in milliseconds; it doubles with each crash in the window. Default 200. */
  base?: Duration;
  /** The longest delay in milliseconds. Default 10 000. */
  cap?: Duration;
}

/** Defaults of every process; a decorator or a start call may override each. */
export interface ProcessDefaults {
  /** Default `permanent`. */
  restart?: RestartPolicyName;
  /** Ends that a restart follows, allowed in `maxSeconds` before the process is escalated. Default 5. */
  maxRestarts?: number;
  /** The window of `maxRestarts`, in seconds. Default 60. */
  maxSeconds?: number;
  backoff?: BackoffOptions;
  /** How long `onProcessStart` may take, in milliseconds, or `infinity`. Default 30 000. */
  timeout?: Duration | 'infinity';
  /** How long `onProcessStop`, the tasks of `ctx.run` and calls under way may take to end, in ms. Default 5000. */
  stopTimeout?: Duration;
}

/**
 * When a process is started again: `permanent` always, `transient` after a crash or a node's death, `temporary` never.
 */
export type RestartPolicyName = 'permanent' | 'transient' | 'temporary';

/** Remote calls to processes. */
export interface CallsOptions {
  /** How long a call may take, in milliseconds. Default 5000; a call may say otherwise. */
  timeout?: Duration;
  /** Calls that one process handles at a time. Default 64. */
  concurrency?: number;
  /** Calls that may wait for one process before the next one is refused. Default 1024. */
  queue?: number;
  /** Sends the stack of an error to the caller. Default false. */
  stacks?: boolean;
}

/** How a durable channel keeps its messages. */
export interface DurableChannelOptions {
  /** About how many messages are kept; the oldest go, whether they were handled or not. Default 100 000. */
  maxLength?: number;
  /** How often a message is delivered before it becomes a dead letter. Default 5. */
  maxDeliveries?: number;
  /**
   * After how many milliseconds a failed or orphaned message is redelivered. Default 5000. A handler may take longer:
   * its node says that it is still at it.
   */
  retryAfter?: Duration;
  /**
   * When `broadcast` resolves. `memory` (default): Redis has the message. `fsync`: it is on the disk of the primary
   * (`WAITAOF 1 0`, Redis 7.2 with `appendonly yes`). `{ replicas: n }`: it is in the memory of so many replicas
   * (`WAIT n`). Not so in time, it rejects with `MessageNotSafeError`; the message is delivered all the same.
   */
  acknowledge?: Acknowledge;
  /** In how many milliseconds that has to be so. Default 5000, 500 or more; not used with `memory`. */
  acknowledgeTimeout?: Duration;
}

/** What a message of a durable channel has to have reached before its `broadcast` resolves. */
export type Acknowledge = 'memory' | 'fsync' | { replicas: number };

/** A channel of the application. */
export interface ChannelDeclaration {
  /**
   * Keeps its messages in Redis and delivers them at least once to each group that subscribes; `true` with the
   * defaults. Default false.
   */
  durable?: boolean | DurableChannelOptions;
}

/** Channels of the application. */
export interface ChannelsOptions {
  /**
   * The channels besides `control`, `events`, `telemetry` and `data`: a list of names, or an object by name, in which a
   * standard one may be durable as well. `['audit']` is `{ audit: {} }`.
   */
  names?: readonly string[] | Readonly<Record<string, ChannelDeclaration>>;
  /** The largest message in bytes of JSON. Default 1 MiB. */
  maxMessageBytes?: number;
}

/** The transport over Redis. */
export interface RedisTransportOptions {
  kind: 'redis';
  /**
   * What channels and calls publish. `packed` (default): a binary form that takes half the bytes and half the time;
   * where a node of the cluster does not read it, all of them send JSON. `json`: this node asks for JSON, so that
   * `redis-cli SUBSCRIBE` can be read. Environment: `FOUNDATION_TRANSPORT_FORMAT`.
   */
  format?: 'packed' | 'json';
}

/** The transport from node to node. */
export interface DirectOptions {
  kind: 'direct';
  /**
   * Where this node listens. Environment: `FOUNDATION_DIRECT_HOST`. Default: the first address of the machine that is
   * not a loopback; `0.0.0.0` listens on all of them.
   */
  host?: string;
  /** Environment: `FOUNDATION_DIRECT_PORT`. Default 0: any free port. */
  port?: number;
  /**
   * `host:port` at which the others reach this node, where that is another one. Environment:
   * `FOUNDATION_DIRECT_ADVERTISE`.
   */
  advertise?: string;
}

/** PEM files for mutual TLS. Every node has a certificate of the same authority; host names are not verified. */
export interface TlsFiles {
  certificateFile: string;
  keyFile: string;
  caFile: string;
}

/** What keeps strangers out. */
export interface SecurityOptions {
  /**
   * A secret that all nodes share, 16 characters or more, best random (`openssl rand -hex 32`). Never sent, and never
   * in a log, an error or health. Environment: `FOUNDATION_COOKIE`. There is no default.
   *
   * With it, records of nodes, rows, messages and calls in Redis are signed (HMAC-SHA256): a client that reaches
   * Redis without it cannot join, be seen, send or call. What they carry can be read, and who may write can remove it:
   * use an ACL and TLS. Nodes with a different cookie or none are rejected, so all nodes are stopped to change it.
   * Clocks may differ by 5 minutes.
   */
  cookie?: string;
  /** TLS on links between nodes. Default: none, so what the links carry can be read and changed on the way. */
  tls?: TlsFiles;
}

/** How much of the past is kept. */
export interface JournalOptions {
  /**
   * How many entries are kept, 100 to 100 000; beyond that the oldest go. One takes about 300 bytes of Redis. All nodes
   * should say the same: the lowest number holds. Default 10 000.
   */
  maxEntries?: number;
}

/** What `ClusterConfig` is made of. */
export interface ClusterConfigOptions {
  /**
   * A class with decorators of class-validator, or a schema of zod, valibot, arktype or another library with Standard
   * Schema: what all values together have to be. What it makes of them is what `get` gives.
   */
  schema: object;
  /** The values while nothing is set, which the schema has to take; plain JSON, the same on all nodes of a release. */
  defaults: object;
}

/** Options of `FoundationModule.forRoot`. With none at all Foundation runs inside this one process. */
export interface FoundationOptions {
  /**
   * `false` (default): everything inside this process. `true`: a cluster over Redis, with the topology strategy that
   * `FOUNDATION_CLUSTER` names, else the one that the environment suggests; see `detectStrategy`. The name of a
   * strategy, or `{ strategy, … }` with settings: that one.
   *
   * Environment: `FOUNDATION_CLUSTER` (`true`, `false` or a strategy's name). `off` (or `false`, `no`, `0`) wins over
   * whatever is said here, and over `topologies`: an application that says `cluster: true` runs inside one process, as
   * its tests want it.
   */
  cluster?: boolean | StrategyName | StrategyOptions;
  /**
   * Names the cluster; nodes with the same name and the same Redis form one. Environment: `FOUNDATION_APP_NAME`.
   * Default: the name in the package.json of the application, `@acme/shop` as `acme.shop`; without one a cluster does
   * not start in production, and is called `app` with a warning elsewhere.
   */
  appName?: string;
  /**
   * Names this process in the cluster; must be unique there. Environment: `FOUNDATION_NODE_NAME`. Default
   * `<host>-<pid>-<random>`.
   */
  nodeName?: string;
  /**
   * The version of the application that this node runs, 1 to 100 characters, such as that of its image. The journal
   * says when the first node of one comes and the last one of another has left. Environment: `FOUNDATION_RELEASE`.
   * Default: the version in the package.json of the application.
   */
  release?: string;
  /**
   * Where Redis is: a URL, its parts, a ready-made ioredis client (`Redis` or `Cluster`), or a quorum of these.
   * Environment: `FOUNDATION_REDIS_URL`, then `REDIS_URL`; several URLs with spaces between them are a quorum.
   * Default: that of `BullModule.forRoot` or of the one ioredis client among the providers of the application, else
   * what the topology strategy finds, else `127.0.0.1:6379` if a Redis answers there, else, outside production, an
   * embedded one that is started there when `js-redis-server` is installed. An endpoint without a place
   * (`{ password }`, `FOUNDATION_REDIS_USERNAME`, `FOUNDATION_REDIS_PASSWORD`) completes what a strategy finds, or the
   * one on this machine.
   */
  redis?: string | RedisEndpoint | RedisClient | RedisQuorum;
  /**
   * A ready-made Redlock instance, with one client for each Redis that leases are on; adopted, its settings are
   * overridden at each call.
   */
  redlock?: RedlockClient;
  /** A ready-made BullMQ `Queue`; adopted and never closed. Its worker is Foundation's own. */
  queue?: BullQueue;
  lease?: LeaseOptions;
  membership?: MembershipOptions;
  processes?: ProcessDefaults;
  channels?: ChannelsOptions;
  calls?: CallsOptions;
  /**
   * What this node is, for `placement: { labels }`. Environment: `FOUNDATION_LABELS` (`role=worker,zone=a`). Default
   * none.
   */
  labels?: Record<string, string>;
  /** How many processes this node owns at most, replicas on every node included; 0 = none. Default: no limit. */
  capacity?: number;
  /**
   * How many nodes the cluster should have, for its health. Environment: `FOUNDATION_EXPECTED_NODES`. Default: what the
   * topology strategy says, else the highest number that was seen.
   */
  expectedNodes?: number;
  /**
   * How long the start of the application waits for the processes that begin on this node to run, in milliseconds; 0
   * does not wait. What another node owns is not waited for. When the time is over, or one cannot start, the
   * application starts all the same, and the log names what does not run yet. Default 5000.
   */
  startupTimeout?: Duration;
  /**
   * How long leaving the cluster may take in all, in milliseconds, from SIGTERM to closed connections. Default 10 000.
   */
  shutdownTimeout?: Duration;
  /**
   * What `GET /health/ready` goes by. `application` (default): ready until the node drains, whatever Redis does.
   * `member`: ready while the node is a member that takes work.
   */
  readiness?: 'application' | 'member';
  /**
   * True: guards, pipes, interceptors and filters of the whole application (`APP_GUARD`, `useGlobalPipes()` …) apply to
   * `@Callable` and `@Channel` methods, too; `context.getType()` is `'foundation'` there. Default false: only those on
   * the method and on its class do.
   */
  globalEnhancers?: boolean;
  /**
   * What happened in the cluster is kept in Redis: who started, stopped, moved, crashed, joined, left, and gave which
   * command. `Journal`, the dashboard and `npx foundation history` read it. Default true; `false` writes nothing.
   * Environment: `FOUNDATION_JOURNAL` (`true`, `false`).
   */
  journal?: boolean | JournalOptions;
  /**
   * How long the cluster remembers a process that no node declares any longer, such as one that the next release does
   * not have, in milliseconds, from a minute to `365d`. A node that declares it within that time finds it as it was.
   * Default 7 days.
   */
  forgetOrphansAfter?: Duration;
  /**
   * Wizard tier: the strategies that run, several at once, instead of the one of `cluster`; needs a `cluster` that is
   * not `false`. Each is the name of one, `{ strategy, … }`, what a `translate*` function gives, or a
   * `TopologyStrategy` of yours.
   */
  topologies?: readonly (StrategyName | StrategyOptions | StrategyConfig | TopologyStrategy)[];
  /**
   * What carries channels and calls. `redis` (default): PUBLISH and SUBSCRIBE. `direct`: connections from node to node,
   * and Redis for nodes that cannot be reached; it needs `security.cookie`. Environment: `FOUNDATION_TRANSPORT`.
   */
  transport?: 'redis' | 'direct' | RedisTransportOptions | DirectOptions;
  security?: SecurityOptions;
  /**
   * The cluster-wide configuration that `ClusterConfig` gives and sets: what it has to be, and what it is while nothing
   * is set. Default: none.
   */
  clusterConfig?: ClusterConfigOptions;
  /** What travels with messages and calls beside them, such as user, tenant and correlation id. Default: nothing. */
  context?: ContextOptions;
}
