/**
 * Pure: what a packet's address says about its sender. Used by `gossip` and `mdns`.
 * Underneath: `os.networkInterfaces()`, `net.BlockList`.
 */
import { BlockList } from 'node:net';
import { networkInterfaces } from 'node:os';

type Interfaces = ReturnType<typeof networkInterfaces>;

/** True for an address of this machine. */
export function isHere(address: string, interfaces: Interfaces = networkInterfaces()): boolean {
  return address.startsWith('127.') || own(interfaces).some((each) => each.address === address);
}

/**
 * True for an IPv4 address in a network that this machine is in: mDNS packets from elsewhere are forged (RFC 6762, 11).
 */
export function isOnLink(address: string, interfaces: Interfaces = networkInterfaces()): boolean {
  const networks = new BlockList();
  for (const { family, address: base, cidr } of own(interfaces)) {
    const bits = Number(cidr?.split('/')[1]);
    if (family === 'IPv4' && Number.isInteger(bits)) networks.addSubnet(base, bits, 'ipv4');
  }
  return networks.check(address, 'ipv4');
}

const own = (interfaces: Interfaces) => Object.values(interfaces).flatMap((each) => each ?? []);

/** True for the URL of a Redis that each machine has a different one of. */
export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]|0\.0\.0\.0)$/i.test(hostname);
}
