import { describe, expect, it } from '@jest/globals';
import { FoundationConfigError } from '../errors/config.errors.js';
import { valuesIn, VARIABLE_KINDS, variableOf } from './environment.table.js';
import { resolve } from './resolve.js';

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
});
