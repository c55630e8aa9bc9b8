/**
 * Makes one ioredis client for an endpoint: a single Redis, a primary behind sentinels, a Redis Cluster, or like an adopted one.
 * Used by `redis.connections.ts`; underneath `new Redis`, `new Cluster`, `client.duplicate`.
 */
import type { Socket } from 'node:net';
import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import type { RedisAddress, RedisClient, RedisEndpoint } from '../config/options.js';
import { isClient } from '../config/resolve.js';
import { FoundationConfigError } from '../errors.js';
import { nodesOf } from './redis.names.js';

/** Short and jittered: an incumbent must be back before its own deadline when Redis restarts. */
export function reconnectIn(attempt: number): number {
  return Math.min(500, 25 * 2 ** Math.min(attempt, 5)) + Math.random() * 50;
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
  return hardened(new Cluster(endpoint.cluster, clusterOptions(redisOptions)) as unknown as Redis);
}

/**
 * A server whose certificate is not trusted may refuse ours as well, and then Node reports a second error of the same socket.
 * ioredis listens to one, so the other would end the process; seen with ioredis 6.0 and Redis 7.0.
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
  return client;
}

/**
 * Makes a client for PUBLISH and SUBSCRIBE, which is always one connection.
 *
 * In a Redis Cluster every node passes messages on to all others, and a Cluster client would send each PUBLISH to another
 * one, so that they overtake one another. When the connection breaks, it is the next node's turn.
 */
export function createPubSubClient(endpoint: RedisEndpoint | RedisClient, options: RedisOptions): Redis {
  const { nodes, shared } = clusterOf(endpoint);
  if (nodes.length === 0) return createClient(endpoint, options);
  let turn = Math.floor(Math.random() * nodes.length);
  const client: Redis = new Redis({
    ...shared,
    ...options,
    ...nodes[turn],
    retryStrategy: (attempt) => {
      turn = (turn + 1) % nodes.length;
      // The connector reads these anew for each attempt.
      Object.assign(client.options, nodes[turn]);
      return reconnectIn(attempt);
    },
  });
  return hardened(client);
}

/** Ends a client. One that has ended already is left alone: ioredis would keep the process for two seconds more. */
export function disconnect(client: Redis): void {
  if (client.status !== 'end') client.disconnect();
}

/** Refuses an adopted client that cannot be used, before anything is opened. */
export function checkClient(endpoint: RedisEndpoint | RedisClient): void {
  if (!isClient(endpoint) || !(endpoint.options as RedisOptions).keyPrefix) return;
  throw new FoundationConfigError(
    'redis',
    'a client with a keyPrefix',
    'a client without one, because BullMQ and the scripts of Foundation name their keys themselves (use appName)',
  );
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
  return endpoint.url === undefined ? new Redis(all) : new Redis(endpoint.url, all);
}

function plainOptions(endpoint: RedisEndpoint): RedisOptions {
  const { url: _url, cluster: _cluster, options: passed, name, ...parts } = endpoint;
  return { ...passed, ...parts, ...(parts.sentinels === undefined ? {} : { name: name ?? 'mymaster' }) };
}

function clusterOptions({ enableOfflineQueue, ...redisOptions }: RedisOptions): ClusterOptions {
  return {
    redisOptions,
    enableOfflineQueue,
    clusterRetryStrategy: reconnectIn,
    // A failover is noticed by a command that fails, which asks for the slots anew and is sent again.
    retryDelayOnFailover: 50,
    retryDelayOnClusterDown: 50,
    maxRedirections: 8,
    slotsRefreshTimeout: 2000,
  };
}

function duplicate(client: Redis | Cluster, options: RedisOptions): Redis {
  if (!client.isCluster) return (client as Redis).duplicate(options);
  const { retryStrategy: _retry, reconnectOnError: _reconnect, ...redisOptions } = options;
  return (client as Cluster).duplicate(undefined, clusterOptions(redisOptions)) as unknown as Redis;
}
