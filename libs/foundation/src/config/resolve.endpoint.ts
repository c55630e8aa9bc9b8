/**
 * Pure: where Redis is, from a URL, its parts, a client or several of these. Named so, and not after Redis, because it
 * is also loaded where nothing is clustered.
 */
import { FoundationConfigError } from '../errors/config.errors.js';
import type { FoundationOptions, RedisAddress, RedisClient, RedisEndpoint } from './options.js';
import { checkEndpoint } from './validate.js';

/** One Redis. */
export type Endpoint = RedisEndpoint | RedisClient;

/** The first Redis, where everything is, and the others of a quorum. */
export function redisFrom(redis: FoundationOptions['redis']): { redis: Endpoint; quorum: Endpoint[] } {
  const several = severalFrom(redis);
  if (several === undefined) return { redis: oneFrom(redis as string | Endpoint | undefined), quorum: [] };
  if (!Array.isArray(several) || several.length < 3 || several.length % 2 === 0) {
    const received = Array.isArray(several) ? `${several.length} Redis servers` : `a ${typeof several}`;
    throw new FoundationConfigError('redis.quorum', received, 'three, or another odd number, of Redis servers');
  }
  const [first, ...others] = (several as (string | Endpoint)[]).map((each) => oneFrom(each ?? null));
  return { redis: first!, quorum: others };
}

/** The servers of a quorum, unchecked; `undefined` for a single Redis. */
function severalFrom(redis: FoundationOptions['redis']): unknown {
  if (typeof redis === 'string') {
    const urls = redis.split(/\s+/).filter((url) => url !== '');
    return urls.length > 1 ? urls : undefined;
  }
  const isQuorum = typeof redis === 'object' && 'quorum' in redis && !isClient(redis);
  return isQuorum ? redis.quorum : undefined;
}

function oneFrom(redis: string | Endpoint | undefined): Endpoint {
  if (redis === undefined) return {};
  if (typeof redis === 'string') return endpointFrom(redis.trim());
  if (isClient(redis)) return redis;
  checkEndpoint(redis);
  if (redis.url === undefined) return redis;
  const place = endpointFrom(redis.url);
  // What the URL implies gives way to what is said in full: a CA, a password of sentinels, a `natMap`.
  return {
    ...redis,
    ...place,
    ...(redis.options && place.options && { options: { ...place.options, ...redis.options } }),
  };
}

/** True for a ready-made ioredis client. */
export function isClient(redis: unknown): redis is RedisClient {
  return typeof redis === 'object' && redis !== null && 'duplicate' in redis && typeof redis.duplicate === 'function';
}

/** True for an endpoint that says where Redis is, and does not only complete what has to be found. */
export function hasPlace(redis: RedisEndpoint | RedisClient): boolean {
  const places = ['url', 'host', 'port', 'sentinels', 'cluster', 'path'];
  const isPlaceIn = (value: object): boolean =>
    places.some((place) => (value as Record<string, unknown>)[place] !== undefined);
  return isClient(redis) || isPlaceIn(redis) || isPlaceIn(redis.options ?? {});
}

const SEVERAL_HOSTS =
  /^redis(s)?-(sentinel|cluster):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/?#@]+)(?:\/(\d*))?(?:#(.+))?$/;

/** Reads the URL of one Redis, of sentinels or of a Redis Cluster. */
export function endpointFrom(url: string): RedisEndpoint {
  if (/^(?:rediss?|unix):\/\//.test(url) && URL.canParse(url)) {
    const { username, password, protocol, pathname, searchParams } = new URL(url);
    decoded(username);
    decoded(password);
    if (protocol !== 'unix:') requireDatabase(pathname.slice(1));
    requireDatabase(searchParams.get('db') ?? '');
    return { url };
  }
  const parts = SEVERAL_HOSTS.exec(url);
  const hosts = parts?.[5]?.split(',').map(addressFrom) ?? [undefined];
  if (parts === null || hosts.includes(undefined)) {
    // It may hold a password, so the error does not show it.
    throw new FoundationConfigError(
      'redis',
      'a text that is no Redis URL',
      'a URL such as redis://127.0.0.1:6379, rediss://…, unix:///path, redis-sentinel://host:26379,host:26379#mymaster ' +
        'or redis-cluster://host:6379,host:6379',
    );
  }
  const [, tls, kind, username, password, , db, name] = parts;
  return {
    [kind === 'sentinel' ? 'sentinels' : 'cluster']: hosts,
    ...(username ? { username: decoded(username) } : {}),
    ...(password ? { password: decoded(password) } : {}),
    ...(db ? { db: Number(db) } : {}),
    ...(name ? { name } : {}),
    ...(tls ? { options: { tls: {} } } : {}),
  };
}

/** Redis would refuse it with each connection. The error does not show it: it may be the rest of a password. */
function requireDatabase(named: string): void {
  if (/^\d{0,9}$/.test(named)) return;
  throw new FoundationConfigError(
    'redis',
    'a URL in which something else stands in the place of the database',
    'a number there, such as redis://127.0.0.1:6379/2, and a / in a password as %2F',
  );
}

/** The error says no more of it than that it is not encoded: it may be a password. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new FoundationConfigError(
      'redis',
      'a URL with a % in the user or the password that begins no code',
      'a percent-encoded user and password: % as %25, @ as %40, : as %3A, / as %2F',
    );
  }
}

/** `host:port` or `[address]:port`. */
function addressFrom(text: string): RedisAddress | undefined {
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}
