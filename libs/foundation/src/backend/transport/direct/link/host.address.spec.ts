import type { networkInterfaces } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { formatAddress, isWildcard, ownHost, parseAddress } from './host.address.js';

describe('an address', () => {
  it.each([
    ['127.0.0.1:7000', { host: '127.0.0.1', port: 7000 }],
    ['pod-1.shop.svc:1', { host: 'pod-1.shop.svc', port: 1 }],
    ['[::1]:65535', { host: '::1', port: 65_535 }],
  ])('%s is read and written', (text, address) => {
    expect(parseAddress(text)).toEqual(address);
    expect(formatAddress(address)).toBe(text);
  });

  it.each([
    '',
    'a',
    'a:',
    ':1',
    'a:0',
    'a:65536',
    'a:123456',
    'a:1:2',
    'a b:1',
    'a/b:1',
    '::1:7',
    'http://a:1',
    `${'a'.repeat(300)}:1`,
  ])('rejects %j', (text) => expect(parseAddress(text)).toBeUndefined());
  it.each([undefined, null, 5, {}, ['a:1']])('rejects %j', (value) => expect(parseAddress(value)).toBeUndefined());
});

describe('ownHost', () => {
  const of = (...all: [address: string, internal: boolean][]) =>
    ownHost((() => ({
      eth0: all.map(([address, internal]) => ({ address, internal, family: address.includes(':') ? 'IPv6' : 'IPv4' })),
    })) as unknown as typeof networkInterfaces);

  it('takes the first that others can reach, IPv4 first', () => {
    expect(of(['127.0.0.1', true], ['fe80::1', false], ['2001::1', false], ['10.0.0.5', false])).toBe('10.0.0.5');
    expect(of(['127.0.0.1', true], ['fe80::1', false], ['2001::1', false])).toBe('2001::1');
    expect(of(['127.0.0.1', true])).toBe('127.0.0.1');
    expect(of()).toBe('127.0.0.1');
    expect(isWildcard(ownHost())).toBe(false);
  });
});
