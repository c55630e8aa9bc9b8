/**
 * Makes one ioredis client for an endpoint: a single Redis, a primary behind sentinels, a Redis Cluster, or like an
 * adopted one. Used by `redis.connections.ts`; underneath `new Redis`, `new Cluster`, `client.duplicate`.
 */
import '../../foreign/fast.strings.js';
import type { Socket } from 'node:net';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress, RedisClient, RedisEndpoint } from '../../config/options.js';
import { isClient } from '../../config/resolve.endpoint.js';
import { exponential, jittered } from '../../time/backoff.js';
import { nodesOf, OWN_OF_CLUSTER, withoutOptions } from './redis.endpoint.js';

/** Short and jittered: an incumbent must be back before its own deadline when Redis restarts. */
export function reconnectIn(attempt: number): number {
  return exponential(25, 500, attempt) + jittered(50, 0, 1);
}

/**
 * Makes a client for commands with keys.
 *
 * A Cluster has the commands of a Redis; the few differences (`isCluster`, the shape of its options) are handled here.
 */
export function createClient(endpoint: RedisEndpoint | RedisClient, options: RedisOptions): Redis {
  if (isClient(endpoint)) return hardened(duplicate(endpoint as unknown as Redis | Cluster, options));
  if (endpoint.cluster === undefined) return hardened(createPlainClient(endpoint, options));
  const redisOptions = { ...plainOptions(endpoint), ...options };
  return hardened(remembering(new Cluster(endpoint.cluster, clusterOptions(redisOptions))));
}

/** How many nodes of a Redis Cluster are remembered. */
const MAX_MET = 100;
const met = new WeakMap<Redis, Map<string, RedisAddress>>();

/**
 * The nodes of a Redis Cluster that this client has met, those that it met last at the end; none for any other client.
 */
export function metNodes(client: Redis): RedisAddress[] {
  return [...(met.get(client)?.values() ?? [])];
}

/**
 * The nodes that were named may be gone for good when the connection has to be replaced; those that came since are
 * not.
 */
function remembering(cluster: Cluster): Redis {
  const client = cluster as unknown as Redis;
  const nodes = new Map<string, RedisAddress>();
  met.set(client, nodes);
  client.on('+node', ({ options: { host = '127.0.0.1', port = 6379 } }: Redis) => {
    const key = `${host}:${port}`;
    nodes.delete(key);
    nodes.set(key, { host, port });
    const oldest = nodes.size > MAX_MET ? nodes.keys().next().value : undefined;
    if (oldest !== undefined) nodes.delete(oldest);
  });
  return client;
}

const said = new WeakMap<Redis, string>();

/** The error that Redis answered with before it closed a new connection, such as that it has too many clients. */
export function saidBy(client: Redis): string | undefined {
  return said.get(client);
}

/**
 * Keeps the first answer on each connection if it is an error. ioredis ignores it, as it is the one to
 * `CLIENT SETNAME`, and reports how the connection broke: `write EPIPE`.
 */
export function listenFirst(client: Redis): Redis {
  if (client.isCluster) return client;
  client.on('connect', () => {
    (client as unknown as { stream?: Socket }).stream?.once('data', (chunk: Buffer) => {
      const [, error] = /^-([^\r\n]{1,200})/.exec(chunk.subarray(0, 256).toString()) ?? [];
      if (error !== undefined) said.set(client, error);
    });
  });
  return client.on('ready', () => said.delete(client));
}

/**
 * A server whose certificate is not trusted may refuse ours as well, and then Node reports a second error of the same
 * socket. ioredis listens to one, so the other would end the process; seen with ioredis 6.0 and Redis 7.0. And it ends
 * a connection once for each answer after which it reconnects (READONLY), with a listener each time.
 */
export function hardened(client: Redis): Redis {
  if (client.isCluster) return client.on('+node', hardened);
  let stream: Socket | undefined;
  Object.defineProperty(client, 'stream', {
    get: () => stream,
    set(next: Socket | undefined) {
      stream = next?.on('error', () => undefined);
    },
  });
  const disconnect = client.disconnect.bind(client);
  client.disconnect = (again = false) => void ((again && stream?.writableEnded === true) || disconnect(again));
  return client;
}

/**
 * Gives a command up only when its time is over and its answer has not arrived. ioredis goes by a timer alone, which
 * after a busy turn fires before what has arrived is read: a lease that was taken would have no owner until it expires.
 */
