import { describe, expect, it } from '@jest/globals';
import { FoundationConfigError } from '../errors/config.errors.js';
import type { Environment } from './environment.js';
import type { FoundationOptions } from './options.js';
import { hasPlace, isClient } from './resolve.endpoint.js';
import { processDefaults, resolve, STANDARD_CHANNELS } from './resolve.js';
import { STRATEGY_NAMES } from './strategy.settings.js';

const machine = { host: 'box.local', pid: 4711, packageName: 'app' };
const SECRET = 'hunter2-very-secret';

const of = (options: unknown = {}, env: Environment = {}) => resolve(options as FoundationOptions, env, machine);

function errorOf(options: unknown, env: Environment = {}): Error {
  try {
    of(options, env);
  } catch (error) {
    return error as Error;
  }
  throw new Error('Nothing was thrown');
}

function configErrorOf(options: unknown, env: Environment = {}): FoundationConfigError {
  const error = errorOf(options, env);
  expect(error).toBeInstanceOf(FoundationConfigError);
  return error as FoundationConfigError;
}

const address = (host: string, port: number) => ({ host, port });

describe('resolve: defaults', () => {
  it('gives one process without Redis for nothing at all', () => {
    expect(of()).toEqual({
      backend: 'local',
      appName: 'app',
      nodeName: 'box.local-4711',
      strategy: 'none',
      topologies: [],
      detected: false,
      redis: {},
      embeddedRedis: false,
      quorum: [],
      lease: {
        ...{ ttl: 1500, renewEvery: 350, commandTimeout: 200, margin: 250, deadline: 1233, grace: 1517 },
        onStall: 'fence',
      },
      membership: { beatEvery: 1000, ttl: 3000 },
      processes: {
        restart: 'permanent',
        maxRestarts: 5,
        maxSeconds: 60,
        backoff: { base: 200, cap: 10_000 },
        timeout: 30_000,
        stopTimeout: 5000,
      },
      channels: { names: ['control', 'events', 'telemetry', 'data'], durable: {}, maxMessageBytes: 1_048_576 },
      calls: { timeout: 5000, concurrency: 64, queue: 1024, stacks: false },
      labels: {},
      startupTimeout: 5000,
      shutdownTimeout: 10_000,
      journal: { maxEntries: 10_000 },
      readiness: 'application',
      globalEnhancers: false,
      forgetOrphansAfter: 604_800_000,
      transport: { kind: 'redis' },
    });
  });

  it('leaves the place of Redis to be found when nothing names one', () => {
    const env = { NODE_ENV: 'production' };
    expect(of({ cluster: true }, env)).toMatchObject({ backend: 'redis', strategy: 'redis', redis: {} });
    expect(of({ cluster: true, redis: { password: SECRET } }, env).redis).toEqual({ password: SECRET });
  });

  it.each([{ url: 'redis://a' }, { host: 'a' }, { port: 7 }, { options: { path: '/run/redis' } }, 'redis://a'])(
    'takes %j for a place',
    (redis) => expect(hasPlace(of({ cluster: true, redis }).redis)).toBe(true),
  );

  it.each([{}, { password: SECRET }, { db: 3 }, { options: { family: 6 } }])('takes %j for no place', (redis) =>
    expect(hasPlace(of({ cluster: true, redis }).redis)).toBe(false),
  );

  it('makes a valid node name of any host name', () => {
    const { nodeName } = resolve({}, {}, { host: `höst name/${'x'.repeat(200)}`, pid: 7 });
    expect(nodeName).toMatch(/^[A-Za-z0-9_.-]{1,128}$/);
    expect(nodeName.endsWith('-7')).toBe(true);
  });

  it('treats undefined like a missing option', () => {
    const options = { cluster: undefined, appName: undefined, lease: undefined, processes: { restart: undefined } };
    expect(of(options)).toEqual(of());
  });

  it('keeps the standard channels and adds the declared ones once', () => {
    const { names } = of({ channels: { names: ['orders', 'events', 'orders'] } }).channels;
    expect(names).toEqual([...STANDARD_CHANNELS, 'orders']);
  });

  it('derives the deadline and the grace from the ttl', () => {
    const { lease } = of({ lease: { ttl: 3000, margin: 400 } });
    expect(lease).toMatchObject({ deadline: 3000 - 30 - 2 - 400, grace: 3032 });
  });

  it('does not hand its defaults out for changing', () => {
    of().processes.backoff.base = 1;
    expect(of().processes.backoff.base).toBe(200);
  });

  it.each([['restart'], ['maxRestarts'], ['maxSeconds'], ['stopTimeout']])(
    'does not take null for processes.%s',
    (option) => {
      let resolved: Record<string, unknown>;
      try {
        resolved = of({ processes: { [option]: null } }).processes as unknown as Record<string, unknown>;
      } catch (error) {
        expect(error).toBeInstanceOf(FoundationConfigError);
        return;
      }
      expect(resolved[option]).not.toBeNull();
    },
  );
});

