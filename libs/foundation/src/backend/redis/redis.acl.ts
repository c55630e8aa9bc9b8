/**
 * Pure: what the Redis user of a node must be allowed, as commands to try and as the rule of an ACL.
 * Called by the doctor; docs/guides/security.md has the same rule, and the tests run under it.
 */
import { keysOf } from '../../wire/keys.js';

/** Keys that may be left behind, because the user must not delete, go after this long. */
const KEEP_MS = '10000';

/** Names a connection; a database other than 0; a transaction and a subscription cannot be tried on their own. */
const ON_CONNECTIONS = ['CLIENT|SETNAME', 'SELECT', 'MULTI', 'EXEC', 'SUBSCRIBE', 'UNSUBSCRIBE'];
/** How ioredis finds its way in a Redis Cluster. */
const IN_A_CLUSTER = ['CLUSTER|SLOTS', 'CLUSTER|INFO', 'ASKING'];

/** What the scripts, ioredis and BullMQ send, each in a form that works on an empty database. */
export function trials(scratch: string): [command: string, ...args: string[]][] {
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
    ['ZREVRANGE', zset, '0', '-1'],
    ['ZREVRANGEBYSCORE', zset, '+inf', '-inf'],
    ['ZCARD', zset],
    ['ZCOUNT', zset, '-inf', '+inf'],
    ['ZREM', zset, 'b'],
    ['ZREMRANGEBYSCORE', zset, '5', '6'],
    ['ZREMRANGEBYRANK', zset, '5', '6'],
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
    ['SCARD', set],
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
    ['XREVRANGE', stream, '+', '-'],
    ['XTRIM', stream, 'MAXLEN', '~', '10'],
    ['PUBLISH', scratch, ''],
    ['EVAL', `return redis.call('GET', KEYS[1])`, '1', text],
    ['EVALSHA', 'd3c21d0c2b9ca22f82737626a27bcaf5d288f99f', '1', text],
    ['DEL', text, hash, zset, list, stream, set],
  ];
}

/** What a rule is for, besides one Redis and durable channels that are acknowledged from its memory. */
export interface AclNeeds {
  isCluster?: boolean;
  /** What `acknowledge` of durable channels says. Redis before 7.2 does not know what `fsync` needs. */
  acknowledge?: readonly ('fsync' | 'replicas')[];
}

/**
 * What a user is given so that the nodes of the application run under it, and nothing besides; `*` is all applications.
 */
export function aclRule(appName: string, { isCluster = false, acknowledge = [] }: AclNeeds = {}): string[] {
  const { tag } = keysOf(appName);
  const waits = acknowledge.map((each) => (each === 'fsync' ? 'WAITAOF' : 'WAIT'));
  const most = [...trials(tag).map(([command]) => command), ...ON_CONNECTIONS, ...waits];
  const commands = [...most, ...(isCluster ? IN_A_CLUSTER : [])];
  const allowed = [...new Set(commands)].map((command) => `+${command.toLowerCase()}`).sort();
  return [`~${tag}:*`, `&${tag}:*`, ...allowed];
}
