/**
 * Pure, except that it reads the network interfaces: addresses as `host:port`, as they stand in the record of a node.
 */
import { networkInterfaces } from 'node:os';

/** Where a node listens. */
export interface Address {
  host: string;
  port: number;
}

/** Reads `host:port` or `[v6]:port`; `undefined` for anything else. */
export function parseAddress(text: unknown): Address | undefined {
  if (typeof text !== 'string' || text.length > 262) return undefined;
  const [, v6, name, digits] = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text) ?? [];
  const [host, port] = [v6 ?? name, Number(digits)];
  return host === undefined || !(port >= 1 && port <= 65_535) ? undefined : { host, port };
}

/** The other way round. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** True for the addresses that stand for all interfaces, which no peer can connect to. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** The first address of this machine that peers can reach, IPv4 first; `127.0.0.1` when there is none. */
export function ownHost(interfaces: typeof networkInterfaces = networkInterfaces): string {
  const all = Object.values(interfaces()).flatMap((addresses) => addresses ?? []);
  const usable = all.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  return (usable.find(({ family }) => family === 'IPv4') ?? usable[0])?.address ?? '127.0.0.1';
}
