/**
 * Pure: where a client or an endpoint leads, as logs and announcements say it, without any secret.
 * Used where a Redis is named; needs no ioredis.
 */
import type { Cluster, RedisOptions } from 'ioredis';
import type { RedisAddress, RedisClient, RedisEndpoint } from '../../config/options.js';
import { isClient } from '../../config/resolve.endpoint.js';

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
