/**
 * Whether WAITAOF answers before the disk can have been written to.
 * Asked by `confirmations.ts` when a node starts; underneath writes that leave nothing behind, and WAITAOF.
 */
import type { Redis } from 'ioredis';
import { monotonicNow } from '../../time/monotonic.clock.js';
import { toNumber, toTexts } from '../redis/lua.script.js';

const WRITE = `redis.call('SET', KEYS[1], '', 'PX', 1000) redis.call('DEL', KEYS[1]) return 1`;
/** The first may be answered by an fsync that was due. */
const TRIES = 3;
/** With `appendfsync everysec` the next one does not begin before a second has passed. */
const APART_MS = 900;

/**
 * True where writes are on disk at once, which is right with `appendfsync always`. With `everysec` it is the fault
 * redis/redis#13793 of Redis 7.4 and of what comes from it; seen with Valkey 8.0.1. The key is free afterwards.
 */
export async function answersEarly(control: Redis, key: string): Promise<boolean> {
  const began = monotonicNow();
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const replies = (await control.pipeline().eval(WRITE, 1, key).call('waitaof', '1', '0', '1').exec()) ?? [];
    const [onDisk] = toTexts(replies[1]?.[1]);
    if (replies.some(([error]) => error) || toNumber(onDisk) !== 1) return false;
  }
  return monotonicNow() - began < APART_MS;
}
