/**
 * Pure: what the environment says, as options. Called by `resolve`.
 * Explicit options win over everything here.
 */
import { FoundationConfigError } from '../errors/config.errors.js';
import { valuesIn } from './environment.table.js';
import type { DirectOptions, FoundationOptions, RedisEndpoint } from './options.js';
import { STRATEGY_NAMES, type StrategyName } from './strategy.settings.js';
import { shownFromEnvironment } from './validate.shape.js';

/** A copy of `process.env`, or a test's own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the variables that Foundation knows; an empty one counts as unset. */
export function fromEnvironment(env: Environment): FoundationOptions {
  const options = valuesIn(env) as FoundationOptions;
  const cluster = clusterFrom(env['FOUNDATION_CLUSTER']);
  if (cluster !== undefined) options.cluster = cluster;
  const labels = labelsFrom(env['FOUNDATION_LABELS']);
  if (labels !== undefined) options.labels = labels;
  const url = env['FOUNDATION_REDIS_URL'] || env['REDIS_URL'];
  const [username, password] = [env['FOUNDATION_REDIS_USERNAME'], env['FOUNDATION_REDIS_PASSWORD']];
  const redis = redisFrom(url, { ...(username ? { username } : {}), ...(password ? { password } : {}) });
  if (redis !== undefined) options.redis = redis;
  const transport = transportFrom(env['FOUNDATION_TRANSPORT']);
  if (transport !== undefined) options.transport = transport;
  if (env['FOUNDATION_COOKIE']) options.security = { ...options.security, cookie: env['FOUNDATION_COOKIE'] };
  return options;
}

/** User and password complete each URL that has neither, and a Redis that has to be found. */
function redisFrom(
  text: string | undefined,
  credentials: Pick<RedisEndpoint, 'username' | 'password'>,
): FoundationOptions['redis'] {
  const isGiven = Object.keys(credentials).length > 0;
  if (!text) return isGiven ? credentials : undefined;
  const urls = text.split(/\s+/).filter((url) => url !== '');
  const hasOwn = (url: string): boolean => /^[\w-]+:\/\/[^/?#]*@/.test(url);
  if (!isGiven || urls.every(hasOwn)) return text;
  const each = urls.map((url) => (hasOwn(url) ? url : { url, ...credentials }));
  return each.length > 1 ? { quorum: each } : each[0];
}

/** Where the direct transport listens, which does not ask for it. */
export function directFromEnvironment(env: Environment): Omit<DirectOptions, 'kind'> {
  const host = env['FOUNDATION_DIRECT_HOST'];
  const advertise = env['FOUNDATION_DIRECT_ADVERTISE'];
  const port = env['FOUNDATION_DIRECT_PORT'];
  if (port && !/^\d{1,5}$/.test(port)) {
    throw new FoundationConfigError(
      'FOUNDATION_DIRECT_PORT',
      shownFromEnvironment(JSON.stringify(port)),
      'a port from 0 (any) to 65535',
    );
  }
  return { ...(host ? { host } : {}), ...(port ? { port: Number(port) } : {}), ...(advertise ? { advertise } : {}) };
}

function transportFrom(value: string | undefined): 'redis' | 'direct' | undefined {
  if (!value) return undefined;
  if (value === 'redis' || value === 'direct') return value;
  throw new FoundationConfigError(
    'FOUNDATION_TRANSPORT',
    shownFromEnvironment(JSON.stringify(value)),
    `redis or direct`,
  );
}

function labelsFrom(value: string | undefined): Record<string, string> | undefined {
  if (!value) return undefined;
  const pairs = value.split(',').map((pair) => pair.split('=').map((part) => part.trim()));
  if (pairs.every(([key, label, ...rest]) => key && label && rest.length === 0)) {
    return Object.fromEntries(pairs) as Record<string, string>;
  }
  throw new FoundationConfigError(
    'FOUNDATION_LABELS',
    shownFromEnvironment(JSON.stringify(value)),
    'name=value pairs, such as role=worker,zone=a',
  );
}

function clusterFrom(value: string | undefined): boolean | StrategyName | undefined {
  const word = value?.trim().toLowerCase();
  if (word === undefined || word === '') return undefined;
  if (['true', '1', 'yes', 'on'].includes(word)) return true;
  if (['false', '0', 'no', 'off'].includes(word)) return false;
  const strategy = STRATEGY_NAMES.find((name) => name === word);
  if (strategy !== undefined) return strategy;
  throw new FoundationConfigError(
    'FOUNDATION_CLUSTER',
    shownFromEnvironment(JSON.stringify(value)),
    `true, false, or one of ${STRATEGY_NAMES.join(', ')}`,
  );
}
