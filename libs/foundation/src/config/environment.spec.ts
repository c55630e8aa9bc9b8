import { describe, expect, it } from '@jest/globals';
import { FoundationConfigError } from '../errors/config.errors.js';
import { fromEnvironment } from './environment.js';
import { STRATEGY_NAMES } from './strategy.settings.js';

describe('fromEnvironment', () => {
  it('says nothing for an empty environment, and for empty variables', () => {
    const empty = {
      FOUNDATION_CLUSTER: '',
      FOUNDATION_APP_NAME: '',
      FOUNDATION_NODE_NAME: '',
      FOUNDATION_LABELS: '',
      FOUNDATION_REDIS_URL: '',
      REDIS_URL: '',
    };
    expect(fromEnvironment({})).toEqual({});
    expect(fromEnvironment(empty)).toEqual({});
  });

  it('reads every variable it knows and no other', () => {
    const env = {
      FOUNDATION_CLUSTER: 'true',
      FOUNDATION_APP_NAME: 'shop',
      FOUNDATION_NODE_NAME: 'n1',
      FOUNDATION_LABELS: 'role=worker',
      FOUNDATION_REDIS_URL: 'redis://a',
      REDIS_URL: 'redis://b',
      HOME: '/root',
      APP_NAME: 'other',
    };
    expect(fromEnvironment(env)).toEqual({
      ...{ cluster: true, appName: 'shop', nodeName: 'n1', redis: 'redis://a' },
      labels: { role: 'worker' },
    });
  });

  it('completes a Redis that is found, and every URL that has no user and no password', () => {
    const env = { FOUNDATION_REDIS_USERNAME: 'app', FOUNDATION_REDIS_PASSWORD: 'hunter2' };
    expect(fromEnvironment(env)).toEqual({ redis: { username: 'app', password: 'hunter2' } });
    expect(fromEnvironment({ FOUNDATION_REDIS_PASSWORD: 'hunter2' })).toEqual({ redis: { password: 'hunter2' } });
    const completed = (url: string) => ({ url, username: 'app', password: 'hunter2' });
    expect(fromEnvironment({ ...env, REDIS_URL: 'redis://b' })).toEqual({ redis: completed('redis://b') });
    for (const url of ['redis://u:p@b', 'redis://:p@b', 'redis-cluster://u:p@a:1,b:1']) {
      expect(fromEnvironment({ ...env, REDIS_URL: url })).toEqual({ redis: url });
    }
    expect(fromEnvironment({ ...env, FOUNDATION_REDIS_URL: 'redis://a redis://u:p@b redis://c/1@2' })).toEqual({
      redis: { quorum: [completed('redis://a'), 'redis://u:p@b', completed('redis://c/1@2')] },
    });
  });

  it('falls back to REDIS_URL when FOUNDATION_REDIS_URL is empty', () => {
    expect(fromEnvironment({ FOUNDATION_REDIS_URL: '', REDIS_URL: 'redis://b' })).toEqual({ redis: 'redis://b' });
  });

  it.each(STRATEGY_NAMES)('knows the strategy %s, whatever its case', (name) => {
    expect(fromEnvironment({ FOUNDATION_CLUSTER: ` ${name.toUpperCase()} ` })).toEqual({ cluster: name });
  });

  it('reads labels, with blanks around them or not, the last of a name', () => {
    const labels = (FOUNDATION_LABELS: string) => fromEnvironment({ FOUNDATION_LABELS }).labels;
    expect(labels('role=worker')).toEqual({ role: 'worker' });
    expect(labels(' role = worker , zone=a ')).toEqual({ role: 'worker', zone: 'a' });
    expect(labels('zone=a,zone=b')).toEqual({ zone: 'b' });
  });

  it.each(['role', 'role=', '=worker', 'a=b=c', 'a=b,', ' ', ',', 'a=b;c=d=e'])('refuses the labels %j', (value) => {
    const make = (): unknown => fromEnvironment({ FOUNDATION_LABELS: value });
    expect(make).toThrow(FoundationConfigError);
    expect(make).toThrow(/FOUNDATION_LABELS.*role=worker,zone=a/);
  });

  it('lets no label reach a prototype', () => {
    const { labels } = fromEnvironment({ FOUNDATION_LABELS: '__proto__=polluted,role=worker' });
    expect(Object.getPrototypeOf(labels)).toBe(Object.prototype);
    expect(labels?.['role']).toBe('worker');
  });

  it('refuses anything else', () => {
    expect(() => fromEnvironment({ FOUNDATION_CLUSTER: 'maybe' })).toThrow(FoundationConfigError);
  });
});
