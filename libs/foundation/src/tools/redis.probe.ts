/**
 * One connection that tries what a node will need, and says what each thing came to. Keeps nothing in Redis.
 * Called by the command line; underneath plain commands on keys of its own, below the application's hash tag.
 */
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { RedisClient, RedisEndpoint } from '../config/options.js';
import { describe } from '../errors.js';
import { createClient, createPubSubClient, disconnect } from './redis.client.js';
import { endpointName } from './redis.names.js';
import { toNumber, toTexts } from './script.js';

/** A command that Redis did not carry out, and what it said. */
export interface Refused {
  command: string;
  reply: string;
}

/** A server as one connection sees it. */
export interface RedisProbe {
  /** Without any secret. */
  readonly endpoint: string;
  info(): Promise<string>;
  /** Its clock and ours in milliseconds since 1970, and how long the answer took. */
  time(): Promise<{ theirs: number; ours: number; tookMs: number }>;
  /** The ACL user of this connection. */
  user(): Promise<string>;
  /** Tries the commands of Foundation and BullMQ on keys and topics that begin with `tag`. */
  tryCommands(tag: string): Promise<Refused[]>;
  close(): void;
}

/** Keys that may be left behind, because the user must not delete, go after this long. */
const KEEP_MS = '10000';

/**
 * Connects.
 *
 * @throws what the connection failed with; see {@link refusalIn} for what it means.
 */
export async function openProbe(endpoint: RedisEndpoint | RedisClient, timeoutMs = 3000): Promise<RedisProbe> {
  const options = {
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectionName: 'foundation:cli',
  };
  const client = await ready(createClient(endpoint, options), timeoutMs);
  return {
    endpoint: endpointName(endpoint),
    info: () => client.info(),
    async time() {
      const [sentAt, began] = [Date.now(), performance.now()];
      const [seconds, micros] = toTexts(await client.time());
      const tookMs = performance.now() - began;
      return { theirs: toNumber(seconds) * 1000 + toNumber(micros) / 1000, ours: sentAt + tookMs / 2, tookMs };
    },
    user: async () => String(await client.call('ACL', 'WHOAMI')),
    async tryCommands(tag) {
      const scratch = `${tag}:doctor:${randomBytes(6).toString('hex')}`;
      const refused = await tryEach(client, commandsOn(scratch));
      const transaction = client.multi().get(`${scratch}:text`).exec();
      await transaction.catch((error: unknown) => {
        // That the GET in it is refused was found out above.
        if (refused.length === 0) refused.push({ command: 'MULTI', reply: describe(error) });
      });
      const listener = await ready(createPubSubClient(endpoint, options), timeoutMs);
      try {
        return [...refused, ...(await tryEach(listener, [['SUBSCRIBE', scratch]]))];
      } finally {
        disconnect(listener);
      }
    },
    close: () => disconnect(client),
  };
}

async function ready(client: Redis, timeoutMs: number): Promise<Redis> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      client.on('error', reject);
      client.once('ready', () => resolve());
      client.once('end', () => reject(new Error('the connection was closed')));
      timer = setTimeout(() => reject(new Error(`no connection in ${timeoutMs} ms`)), timeoutMs);
    });
    return client;
  } catch (error) {
    disconnect(client);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function tryEach(client: Redis, commands: readonly (readonly [string, ...string[]])[]): Promise<Refused[]> {
  const refused: Refused[] = [];
  for (const [command, ...args] of commands) {
    try {
      await client.call(command, ...args);
    } catch (error) {
      refused.push({ command, reply: describe(error) });
    }
  }
  return refused;
}

/** What the scripts, ioredis and BullMQ send, each in a form that works on an empty database. */
function commandsOn(scratch: string): [string, ...string[]][] {
  const [text, hash, zset, list, stream, set] = ['text', 'hash', 'zset', 'list', 'stream', 'set'].map(
    (type) => `${scratch}:${type}`,
  ) as [string, string, string, string, string, string];
  return [
    ['PING'],
    ['INFO', 'server'],
    ['TIME'],
    ['SET', text, '1', 'NX', 'PX', KEEP_MS],
    ['GET', text],
    ['MGET', text],
    ['EXISTS', text],
    ['INCR', text],
    ['PTTL', text],
    ['HSET', hash, 'field', '1'],
    ['PEXPIRE', hash, KEEP_MS],
    ['HMSET', hash, 'field', '1'],
    ['HSETNX', hash, 'field', '1'],
    ['HINCRBY', hash, 'field', '1'],
    ['HGET', hash, 'field'],
    ['HMGET', hash, 'field'],
    ['HGETALL', hash],
    ['HEXISTS', hash, 'field'],
    ['HDEL', hash, 'other'],
    ['ZADD', zset, '1', 'a'],
    ['PEXPIRE', zset, KEEP_MS],
    ['ZSCORE', zset, 'a'],
    ['ZRANGE', zset, '0', '-1'],
    ['ZRANGEBYSCORE', zset, '-inf', '+inf'],
    ['ZCARD', zset],
    ['ZREM', zset, 'b'],
    ['ZREMRANGEBYSCORE', zset, '5', '6'],
    ['ZPOPMIN', zset],
    ['BZPOPMIN', zset, '0.01'],
    ['LPUSH', list, 'a'],
    ['PEXPIRE', list, KEEP_MS],
    ['RPUSH', list, 'b'],
    ['RPOPLPUSH', list, list],
    ['LLEN', list],
    ['LRANGE', list, '0', '-1'],
    ['LREM', list, '1', 'a'],
    ['SADD', set, 'a'],
    ['PEXPIRE', set, KEEP_MS],
    ['SMEMBERS', set],
    ['SREM', set, 'b'],
    ['XADD', stream, 'MAXLEN', '~', '10', '*', 'm', '1'],
    ['PEXPIRE', stream, KEEP_MS],
    ['XGROUP', 'CREATE', stream, 'g', '0'],
    ['XINFO', 'GROUPS', stream],
    ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1', 'STREAMS', stream, '>'],
    ['XPENDING', stream, 'g'],
    ['XCLAIM', stream, 'g', 'c', '0', '0-1'],
    ['XACK', stream, 'g', '0-1'],
    ['XRANGE', stream, '-', '+'],
    ['XTRIM', stream, 'MAXLEN', '~', '10'],
    ['PUBLISH', scratch, ''],
    ['EVAL', `return redis.call('GET', KEYS[1])`, '1', text],
    ['EVALSHA', 'd3c21d0c2b9ca22f82737626a27bcaf5d288f99f', '1', text],
    ['DEL', text, hash, zset, list, stream, set],
  ];
}