describe('resolve: order', () => {
  const env = {
    FOUNDATION_CLUSTER: 'true',
    FOUNDATION_APP_NAME: 'from-env',
    FOUNDATION_NODE_NAME: 'node-env',
    FOUNDATION_REDIS_URL: 'redis://env:1',
    REDIS_URL: 'redis://plain:2',
  };

  it('takes the environment over the defaults', () => {
    expect(of({}, env)).toMatchObject({
      backend: 'redis',
      appName: 'from-env',
      nodeName: 'node-env',
      redis: { url: 'redis://env:1' },
    });
  });

  it('takes explicit options over the environment', () => {
    const options = { cluster: false, appName: 'mine', nodeName: 'node-mine' };
    expect(of(options, env)).toMatchObject({ backend: 'local', appName: 'mine', nodeName: 'node-mine', redis: {} });
    expect(of({ redis: 'redis://mine:3' }, env).redis).toEqual({ url: 'redis://mine:3' });
  });

  it('takes FOUNDATION_REDIS_URL before REDIS_URL', () => {
    expect(of({ cluster: true }, { REDIS_URL: 'redis://plain:2' }).redis).toEqual({ url: 'redis://plain:2' });
    expect(of({ cluster: true }, env).redis).toEqual({ url: 'redis://env:1' });
  });

  it('does not read Redis variables without a cluster', () => {
    expect(of({}, { REDIS_URL: 'nonsense' }).redis).toEqual({});
  });

  it.each(['true', 'TRUE', '1', 'yes', 'on', ' true '])('clusters for FOUNDATION_CLUSTER=%j', (value) => {
    expect(of({}, { FOUNDATION_CLUSTER: value }).backend).toBe('redis');
  });

  it.each(['false', '0', 'no', 'OFF', '', '  '])('does not cluster for FOUNDATION_CLUSTER=%j', (value) => {
    expect(of({}, { FOUNDATION_CLUSTER: value }).backend).toBe('local');
  });

  it.each(['false', '0', 'no', ' OFF '])(
    'is switched off by FOUNDATION_CLUSTER=%j, whatever the options say',
    (value) => {
      const env = { FOUNDATION_CLUSTER: value };
      const strategy = { name: 'mine', start: async () => undefined, stop: async () => undefined };
      const all: FoundationOptions[] = [
        { cluster: true },
        { cluster: 'consul' },
        { topologies: [strategy] },
        { cluster: true, topologies: [strategy], transport: 'direct' },
      ];
      for (const options of all) {
        const { backend, strategy: how, topologies, transport, isSwitchedOff } = of(options, env);
        expect([backend, how, topologies, transport, isSwitchedOff]).toEqual([
          'local',
          'none',
          [],
          { kind: 'redis' },
          true,
        ]);
      }
      expect(of({ cluster: false }, env).isSwitchedOff).toBeUndefined();
      expect(of({}, env).isSwitchedOff).toBeUndefined();
    },
  );

  it('refuses a typo in FOUNDATION_CLUSTER with the valid values', () => {
    const error = configErrorOf({}, { FOUNDATION_CLUSTER: 'ture' });
    expect(error.option).toBe('FOUNDATION_CLUSTER');
    expect(error.received).toBe('"ture"');
    for (const word of ['true', 'false', ...STRATEGY_NAMES]) expect(error.message).toContain(word);
  });

  it('checks the values of the environment like options', () => {
    expect(configErrorOf({}, { FOUNDATION_CLUSTER: 'true', FOUNDATION_REDIS_URL: 'http://x' }).option).toBe('redis');
  });

  it.each([
    ['FOUNDATION_APP_NAME', 'a}b{c'],
    ['FOUNDATION_NODE_NAME', 'two words'],
  ])('refuses a bad %s', (variable, value) => {
    configErrorOf({}, { [variable]: value });
  });
});

