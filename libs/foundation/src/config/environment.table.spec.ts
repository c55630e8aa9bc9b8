import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { FoundationConfigError } from '../errors/config.errors.js';
import { fromEnvironment } from './environment.js';
import { OTHER_NAMES, valuesIn, VARIABLE_KINDS, variableIn, variableOf } from './environment.table.js';
import { resolve } from './resolve.js';

const COOKIE = '0123456789abcdef';
const machine = { host: 'box', pid: 7, packageName: 'app' };

describe('the variables of the options', () => {
  it('are named after them', () => {
    expect(variableOf('appName')).toBe('FOUNDATION_APP_NAME');
    expect(variableOf('lease.renewEvery')).toBe('FOUNDATION_LEASE_RENEW_EVERY');
    expect(variableOf('processes.backoff.cap')).toBe('FOUNDATION_PROCESSES_BACKOFF_CAP');
  });

  it('count as unset when they are empty', () => {
    expect(valuesIn(Object.fromEntries(Object.keys(VARIABLE_KINDS).map((each) => [variableOf(each), ''])))).toEqual({});
  });

  it('stand below what is explicit, value by value, and above the defaults', () => {
    const env = {
      FOUNDATION_LEASE_TTL: '3s',
      FOUNDATION_LEASE_RENEW_EVERY: '400',
      FOUNDATION_MEMBERSHIP_TTL: '1m',
      FOUNDATION_PROCESSES_BACKOFF_BASE: '1s',
      FOUNDATION_PROCESSES_TIMEOUT: 'infinity',
      FOUNDATION_CALLS_STACKS: 'true',
      FOUNDATION_CAPACITY: '7',
      FOUNDATION_SHUTDOWN_TIMEOUT: '20s',
    };
    const options = { lease: { ttl: 2000, margin: undefined }, processes: { backoff: { cap: '5s' } } } as const;
    expect(resolve(options, env, machine)).toMatchObject({
      lease: { ttl: 2000, renewEvery: 400, margin: 250 },
      membership: { ttl: 60_000, beatEvery: 1000 },
      processes: { backoff: { base: 1000, cap: 5000 }, timeout: 'infinity' },
      calls: { stacks: true, timeout: 5000 },
      capacity: 7,
      shutdownTimeout: 20_000,
    });
  });

  it('name the files of mutual TLS one by one', () => {
    const env = {
      FOUNDATION_COOKIE: '0123456789abcdef',
      FOUNDATION_SECURITY_TLS_CERTIFICATE_FILE: '/tls/node.pem',
      FOUNDATION_SECURITY_TLS_KEY_FILE: '/tls/node.key',
      FOUNDATION_SECURITY_TLS_CA_FILE: '/tls/ca.pem',
    };
    const { transport } = resolve({ cluster: true, transport: 'direct' }, env, machine);
    const tls = { certificateFile: '/tls/node.pem', keyFile: '/tls/node.key', caFile: '/tls/ca.pem' };
    expect(transport).toMatchObject({ kind: 'direct', tls });
    const { FOUNDATION_SECURITY_TLS_CA_FILE: _caFile, ...others } = env;
    expect(() => resolve({}, others, machine)).toThrow('"FOUNDATION_SECURITY_TLS_CA_FILE"');
  });

  it.each([
    ['FOUNDATION_LEASE_TTL', '0s'],
    ['FOUNDATION_LEASE_ON_STALL', 'panic'],
    ['FOUNDATION_PROCESSES_MAX_RESTARTS', 'many'],
    ['FOUNDATION_PROCESSES_BACKOFF_CAP', '-1s'],
    ['FOUNDATION_CALLS_STACKS', 'yes'],
    ['FOUNDATION_CAPACITY', '1e12'],
    ['FOUNDATION_SHUTDOWN_TIMEOUT', 'abc'],
  ])('are named when they are wrong: %s=%s', (variable, value) => {
    expect(() => resolve({}, { [variable]: value }, machine)).toThrow(FoundationConfigError);
    expect(() => resolve({}, { [variable]: value }, machine)).toThrow(`"${variable}"`);
  });

  it('say where a direct node listens, under the short name as well', () => {
    const of = (env: Record<string, string>) =>
      resolve({ cluster: true, transport: 'direct' }, { FOUNDATION_SECURITY_COOKIE: COOKIE, ...env }, machine)
        .transport;
    expect(of({ FOUNDATION_TRANSPORT_HOST: '10.0.0.1', FOUNDATION_DIRECT_PORT: '7000' })).toMatchObject({
      ...{ host: '10.0.0.1', port: 7000 },
    });
    expect(of({ FOUNDATION_TRANSPORT_PORT: '7001', FOUNDATION_DIRECT_PORT: '7000' })).toMatchObject({ port: 7001 });
    expect(() => of({ FOUNDATION_TRANSPORT_ADVERTISE: 'here' })).toThrow('"FOUNDATION_TRANSPORT_ADVERTISE"');
  });

  it('say the settings of each strategy', () => {
    const of = (cluster: string, env: Record<string, string>) =>
      resolve({ cluster: cluster as 'dns' }, env, machine).topologies[0];
    const dns = {
      FOUNDATION_DNS_QUERY: 'a.b',
      FOUNDATION_DNS_SERVERS: '10.0.0.2, [::1]:53',
      FOUNDATION_DNS_EVERY: '9s',
    };
    expect(of('dns', dns)).toMatchObject({ config: { query: 'a.b', servers: ['10.0.0.2', '[::1]:53'], every: 9000 } });
    const consul = { CONSUL_HTTP_ADDR: 'c:8500', FOUNDATION_CONSUL_TTL: '20s', FOUNDATION_CONSUL_REDIS_SERVICE: 'r' };
    expect(of('consul', consul)).toMatchObject({
      config: { address: 'http://c:8500', ttl: 20_000, redisService: 'r' },
    });
    const gossip = { FOUNDATION_GOSSIP_SECRET: COOKIE, FOUNDATION_GOSSIP_PORT: '7946' };
    expect(of('gossip', gossip)).toMatchObject({ config: { port: 7946 } });
    expect(() => of('gossip', { ...gossip, FOUNDATION_GOSSIP_PORT: '0' })).toThrow('"FOUNDATION_GOSSIP_PORT"');
    expect(of('mdns', { FOUNDATION_MDNS_INTERFACE: '10.0.0.7' })).toMatchObject({ config: { interface: '10.0.0.7' } });
    const hosts = { FOUNDATION_STATIC_HOSTS: 'a', FOUNDATION_STATIC_REDIS: 'redis://r' };
    expect(of('static', hosts)).toMatchObject({ config: { hosts: ['a'], redis: 'redis://r' } });
  });

  it('say the parts of the place of Redis, which complete a URL where it says less', () => {
    const parts = { FOUNDATION_REDIS_HOST: 'r', FOUNDATION_REDIS_PORT: '7000', FOUNDATION_REDIS_DB: '2' };
    expect(fromEnvironment(parts)).toEqual({ redis: { host: 'r', port: 7000, db: 2 } });
    expect(fromEnvironment({ ...parts, REDIS_URL: 'redis://b' })).toEqual({ redis: { url: 'redis://b', db: 2 } });
    for (const port of ['0', '70000', 'many']) {
      expect(() => resolve({}, { FOUNDATION_REDIS_PORT: port }, machine)).toThrow('"FOUNDATION_REDIS_PORT"');
    }
  });

  it('ignores the port that Kubernetes makes of a Service that is called foundation-redis', () => {
    const env = { FOUNDATION_REDIS_PORT: 'tcp://10.0.0.1:6379', FOUNDATION_REDIS_SERVICE_HOST: '10.0.0.1' };
    expect(fromEnvironment(env)).toEqual({});
    expect(variableIn(env, 'redis.port')).toBeUndefined();
  });
});

