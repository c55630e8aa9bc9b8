/**
 * Pure: options, environment and machine → the record every room reads.
 * The only home of defaults and of the rules between options.
 */
import { FoundationConfigError } from '../errors/config.errors.js';
import { Secret } from '../security/secret.js';
import { millisecondsOf } from '../time/duration.js';
import { appNameFrom } from './app.name.js';
import type { FoundationConfig, LeaseTimes, Resolved, ResolvedProcessDefaults } from './config.js';
import { isProduction } from './detect.js';
import {
  endpointFromEnvironment,
  type Environment,
  fromEnvironment,
  isSwitchedOff,
  transportFromEnvironment,
} from './environment.js';
import { overEnvironment, variableFor } from './environment.table.js';
import type { Machine } from './machine.js';
import type {
  CallsOptions,
  ChannelDeclaration,
  ChannelsOptions,
  DurableChannelOptions,
  FoundationOptions,
  LeaseOptions,
  MembershipOptions,
  ProcessDefaults,
} from './options.js';
import { type Endpoint, hasPlace, redisFrom } from './resolve.endpoint.js';
import { type ResolvedTopologies, resolveTopologies } from './resolve.topologies.js';
import { transportFrom } from './resolve.transport.js';
import { isTopologyStrategy } from './topology.strategy.js';
import { withoutUndefined } from './unset.js';
import { checkChannels } from './validate.channels.js';
import { checkDirect, checkEndpoint, checkOptions, checkRedisTransport } from './validate.js';
import { shownFromEnvironment } from './validate.shape.js';

/** The four channels that always exist. */
export const STANDARD_CHANNELS = ['control', 'events', 'telemetry', 'data'] as const;

/**
 * Fills in what was not given (explicit options, then the environment, then defaults) and checks the whole.
 *
 * @throws FoundationConfigError with the option, the value received and what was expected.
 */
export function resolve(options: FoundationOptions, env: Environment, machine: Machine): FoundationConfig {
  checkOptions(options);
  const explicit = withoutUndefined(options);
  // `true` leaves it to the environment which strategy it is, and that may name one.
  const isOpen = explicit.cluster === undefined || explicit.cluster === true;
  const environment = checkedEnvironment(isOpen ? env : withoutCluster(env));
  const given = overEnvironment(environment, explicit);
  if (explicit.cluster === true && typeof environment.cluster === 'string') given.cluster = environment.cluster;
  // A switch for tests of an application whose code says that there is a cluster.
  const isMeant = explicit.cluster === undefined ? given.topologies !== undefined : explicit.cluster !== false;
  const isOff = isMeant && isSwitchedOff(env);
  const topologies = isOff ? undefined : given.topologies;
  // Who hands over strategies wants a cluster, without having to say it twice.
  const cluster = !isOff && (given.cluster ?? topologies !== undefined);
  const clustered = cluster !== false;
  const { appName, isUnnamed } =
    given.appName === undefined ? appNameFrom(env, machine, clustered) : { appName: given.appName, isUnnamed: false };
  const servers = clustered ? redisFrom(given.redis) : { redis: {}, quorum: [] };
  const knowsRedis = hasPlace(servers.redis);
  const strategies = resolveTopologies({ cluster, topologies, appName, env, machine, knowsRedis });
  const config: FoundationConfig = {
    backend: clustered ? 'redis' : 'local',
    appName,
    nodeName: given.nodeName ?? nodeNameFrom(strategies, env, machine),
    strategy: clustered ? strategyName(strategies) : 'none',
    ...strategies,
    ...servers,
    embeddedRedis: clustered && mayEmbed(servers.redis, strategies, env),
    lease: leaseTimes(given.lease ?? {}),
    membership: membershipTimes(given.membership ?? {}),
    processes: processDefaults(given.processes ?? {}),
    channels: channelsFrom(given.channels ?? {}),
    calls: callsFrom(given.calls ?? {}),
    labels: { ...given.labels },
    startupTimeout: millisecondsOf(given.startupTimeout) ?? 5000,
    shutdownTimeout: millisecondsOf(given.shutdownTimeout) ?? 10_000,
    journal: journalFrom(given.journal, environment.journal),
    readiness: given.readiness ?? 'application',
    globalEnhancers: given.globalEnhancers ?? false,
    ...(given.context === undefined ? {} : { context: given.context }),
    ...(given.clusterConfig === undefined ? {} : { clusterConfig: given.clusterConfig }),
    forgetOrphansAfter: millisecondsOf(given.forgetOrphansAfter) ?? 7 * 86_400_000,
    transport: transportFrom(
      given.transport,
      clustered,
      transportFromEnvironment(env),
      withoutUndefined(given.security ?? {}),
    ),
  };
  const cookie = given.security?.cookie ?? undefined;
  if (clustered && cookie !== undefined) config.cookie = new Secret(cookie);
  const release = given.release ?? machine.packageVersion;
  if (release !== undefined) config.release = release;
  if (isUnnamed) config.isUnnamed = true;
  if (isOff) config.isSwitchedOff = true;
  if (given.capacity !== undefined) config.capacity = given.capacity;
  if (given.expectedNodes !== undefined) config.expectedNodes = given.expectedNodes;
  if (clustered && given.redlock !== undefined) config.redlock = given.redlock;
  if (clustered && given.queue !== undefined) config.queue = given.queue;
  checkMembershipAgainstLease(config);
  return config;
}

