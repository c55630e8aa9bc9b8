import { describe, expect, it } from '@jest/globals';
import { FoundationConfigError } from '../errors/config.errors.js';
import type { FoundationConfig } from './config.js';
import type { Environment } from './environment.js';
import type { FoundationOptions } from './options.js';
import { resolve } from './resolve.js';
import { STRATEGY_NAMES } from './strategy.settings.js';
import type { TopologyStrategy } from './topology.strategy.js';
import { translateDns, translateGossip, translateKubernetes, translateMdns, translateStatic } from './translate.js';

const SECRET = 'hunter2-hunter2-hunter2';
const machine = { host: 'box', pid: 7, packageName: 'app' };
const inPod = { ...machine, podNamespace: 'shop' };
const podEnv = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };
const custom: TopologyStrategy = { name: 'mine', start: () => Promise.resolve(), stop: () => Promise.resolve() };

const of = (options: unknown, env: Environment = {}, where = machine): FoundationConfig =>
  resolve(options as FoundationOptions, env, where);

function errorOf(options: unknown, env: Environment = {}): FoundationConfigError {
  try {
    of(options, env);
  } catch (error) {
    expect(error).toBeInstanceOf(FoundationConfigError);
    return error as FoundationConfigError;
  }
  throw new Error('Nothing was thrown');
}

