import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { FoundationConfigError } from '../errors/config.errors.js';
import type { DirectConfig } from './config.js';
import type { Environment } from './environment.js';
import type { FoundationOptions } from './options.js';
import { resolve } from './resolve.js';

const COOKIE = 'hunter2-hunter2-hunter2';
const of = (options: unknown, env: Environment = {}) =>
  resolve({ cluster: true, ...(options as FoundationOptions) }, env, { host: 'h', pid: 1 });

function errorOf(options: unknown, env: Environment = {}): FoundationConfigError {
  try {
    of(options, env);
  } catch (error) {
    expect(error).toBeInstanceOf(FoundationConfigError);
    return error as FoundationConfigError;
  }
  throw new Error('Nothing was thrown');
}

describe('resolve: transport', () => {
  it('is redis, unless it is said or set otherwise', () => {
    expect(of({}).transport).toEqual({ kind: 'redis' });
    expect(of({ transport: 'redis' }, { FOUNDATION_TRANSPORT: 'direct' }).transport).toEqual({ kind: 'redis' });
    expect(of({}, { FOUNDATION_TRANSPORT: 'direct', FOUNDATION_COOKIE: COOKIE }).transport.kind).toBe('direct');
  });

  it('takes a free port of the first address by default', () => {
    const transport = of({ transport: 'direct', security: { cookie: COOKIE } }).transport as DirectConfig;
    expect(transport).toEqual({ kind: 'direct', port: 0, cookie: transport.cookie });
    expect(transport.cookie.reveal()).toBe(COOKIE);
  });

  it('lets options win over the environment, one by one', () => {
    const env = {
      FOUNDATION_DIRECT_HOST: '10.0.0.1',
      FOUNDATION_DIRECT_PORT: '7000',
      FOUNDATION_DIRECT_ADVERTISE: 'a.example:7000',
      FOUNDATION_COOKIE: 'the cookie of the environment',
    };
    const tls = { certificateFile: 'c', keyFile: 'k', caFile: 'a' };
    const { cookie, ...transport } = of({ transport: { kind: 'direct', port: 8000 }, security: { tls } }, env)
      .transport as DirectConfig;
    expect(transport).toEqual({ kind: 'direct', host: '10.0.0.1', port: 8000, advertise: 'a.example:7000', tls });
    expect(cookie.reveal()).toBe('the cookie of the environment');
    const explicit = of({ transport: 'direct', security: { cookie: COOKIE } }, env).transport as DirectConfig;
    expect(explicit.port).toBe(7000);
    expect(explicit.cookie.reveal()).toBe(COOKIE);
  });

  it('refuses a direct transport without a cookie, and says what to do', () => {
    const error = errorOf({ transport: 'direct' });
    expect(error.option).toBe('security.cookie');
    expect(error.message).toMatch(/FOUNDATION_COOKIE.*openssl rand/);
  });

  it('needs no cookie where nothing listens', () => {
    expect(of({ cluster: false, transport: 'direct' }).transport).toEqual({ kind: 'redis' });
  });

  it.each([
    [{ transport: 'tcp' }, {}, 'transport'],
    [{ transport: 5 }, {}, 'transport'],
    [{ transport: 'tcp', cluster: false }, {}, 'transport'],
    [{ transport: { kind: 'udp' } }, {}, 'transport.kind'],
    [{ transport: { kind: 'direct', port: -1 } }, {}, 'transport.port'],
    [{ transport: { kind: 'direct', port: 70_000 } }, {}, 'transport.port'],
    [{ transport: { kind: 'direct', prot: 7000 } }, {}, 'transport.prot'],
    [{ transport: { kind: 'direct', host: 'a b' } }, {}, 'transport.host'],
    [{ transport: { kind: 'direct', advertise: 'no-port' } }, {}, 'transport.advertise'],
    [{ security: { tls: { certificateFile: 'c' } } }, {}, 'security.tls.keyFile'],
    [{ security: { tls: 'x' } }, {}, 'security.tls'],
    [{}, { FOUNDATION_TRANSPORT: 'tcp' }, 'FOUNDATION_TRANSPORT'],
    [{}, { FOUNDATION_DIRECT_PORT: '7k' }, 'FOUNDATION_DIRECT_PORT'],
  ])('refuses %j with %j', (options, env, option) => {
    expect(errorOf({ security: { cookie: COOKIE }, ...options }, env).option).toBe(option);
  });

  it.each([
    [{ security: { cookie: 'hunter2' } }, {}],
    [{ security: { cookie: ['hunter2'] } }, {}],
    [{ security: 'hunter2' }, {}],
    [{ security: { secret: 'hunter2' } }, {}],
    [{ transport: { kind: 'direct', cookie: 'hunter2' } }, {}],
    [{}, { FOUNDATION_COOKIE: 'hunter2' }],
    [{ transport: { kind: 'udp' }, security: { cookie: COOKIE } }, {}],
  ])('never shows the cookie in an error: %#', (options, env) => {
    expect(inspect(errorOf(options, env), { depth: 10 })).not.toContain('hunter2');
  });

  it('never shows the cookie when the configuration is printed', () => {
    const config = of({ transport: 'direct', security: { cookie: COOKIE } });
    const shown = [inspect(config, { depth: 10, showHidden: true }), JSON.stringify(config)];
    expect(shown.join()).not.toContain('hunter2');
  });
});