export function readBeforeTimeout(client: Redis): Redis {
  if (client.isCluster) return client.on('+node', readBeforeTimeout);
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, ...rest) => {
    // ioredis gives the command a timer of this many milliseconds, and clears the one that it finds here once it has
    // settled.
    const internals = command as unknown as { _commandTimeoutTimer?: NodeJS.Timeout };
    command.setTimeout = (ms) => {
      internals._commandTimeoutTimer ??= setTimeout(() => {
        // In a turn of the event loop, I/O comes between timers and immediates.
        setImmediate(() => {
          if (!command.isSettled) command.reject(new Error('Command timed out'));
        });
      }, ms);
    };
    return send(command, ...rest);
  };
  return client;
}

/** Commands that follow one another within so many milliseconds share a timer of {@link endWhenSilent}. */
const BUSY_MS = 50;

/**
 * Ends a connection that brings nothing for `ms` while a command waits for its answer; ioredis makes a new one at once.
 *
 * A half-open connection looks fine for minutes, to TCP and to ioredis, while a new one would work. ioredis'
 * `socketTimeout` goes by a timer alone, which after a busy turn fires before what has arrived is read, and would end a
 * sound connection.
 */
export function endWhenSilent(client: Redis, ms: number): Redis {
  if (client.isCluster) return client.on('+node', (node: Redis) => endWhenSilent(node, ms));
  // ioredis keeps here what has no answer yet, also what it has given up waiting for.
  const internals = client as unknown as { commandQueue?: { length: number }; stream?: Socket };
  const send = client.sendCommand.bind(client);
  const isWaiting = (): boolean => Boolean(internals.commandQueue?.length);
  let watched: Socket | undefined;
  /** When what was waited for last began to be, or something came; and when the last watch ended. */
  let [quietSince, endedAt] = [0, -Infinity];
  const watch = (): void => {
    const { stream } = internals;
    if (stream === undefined || stream.destroyed || !isWaiting()) return;
    watched = stream;
    // One timer goes on while commands follow one another, since one for each costs more; where they are rare it ends
    // with the answer, and wakes nobody up.
    const isBusy = quietSince - endedAt < BUSY_MS;
    const heard = (): void => {
      quietSince = performance.now();
      if (!isBusy && !isWaiting()) done();
    };
    // What is there is read before this looks: in a turn of the event loop, I/O comes between timers and immediates.
    const wait = (left: number): NodeJS.Timeout => setTimeout(() => setImmediate(look), left);
    const look = (): void => {
      if (timer === undefined) return;
      const left = Math.ceil(quietSince + ms - performance.now());
      if (!isWaiting()) done();
      else if (left > 0) timer = wait(left);
      else stream.destroy(new Error(`Redis did not answer for ${ms} ms; the connection is replaced`));
    };
    let timer: NodeJS.Timeout | undefined = wait(ms);
    const done = (): void => {
      endedAt = performance.now();
      clearTimeout(timer);
      timer = undefined;
      stream.off('data', heard);
      stream.off('close', done);
      if (watched === stream) watched = undefined;
    };
    stream.on('data', heard);
    stream.on('close', done);
  };
  client.sendCommand = (...args) => {
    if (!isWaiting()) quietSince = performance.now();
    const sent = send(...args);
    if (watched !== internals.stream) watch();
    return sent;
  };
  return client;
}

/**
 * Makes a client for PUBLISH and SUBSCRIBE, which is always one connection.
 *
 * In a Redis Cluster every node passes messages on to all others, and a Cluster client would send each PUBLISH to
 * another one, so that they overtake one another. When the connection breaks, it is the next node's turn.
 */
export function createPubSubClient(
  endpoint: RedisEndpoint | RedisClient,
  options: RedisOptions,
  /** The nodes that another client has met, since those that were named may be gone for good. */
  others: () => RedisAddress[] = () => [],
): Redis {
  const { nodes, shared } = clusterOf(endpoint);
  if (nodes.length === 0) return createClient(endpoint, options);
  let turn = Math.floor(Math.random() * nodes.length);
  const client: Redis = new Redis({
    ...shared,
    ...nodes[turn],
    ...options,
    db: 0,
    retryStrategy: (attempt) => {
      const all = [...new Map([...nodes, ...others()].map((each) => [`${each.host}:${each.port}`, each])).values()];
      turn = (turn + 1) % all.length;
      // The connector reads these again for each attempt.
      Object.assign(client.options, all[turn]);
      return reconnectIn(attempt);
    },
  });
  return hardened(client);
}