describe('resolve: the three tiers', () => {
  it('has no strategy without a cluster, whatever the environment suggests', () => {
    for (const cluster of [false, undefined]) {
      expect(of({ cluster }, podEnv, inPod)).toMatchObject({ backend: 'local', strategy: 'none', topologies: [] });
    }
    expect(of({ cluster: false, topologies: [custom] })).toMatchObject({ backend: 'local', topologies: [] });
  });

  it('mortal: takes what the environment suggests', () => {
    expect(of({ cluster: true, appName: 'shop' }, podEnv, inPod)).toMatchObject({
      backend: 'redis',
      strategy: 'kubernetes',
      detected: true,
      topologies: [{ strategy: 'kubernetes', config: { selector: 'app=shop', namespace: 'shop' } }],
    });
    const named = of({ cluster: true, redis: 'redis://a' });
    expect(named).toMatchObject({ strategy: 'redis', topologies: [], redis: { url: 'redis://a' } });
  });

  it('refuses a name that no label of a pod can be, unless a selector is set', () => {
    for (const appName of ['a'.repeat(64), 'shop-', 'shop.', '_shop']) {
      const { option, expected } = errorOf({ cluster: 'kubernetes', appName }, podEnv);
      expect([option, expected]).toEqual(['appName', expect.stringContaining('FOUNDATION_K8S_SELECTOR')]);
      const cluster = { strategy: 'kubernetes', selector: 'app=shop' };
      expect(of({ cluster, appName }, podEnv)).toMatchObject({ topologies: [{ config: { selector: 'app=shop' } }] });
    }
  });

  it('mortal: takes the strategy that FOUNDATION_CLUSTER names first, and leaves none out', () => {
    const named = of(
      { cluster: true },
      { ...podEnv, FOUNDATION_CLUSTER: 'static', FOUNDATION_STATIC_HOSTS: 'a' },
      inPod,
    );
    expect(named).toMatchObject({
      strategy: 'static',
      detected: false,
      topologies: [translateStatic({ hosts: ['a'] })],
    });
    for (const word of ['true', '']) {
      expect(of({ cluster: true }, { ...podEnv, FOUNDATION_CLUSTER: word }, inPod)).toMatchObject({
        ...{ backend: 'redis', strategy: 'kubernetes', detected: true },
      });
    }
    expect(errorOf({ cluster: true }, { FOUNDATION_CLUSTER: 'kubernets' }).option).toBe('FOUNDATION_CLUSTER');
    expect(of({ cluster: false }, { FOUNDATION_CLUSTER: 'kubernets' }).backend).toBe('local');
  });

  it('lets an embedded Redis be started for development only, and only where all nodes are on one machine', () => {
    const yes: [unknown, Environment][] = [
      [{ cluster: true }, {}],
      [{ cluster: 'mdns' }, {}],
      [{ topologies: [] }, { NODE_ENV: 'development' }],
    ];
    const no: [unknown, Environment][] = [
      [{}, {}],
      [{ cluster: true }, { NODE_ENV: 'production' }],
      [{ cluster: 'mdns' }, { NODE_ENV: 'production' }],
      [{ cluster: 'kubernetes' }, {}],
      [{ cluster: true }, { FOUNDATION_DNS_QUERY: 'shop.local' }],
      [{ topologies: [custom] }, {}],
      [{ cluster: true, redis: 'redis://a' }, {}],
      [{ cluster: true, redis: { options: { tls: {} } } }, {}],
      [{ cluster: true }, { FOUNDATION_REDIS_PASSWORD: SECRET }],
    ];
    for (const [options, env] of yes) expect(of(options, env)).toMatchObject({ embeddedRedis: true });
    for (const [options, env] of no) expect(of(options, env)).toMatchObject({ embeddedRedis: false });
  });

  it('apprentice: takes a name, or a name with settings, from the options or the environment', () => {
    expect(of({ cluster: 'kubernetes' })).toMatchObject({
      backend: 'redis',
      strategy: 'kubernetes',
      detected: false,
      topologies: [translateKubernetes({ appName: 'app' })],
    });
    const settings = { selector: 'tier=web', namespace: undefined };
    expect(of({ cluster: { strategy: 'kubernetes', ...settings } }).topologies).toEqual([
      translateKubernetes({ selector: 'tier=web' }),
    ]);
    const env = { FOUNDATION_CLUSTER: 'static', FOUNDATION_STATIC_HOSTS: 'a:7000, b' };
    expect(of({}, env).topologies).toEqual([translateStatic({ hosts: ['a:7000', 'b'] })]);
  });

  it('wizard: takes strategies of every kind, several at once, and without cluster: true', () => {
    const translated = translateStatic({ hosts: ['a'] });
    const config = of({ topologies: [custom, 'kubernetes', { strategy: 'static', hosts: ['a'] }, translated] });
    expect(config).toMatchObject({ backend: 'redis', strategy: 'mine+kubernetes+static+static', detected: false });
    expect(config.topologies).toEqual([custom, translateKubernetes({ appName: 'app' }), translated, translated]);
    expect(config.topologies[0]).toBe(custom);
    expect(of({ cluster: 'kubernetes', topologies: [custom] }).topologies).toEqual([custom]);
    expect(of({ cluster: true, topologies: [] }, podEnv, inPod)).toMatchObject({ strategy: 'redis', topologies: [] });
  });

  it('takes settings over the environment', () => {
    const env = { FOUNDATION_K8S_SELECTOR: 'a=b', FOUNDATION_K8S_NAMESPACE: 'one', POD_NAMESPACE: 'two' };
    const config = (cluster: unknown, variables: Environment = env) => of({ cluster }, variables, inPod).topologies[0];
    expect(config('kubernetes')).toMatchObject({ config: { selector: 'a=b', namespace: 'one' } });
    expect(config('kubernetes', { POD_NAMESPACE: 'two' })).toMatchObject({ config: { namespace: 'two' } });
    expect(config('kubernetes', {})).toMatchObject({ config: { selector: 'app=app', namespace: 'shop' } });
    expect(config({ strategy: 'kubernetes', selector: 'c=d' })).toMatchObject({ config: { selector: 'c=d' } });
  });

  it('takes the secrets of gossip and the name of DNS from the environment, where the options have none', () => {
    const env = { FOUNDATION_GOSSIP_SECRET: SECRET, FOUNDATION_GOSSIP_PREVIOUS_SECRET: `${SECRET}-old` };
    const gossip = of({ cluster: 'gossip' }, env).topologies[0] as ReturnType<typeof translateGossip>;
    expect([gossip.config.secret.reveal(), gossip.config.previousSecret?.reveal()]).toEqual([SECRET, `${SECRET}-old`]);
    expect(of({ cluster: true }, { ...env, NODE_ENV: 'production' }).topologies[0]).toMatchObject({
      strategy: 'gossip',
    });
    const servers = ['10.0.0.1', '10.0.0.1:8600', '::1', '[::1]:53', '[::1]'];
    const dns = of({ cluster: { strategy: 'dns', servers } }, { FOUNDATION_DNS_QUERY: 'shop.internal' });
    expect(dns.topologies).toEqual([translateDns({ query: 'shop.internal', servers })]);
  });

  it('takes mdns outside production, where nothing says where Redis is', () => {
    const mdns = { strategy: 'mdns', detected: true, topologies: [translateMdns()] };
    expect(of({ cluster: true })).toMatchObject(mdns);
    expect(of({ cluster: true, redis: { password: SECRET } })).toMatchObject(mdns);
    expect(of({ cluster: true }, { NODE_ENV: 'production' })).toMatchObject({ strategy: 'redis', topologies: [] });
    expect(of({ cluster: 'mdns', redis: 'redis://a' })).toMatchObject({ ...mdns, detected: false });
  });

  it('names a node after its pod, where the environment names the pod', () => {
    const env = { ...podEnv, POD_NAME: 'shop-7d9f-x2x' };
    expect(of({ cluster: true }, env, inPod).nodeName).toBe('shop-7d9f-x2x');
    expect(of({ cluster: true }, podEnv, inPod).nodeName).toBe('box-7');
    expect(of({ cluster: true, redis: 'redis://a' }, { POD_NAME: 'x' }).nodeName).toBe('box-7');
    expect(of({ cluster: true, nodeName: 'n' }, env, inPod).nodeName).toBe('n');
  });
});

