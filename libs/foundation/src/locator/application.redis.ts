/**
 * The Redis that the application has anyway: the root configuration of `@nestjs/bullmq`, or the one ioredis client
 * among its providers. Called by the search for Redis, while Nest makes the instances of all modules; it waits for
 * those that it inspects.
 */
import type { InjectionToken } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import { endpointName, settingsOf } from '../backend/redis/redis.endpoint.js';
import type { RedisClient, RedisEndpoint } from '../config/options.js';
import { endpointFrom, isClient } from '../config/resolve.endpoint.js';
import { isError } from '../errors/describe.js';
import { Log } from '../logging/log.js';
import { valueWithin } from '../time/timeout.js';

/** What `BullModule.forRoot` and `forRootAsync` of `@nestjs/bullmq` 11 and 12 provide (`getSharedConfigToken()`). */
const BULLMQ_CONFIG = 'BULLMQ_CONFIG(default)';
/**
 * A factory that takes longer is not waited for; one that waits for Foundation by `ModuleRef`, which cannot be seen,
 * neither.
 */
const WAIT_MS = 10_000;
const LOOK_MS = 20;

type Provider = ReturnType<DiscoveryService['getProviders']>[number];

/** A Redis of the application, and where it was found. */
export interface ApplicationRedis {
  redis: RedisEndpoint | RedisClient;
  from: string;
}

/**
 * Looks through the providers of the application; `undefined` when it has no Redis, or several, which is logged.
 *
 * BullMQ's comes first: its Redis must not evict keys, as Foundation's must not, whereas other clients may lead to a
 * cache. A client counts when it is a value, of a class that extends ioredis, or made by a factory with "redis" in its
 * token.
 *
 * @param self the token of the provider that waits for the answer: what needs it cannot be asked, and its module has
 * ioredis clients of its own.
 */
export async function findApplicationRedis(
  discovery: DiscoveryService,
  self: InjectionToken,
  waitMs = WAIT_MS,
): Promise<ApplicationRedis | undefined> {
  const all = discovery.getProviders();
  const asking = all.find(({ token }) => token === self);
  const others = all.filter(({ host, isTransient }) => host !== asking?.host && !isTransient);
  const until = performance.now() + waitMs;
  const ready = async (provider: Provider): Promise<boolean> => settles(provider, asking?.id, until);

  const config = others.find(({ token }) => token === BULLMQ_CONFIG);
  if (config !== undefined && (await ready(config))) {
    const redis = connectionIn(config.instance);
    if (redis !== undefined) return { redis, from: 'BullModule.forRoot' };
  }
  const candidates = others.filter(mayBeClient);
  await Promise.all(candidates.map(ready));
  return theOne(candidates.filter(({ instance }) => isIoredis(instance)));
}

function mayBeClient({ token, name, instance, metatype, inject }: Provider): boolean {
  if (isIoredis(instance)) return true;
  const isFactory = Array.isArray(inject);
  if (isFactory) return /redis/i.test(nameOf(token) || String(name));
  return typeof (metatype?.prototype as Partial<RedisClient> | undefined)?.duplicate === 'function';
}

/**
 * True once Nest has made the instance; false for one that waits for us, or takes too long.
 *
 * Underneath: the signal that Nest's injector keeps for each instance that it makes.
 *
 * @throws what the provider failed with, as the application will.
 */
async function settles({ settlementSignal }: Provider, asking: string | undefined, until: number): Promise<boolean> {
  if (settlementSignal === undefined) return false;
  const outcome = settlementSignal.asPromise().then((error: unknown) => ({ error }));
  for (;;) {
    const settled = await valueWithin(LOOK_MS, outcome);
    if (isError(settled?.error)) throw settled.error;
    if (settled !== undefined) return settled.error === undefined;
    if (performance.now() > until || (asking !== undefined && settlementSignal.isCycle(asking))) return false;
  }
}

/** A client of another library, such as node-redis, has no `status`. */
function isIoredis(value: unknown): value is RedisClient {
  return isClient(value) && typeof value.status === 'string' && typeof value.options === 'object';
}

/**
 * What BullMQ would connect to: a client, or options of ioredis, which may have a `url`. Its other clients are not
 * ours.
 */
function connectionIn(config: unknown): RedisEndpoint | RedisClient | undefined {
  const { connection } = (config ?? {}) as { connection?: unknown };
  if (isIoredis(connection)) return withoutPrefix(connection);
  const isOptions = typeof connection === 'object' && connection !== null && !isClient(connection);
  if (!isOptions || 'connect' in connection) return undefined;
  const { url, keyPrefix: _prefix, ...options } = connection as { url?: string; keyPrefix?: string };
  if (url !== undefined) return { ...endpointFrom(url), options };
  return { options: { host: '127.0.0.1', port: 6379, ...options } };
}

function theOne(providers: readonly Provider[]): ApplicationRedis | undefined {
  const places = new Map<string, { redis: RedisClient; tokens: string[] }>();
  for (const { token, instance } of providers) {
    const redis = instance as RedisClient;
    const place = `${endpointName(redis)}/${settingsOf(redis).db ?? 0}`;
    places.set(place, { redis, tokens: [...(places.get(place)?.tokens ?? []), nameOf(token)] });
  }
  const [first, other] = places.values();
  if (first === undefined) return undefined;
  if (other === undefined) {
    const redis = withoutPrefix(first.redis);
    return redis === undefined ? undefined : { redis, from: `the provider ${first.tokens.join(', ')}` };
  }
  new Log().warn(
    'The application has clients of several Redis, so none of them is used; pass the one for Foundation: ' +
      'forRootAsync({ inject: [TOKEN], useFactory: (redis) => ({ cluster: true, redis }) })',
    Object.fromEntries([...places].map(([place, { tokens }]) => [tokens.join(', '), place])),
  );
  return undefined;
}

/**
 * The client, or one like it that never connects and has no prefix, which BullMQ and the scripts could not use.
 * A Cluster is queried for its nodes, so there it has to be the one that is connected.
 */
function withoutPrefix(redis: RedisClient): RedisClient | undefined {
  const { keyPrefix } = settingsOf(redis);
  if (!keyPrefix) return redis;
  if ((redis as { isCluster?: boolean }).isCluster !== true) {
    return (redis.duplicate as (options: object) => RedisClient)({ keyPrefix: '', lazyConnect: true });
  }
  new Log().warn('The Redis Cluster client of the application has a keyPrefix, so it is not used');
  return undefined;
}

function nameOf(token: InjectionToken): string {
  return typeof token === 'function'
    ? token.name
    : typeof token === 'symbol'
      ? (token.description ?? '')
      : String(token);
}