describe('resolve: what a node is and how it is called', () => {
  it('takes labels, a capacity, calls and onStall', () => {
    const options = {
      ...{ labels: { role: 'worker', zone: 'x'.repeat(63) }, capacity: 3, lease: { onStall: 'exit' } },
      calls: { timeout: 1, concurrency: 1, queue: 0, stacks: true },
    };
    const config = of(options);
    expect(config).toMatchObject({ labels: options.labels, capacity: 3, calls: options.calls });
    expect(config.lease).toMatchObject({ onStall: 'exit', ttl: 1500 });
  });

  it('has no capacity unless one is given, and takes 0 for one', () => {
    expect(of()).not.toHaveProperty('capacity');
    expect(of({ capacity: undefined })).not.toHaveProperty('capacity');
    expect(of({ capacity: 0 }).capacity).toBe(0);
  });

  it('fills in what the calls leave out', () => {
    const defaults = of().calls;
    expect(of({ calls: {} }).calls).toEqual(defaults);
    expect(of({ calls: { timeout: 50, queue: undefined } }).calls).toEqual({ ...defaults, timeout: 50 });
  });

  it('copies the labels', () => {
    const labels: Record<string, string> = { role: 'worker' };
    const config = of({ labels });
    labels['role'] = 'other';
    expect(config.labels).toEqual({ role: 'worker' });
  });

  it('takes labels from the environment, and those of the options instead, not besides', () => {
    const env = { FOUNDATION_LABELS: 'role=worker,zone=a' };
    expect(of({}, env).labels).toEqual({ role: 'worker', zone: 'a' });
    expect(of({ labels: { zone: 'b' } }, env).labels).toEqual({ zone: 'b' });
    expect(of({ labels: {} }, env).labels).toEqual({});
  });

  it.each(['role', 'role=', '=worker', 'role=a=b', 'role=a,,zone=b', ',', `role=${'x'.repeat(64)}`])(
    'refuses FOUNDATION_LABELS=%j and names the variable',
    (value) => {
      expect(configErrorOf({}, { FOUNDATION_LABELS: value }).option).toBe('FOUNDATION_LABELS');
    },
  );
});

describe('resolve: what is not there', () => {
  it.each([{}, { publish: () => undefined }, { kind: 'redis', format: 'xml' }, { kind: 'redis', port: 1 }])(
    'refuses a transport of the application, %j',
    (transport) => {
      expect(configErrorOf({ transport: transport as never }).option).toMatch(/^transport\./);
    },
  );

  it('takes the transport over Redis with the form of what it publishes', () => {
    expect(of({ transport: { kind: 'redis', format: 'json' } }).transport).toEqual({ kind: 'redis', format: 'json' });
    const env = { FOUNDATION_TRANSPORT_FORMAT: 'json' };
    expect(of({}, env).transport).toEqual({ kind: 'redis', format: 'json' });
    expect(of({ transport: { kind: 'redis', format: 'packed' } }, env).transport).toEqual({
      kind: 'redis',
      format: 'packed',
    });
    expect(configErrorOf({}, { FOUNDATION_TRANSPORT_FORMAT: 'xml' }).option).toBe('FOUNDATION_TRANSPORT_FORMAT');
  });

  it.each([['typo'], [{ strategy: 'typo', secret: SECRET }]])('lists the valid strategies for %j', (cluster) => {
    const error = configErrorOf({ cluster });
    expect(error.option).toBe('cluster');
    expect(error.received).toContain('typo');
    for (const name of STRATEGY_NAMES) expect(error.expected).toContain(name);
    expect(error.message).not.toContain(SECRET);
  });

  it.each([[{ strategy: 5 }], [{ strategy: null }], [{ strategy: ['gossip'] }]])('refuses cluster: %j', (cluster) => {
    expect(errorOf({ cluster })).toBeInstanceOf(FoundationConfigError);
  });
});