describe('resolve: bad strategies', () => {
  it.each(['typo', { strategy: 'typo' }, { strategy: 5 }, { strategy: null }, {}, { strategy: ['static'] }])(
    'lists the valid ones for %j',
    (bad) => {
      for (const options of [{ cluster: bad }, { cluster: true, topologies: [bad] }]) {
        const error = errorOf(options);
        expect(error.option).toBe('topologies' in options ? 'topologies[0]' : 'cluster');
        for (const name of STRATEGY_NAMES) expect(error.expected).toContain(name);
      }
    },
  );

  it.each([5, 'kubernetes', {}, null].map((topologies) => [topologies]))('refuses topologies: %j', (topologies) => {
    if (topologies === null)
      expect(of({ cluster: true, topologies }, { NODE_ENV: 'production' }).topologies).toEqual([]);
    else expect(errorOf({ cluster: true, topologies }).option).toBe('topologies');
  });

  it.each<[unknown, string]>([
    [{ strategy: 'kubernetes', selektor: 'a=b' }, 'kubernetes.selektor'],
    [{ strategy: 'kubernetes', selector: '' }, 'kubernetes.selector'],
    [{ strategy: 'kubernetes', selector: 'a=b\n' }, 'kubernetes.selector'],
    [{ strategy: 'kubernetes', namespace: 'a/b' }, 'kubernetes.namespace'],
    [{ strategy: 'kubernetes', config: { namespace: 5 } }, 'kubernetes.namespace'],
    [{ strategy: 'kubernetes', config: 5 }, 'kubernetes'],
    [{ strategy: 'consul', address: 'http://x/path' }, 'consul.address'],
    [{ strategy: 'consul', address: 'user@host' }, 'consul.address'],
    [{ strategy: 'consul', ttl: 1 }, 'consul.ttl'],
    [{ strategy: 'consul', token: '' }, 'consul.token'],
    [{ strategy: 'static' }, 'static.hosts'],
    [{ strategy: 'static', hosts: [] }, 'static.hosts'],
    [{ strategy: 'static', hosts: 'a' }, 'static.hosts'],
    [{ strategy: 'static', hosts: ['a b'] }, 'static.hosts'],
    [{ strategy: 'static', hosts: ['a:0'] }, 'static.hosts'],
    [{ strategy: 'static', hosts: [5] }, 'static.hosts'],
    [{ strategy: 'static', hosts: ['a'], redis: 'http://x' }, 'static.redis'],
    [{ strategy: 'static', hosts: ['a'], every: 5 }, 'static.every'],
    [{ strategy: 'dns' }, 'dns.query'],
    [{ strategy: 'dns', query: 'a b' }, 'dns.query'],
    [{ strategy: 'dns', query: 'a', redisQuery: 'a\nb' }, 'dns.redisQuery'],
    [{ strategy: 'dns', query: 'a', servers: [] }, 'dns.servers'],
    [{ strategy: 'dns', query: 'a', servers: '10.0.0.1' }, 'dns.servers'],
    [{ strategy: 'dns', query: 'a', servers: ['ns.example'] }, 'dns.servers'],
    [{ strategy: 'dns', query: 'a', servers: ['10.0.0.1:0'] }, 'dns.servers'],
    [{ strategy: 'dns', query: 'a', servers: ['10.0.0.1:66000'] }, 'dns.servers'],
    [{ strategy: 'dns', query: 'a', servers: ['[::1'] }, 'dns.servers'],
    [{ strategy: 'dns', query: 'a', servers: [5] }, 'dns.servers'],
    [{ strategy: 'gossip' }, 'gossip.secret'],
    [{ strategy: 'gossip', secret: '' }, 'gossip.secret'],
    [{ strategy: 'gossip', secret: 'fifteen letters' }, 'gossip.secret'],
    [{ strategy: 'gossip', secret: 'x'.repeat(1025) }, 'gossip.secret'],
    [{ strategy: 'gossip', secret: 16 }, 'gossip.secret'],
    [{ strategy: 'gossip', secret: SECRET, previousSecret: 'short' }, 'gossip.previousSecret'],
    [{ strategy: 'gossip', secret: SECRET, group: '224.0.0.300' }, 'gossip.group'],
    [{ strategy: 'gossip', secret: SECRET, group: 'ff02::1' }, 'gossip.group'],
    [{ strategy: 'gossip', secret: SECRET, port: 0 }, 'gossip.port'],
    [{ strategy: 'gossip', secret: SECRET, interface: 'eth0' }, 'gossip.interface'],
    [{ strategy: 'gossip', secret: SECRET, every: 5 }, 'gossip.every'],
    [{ strategy: 'mdns', service: 'shop' }, 'mdns.service'],
    [{ strategy: 'mdns', interface: 'lo' }, 'mdns.interface'],
    [JSON.parse('{"strategy":"static","hosts":["a"],"__proto__":{"every":1000}}'), 'static.__proto__'],
  ])('refuses %j', (cluster, option) => {
    expect(errorOf({ cluster }).option).toBe(option);
    expect(errorOf({ topologies: [cluster] }).option).toBe(option);
  });

  it('shows no secret', () => {
    const error = errorOf({ cluster: { strategy: 'consul', token: { secret: SECRET } } });
    expect(error.message).not.toContain(SECRET);
    expect(error.received).toBe('an object');
  });

  it('checks what the environment says, too', () => {
    expect(errorOf({ cluster: 'static' }).message).toContain('static.hosts');
    for (const variable of ['FOUNDATION_K8S_NAMESPACE', 'FOUNDATION_KUBERNETES_NAMESPACE']) {
      expect(errorOf({ cluster: 'kubernetes' }, { [variable]: 'a b' }).option).toBe(variable);
    }
  });
});