/**
 * Ends a client; from here on each command of it fails with `why`. One that has ended already is left alone: ioredis
 * would keep the process for two seconds more.
 */
export function disconnect(client: Redis, why?: Error): void {
  if (why !== undefined) client.sendCommand = (command) => (command.reject(why), command.promise);
  if (client.status !== 'end') client.disconnect();
}

/** The nodes of a Redis Cluster and the options that its connections share; no nodes for anything else. */
function clusterOf(endpoint: RedisEndpoint | RedisClient): { nodes: RedisAddress[]; shared: RedisOptions } {
  const nodes = nodesOf(endpoint);
  if (!isClient(endpoint)) return { nodes, shared: plainOptions(endpoint) };
  const cluster = endpoint as unknown as Cluster;
  return { nodes, shared: cluster.isCluster ? (cluster.options.redisOptions ?? {}) : {} };
}

function createPlainClient(endpoint: RedisEndpoint, options: RedisOptions): Redis {
  const all = { ...plainOptions(endpoint), ...options };
  // ioredis prefers what a URL says to its options.
  return endpoint.url === undefined ? new Redis(all) : new Redis(withoutOptions(endpoint.url, options), all);
}

function plainOptions(endpoint: RedisEndpoint): RedisOptions {
  const { url: _url, cluster: _cluster, options: passed, name, ...parts } = endpoint;
  return { ...passed, ...parts, ...(parts.sentinels === undefined ? {} : { name: name ?? 'mymaster' }) };
}

/** What ioredis takes from the options of a Redis Cluster, and not from those of its connections. */
type OfCluster = Pick<ClusterOptions, 'dnsLookup' | 'natMap'>;

/** ioredis looks names up and connects to the addresses, for which no certificate is valid. */
const asNamed: NonNullable<ClusterOptions['dnsLookup']> = (name, found) => void found(null, name);

function clusterOptions(given: RedisOptions & OfCluster): ClusterOptions {
  const { enableOfflineQueue, dnsLookup, natMap, lazyConnect = false, ...redisOptions } = given;
  const lookup = dnsLookup ?? (redisOptions.tls ? asNamed : undefined);
  let first: unknown[] | undefined;
  return {
    ...OWN_OF_CLUSTER,
    redisOptions: { ...redisOptions, lazyConnect, db: 0 },
    enableOfflineQueue,
    lazyConnect,
    ...(lookup === undefined ? {} : { dnsLookup: lookup }),
    ...(natMap === undefined ? {} : { natMap }),
    clusterRetryStrategy(this: Cluster, attempt) {
      // ioredis reconnects to the nodes that are in here.
      const internals = this as unknown as { startupNodes: unknown[] };
      const named = (first ??= internals.startupNodes);
      internals.startupNodes = [...named, ...metNodes(this as unknown as Redis)];
      return reconnectIn(attempt);
    },
    // A failover is noticed by a command that fails, which refreshes the slots and is sent again.
    retryDelayOnFailover: 50,
    retryDelayOnClusterDown: 50,
    maxRedirections: 8,
    slotsRefreshTimeout: 2000,
  };
}

function duplicate(client: Redis | Cluster, options: RedisOptions): Redis {
  if (!client.isCluster) return (client as Redis).duplicate(options);
  const { retryStrategy: _retry, reconnectOnError: _reconnect, ...redisOptions } = options;
  // What is said of a single node wins over the options of all.
  const { startupNodes } = client as unknown as { startupNodes: readonly (string | number | object)[] };
  const nodes = startupNodes.map((node) => withoutOptions(node, options));
  return remembering((client as Cluster).duplicate(nodes, clusterOptions(redisOptions)));
}

/** How long a connection that is being made is waited for, in milliseconds. */
const CONNECT_MS = 1000;

/** Resolves when a connection that is being made is there, or could not be made; does not wait for long. */
export function connected(client: Redis): Promise<void> {
  if (client.status === 'ready') return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      for (const event of ['ready', 'close', 'end']) client.off(event, done);
      resolve();
    };
    const timer = setTimeout(done, CONNECT_MS);
    for (const event of ['ready', 'close', 'end']) client.once(event, done);
  });
}
