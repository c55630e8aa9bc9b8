import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { isHere, isLoopback, isOnLink } from './local.network.js';

const of = (address: string, family: 'IPv4' | 'IPv6', cidr: string | null): NetworkInterfaceInfo => ({
  ...({ address, cidr, netmask: '', mac: '', internal: false } as const),
  ...(family === 'IPv4' ? { family } : { family, scopeid: 0 }),
});
const interfaces = {
  eth0: [of('10.1.2.3', 'IPv4', '10.1.0.0/16'), of('fd00::2', 'IPv6', 'fd00::2/64')],
  odd: undefined,
};

describe('The sender of a packet', () => {
  it('is this machine, or another one', () => {
    const here = ['10.1.2.3', 'fd00::2', '127.0.0.1', '127.1.2.3', '10.1.2.4'].map((each) => isHere(each, interfaces));
    expect(here).toEqual([true, true, true, true, false]);
  });

  it('is in this network, or elsewhere', () => {
    const onLink = ['10.1.255.9', '10.2.0.1', '8.8.8.8', 'no address'].map((each) => isOnLink(each, interfaces));
    expect(onLink).toEqual([true, false, false, false]);
    expect(isOnLink('127.0.0.1', { lo: [of('127.0.0.1', 'IPv4', '127.0.0.1/8')] })).toBe(true);
    expect(isOnLink('10.1.2.3', { eth0: [of('10.1.2.3', 'IPv4', null)] })).toBe(false);
  });

  it('names a Redis of its own machine, or one for all', () => {
    const urls = ['redis://127.0.0.1:1/0', 'redis://LOCALHOST:1/0', 'rediss://[::1]:1/0', 'redis://127.9.9.9:1/0'];
    expect(urls.map(isLoopback)).toEqual([true, true, true, true]);
    expect(['redis://10.0.0.1:1/0', 'redis://127.example:1/0', 'redis://[fd00::1]:1/0'].map(isLoopback)).toEqual([
      ...[false, false, false],
    ]);
  });
});
