/**
 * Where is Redis? A client or URL in the options · FOUNDATION_REDIS_URL · REDIS_URL (these `resolve` has looked at) ·
 * that of the application · what the strategies find · 127.0.0.1:6379, where one answers · in development one that is
 * started there. Called by `foundation.module.ts` before the backend is made.
 */
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { endpointName } from '../backend/redis/redis.endpoint.js';
import type { FoundRedis, TopologyRunner } from '../cluster/topologies/topology.runner.js';
import type { FoundationConfig } from '../config/config.js';
import type { RedisEndpoint } from '../config/options.js';
import { endpointFrom, hasPlace } from '../config/resolve.endpoint.js';
import { FoundationConfigError } from '../errors/config.errors.js';
import { RedisNotFoundError } from '../errors/connection.errors.js';
import { Log } from '../logging/log.js';
import type { ApplicationRedis } from './application.redis.js';
import { INSTALL_EMBEDDED, startEmbeddedRedis } from './embedded.redis.js';
import type { EmbeddedStart } from './embedded.server.js';

/**
 * How long strategies have; those that query a server take milliseconds, those that wait for announcements some
 * seconds.
 */
const LOOK_MS = 10_000;
/**
 * The same where an embedded one is the next thing to try: `mdns` has heard those that are there three times by then.
 */
const LOOK_NEAR_MS = 2000;
const ANSWER_MS = 500;
/** How long the process that was faster with the port has until its Redis answers. */
const WINNER_MS = 5000;
const POLL_MS = 50;

/** What is found at a port. */
export type Answer = 'redis' | 'something else' | 'nothing';

/** What `findRedis` needs besides the configuration; tests have their own. */
export interface Search {
  /** The Redis that the application has anyway. */
  application: () => Promise<ApplicationRedis | undefined>;
  /** Where on this machine one is looked for, and started. */
  here: { host: string; port: number };
  answers: (host: string, port: number) => Promise<Answer>;
  embed: (host: string, port: number) => Promise<EmbeddedStart>;
  lookMs: number;
  winnerMs: number;
}

/** The default port of Redis, and the first guess. */
export const HERE: Search['here'] = { host: '127.0.0.1', port: 6379 };

/**
 * The configuration with a place for Redis.
 *
 * Starts the strategies when it needs them. When nothing suggested one but development (strategy `mdns`), this
 * machine comes first: a Redis that answers here is used, and no strategy is started.
 *
 * @throws RedisNotFoundError when there is none; what was started is stopped.
 * @throws FoundationConfigError when two strategies name different ones: then nodes could choose differently, and be
 * two clusters, each with an owner of everything; and for a password that would go to a Redis that only `mdns` vouches
 * for.
 */
export async function findRedis(
  config: FoundationConfig,
  topologies: TopologyRunner,
  special: Partial<Search> = {},
): Promise<FoundationConfig> {
  if (config.backend === 'local' || hasPlace(config.redis)) return config;
  const embeds = config.embeddedRedis && config.observes !== true;
  const search: Search = {
    application: () => Promise.resolve(undefined),
    here: HERE,
    answers: whoAnswers,
    embed: startEmbeddedRedis,
    lookMs: embeds ? LOOK_NEAR_MS : LOOK_MS,
    winnerMs: WINNER_MS,
    ...special,
  };
  const { host, port } = search.here;
  const here = { ...config, redis: { ...config.redis, host, port } };
  try {
    // The strategy that is only there to find a Redis, which no option names.
    const isForFinding = config.detected && config.strategy === 'mdns';
    const own = Object.keys(config.redis).length === 0 ? await search.application() : undefined;
    if (own !== undefined) {
      const { redis, from } = own;
      new Log().log('Adopted the Redis of the application', { from, endpoint: endpointName(redis) });
      if (isForFinding) await topologies.stop();
      return { ...config, redis, ...(isForFinding ? { strategy: 'redis' } : {}) };
    }
    if (isForFinding && (await search.answers(host, port)) === 'redis') {
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
      new Log().log('Found Redis', { strategy });
      return { ...config, redis: { ...config.redis, ...place } };
    }
    const answer = await search.answers(host, port);
    if (answer === 'redis') return here;
    const tried = [
      NOT_SET,
      ...(special.application === undefined ? [] : [NOT_THERE]),
      ...triedOf(topologies),
      `${host}:${port}: ${MEANING[answer]}`,
    ];
    const obstacle = embeds ? await embed(search, answer) : NOT_EMBEDDED;
    if (obstacle === undefined) return here;
    throw new RedisNotFoundError([...tried, `an embedded one: ${obstacle}`]);
  } catch (error) {
    await topologies.stop();
    throw error;
  }
}

const NOT_SET = '"redis" in the options, FOUNDATION_REDIS_URL and REDIS_URL: not set';
const NOT_THERE = 'BullModule.forRoot and ioredis clients of the application: none that can be used';
const MEANING: Readonly<Record<Exclude<Answer, 'redis'>, string>> = {
  nothing: 'no answer',
  'something else': 'something answers there, but not as Redis does',
};

const NOT_EMBEDDED = 'only in an application outside production, with no strategy but mdns, and no setting for Redis';

/**
 * Starts one here. Of several processes that try at once one gets the port, and the others find its Redis.
 *
 * @returns what stands in the way, `undefined` when one answers now.
 */
async function embed({ here: { host, port }, ...search }: Search, answer: Answer): Promise<string | undefined> {
  const start: EmbeddedStart = answer === 'nothing' ? await search.embed(host, port) : { state: 'port-taken' };
  if (start.state === 'not-installed') return `js-redis-server is not installed; run: ${INSTALL_EMBEDDED}`;
  if (start.state === 'failed') return `js-redis-server did not start: ${start.reason}`;
  for (const until = performance.now() + search.winnerMs; ; await pause(POLL_MS)) {
    if ((await search.answers(host, port)) === 'redis') break;
    if (performance.now() > until) return `${host}:${port} is taken by something that is not Redis; end it`;
  }
  if (start.state === 'listens') {
    new Log().log('Started an embedded Redis; it ends when no node has been connected for 5 seconds', {
      endpoint: `${host}:${port}`,
      pid: start.pid,
    });
  }
  return undefined;
}

/** Any host in the network can announce a Redis, and would be sent the password. */
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

function triedOf(topologies: TopologyRunner): string[] {
  return [
    // Without its remedy: of two, the reader takes the first, which is not the one for a missing Redis.
    ...topologies.leftOut.map((reason) => `a strategy that could not be loaded: ${reason.replace(/\. Run: .*$/s, '')}`),
    ...topologies
      .status()
      .map(({ strategy, error, peers }) => `strategy "${strategy}": ${error ?? `no Redis among ${peers} peers`}`),
  ];
}

/** Any reply to PING will do: `+PONG`, or an error that says that a password is wanted. */
export function whoAnswers(host: string, port: number): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let answer: Answer = 'nothing';
    const done = (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ANSWER_MS, done);
    socket.once('error', done);
    socket.once('close', done);
    socket.once('connect', () => {
      answer = 'something else';
      socket.write('PING\r\n');
    });
    socket.once('data', (data) => {
      if (/^(?:\+PONG|-(?:NOAUTH|DENIED|LOADING|MASTERDOWN|NOPERM|ERR))/.test(String(data))) answer = 'redis';
      done();
    });
  });
}
