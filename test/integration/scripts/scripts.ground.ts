// What the specs of single scripts stand on: a Redis of their own that is empty before each test, and the hints that
// scripts publish on the topic `hints`.
import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from '../../support/redis-server.js';

let published: string[][] = [];
let ends = 0;
let redis: Redis;

/** Calls `ready` once the Redis is there. */
export function onRedisOfScripts(ready: (redis: Redis) => void): void {
  let server: RedisServer;
  let subscriber: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.adminUrl);
    subscriber = new Redis(server.adminUrl);
    subscriber.on('message', (topic: string, text: string) => published.push([topic, text]));
    await subscriber.subscribe('hints', 'end');
    ready(redis);
  });
  afterAll(async () => {
    await Promise.all([redis.quit(), subscriber.quit()]);
    await server.stop();
  });
  beforeEach(async () => {
    await heardAll();
    published = [];
    await redis.flushall();
  });
}

/** Nothing that was published before is still on its way. */
async function heardAll(): Promise<void> {
  const end = String((ends += 1));
  await redis.publish('end', end);
  while (!published.some(([topic, text]) => topic === 'end' && text === end)) await redis.ping();
}

/** All hints that were published until now. */
export async function hints(): Promise<string[]> {
  await heardAll();
  return published.filter(([topic]) => topic === 'hints').map(([, text]) => text!);
}