/** A variable that an option overrides is not even read. */
function withoutCluster({ FOUNDATION_CLUSTER: _cluster, ...env }: Environment): Environment {
  return env;
}

/** The environment follows the rules of the options; its errors name the variable. */
function checkedEnvironment(env: Environment): FoundationOptions {
  const options = fromEnvironment(env);
  try {
    checkOptions(options);
    checkEndpoint(endpointFromEnvironment(env));
    const { format, ...direct } = transportFromEnvironment(env);
    checkDirect({ kind: 'direct', ...direct });
    checkRedisTransport({ kind: 'redis', format });
  } catch (error) {
    if (!(error instanceof FoundationConfigError)) throw error;
    const received = shownFromEnvironment(error.received);
    throw new FoundationConfigError(variableFor(env, error.option), received, error.expected);
  }
  return options;
}

/** `true` among the options leaves it to the environment how long it is. */
function journalFrom(
  given: FoundationOptions['journal'],
  said: FoundationOptions['journal'],
): FoundationConfig['journal'] {
  const journal = given === true && said !== false ? (said ?? true) : (given ?? true);
  if (journal === false) return false;
  const { maxEntries } = journal === true ? {} : withoutUndefined(journal);
  return { maxEntries: maxEntries ?? 10_000 };
}

function callsFrom(calls: CallsOptions): FoundationConfig['calls'] {
  const { concurrency = 64, queue = 1024, stacks = false, timeout } = withoutUndefined(calls);
  return { timeout: millisecondsOf(timeout) ?? 5000, concurrency, queue, stacks };
}

function channelsFrom(channels: ChannelsOptions): FoundationConfig['channels'] {
  const { names = [], maxMessageBytes = 1024 * 1024 } = withoutUndefined(channels);
  const declared = isList(names) ? names.map((name) => [name, {}] as const) : Object.entries(names);
  checkChannels(declared);
  const filled = (options: DurableChannelOptions): Resolved<DurableChannelOptions> => {
    const { maxLength = 100_000, maxDeliveries = 5, acknowledge = 'memory', ...times } = withoutUndefined(options);
    const [retryAfter = 5000, acknowledgeTimeout = 5000] = [times.retryAfter, times.acknowledgeTimeout].map(
      millisecondsOf,
    );
    const asked = typeof acknowledge === 'string' ? acknowledge : { replicas: acknowledge.replicas };
    return { maxLength, maxDeliveries, retryAfter, acknowledge: asked, acknowledgeTimeout };
  };
  return {
    names: [...new Set([...STANDARD_CHANNELS, ...declared.map(([name]) => name)])],
    durable: Object.fromEntries(
      declared.flatMap(([name, { durable = false }]: readonly [string, ChannelDeclaration]) =>
        durable ? [[name, filled(durable === true ? {} : durable)]] : [],
      ),
    ),
    maxMessageBytes,
  };
}

/** `Array.isArray` does not tell a read-only array from an object. */
function isList(names: NonNullable<ChannelsOptions['names']>): names is readonly string[] {
  return Array.isArray(names);
}

/** A pod's name where it is known; a node that Kubernetes says has ended is found by it. */
function nodeNameFrom({ topologies }: ResolvedTopologies, env: Environment, machine: Machine): string {
  const { host, pid, random } = machine;
  const podName = topologies.some((each) => nameOf(each) === 'kubernetes') ? env['POD_NAME'] : undefined;
  return (podName || [host, pid, random].filter((part) => part !== undefined).join('-'))
    .replace(/[^A-Za-z0-9_.-]/g, '-')
    .slice(-128);
}

