import { describe, expect, it } from '@jest/globals';
import { FoundationConfigError } from '../errors.js';
import { STRATEGY_NAMES } from './options.js';
import { fromEnvironment } from './presets.js';

describe('fromEnvironment', () => {
  it('says nothing for an empty environment, and for empty variables', () => {
    const empty = {
      FOUNDATION_CLUSTER: '',
      FOUNDATION_APP_NAME: '',
      FOUNDATION_NODE_NAME: '',
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
      FOUNDATION_REDIS_URL: 'redis://a',
      REDIS_URL: 'redis://b',
      HOME: '/root',
      APP_NAME: 'other',
    };
    expect(fromEnvironment(env)).toEqual({ cluster: true, appName: 'shop', nodeName: 'n1', redis: 'redis://a' });
  });

  it('falls back to REDIS_URL when FOUNDATION_REDIS_URL is empty', () => {
    expect(fromEnvironment({ FOUNDATION_REDIS_URL: '', REDIS_URL: 'redis://b' })).toEqual({ redis: 'redis://b' });
  });

  it.each(STRATEGY_NAMES)('knows the strategy %s, whatever its case', (name) => {
    expect(fromEnvironment({ FOUNDATION_CLUSTER: ` ${name.toUpperCase()} ` })).toEqual({ cluster: name });
  });

  it('refuses anything else', () => {
    expect(() => fromEnvironment({ FOUNDATION_CLUSTER: 'maybe' })).toThrow(FoundationConfigError);
  });
});