describe('resolve: bad options', () => {
  it.each([
    ['an unknown option', { clustr: true }, 'clustr', 'known here: cluster'],
    ['a class in the place of the rules', { constructor: class {} }, 'constructor', 'no such option'],
    ['the same within an option', { lease: { constructor: null } }, 'lease.constructor', 'no such option'],
    ['a wrong type', { appName: 5 }, 'appName', '1 to 128'],
    ['a name with spaces', { appName: 'two words' }, 'appName', '1 to 128'],
    ['an empty name', { nodeName: '' }, 'nodeName', '1 to 128'],
    ['an empty version', { release: '' }, 'release', '1 to 100 characters'],
    ['a version that is a number', { release: 5 }, 'release', '1 to 100 characters'],
    ['a version that is too long', { release: 'x'.repeat(101) }, 'release', '1 to 100 characters'],
    ['a name with a brace', { appName: 'a}b' }, 'appName', '1 to 128'],
    ['a cluster of a wrong type', { cluster: 5 }, 'cluster', 'true, false'],
    ['a time without a unit', { shutdownTimeout: '5000' }, 'shutdownTimeout', 'milliseconds'],
    ['a time that is too short', { shutdownTimeout: 1 }, 'shutdownTimeout', 'milliseconds'],
    ['NaN', { shutdownTimeout: NaN }, 'shutdownTimeout', 'milliseconds'],
    ['a nested unknown option', { lease: { tll: 1500 } }, 'lease.tll', 'known here: ttl'],
    ['a nested wrong type', { lease: { ttl: '1500' } }, 'lease.ttl', 'milliseconds'],
    ['an array for an object', { lease: [] }, 'lease', 'an object'],
    ['a fraction', { lease: { ttl: 1500.5 } }, 'lease.ttl', 'milliseconds'],
    ['a beat that is too fast', { membership: { beatEvery: 1 } }, 'membership.beatEvery', 'milliseconds'],
    ['an unknown restart', { processes: { restart: 'always' } }, 'processes.restart', 'permanent'],
    ['a negative count', { processes: { maxRestarts: -1 } }, 'processes.maxRestarts', '0 or more'],
    ['a timeout as text', { processes: { timeout: 'never' } }, 'processes.timeout', 'infinity'],
    ['a timeout of null', { processes: { timeout: null } }, 'processes.timeout', 'infinity'],
    ['a bad backoff', { processes: { backoff: 5 } }, 'processes.backoff', '{ base, cap }'],
    ['a deeply nested one', { processes: { backoff: { bse: 1 } } }, 'processes.backoff.bse', 'known here: base'],
    ['a bad channel name', { channels: { names: ['ok', 'not ok'] } }, 'channels.names', 'an array'],
    ['a tiny message size', { channels: { maxMessageBytes: 10 } }, 'channels.maxMessageBytes', '1024'],
    ['an unknown onStall', { lease: { onStall: 'wait' } }, 'lease.onStall', "'fence' or 'exit'"],
    ['an onStall of a wrong type', { lease: { onStall: true } }, 'lease.onStall', "'fence' or 'exit'"],
    ['calls that are no object', { calls: 5 }, 'calls', 'an object'],
    ['an unknown option of the calls', { calls: { timeouts: 5 } }, 'calls.timeouts', 'known here: timeout'],
    ['a call without time', { calls: { timeout: 0 } }, 'calls.timeout', 'milliseconds'],
    ['an endless call', { calls: { timeout: Infinity } }, 'calls.timeout', 'milliseconds'],
    ['no call at a time', { calls: { concurrency: 0 } }, 'calls.concurrency', '1 or more'],
    ['a negative queue', { calls: { queue: -1 } }, 'calls.queue', '0 or more'],
    ['stacks as text', { calls: { stacks: 'yes' } }, 'calls.stacks', 'true or false'],
    ['labels as text', { labels: 'role=worker' }, 'labels', 'short texts'],
    ['labels as a list', { labels: ['worker'] }, 'labels', 'short texts'],
    ['a label that is a number', { labels: { cores: 8 } }, 'labels', 'short texts'],
    ['an empty label', { labels: { role: '' } }, 'labels', 'short texts'],
    ['a label without a name', { labels: { '': 'x' } }, 'labels', 'short texts'],
    ['a long label', { labels: { role: 'x'.repeat(64) } }, 'labels', 'short texts'],
    ['a long name of a label', { labels: { ['x'.repeat(64)]: 'x' } }, 'labels', 'short texts'],
    ['a negative capacity', { capacity: -1 }, 'capacity', '0 or more'],
    ['a broken capacity', { capacity: 1.5 }, 'capacity', '0 or more'],
    ['a capacity as text', { capacity: '5' }, 'capacity', '0 or more'],
    ['an endless capacity', { capacity: Infinity }, 'capacity', '0 or more'],
    ['a queue that is no object', { queue: 'q' }, 'queue', 'BullMQ'],
    ['a redlock that is no object', { redlock: true }, 'redlock', 'Redlock'],
    ['a port out of range', { cluster: true, redis: { port: 70_000 } }, 'redis.port', '65535'],
    ['an unknown endpoint option', { cluster: true, redis: { hots: 'x' } }, 'redis.hots', 'known here: url'],
    ['a number for redis', { cluster: true, redis: 6379 }, 'redis', 'object'],
  ])('refuses %s', (_what, options, option, expected) => {
    const error = configErrorOf(options);
    expect(error.option).toBe(option);
    expect(error.expected).toContain(expected);
    expect(error.message).toContain(`"${option}"`);
  });

  it.each([[null], [5], ['cluster'], [[]]])('refuses %j for the options themselves', (options) => {
    expect(configErrorOf(options).option).toBe('options');
  });

  it('fills in what durable channels leave open, and declares them', () => {
    const { names, durable } = of({
      channels: { names: { orders: { durable: true }, data: { durable: { maxLength: 5 } }, audit: {} } },
    }).channels;
    expect(names).toEqual(['control', 'events', 'telemetry', 'data', 'orders', 'audit']);
    const others = { maxDeliveries: 5, retryAfter: 5000, acknowledge: 'memory', acknowledgeTimeout: 5000 };
    expect(durable).toEqual({ orders: { maxLength: 100_000, ...others }, data: { maxLength: 5, ...others } });
  });

  it('takes what a durable channel is acknowledged by', () => {
    const acknowledge = { replicas: 2 };
    const { durable } = of({
      channels: {
        names: {
          disk: { durable: { acknowledge: 'fsync', acknowledgeTimeout: '2s' } },
          copies: { durable: { acknowledge } },
          unsaid: { durable: { acknowledge: undefined } },
        },
      },
    }).channels;
    acknowledge.replicas = 9;
    expect(durable).toMatchObject({
      disk: { acknowledge: 'fsync', acknowledgeTimeout: 2000 },
      copies: { acknowledge: { replicas: 2 }, acknowledgeTimeout: 5000 },
      unsaid: { acknowledge: 'memory' },
    });
  });

  it.each([
    ...['disk', 'FSYNC', true, 1, []],
    ...[{}, { replicas: 0 }, { replicas: 101 }, { replicas: 1.5 }, { replicas: '1' }, { replicas: 1, fsync: true }],
  ])('refuses %j for acknowledge', (acknowledge) => {
    const error = configErrorOf({ channels: { names: { orders: { durable: { acknowledge } } } } });
    expect(error.option).toBe('channels.names.orders.durable.acknowledge');
    expect(error.expected).toBe(`'memory', 'fsync' or { replicas: n }, n from 1 to 100`);
  });

  it.each<[unknown, string]>([
    ['orders', 'channels.names'],
    [['ok', 5], 'channels.names'],
    [{ 'not ok': {} }, 'channels.names'],
    [{ orders: true }, 'channels.names.orders'],
    [{ orders: { group: 'a' } }, 'channels.names.orders.group'],
    [{ orders: { durable: 'yes' } }, 'channels.names.orders.durable'],
    [{ orders: { durable: { maxLength: 0 } } }, 'channels.names.orders.durable.maxLength'],
    [{ orders: { durable: { maxDeliveries: 1.5 } } }, 'channels.names.orders.durable.maxDeliveries'],
    [{ orders: { durable: { retryAfter: 10 } } }, 'channels.names.orders.durable.retryAfter'],
    [{ orders: { durable: { acknowledgeTimeout: 499 } } }, 'channels.names.orders.durable.acknowledgeTimeout'],
    [{ orders: { durable: { length: 5 } } }, 'channels.names.orders.durable.length'],
  ])('refuses %j for channels.names', (names, option) => {
    expect(configErrorOf({ channels: { names } }).option).toBe(option);
  });

  it('says where durable channels are declared', () => {
    const { option, message } = configErrorOf({ channels: { durable: { orders: {} } } });
    expect(option).toBe('channels.durable');
    expect(message).toContain('names: { payments: { durable: { … } } }');
  });

  it('holds the ttl of a lease against its renewals', () => {
    const error = configErrorOf({ lease: { ttl: 1500, renewEvery: 600 } });
    expect(error.option).toBe('lease.ttl');
    expect(error.message).toContain('1500 with renewEvery 600');
    // The border: two renewals and their timeouts fit exactly, and one millisecond more does not.
    const [renewEvery, commandTimeout, margin] = [350, 200, 250];
    const ttl = 1368;
    expect(of({ lease: { ttl, renewEvery, commandTimeout, margin } }).lease.deadline).toBe(1102);
    expect(of({ lease: { ttl: 1366, renewEvery, commandTimeout, margin } }).lease.deadline).toBe(1100);
    configErrorOf({ lease: { ttl: 1365, renewEvery, commandTimeout, margin } });
  });

  it('holds the ttl of the membership against its beats and against the lease', () => {
    expect(configErrorOf({ membership: { ttl: 2400 } }).message).toContain('2.5 × beatEvery');
    expect(of({ membership: { ttl: 2500 } }).membership.ttl).toBe(2500);
    const short = configErrorOf({ membership: { ttl: 1400, beatEvery: 500 } });
    expect(short.option).toBe('membership.ttl');
    expect(short.message).toContain('lease.ttl 1500');
  });

  it('holds the cap of a backoff against its base', () => {
    const error = configErrorOf({ processes: { backoff: { base: 500, cap: 400 } } });
    expect(error.option).toMatch(/backoff\.cap$/);
    expect(error.received).toBe('400');
    configErrorOf({ processes: { backoff: { base: 20_000 } } });
  });

  it.each([['127.0.0.1:6379'], ['http://host'], ['redis'], ['']])('refuses the URL %j', (redis) => {
    const error = configErrorOf({ cluster: true, redis });
    expect(error.option).toBe('redis');
    expect(error.expected).toContain('redis://127.0.0.1:6379');
  });

  it.each([
    [
      'redis-sentinel://a:26379,b:26380/2#billing',
      { sentinels: [address('a', 26379), address('b', 26380)], db: 2, name: 'billing' },
    ],
    ['redis-sentinel://u:p%40ss@[::1]:1', { sentinels: [address('::1', 1)], username: 'u', password: 'p@ss' }],
    ['redis-cluster://a:1,b:2', { cluster: [address('a', 1), address('b', 2)] }],
    ['rediss-cluster://:secret@a:1', { cluster: [address('a', 1)], password: 'secret', options: { tls: {} } }],
  ])('takes the URL of several hosts %s', (url, endpoint) => {
    expect(of({ cluster: true, redis: url })).toMatchObject({ redis: endpoint, quorum: [] });
    expect(of({ cluster: true, redis: { url } }).redis).toMatchObject(endpoint);
  });

  it.each(['redis-cluster://', 'redis-cluster://a', 'redis-cluster://a:0', 'redis-sentinel://a:1,b', 'redis-x://a:1'])(
    'refuses the URL of several hosts %s',
    (redis) => expect(configErrorOf({ cluster: true, redis }).option).toBe('redis'),
  );

  it('takes a quorum as a list, and as URLs with spaces between them', () => {
    const quorum = ['redis://a', { host: 'b' }, 'redis-cluster://c:1'];
    expect(of({ cluster: true, redis: { quorum } })).toMatchObject({
      redis: { url: 'redis://a' },
      quorum: [{ host: 'b' }, { cluster: [address('c', 1)] }],
    });
    const several = of({ cluster: true }, { REDIS_URL: ' redis://a  redis://b redis://c ' });
    expect(several).toMatchObject({
      redis: { url: 'redis://a' },
      quorum: [{ url: 'redis://b' }, { url: 'redis://c' }],
    });
    expect(of({ redis: { quorum } }).quorum).toEqual([]);
  });

  it.each<[string, unknown, string]>([
    ['none', [], 'redis.quorum'],
    ['an even number', ['redis://a', 'redis://b'], 'redis.quorum'],
    ['no list', 'redis://a', 'redis.quorum'],
    ['a hole', ['redis://a', undefined, 'redis://b'], 'redis'],
    ['a number', ['redis://a', 7, 'redis://b'], 'redis'],
    ['no URL', ['redis://a', 'b', 'redis://b'], 'redis'],
  ])('refuses a quorum with %s', (_what, quorum, option) => {
    expect(configErrorOf({ cluster: true, redis: { quorum } }).option).toBe(option);
  });

  it.each<[string, object]>([
    ['cluster', { cluster: [] }],
    ['cluster', { cluster: [{ host: 'a' }] }],
    ['sentinels', { sentinels: 'a:1' }],
    ['sentinels', { sentinels: [{ host: '', port: 1 }] }],
    ['name', { name: 7 }],
  ])('refuses a bad "%s" of the endpoint', (option, redis) => {
    expect(configErrorOf({ cluster: true, redis }).option).toBe(`redis.${option}`);
  });

  it.each(['redis://h', 'rediss://u:p@h:1/2', 'unix:///tmp/redis.sock'])('takes the URL %s', (url) => {
    expect(of({ cluster: true, redis: url }).redis).toEqual({ url });
    expect(of({ cluster: true, redis: { url, db: 3 } }).redis).toEqual({ url, db: 3 });
  });
});