/**
 * Not in production; not where the nodes are on several machines, as all strategies but mDNS imply, because each of
 * these would get a Redis of its own and be a cluster by itself; and not where an option says anything about
 * Redis.
 */
function mayEmbed(redis: Endpoint, { topologies }: ResolvedTopologies, env: Environment): boolean {
  return (
    !isProduction(env) && Object.keys(redis).length === 0 && topologies.every((strategy) => nameOf(strategy) === 'mdns')
  );
}

function strategyName({ topologies }: ResolvedTopologies): string {
  return topologies.length === 0 ? 'redis' : topologies.map(nameOf).join('+');
}

function nameOf(each: ResolvedTopologies['topologies'][number]): string {
  return isTopologyStrategy(each) ? each.name : each.strategy;
}

function leaseTimes(lease: LeaseOptions): LeaseTimes {
  const ttl = millisecondsOf(lease.ttl) ?? 1500;
  const renewEvery = millisecondsOf(lease.renewEvery) ?? 350;
  const commandTimeout = millisecondsOf(lease.commandTimeout) ?? 200;
  const margin = millisecondsOf(lease.margin) ?? 250;
  // Redlock's drift allowance: 1 % of the ttl and 2 ms
  // (https://redis.io/docs/latest/develop/use/patterns/distributed-locks/).
  const drift = Math.ceil(ttl * 0.01) + 2;
  const deadline = ttl - drift - margin;
  if (deadline < 2 * (renewEvery + commandTimeout)) {
    throw new FoundationConfigError(
      'lease.ttl',
      `${ttl} with renewEvery ${renewEvery}, commandTimeout ${commandTimeout}, margin ${margin}`,
      `ttl − 1 % − 2 − margin (${deadline}) to leave room for two renewals, 2 × (renewEvery + commandTimeout) = ` +
        `${2 * (renewEvery + commandTimeout)}`,
    );
  }
  const onStall = lease.onStall ?? 'fence';
  const grace = millisecondsOf(lease.grace) ?? ttl + drift;
  if (grace < ttl + drift) {
    throw new FoundationConfigError(
      'lease.grace',
      `${grace} with ttl ${ttl}`,
      `at least ttl + 1 % + 2 (${ttl + drift}), so that no new owner begins while the one before may count on its lease`,
    );
  }
  return { ttl, renewEvery, commandTimeout, margin, onStall, deadline, grace };
}

function membershipTimes(membership: MembershipOptions): Resolved<MembershipOptions> {
  const beatEvery = millisecondsOf(membership.beatEvery) ?? 1000;
  const ttl = millisecondsOf(membership.ttl) ?? 3000;
  if (ttl < 2.5 * beatEvery) {
    throw new FoundationConfigError(
      'membership.ttl',
      `${ttl} with beatEvery ${beatEvery}`,
      'at least 2.5 × beatEvery, so that one late beat does not end a node',
    );
  }
  return { beatEvery, ttl };
}

function checkMembershipAgainstLease(config: FoundationConfig): void {
  if (config.membership.ttl < config.lease.ttl) {
    throw new FoundationConfigError(
      'membership.ttl',
      `${config.membership.ttl} with lease.ttl ${config.lease.ttl}`,
      'at least lease.ttl, so that a node is not forgotten while it may still own something',
    );
  }
}

/** Fills in the defaults of the processes; `overrides` are those of a decorator or a start call. */
export function processDefaults(
  overrides: ProcessDefaults,
  base: ResolvedProcessDefaults = {
    restart: 'permanent',
    maxRestarts: 5,
    maxSeconds: 60,
    backoff: { base: 200, cap: 10_000 },
    timeout: 30_000,
    stopTimeout: 5000,
  },
): ResolvedProcessDefaults {
  const { backoff: given = {}, timeout = base.timeout, stopTimeout, ...rest } = withoutUndefined(overrides);
  const backoff = {
    base: millisecondsOf(given.base) ?? base.backoff.base,
    cap: millisecondsOf(given.cap) ?? base.backoff.cap,
  };
  if (backoff.cap < backoff.base) {
    throw new FoundationConfigError('backoff.cap', String(backoff.cap), `at least backoff.base (${backoff.base})`);
  }
  return {
    ...base,
    ...rest,
    backoff,
    timeout: timeout === 'infinity' ? timeout : millisecondsOf(timeout),
    stopTimeout: millisecondsOf(stopTimeout) ?? base.stopTimeout,
  };
}
