/**
 * Pure: what Consul says of the instances of a service → peers, and Redis. It comes from the network, so it is checked.
 * Called by `consul.ts`. The shape is that of
 * https://developer.hashicorp.com/consul/api-docs/health#list-service-instances.
 */
import type { Peer } from '../../../config/topology.strategy.js';
import { partOf } from '../../../wire/decode.js';

/** The keys of the meta data that a node registers with. */
export const META = { node: 'foundation-node', bootId: 'foundation-boot-id', host: 'foundation-host' } as const;

/**
 * The instances that are Foundation nodes.
 *
 * One whose check is critical is not ready, and no more: Consul does not know whether it has ended or is only cut off.
 *
 * @throws Error when it is no list.
 */
export function peersIn(answer: unknown): Peer[] {
  return entriesOf(answer).flatMap(({ service, checks, address }) => {
    const [id, node, host] = [service['ID'], partOf(service['Meta'], META.node), partOf(service['Meta'], META.host)];
    if (typeof id !== 'string' || typeof node !== 'string' || node === '') return [];
    const passing = checks.every((check) => partOf(check, 'Status') === 'passing');
    return [
      {
        ...{ id, node, state: passing ? ('ready' as const) : ('not-ready' as const) },
        ...(typeof host === 'string' ? { host } : {}),
        ...(address === undefined ? {} : { address }),
      },
    ];
  });
}

/**
 * The URL of the one instance; `undefined` where there is none, and for several, of which each node could choose
 * another one.
 */
export function redisIn(answer: unknown): string | undefined {
  const addresses = new Set(entriesOf(answer).map(({ address }) => address));
  const [only] = addresses;
  return addresses.size === 1 && only !== undefined && /:\d+$/.test(only) ? `redis://${only}` : undefined;
}

interface Entry {
  service: Record<string, unknown>;
  checks: readonly unknown[];
  /** `host:port`, or `host` without a port. */
  address: string | undefined;
}

function entriesOf(answer: unknown): Entry[] {
  if (!Array.isArray(answer)) throw new Error('the answer is no list');
  return answer.flatMap((entry: unknown) => {
    const [service, checks] = [partOf(entry, 'Service'), partOf(entry, 'Checks')];
    if (typeof service !== 'object' || service === null) return [];
    const host = partOf(service, 'Address') || partOf(partOf(entry, 'Node'), 'Address');
    const port = partOf(service, 'Port');
    const hasPort = Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536;
    const isHost = typeof host === 'string' && /^[A-Za-z0-9_.:-]{1,253}$/.test(host);
    const place = isHost ? (host.includes(':') ? `[${host}]` : host) : undefined;
    return [
      {
        service: service as Record<string, unknown>,
        checks: Array.isArray(checks) ? checks : [],
        address: place === undefined || !hasPort ? place : `${place}:${Number(port)}`,
      },
    ];
  });
}