describe('resolve: secrets', () => {
  it.each([
    ['a bad scheme', { cluster: true, redis: `http://:${SECRET}@host:1` }],
    ['a bad scheme in the endpoint', { cluster: true, redis: { url: `http://:${SECRET}@host:1` } }],
    ['a URL of a wrong type', { cluster: true, redis: { url: [SECRET] } }],
    ['a password of a wrong type', { cluster: true, redis: { password: { SECRET } } }],
    ['an unknown option that says so', { redisUrl: `redis://:${SECRET}@host` }],
    ['another one', { cookie: SECRET }],
    ['a strategy that is missing', { cluster: { strategy: 'typo', secret: SECRET } }],
    ['a strategy without a name', { cluster: { secret: SECRET } }],
    ['a list of URLs', { cluster: true, redis: [`redis://:${SECRET}@host`] }],
    ['a URL without a scheme', { cluster: true, redis: `${SECRET.slice(0, 7)}@host:6379` }],
    ['ioredis options as text', { cluster: true, redis: { options: SECRET } }],
    ['an unknown endpoint option', { cluster: true, redis: { pass: SECRET } }],
  ])('are not in the error for %s', (_what, options) => {
    expect(errorOf(options).message).not.toContain(SECRET.slice(0, 7));
  });

  it('are not in the error for a bad URL of the environment', () => {
    const env = { FOUNDATION_CLUSTER: 'true', REDIS_URL: `amqp://user:${SECRET}@host` };
    expect(errorOf({}, env).message).not.toContain(SECRET);
  });
});

