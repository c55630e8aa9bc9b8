import { describe, expect, it } from '@jest/globals';
import { refusalIn, serverFacts } from './redis.server.js';

const info = (...lines: string[]): string => ['# Server', ...lines, ''].join('\r\n');

describe('serverFacts', () => {
  it('reads what a server says', () => {
    const text = info('redis_version:7.0.15', 'run_id:abc1', 'maxmemory:1048576', 'maxmemory_policy:allkeys-lru');
    expect(serverFacts(text)).toEqual({
      version: '7.0.15',
      isSupported: true,
      policy: 'allkeys-lru',
      hasLimit: true,
      runId: 'abc1',
    });
  });

  it('knows an imitation, by what js-redis-server says of itself', () => {
    expect(serverFacts(info('redis_version:8.0.0', 'os:mocked redis'))).toMatchObject({ isImitation: true });
  });

  it('knows that nothing is evicted without a limit', () => {
    expect(serverFacts(info('maxmemory:0', 'maxmemory_policy:allkeys-lru'))).toMatchObject({ hasLimit: false });
  });

  it.each([
    ['5.0.14', false],
    ['6.0.20', false],
    ['6.1.240', false],
    ['6.2.0', true],
    ['6.10.0', true],
    ['7.0.0', true],
    ['10.0.0', true],
    ['255.255.255', true],
  ])('takes version %s for supported: %s', (version, isSupported) => {
    expect(serverFacts(info(`redis_version:${version}`))).toMatchObject({ version, isSupported });
  });

  it.each(['', 'no info', info('redis_version:unstable')])(
    'gives %p, which says nothing, the benefit of the doubt',
    (text) => {
      expect(serverFacts(text)).toEqual({ isSupported: true, hasLimit: false });
    },
  );
});

describe('refusalIn', () => {
  it.each([
    ['WRONGPASS invalid username-password pair or user is disabled.', 'WRONGPASS', /user name and password/],
    ['NOAUTH Authentication required.', 'NOAUTH', /user name and password/],
    ["NOPERM this user has no permissions to run the 'info' command", 'NOPERM: INFO', /missing permission.*doctor/],
    ["NOPERM User app has no permissions to run the 'config|get' command", 'NOPERM: CONFIG|GET', /missing permission/],
    ['NOPERM this user has no permissions to access one of the keys used as arguments', 'NOPERM: a key', /doctor/],
    ['NOPERM No permissions to access a channel', 'NOPERM: a channel', /doctor/],
    [`ERR The user executing the script can't run this command (the 'ZADD' command)`, 'NOPERM: ZADD', /doctor/],
    ['ERR DB index is out of range', 'DB index is out of range', /another database/],
  ])('finds one in %p', (text, reply, advice) => {
    expect(refusalIn(text)).toEqual({ reply, advice: expect.stringMatching(advice) });
  });

  it.each(['connect ECONNREFUSED 127.0.0.1:6379', 'Command timed out', 'LOADING Redis is loading'])(
    'finds none in %p, which passes',
    (text) => expect(refusalIn(text)).toBeUndefined(),
  );
});
