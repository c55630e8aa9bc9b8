/**
 * Pure: what carries channels and calls, with everything it needs. Called by `resolve`.
 */
import { FoundationConfigError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { Secret } from '../security/secret.js';
import type { FoundationConfig } from './config.js';
import type { TransportSettings } from './environment.js';
import type { DirectOptions, FoundationOptions, RedisTransportOptions, SecurityOptions } from './options.js';
import { withoutUndefined } from './unset.js';
import { checkDirect, checkRedisTransport } from './validate.js';

/** @throws FoundationConfigError */
export function transportFrom(
  transport: FoundationOptions['transport'],
  clustered: boolean,
  { format, ...environment }: TransportSettings,
  { cookie, tls }: SecurityOptions,
): FoundationConfig['transport'] {
  const form = typeof transport === 'object' ? transport : { kind: transport ?? 'redis' };
  if (form.kind === 'redis') {
    const redis = { ...(format === undefined ? {} : { format }), ...withoutUndefined(form) };
    checkRedisTransport(redis);
    return redis as RedisTransportOptions;
  }
  if (typeof transport !== 'object' && transport !== 'direct') {
    throw new FoundationConfigError('transport', show(transport), `'redis', 'direct' or { kind: 'direct', … }`);
  }
  const direct = { port: 0, ...environment, ...withoutUndefined(form) } as DirectOptions & { port: number };
  checkDirect(direct);
  if (!clustered) return { kind: 'redis' };
  if (cookie === undefined) {
    throw new FoundationConfigError(
      'security.cookie',
      'nothing',
      `a secret that all nodes share, because transport: 'direct' opens a port; set FOUNDATION_COOKIE, for instance to ` +
        `what openssl rand -hex 32 prints`,
    );
  }
  return { ...direct, cookie: new Secret(cookie), ...(tls === undefined ? {} : { tls }) };
}