describe('resolve: adopted objects', () => {
  const client = { status: 'ready', options: {}, duplicate: () => client, on: () => undefined };
  const redlock = { clients: new Set(), acquire: () => undefined, release: () => undefined };
  const queue = { name: 'supervision', add: () => undefined, upsertJobScheduler: () => undefined };

  it('hands a ready-made client, Redlock and Queue through as they are', () => {
    const config = of({ cluster: true, redis: client, redlock, queue });
    expect(config.redis).toBe(client);
    expect(config.redlock).toBe(redlock);
    expect(config.queue).toBe(queue);
  });

  it('takes a client over the environment', () => {
    expect(of({ cluster: true, redis: client }, { REDIS_URL: 'redis://env:1' }).redis).toBe(client);
  });

  it('leaves them out without a cluster', () => {
    const config = of({ redis: client, redlock, queue });
    expect(config).toMatchObject({ backend: 'local', redis: {} });
    expect(config).not.toHaveProperty('redlock');
    expect(config).not.toHaveProperty('queue');
  });

  it('knows a client by its duplicate method', () => {
    expect(isClient(client)).toBe(true);
    for (const other of [null, undefined, 'redis://x', {}, { duplicate: true }]) expect(isClient(other)).toBe(false);
  });
});

describe('processDefaults', () => {
  it('lets the nearer one win, option by option', () => {
    const module = processDefaults({ restart: 'transient', backoff: { cap: 500 } });
    expect(module).toMatchObject({ restart: 'transient', maxRestarts: 5, backoff: { base: 200, cap: 500 } });
    const own = processDefaults({ timeout: 'infinity', restart: undefined, backoff: { base: 10 } }, module);
    expect(own).toMatchObject({ restart: 'transient', timeout: 'infinity', backoff: { base: 10, cap: 500 } });
  });
});

