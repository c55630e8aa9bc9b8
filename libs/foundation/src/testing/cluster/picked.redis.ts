/**
 * The Redis of a test cluster: one of its own, or one that runs already.
 */
import { randomBytes } from 'node:crypto';
import type { ClusterSettings } from './cluster.options.js';
import { realServer, TestRedis } from './test.redis.js';

/** See the file header. */
export interface PickedRedis {
  url: string;
  /** The one that the test has started. */
  own?: TestRedis;
  /** In a Redis of others, a name of the cluster that nothing else has. */
  appName?: string;
  /** For links between nodes, where nothing says another one. */
  cookie: string;
}

const URL_OF_REDIS = /^(rediss?|redis-sentinel|redis-cluster|unix):\/\//;

/** @throws Error when there is none and none can be started. */
export async function pickRedis({ redis, cwd }: ClusterSettings): Promise<PickedRedis> {
  const cookie = randomBytes(32).toString('hex');
  const given = redis ?? (realServer() === undefined ? process.env['FOUNDATION_REDIS_URL'] : undefined);
  if (given && URL_OF_REDIS.test(given))
    return { url: given, appName: `test-${randomBytes(4).toString('hex')}`, cookie };
  const own = await TestRedis.start({ cwd, ...(given ? { server: given } : {}) });
  return { url: own.url, own, cookie };
}
