import { describe, expect, it } from '@jest/globals';
import { serverFacts } from './redis.info.js';

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
