import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { FoundationConfigError } from '../errors/config.errors.js';
import { redisFrom } from './resolve.endpoint.js';

describe('redisFrom', () => {
  it.each(['redis', 'rediss', 'redis-sentinel', 'redis-cluster', 'rediss-cluster'])(
    'refuses a bare %% in the password of a URL of %s, and shows nothing of it',
    (kind) => {
      for (const redis of [`${kind}://app:a%25b%zz@host:6379`, { url: `${kind}://ap%:secret@host:6379` }]) {
        let thrown: unknown;
        try {
          redisFrom(redis);
        } catch (error) {
          thrown = error;
        }
        expect(thrown).toBeInstanceOf(FoundationConfigError);
        expect((thrown as Error).message).toContain('% as %25');
        expect((thrown as Error).message).not.toMatch(/zz|secret/);
      }
    },
  );

  it.each([
    'redis://h:6379/x',
    'redis://h/-1',
    'rediss://h/1/2',
    'redis://h?db=x',
    'redis://h/1e9',
    'redis://u:12/secret@h:1',
  ])('refuses %s, whose database is no number, and shows nothing of it', (url) => {
    expect(() => redisFrom(url)).toThrow(/place of the database.*6379\/2/);
    expect(() => redisFrom({ url })).not.toThrow(/secret/);
  });

  it.each([
    'redis://h',
    'redis://h/',
    'redis://h:1/0',
    'redis://h/15',
    'redis://h?db=3',
    'unix:///run/redis.sock?db=2',
  ])('takes %s as it is', (url) => expect(redisFrom(url).redis).toEqual({ url }));

  it('decodes the user and the password of sentinels and of a cluster', () => {
    expect(redisFrom('redis-cluster://a%40b:50%25@host:1').redis).toMatchObject({ username: 'a@b', password: '50%' });
  });

  it('keeps the options beside a URL that implies some', () => {
    const options = { tls: { ca: 'authority' }, natMap: {} };
    const url = 'rediss-cluster://host:1';
    expect(redisFrom({ url, options }).redis).toMatchObject({ cluster: [{ host: 'host', port: 1 }], options });
    expect(redisFrom({ url, options: { natMap: {} } }).redis).toMatchObject({ options: { tls: {}, natMap: {} } });
    expect(redisFrom({ url }).redis).toMatchObject({ options: { tls: {} } });
  });
});
