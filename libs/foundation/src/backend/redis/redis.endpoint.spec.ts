import { describe, expect, it } from '@jest/globals';
import type { RedisClient, RedisEndpoint } from '../../config/options.js';
import { channelOf, keysOf } from '../../wire/keys.js';
import { databaseOf } from './redis.endpoint.js';

describe('databaseOf', () => {
  it.each<[RedisEndpoint, number]>([
    [{}, 0],
    [{ db: 3 }, 3],
    [{ options: { db: 4 } }, 4],
    [{ url: 'redis://h:1/2' }, 2],
    [{ url: 'redis://h:1/2', db: 5 }, 2],
    [{ url: 'redis://h:1', db: 5 }, 5],
    [{ url: 'redis://h:1/?db=6' }, 6],
    [{ url: 'unix:///run/redis.sock', db: 7 }, 7],
    [{ url: 'unix:///run/9' }, 0],
    [{ url: 'redis://h/name' }, 0],
    [{ sentinels: [{ host: 'h', port: 1 }], db: 2 }, 2],
    [{ cluster: [{ host: 'h', port: 1 }], db: 2 }, 0],
  ])('of %j is %d', (endpoint, db) => {
    expect(databaseOf(endpoint)).toBe(db);
  });

  it('of a client is its own', () => {
    const client = { duplicate: () => undefined, options: { db: 8 } } as unknown as RedisClient;
    expect(databaseOf(client)).toBe(8);
  });
});

describe('topics', () => {
  it('name the database, except the first, and their channel is found all the same', () => {
    const [first, second] = [keysOf('shop'), keysOf('shop', 1)];
    expect(first.channel('events')).toBe('{foundation:shop}:channel:events');
    for (const topic of ['channel', 'mail', 'inbox', 'letters'] as const)
      expect(second[topic]('x')).not.toBe(first[topic]('x'));
    expect(second.hints).not.toBe(first.hints);
    expect(second.nodes).toBe(first.nodes);
    expect(channelOf(second, second.channel('events'))).toBe('events');
    expect(channelOf(second, second.inbox('boot'))).toBe('inbox');
  });
});