describe('what an error shows', () => {
  const shownFor = (options: unknown, env: Environment = {}): string => errorOf(options, env).message;
  const secret = 'c1f0d2e4b7a94c3e9d1b';
  const url = `redis://app:${secret}@h:1`;

  it.each<[string, unknown, Record<string, string>]>([
    ['an option that is spelt wrong', { security: { cooky: secret } }, {}],
    ['a secret in a place of its own', { coookie: secret }, {}],
    ['all of security', { security: { tls: { certificateFile: [secret] } } }, {}],
    ['a URL as a name', { nodeName: url }, {}],
    ['a URL as a label', { labels: { a: url, [url]: '' } }, {}],
    ['a URL as a strategy', { cluster: url }, {}],
    ['a variable of the name', {}, { FOUNDATION_APP_NAME: `${secret} x` }],
    ['a variable of the labels', {}, { FOUNDATION_LABELS: url }],
    ['a variable of the strategy', {}, { FOUNDATION_CLUSTER: url }],
    ['the address of Consul', { cluster: 'consul' }, { CONSUL_HTTP_ADDR: `http://user:${secret}@host:8500` }],
    ['the hosts', { cluster: 'static' }, { FOUNDATION_STATIC_HOSTS: url }],
    ['the query', { cluster: 'dns' }, { FOUNDATION_DNS_QUERY: url }],
    ['the port', {}, { FOUNDATION_DIRECT_PORT: secret }],
  ])('holds no secret of %s', (_what, options, env) => {
    expect(shownFor(options, env)).not.toContain(secret);
  });

  it('is what a mistake looks like', () => {
    expect(shownFor({}, { FOUNDATION_CLUSTER: 'ture' })).toContain('"ture"');
    expect(shownFor({}, { FOUNDATION_EXPECTED_NODES: '0' })).toContain('0');
  });

  it.each(['', ' '.repeat(16), 'a'.repeat(16), `${' '.repeat(10)}abcdefgh`, 'abcabcabcabcabcabc', 'x'.repeat(1025)])(
    'takes %j for no cookie',
    (cookie) => expect(shownFor({ cluster: true, security: { cookie } })).toContain('security.cookie'),
  );
});

