// The search for secrets that every integration and e2e test ends with finds one.
import { describe, expect, it } from '@jest/globals';
import { leaksIn, REDIS_PASSWORD, requireNoLeak, secret } from '../support/secrets.js';

describe('The search for secrets', () => {
  it('finds one as it is and as a URL has it, and nothing else', () => {
    const cookie = secret('a cookie with ümlauts/and & signs');
    const lines = [
      `warn Redis connection failed {"url":"redis://:${encodeURIComponent(REDIS_PASSWORD)}@127.0.0.1:6379"}`,
      `log hello {"password":"${REDIS_PASSWORD}"}`,
      `error ${encodeURI(cookie)}`,
      `debug ${cookie}`,
      'log The Redis password is wrong',
    ];
    expect(leaksIn(lines)).toEqual(lines.slice(0, 4));
    expect(() => requireNoLeak(lines, 'a log')).toThrow(/A secret was shown in a log/);
    expect(() => requireNoLeak(lines.slice(4), 'a log')).not.toThrow();
  });
});
