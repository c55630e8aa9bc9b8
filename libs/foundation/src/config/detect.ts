/**
 * Pure: which strategy the environment asks for when the options only say `cluster: true` (mortal tier).
 * Called by `resolve`.
 */
import type { Environment } from './environment.js';
import { variableIn } from './environment.table.js';
import type { Machine } from './machine.js';
import type { StrategyName } from './strategy.settings.js';

/**
 * The first of: `kubernetes` in a pod with a service account · `consul` with `CONSUL_HTTP_ADDR` · `dns` with
 * `FOUNDATION_DNS_QUERY` · outside production `mdns`, when nothing says where Redis is · in production `gossip` with
 * `FOUNDATION_GOSSIP_SECRET` · `undefined`: Redis alone.
 *
 * @param knowsRedis whether the options or the environment name Redis. mDNS is only for finding one, so no multicast
 * socket is opened by a node that knows it; the others also say who should be there, and run beside it.
 */
export function detectStrategy(
  env: Environment,
  { podNamespace }: Pick<Machine, 'podNamespace'>,
  knowsRedis: boolean,
): StrategyName | undefined {
  if (podNamespace !== undefined && env['KUBERNETES_SERVICE_HOST']) return 'kubernetes';
  if (variableIn(env, 'consul.address')) return 'consul';
  if (variableIn(env, 'dns.query')) return 'dns';
  if (!isProduction(env)) return knowsRedis ? undefined : 'mdns';
  return variableIn(env, 'gossip.secret') ? 'gossip' : undefined;
}

/** As Nest and most of Node's world mean it. */
export function isProduction(env: Environment): boolean {
  return env['NODE_ENV'] === 'production';
}
