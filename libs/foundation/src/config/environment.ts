/**
 * Pure: what the environment says, as options. Called by `resolve`.
 * Explicit options win over everything here.
 */
import { FoundationConfigError } from '../errors/config.errors.js';
import { textIn, valuesIn } from './environment.table.js';
import type { DirectOptions, FoundationOptions, RedisEndpoint, RedisTransportOptions } from './options.js';
import { STRATEGY_NAMES, type StrategyName, type StrategySettings } from './strategy.settings.js';
import { shownFromEnvironment } from './validate.shape.js';

const NO = ['false', '0', 'no', 'off'];

/** A copy of `process.env`, or a test's own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Settings of both transports. */
export type TransportSettings = Omit<DirectOptions, 'kind'> & Omit<RedisTransportOptions, 'kind'>;

/** What the environment says, sorted by who reads it. */
interface Said {
  options: FoundationOptions;
  redis: RedisEndpoint;
  transport: TransportSettings;
  strategies: StrategySettings;
}

function saidBy(env: Environment): Said {
  const { redis = {}, transport = {}, ...options } = valuesIn(env);
  const strategies: Record<string, unknown> = {};
  for (const name of STRATEGY_NAMES) {
    strategies[name] = options[name] ?? {};
    delete options[name];
  }
  return { options, redis, transport, strategies } as unknown as Said;
}

/** Reads the variables that Foundation knows; an empty one counts as unset. */
export function fromEnvironment(env: Environment): FoundationOptions {
  const { options, redis: parts } = saidBy(env);
  const cluster = clusterFrom(textIn(env, 'cluster'));
  if (cluster !== undefined) options.cluster = cluster;
  const labels = labelsFrom(textIn(env, 'labels'));
  if (labels !== undefined) options.labels = labels;
  const redis = redisFrom(textIn(env, 'redis.url'), parts);
  if (redis !== undefined) options.redis = redis;
  const journal = textIn(env, 'journal');
  // Beside `true`, what the other variable says of it holds.
  if (journal !== undefined && journal !== 'true') options.journal = (journal === 'false' ? false : journal) as boolean;
  else if (journal === 'true') options.journal ??= true;
  const transport = transportFrom(textIn(env, 'transport'));
  if (transport !== undefined) options.transport = transport;
  return options;
}

/**
 * User and password complete each URL that has neither, a number of the database each that has none, and all of them a
 * Redis that has to be found.
 */
function redisFrom(text: string | undefined, parts: RedisEndpoint): FoundationOptions['redis'] {
  if (!text) return Object.keys(parts).length > 0 ? parts : undefined;
  // As among the options, the URL wins.
  const { host: _host, port: _port, username, password, ...others } = parts;
  const credentials = { ...(username ? { username } : {}), ...(password ? { password } : {}) };
  const completed = (url: string): string | RedisEndpoint => {
    const more = { ...others, ...(/^[\w-]+:\/\/[^/?#]*@/.test(url) ? {} : credentials) };
    return Object.keys(more).length > 0 ? { url, ...more } : url;
  };
  const each = text
    .split(/\s+/)
    .filter((url) => url !== '')
    .map(completed);
  if (each.every((one) => typeof one === 'string')) return text;
  return each.length > 1 ? { quorum: each } : each[0];
}

/** Parts of the place of Redis, which follow the rules of `redis` even beside a URL. */
export function endpointFromEnvironment(env: Environment): RedisEndpoint {
  return saidBy(env).redis;
}

/** What the environment says of either transport, which does not choose it. */
export function transportFromEnvironment(env: Environment): TransportSettings {
  return saidBy(env).transport;
}

/** The settings of each strategy. */
export function strategiesFromEnvironment(env: Environment): StrategySettings {
  return saidBy(env).strategies;
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

/** True when the environment says that there is no cluster, whatever the options say. */
export function isSwitchedOff(env: Environment): boolean {
  return NO.includes(textIn(env, 'cluster')?.trim().toLowerCase() ?? '');
}

function clusterFrom(value: string | undefined): boolean | StrategyName | undefined {
  const word = value?.trim().toLowerCase();
  if (word === undefined || word === '') return undefined;
  if (['true', '1', 'yes', 'on'].includes(word)) return true;
  if (NO.includes(word)) return false;
  const strategy = STRATEGY_NAMES.find((name) => name === word);
  if (strategy !== undefined) return strategy;
  throw new FoundationConfigError(
    'FOUNDATION_CLUSTER',
    shownFromEnvironment(JSON.stringify(value)),
    `true, false, or one of ${STRATEGY_NAMES.join(', ')}`,
  );
}
