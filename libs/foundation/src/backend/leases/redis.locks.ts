/**
 * Locks in Redis. Underneath EVALSHA on the key of the lock, a text with its owner and its time, and on the one of the
 * tokens, which are minted as epochs are.
 */
import type { Redis } from 'ioredis';
import { show } from '../../errors/describe.js';
import { redisError } from '../../errors/refusal.js';
import { LIVES } from '../../wire/key.lifetimes.js';
import type { Keys } from '../../wire/keys.js';
import { Script, toNumber } from '../redis/lua.script.js';
import { endpointName } from '../redis/redis.endpoint.js';
import { MINT_EPOCH } from './epoch.scripts.js';
import type { Locks } from './locks.js';

/** KEYS lock, token · ARGV owner, ttl, life of the token → the token, or '' while somebody has the lock. */
const acquireScript = new Script(
  'foundationLockAcquire',
  `${MINT_EPOCH}
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return '' end
return mint(KEYS[2], 0, ARGV[3])
`,
);

/** KEYS lock · ARGV owner, ttl → 1 for the owner. */
const renewScript = new Script(
  'foundationLockRenew',
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`,
);

/** KEYS lock · ARGV owner → 1 for the owner. */
const releaseScript = new Script(
  'foundationLockRelease',
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`,
);

/** See {@link Locks}. */
export class RedisLocks implements Locks {
  constructor(
    private readonly client: Redis,
    private readonly keys: Pick<Keys, 'lock' | 'lockTokens'>,
  ) {}

  async acquire(key: string, owner: string, ttl: number): Promise<number | undefined> {
    const keys = [this.keys.lock(key), this.keys.lockTokens];
    const token = await this.#run(acquireScript, keys, [owner, ttl, LIVES.epoch], `taking the lock ${show(key)}`);
    return token === '' ? undefined : toNumber(token);
  }

  async renew(key: string, owner: string, ttl: number): Promise<boolean> {
    return (await this.#run(renewScript, [this.keys.lock(key)], [owner, ttl], `renewing the lock ${show(key)}`)) === 1;
  }

  async release(key: string, owner: string): Promise<boolean> {
    return (await this.#run(releaseScript, [this.keys.lock(key)], [owner], `releasing the lock ${show(key)}`)) === 1;
  }

  async #run(script: Script, keys: string[], args: (string | number)[], what: string): Promise<unknown> {
    try {
      return await script.run(this.client, keys, args);
    } catch (error) {
      throw redisError(endpointName(this.client), what, error);
    }
  }
}
