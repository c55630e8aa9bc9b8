/**
 * Where is Redis? A client or URL in the options · FOUNDATION_REDIS_URL · REDIS_URL · what the strategies find ·
 * 127.0.0.1:6379, where one answers. `resolve` has looked at the first three already.
 * Called by `foundation.module.ts` before the engine is made.
 */
import { connect } from 'node:net';
import { Logger } from '@nestjs/common';
import type { FoundationConfig, RedisEndpoint } from '../../config/options.js';
import { endpointFrom, hasPlace } from '../../config/resolve.js';
import { FoundationConfigError, RedisNotFoundError } from '../../errors.js';
import type { FoundRedis, Topologies } from './topologies.js';

const HOST = '127.0.0.1';
const PORT = 6379;
/** How long strategies have; those that ask a server take milliseconds, those that wait for announcements some seconds. */
const LOOK_MS = 10_000;
const ANSWER_MS = 500;

/** What `findRedis` needs besides the configuration; tests have their own. */
export interface Search {
  /** True when something that speaks the protocol of Redis answers there. */
  answers: (host: string, port: number) => Promise<boolean>;
  lookMs: number;
}

/**
 * The configuration with a place for Redis.
 *
 * Starts the strategies when it has to ask them. When nothing suggested one but development (strategy `mdns`), this machine
 * comes first: a Redis that answers here is used, and no strategy is started.
 *
 * @throws RedisNotFoundError when there is none; what was started is stopped.
 * @throws FoundationConfigError when two strategies name different ones: then nodes could choose differently, and be two
 * clusters, each with an owner of everything; and for a password that would go to a Redis that only `mdns` vouches for.
 */
export async function findRedis(
  config: FoundationConfig,
  topologies: Topologies,
  search: Search = { answers: answersLikeRedis, lookMs: LOOK_MS },
): Promise<FoundationConfig> {
  if (config.engine === 'local' || hasPlace(config.redis)) return config;
  const here = { ...config, redis: { ...config.redis, host: HOST, port: PORT } };
  try {
    if (config.detected && config.strategy === 'mdns' && (await search.answers(HOST, PORT))) {
      await topologies.stop();
      return { ...here, strategy: 'redis' };
    }
    await topologies.start();
    const found = await topologies.redis(search.lookMs);
    const { strategy, url } = theOne(found) ?? {};
    if (url !== undefined) {
      // Checked as an option would be, because it comes from the network. It may hold a password, so it is not logged.
      const place = endpointFrom(url);
      if (strategy === 'mdns') requireNoCredentials(config);
      new Logger('Foundation').log('Redis was found', { strategy });
      return { ...config, redis: { ...config.redis, ...place } };
    }
    if (await search.answers(HOST, PORT)) return here;
    throw new RedisNotFoundError(triedOf(topologies));
  } catch (error) {
    await topologies.stop();
    throw error;
  }
}

/** Anybody in the network can say that Redis is theirs, and would be told the password. */
function requireNoCredentials({ redis }: FoundationConfig): void {
  const { username, password } = redis as RedisEndpoint;
  if (username === undefined && password === undefined) return;
  throw new FoundationConfigError(
    'redis',
    'a user or password without a place, for a Redis that mdns has found',
    'its place as well, in "redis" or FOUNDATION_REDIS_URL: what mdns finds is not authenticated, so no password is sent there',
  );
}

function theOne(found: readonly FoundRedis[]): FoundRedis | undefined {
  const other = found.find(({ url }) => url !== found[0]?.url);
  if (found[0] === undefined || other === undefined) return found[0];
  throw new FoundationConfigError(
    'topologies',
    `different Redis servers from "${found[0].strategy}" and "${other.strategy}"`,
    'strategies that lead to the same Redis; name it in "redis" or FOUNDATION_REDIS_URL to decide',
  );
}

function triedOf(topologies: Topologies): string[] {
  return [
    '"redis" in the options, FOUNDATION_REDIS_URL and REDIS_URL: not set',
    ...topologies.leftOut.map((reason) => `a strategy that could not be loaded: ${reason}`),
    ...topologies
      .status()
      .map(({ strategy, error, peers }) => `strategy "${strategy}": ${error ?? `no Redis among ${peers} peers`}`),
    `${HOST}:${PORT}: no answer`,
  ];
}

/** Any reply to PING will do: `+PONG`, or an error that says that a password is wanted. */
export function answersLikeRedis(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ANSWER_MS, () => done(false));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (data) =>
      done(/^(?:\+PONG|-(?:NOAUTH|DENIED|LOADING|MASTERDOWN|NOPERM|ERR))/.test(String(data))),
    );
  });
}
