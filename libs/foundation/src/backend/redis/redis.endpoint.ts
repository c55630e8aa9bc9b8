/**
 * Pure: where a client or an endpoint leads, as logs and announcements say it, without any secret, and what of its
 * options our own connections do not take over. Used where a Redis is named; needs no ioredis.
 */
import type { Cluster, ClusterOptions, RedisOptions } from 'ioredis';
import type { RedisAddress, RedisClient, RedisEndpoint } from '../../config/options.js';
import { isClient } from '../../config/resolve.endpoint.js';
import { FoundationConfigError } from '../../errors/config.errors.js';

/**
 * What changes what is sent, when, in which order, or what a reply becomes: for our own connections as ioredis has it
 * by default, whatever the application has for its own. What says where Redis is and how to get in is taken over.
 */
export const OWN_OPTIONS = {
  autoPipeliningIgnoredCommands: [],
  autoResendUnfulfilledCommands: true,
  autoResubscribe: true,
  blockingTimeout: undefined,
  commandTimeout: undefined,
  enableAutoPipelining: false,
  enableOfflineQueue: true,
  enableReadyCheck: true,
  himportFieldsets: undefined,
  lazyConnect: false,
  monitor: false,
  readOnly: false,
  replyMapping: 'legacy',
  role: 'master',
  scripts: undefined,
  showFriendlyErrorStack: false,
  socketTimeout: undefined,
  stringNumbers: false,
} as const satisfies RedisOptions;

/**
 * As in {@link OWN_OPTIONS}: what a client of an application may have otherwise, such as reads from replicas, which may
 * be behind.
 */
export const OWN_OF_CLUSTER = {
  scaleReads: 'master',
  enableAutoPipelining: false,
  autoPipeliningIgnoredCommands: [],
  enableReadyCheck: true,
  shardedSubscribers: false,
  showFriendlyErrorStack: false,
  scripts: undefined,
  himportFieldsets: undefined,
  clusterNodeRetryStrategy: null,
  retryDelayOnMoved: 0,
  retryDelayOnTryAgain: 100,
} as const satisfies ClusterOptions;

/** What leads to a node, a URL or an object, without what `own` has options for. */
export function withoutOptions<T extends string | number | object>(node: T, own: object): T {
  if (typeof node === 'object') {
    return Object.fromEntries(Object.entries(node).filter(([name]) => !(name in own))) as T;
  }
  if (typeof node === 'number' || !node.includes('?')) return node;
  const [place, query] = [node.slice(0, node.indexOf('?')), node.slice(node.indexOf('?') + 1)];
  const kept = new URLSearchParams([...new URLSearchParams(query)].filter(([name]) => !(name in own)));
  return (kept.size === 0 ? place : `${place}?${kept.toString()}`) as T;
}

/** Refuses what cannot be used, before anything is opened. */
export function checkOptions(endpoint: RedisEndpoint | RedisClient): void {
  const { keyPrefix, db } = settingsOf(endpoint);
  const isAdopted = isClient(endpoint);
  const prefix = keyPrefix || (!isAdopted && endpoint.url && queryOf(endpoint.url).get('keyPrefix'));
  if (prefix) {
    throw new FoundationConfigError(
      isAdopted ? 'redis' : 'redis.options.keyPrefix',
      isAdopted ? 'a client with a keyPrefix' : 'a keyPrefix',
      `${isAdopted ? 'a client without one' : 'none'}, because BullMQ and the scripts of Foundation name their keys ` +
        'themselves (use appName)',
    );
  }
  if (isAdopted || !endpoint.cluster || !db) return;
  throw new FoundationConfigError('redis.db', String(db), 'none or 0, because a Redis Cluster has no other database');
}

/** A URL with several hosts is none to Node.js, and its query none to us. */
function queryOf(url: string): URLSearchParams {
  return new URLSearchParams(URL.canParse(url) ? new URL(url).search : '');
}

/** Where a client of this endpoint leads, without any secret. */
export function endpointName(endpoint: RedisEndpoint | RedisClient): string {
  const nodes = nodesOf(endpoint);
  const { sentinels, name, url, host, port, path } = settingsOf(endpoint);
  if (nodes.length > 0) return `cluster ${nodes.map(addressName).join(', ')}`;
  // An ioredis client without sentinels has null here.
  if (sentinels) return `${name ?? 'mymaster'} of sentinels ${sentinels.map(addressName).join(', ')}`;
  if (url === undefined) return path ?? `${host ?? '127.0.0.1'}:${port ?? 6379}`;
  const parsed = new URL(url);
  return parsed.protocol === 'unix:' ? parsed.pathname : `${parsed.hostname || '127.0.0.1'}:${parsed.port || '6379'}`;
}

/** The URL of a single server without any secret; `undefined` for sentinels, a Redis Cluster and a Unix socket. */
export function publicUrl(endpoint: RedisEndpoint | RedisClient): string | undefined {
  const { sentinels, url, host, port, path, db, tls } = settingsOf(endpoint);
  if (nodesOf(endpoint).length > 0 || sentinels || path) return undefined;
  const given = url === undefined ? undefined : new URL(url);
  if (given?.protocol === 'unix:') return undefined;
  const scheme = given?.protocol ?? (tls === undefined || tls === null ? 'redis:' : 'rediss:');
  const name = given?.hostname || host || '127.0.0.1';
  const number = given?.pathname.slice(1) || String(db ?? 0);
  return `${scheme}//${name.includes(':') && !name.startsWith('[') ? `[${name}]` : name}:${given?.port || port || 6379}/${number}`;
}

/** The database of an endpoint; a Redis Cluster has only the first. */
export function databaseOf(endpoint: RedisEndpoint | RedisClient): number {
  if (nodesOf(endpoint).length > 0 || (isClient(endpoint) && (endpoint as unknown as Cluster).isCluster)) return 0;
  const { url, db } = settingsOf(endpoint);
  const given = url === undefined ? undefined : new URL(url);
  const named = given?.protocol === 'unix:' ? undefined : given?.pathname.slice(1);
  const number = Number(named || given?.searchParams.get('db') || db || 0);
  return Number.isSafeInteger(number) && number > 0 ? number : 0;
}

/** Where it leads and in which database, without any secret: two clusters of one name in two databases are two. */
export function placeName(endpoint: RedisEndpoint | RedisClient): string {
  const name = endpointName(endpoint);
  return nodesOf(endpoint).length > 0 ? name : `${name} database ${databaseOf(endpoint)}`;
}

function addressName({ host, port }: { host?: string | undefined; port?: number | undefined }): string {
  return `${host ?? '127.0.0.1'}:${port ?? 6379}`;
}

/** What a client or an endpoint is made with. */
export function settingsOf(endpoint: RedisEndpoint | RedisClient): RedisOptions & { url?: string } {
  return isClient(endpoint) ? endpoint.options : { ...endpoint.options, ...endpoint };
}

/** The nodes of a Redis Cluster, as far as they are known; none for anything else. */
export function nodesOf(endpoint: RedisEndpoint | RedisClient): RedisAddress[] {
  if (!isClient(endpoint)) return endpoint.cluster ?? [];
  const cluster = endpoint as unknown as Cluster;
  if (!cluster.isCluster) return [];
  return cluster.nodes('all').map(({ options: { host = '127.0.0.1', port = 6379 } }) => ({ host, port }));
}
