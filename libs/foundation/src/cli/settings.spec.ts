import { describe, expect, it } from '@jest/globals';
import { FoundationConfigError } from '../errors/config.errors.js';
import { observerSettings, settingsOf } from './settings.js';

const machine = { host: 'h', pid: 7, packageName: 'app' };

describe('settingsOf', () => {
  it('is a cluster whatever the environment says, and never under the name of a node', () => {
    for (const env of [{}, { FOUNDATION_CLUSTER: 'false' }, { FOUNDATION_CLUSTER: 'true' }]) {
      const config = settingsOf({}, { ...env, FOUNDATION_NODE_NAME: 'node-a' }, machine);
      expect(config).toMatchObject({ backend: 'redis', nodeName: 'cli-7', observes: true, appName: 'app' });
      // Where it is is looked for.
      expect(config.redis).toEqual({});
    }
  });

  it('takes the environment of a node, and options before it', () => {
    const env = { FOUNDATION_APP_NAME: 'shop', FOUNDATION_REDIS_URL: 'redis://one:1', FOUNDATION_EXPECTED_NODES: '3' };
    expect(settingsOf({}, env, machine)).toMatchObject({
      appName: 'shop',
      redis: { url: 'redis://one:1' },
      expectedNodes: 3,
    });
    const given = { app: 'other', redis: 'redis://two:2' };
    expect(settingsOf(given, env, machine)).toMatchObject({ appName: 'other', redis: { url: 'redis://two:2' } });
  });

  it('takes several servers for a quorum', () => {
    expect(settingsOf({ redis: 'redis://a:1 redis://b:2 redis://c:3' }, {}, machine).quorum).toHaveLength(2);
  });

  it.each([
    [{ redis: 'redis//:hidden@h' }, {}],
    [{ app: 'no spaces' }, {}],
    [{}, { FOUNDATION_TRANSPORT: 'direct' }],
    [{}, { FOUNDATION_CLUSTER: 'nonsense' }],
  ])('refuses %p with %p as a node does, and shows no secret', (given, env) => {
    const refused = expect(() => settingsOf(given, env, machine));
    refused.toThrow(FoundationConfigError);
    refused.toThrow(expect.objectContaining({ message: expect.not.stringContaining('hidden') }));
  });

  it('takes the strategy of the nodes', () => {
    expect(settingsOf({}, { FOUNDATION_CLUSTER: 'kubernetes' }, machine).strategy).toBe('kubernetes');
  });
});

describe('observerSettings', () => {
  it('needs no cookie, because it goes through Redis', () => {
    expect(observerSettings(invocation(), { FOUNDATION_TRANSPORT: 'direct' }, machine).transport).toEqual({
      kind: 'redis',
    });
  });
});

const invocation = () => ({
  ...{ command: 'status' as const, args: [], json: false, once: false, interval: 1000, query: { limit: 50 } },
  ...{ ready: 1, isReadyGiven: false, forMs: 1, words: [] },
});