describe('resolve: times', () => {
  const TIMES = {
    lease: { ttl: '2s', renewEvery: '400ms', commandTimeout: '0.2s', margin: '300ms', grace: '3s' },
    membership: { beatEvery: '1s', ttl: '1m' },
    processes: { backoff: { base: '1s', cap: '1h' }, timeout: '2m', stopTimeout: '7s' },
    channels: { names: { payments: { durable: { retryAfter: '9s' } } } },
    calls: { timeout: '0.5m' },
    shutdownTimeout: '20s',
  } as const;

  it('are milliseconds, or a number with a unit', () => {
    expect(resolve(TIMES, {}, machine)).toMatchObject({
      lease: { ttl: 2000, renewEvery: 400, commandTimeout: 200, margin: 300, grace: 3000 },
      membership: { beatEvery: 1000, ttl: 60_000 },
      processes: { backoff: { base: 1000, cap: 3_600_000 }, timeout: 120_000, stopTimeout: 7000 },
      channels: { durable: { payments: { maxLength: 100_000, maxDeliveries: 5, retryAfter: 9000 } } },
      calls: { timeout: 30_000, concurrency: 64 },
      shutdownTimeout: 20_000,
    });
    const consul = resolve({ cluster: { strategy: 'consul', ttl: '30s' } }, {}, machine);
    expect(consul.topologies).toMatchObject([{ config: { ttl: 30_000 } }]);
    const dns = resolve({ cluster: { strategy: 'dns', query: 'a.b', every: '1m' } }, {}, machine);
    expect(dns.topologies).toMatchObject([{ config: { every: 60_000 } }]);
  });

  it('have their ends: the least and a day are taken', () => {
    for (const shutdownTimeout of [100, '100ms', '0.1s', 86_400_000, '86400s', '24h', '1d'] as const) {
      expect(resolve({ shutdownTimeout }, {}, machine).shutdownTimeout).toBeGreaterThanOrEqual(100);
    }
    for (const timeout of [1, '1ms', '0.001s', 2_147_483_647, 'infinity'] as const) {
      expect(resolve({ processes: { timeout } }, {}, machine).processes.timeout).toBeTruthy();
    }
    expect(resolve({ processes: { backoff: { base: '0s', cap: 0 } } }, {}, machine).processes.backoff).toEqual({
      base: 0,
      cap: 0,
    });
  });

  it.each([
    ...['0s', '99ms', '-1s', '', ' ', 'abc', '30', '1e3s', '1d1s', '25h', '1.5ms', 'infinity', '30 seconds'],
    ...[0, 99, -1, 1.5, 1e12, NaN, Infinity, -Infinity, true, {}, ['30s'], 5n],
  ])('refuse %p', (value) => {
    const error = configErrorOf({ shutdownTimeout: value as number });
    expect(error.option).toBe('shutdownTimeout');
    expect(error.expected).toMatch(/^milliseconds from 100 to 86400000, as a whole number or with a unit such as/);
  });

  it.each([
    ['lease.ttl', { lease: { ttl: '99ms' } }],
    ['membership.beatEvery', { membership: { beatEvery: '0s' } }],
    ['processes.timeout', { processes: { timeout: '25d' } }],
    ['processes.stopTimeout', { processes: { stopTimeout: '-1s' } }],
    ['processes.backoff.cap', { processes: { backoff: { cap: 'soon' } } }],
    [
      'channels.names.payments.durable.retryAfter',
      { channels: { names: { payments: { durable: { retryAfter: '' } } } } },
    ],
    ['calls.timeout', { calls: { timeout: NaN } }],
    ['consul.ttl', { cluster: { strategy: 'consul', ttl: 10 } }],
    ['gossip.every', { cluster: { strategy: 'gossip', secret: SECRET, every: '1e12s' } }],
  ])('name %s', (option, options) => expect(configErrorOf(options as never).option).toBe(option));
});

describe('resolve: what is handed over ready-made', () => {
  it.each([
    ['redlock', { redlock: {} }],
    ['redlock', { redlock: { acquire: () => undefined } }],
    ['queue', { queue: { add: () => undefined } }],
    ['queue', { queue: 'supervision' }],
    ['redlock', { redlock: { options: { password: SECRET } } }],
  ])('refuses a %s that is none, and shows nothing of it', (option, options) => {
    const error = configErrorOf({ cluster: true, ...options });
    expect(error.option).toBe(option);
    expect(error.message).not.toContain(SECRET);
  });
});

describe('resolve: the journal', () => {
  it('is on, and longer, shorter or off as the options or the environment say', () => {
    const journal = (given: unknown, env: Environment = {}) => of({ journal: given }, env).journal;
    expect(journal(undefined)).toEqual({ maxEntries: 10_000 });
    expect(journal(true)).toEqual({ maxEntries: 10_000 });
    expect(journal({ maxEntries: 500 })).toEqual({ maxEntries: 500 });
    expect(journal({})).toEqual({ maxEntries: 10_000 });
    expect(journal(false)).toBe(false);
    const [off, on, long] = [
      { FOUNDATION_JOURNAL: 'false' },
      { FOUNDATION_JOURNAL: 'true' },
      { FOUNDATION_JOURNAL_MAX_ENTRIES: '700' },
    ];
    expect(journal(undefined, off)).toBe(false);
    expect(journal(undefined, { ...off, ...long })).toBe(false);
    expect(journal(true, off)).toEqual({ maxEntries: 10_000 });
    expect(journal(undefined, on)).toEqual({ maxEntries: 10_000 });
    expect(journal(undefined, { ...on, ...long })).toEqual({ maxEntries: 700 });
    expect(journal(true, long)).toEqual({ maxEntries: 700 });
    expect(journal({ maxEntries: 200 }, long)).toEqual({ maxEntries: 200 });
    expect(journal(false, long)).toBe(false);
  });

  it.each<[string, unknown, Environment?]>([
    ['journal', 'yes'],
    ['journal', 1],
    ['journal', []],
    ['journal.maxEntries', { maxEntries: 99 }],
    ['journal.maxEntries', { maxEntries: 100_001 }],
    ['journal.maxEntries', { maxEntries: '500' }],
    ['journal.entries', { entries: 500 }],
    ['FOUNDATION_JOURNAL', undefined, { FOUNDATION_JOURNAL: 'yes' }],
    ['FOUNDATION_JOURNAL_MAX_ENTRIES', undefined, { FOUNDATION_JOURNAL_MAX_ENTRIES: '5' }],
  ])('is refused when %s is wrong: %p', (option, journal, env = {}) => {
    expect(configErrorOf({ journal }, env).option).toBe(option);
  });
});