describe('the table of variables', () => {
  // What is no single value: clients and strategies that are handed over ready-made, functions, lists of addresses,
  // what is passed on as it is, and channels, each of which has options of its own. The kind of the transport is
  // `transport` itself.
  const NONE = [
    'redlock',
    'queue',
    'topologies',
    'context',
    'clusterConfig.schema',
    'clusterConfig.defaults',
    'redis.sentinels',
    'redis.cluster',
    'redis.options',
    'channels.names',
  ];
  const options = [
    ...optionsOf('options.ts', 'FoundationOptions'),
    ...optionsOf('options.ts', 'RedisEndpoint', 'redis.'),
    ...optionsOf('options.ts', 'JournalOptions', 'journal.'),
    ...['RedisTransportOptions', 'DirectOptions']
      .flatMap((kind) => optionsOf('options.ts', kind, 'transport.'))
      .filter((option) => option !== 'transport.kind'),
    ...optionsOf('strategy.settings.ts', 'StrategySettings'),
  ].filter((option) => option !== 'redis' && !NONE.includes(option));

  it('has every option that is a single value, and no other', () => {
    expect(options.length).toBeGreaterThan(60);
    expect(Object.keys(VARIABLE_KINDS).sort()).toEqual(options.sort());
  });

  it('has no name twice', () => {
    const names = [...options.map(variableOf), ...Object.values(OTHER_NAMES).flat()];
    expect(names).toEqual([...new Set(names)]);
    expect(Object.keys(OTHER_NAMES).filter((option) => !options.includes(option))).toEqual([]);
  });
});

/** The paths of what an interface of options has in the end. */
function optionsOf(file: string, name: string, path = ''): string[] {
  const text = readFileSync(join(import.meta.dirname, file), 'utf8');
  const { statements } = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const interfaces = new Map(statements.filter(ts.isInterfaceDeclaration).map((each) => [each.name.text, each]));
  const within = (inner: string, before: string): string[] =>
    interfaces.get(inner)!.members.flatMap((member) => {
      const option = `${before}${(member.name as ts.Identifier).text}`;
      const type = (member as ts.PropertySignature).type!.getText();
      return interfaces.has(type) && !/Client$|Queue$/.test(type) ? within(type, `${option}.`) : [option];
    });
  return within(name, path);
}
