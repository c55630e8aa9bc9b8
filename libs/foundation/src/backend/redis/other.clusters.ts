/**
 * The names of the clusters that have nodes in a Redis, for a caller that named one without nodes.
 * Called by the command line; underneath `SCAN`.
 */
import type { Redis } from 'ioredis';
import { isA, read } from '../../errors/describe.js';

/** Up to this many are named, in up to this many steps of the scan: a Redis may hold millions of other keys. */
const MAX_CLUSTERS = 20;
const MAX_STEPS = 100;
const KEYS_A_STEP = 1000;

/**
 * Empty where it cannot be known: in a Redis Cluster, or with a user of its own rights, to whom `SCAN` is refused and
 * who is not to be seen trying.
 */
export async function clustersIn(client: unknown): Promise<string[]> {
  const redis = client as Pick<Redis, 'scan'>;
  const username = read(read(client, 'options'), 'username');
  if (typeof read(client, 'scan') !== 'function' || read(client, 'isCluster') === true) return [];
  if (typeof username === 'string' && username !== '' && username !== 'default') return [];
  const names = new Set<string>();
  let cursor = '0';
  try {
    for (let step = 0; step < MAX_STEPS && names.size < MAX_CLUSTERS; step += 1) {
      const [next, keys] = await redis.scan(cursor, 'MATCH', '{foundation:*}:nodes', 'COUNT', KEYS_A_STEP);
      for (const key of keys) names.add(key.slice('{foundation:'.length, -'}:nodes'.length));
      if (next === '0') break;
      cursor = next;
    }
  } catch (error) {
    if (!isA(error, Error)) throw error;
  }
  return [...names].sort().slice(0, MAX_CLUSTERS);
}
