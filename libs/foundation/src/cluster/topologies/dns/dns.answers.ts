/**
 * Pure: what DNS servers answer → peers, and Redis. It comes from the network, so it is checked.
 * Called by `dns.ts`.
 */
import { isIPv6 } from 'node:net';
import type { Peer } from '../../../config/topology.strategy.js';

const HOST = /^[A-Za-z0-9._:-]{1,253}$/;

/** A place that an answer names. */
export interface Place {
  host: string;
  port?: number;
  /** Of an SRV record; the lowest comes first. */
  priority?: number;
}

/** The records of an answer, and how long they live, where Node tells. */
export interface Answer {
  records: readonly Place[];
  ttlMs?: number;
}

/** SRV records with a name and a port; a target of `.` says that there is no such service (RFC 2782). */
export function srvIn(records: readonly { name: string; port: number; priority: number }[]): Place[] {
  return records
    .map(({ name, port, priority }) => ({ host: name.replace(/\.$/, ''), port, priority }))
    .filter(({ host, port }) => HOST.test(host) && port > 0);
}

/** One per place, always in the same order, whatever the order of the answer. */
export function peersAt(places: readonly Place[]): Peer[] {
  return [...new Set(places.map(addressOf))].sort().map((address) => ({ id: address, address, state: 'ready' }));
}

/** The one place of the lowest priority; `undefined` for several, of which each node could choose another one. */
export function serverOf(places: readonly Place[]): Required<Pick<Place, 'host' | 'port'>> | undefined {
  const lowest = Math.min(...places.map(({ priority = 0 }) => priority));
  const first = places.filter(({ priority = 0 }) => priority === lowest);
  const { host, port } = first[0] ?? {};
  const isOne = new Set(first.map(addressOf)).size === 1;
  return isOne && host !== undefined && port !== undefined ? { host, port } : undefined;
}

/** True when a server answered that there is no such name, or none with records of this type. */
export function isAbsent(error: unknown): boolean {
  return ['ENOTFOUND', 'ENODATA'].includes(codeOf(error) ?? '');
}

/** `ENOTFOUND`, `ETIMEOUT` and the like. */
export function codeOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** `host`, `host:port` or `[v6 address]:port`. */
export function addressOf({ host, port }: Place): string {
  if (port === undefined) return host;
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
