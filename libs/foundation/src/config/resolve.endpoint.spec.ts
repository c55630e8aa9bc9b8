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
