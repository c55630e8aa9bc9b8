import { describe, expect, it } from '@jest/globals';
import { findRedisService } from './kubernetes.redis.js';

const unknown = (_name: string): Promise<unknown> => Promise.reject(new Error('ENOTFOUND'));
const find = (service: string, env: Record<string, string>, lookup = unknown, goesOn = () => false) =>
  findRedisService(service, 'shop', { env, lookup }, goesOn);

describe('findRedisService', () => {
  it.each([
    ['redis', { REDIS_SERVICE_HOST: '10.0.0.9', REDIS_SERVICE_PORT: '6380' }, 'redis://10.0.0.9:6380'],
    ['redis', { REDIS_SERVICE_HOST: '10.0.0.9' }, 'redis://10.0.0.9:6379'],
    ['redis', { REDIS_SERVICE_HOST: 'fd00::9', REDIS_SERVICE_PORT: '6379' }, 'redis://[fd00::9]:6379'],
    ['my-cache', { MY_CACHE_SERVICE_HOST: '10.0.0.9', MY_CACHE_SERVICE_PORT: '1' }, 'redis://10.0.0.9:1'],
    ['redis', { REDIS_SERVICE_HOST: '', REDIS_SERVICE_PORT: '6379' }, undefined],
    // What links of Docker put there.
    ['redis', { REDIS_SERVICE_HOST: 'x', REDIS_SERVICE_PORT: 'tcp://10.0.0.9:6379' }, undefined],
    ['redis', { CACHE_SERVICE_HOST: '10.0.0.9' }, undefined],
  ])('reads the variables of the service %s: %j', async (service, env, url) => {
    expect(await find(service, env as unknown as Record<string, string>)).toBe(url);
  });

  it('asks for the name of the service otherwise', async () => {
    const asked: string[] = [];
    const lookup = (name: string) => (asked.push(name), Promise.resolve());
    expect(await find('redis', {}, lookup, () => true)).toBe('redis://redis.shop.svc:6379');
    expect(asked).toEqual(['redis.shop.svc']);
  });

  it('stops querying once it is stopped', async () => {
    let asked = 0;
    const lookup = (name: string) => (asked++, unknown(name));
    expect(await find('redis', {}, lookup, () => asked < 1)).toBeUndefined();
    expect(asked).toBe(1);
  });
});
