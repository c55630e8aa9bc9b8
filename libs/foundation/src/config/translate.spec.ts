import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { FoundationConfigError } from '../errors/config.errors.js';
import { Secret } from '../security/secret.js';
import {
  translateConsul,
  translateDns,
  translateGossip,
  translateKubernetes,
  translateMdns,
  translateStatic,
} from './translate.js';

const SECRET = 'hunter2-hunter2-hunter2';

describe('translate', () => {
  it('kubernetes', () => {
    expect(translateKubernetes({ appName: 'test-app' })).toEqual({
      strategy: 'kubernetes',
      config: { selector: 'app=test-app', redisService: 'redis' },
    });
    expect(translateKubernetes({ selector: 'tier=web', namespace: 'shop', redisService: 'cache' }).config).toEqual({
      ...{ selector: 'tier=web', namespace: 'shop', redisService: 'cache' },
    });
    expect(translateKubernetes().config.selector).toBe('app=app');
  });

  it('consul, with or without a scheme', () => {
    expect(translateConsul({ appName: 'shop' })).toEqual({
      strategy: 'consul',
      config: { address: 'http://127.0.0.1:8500', service: 'shop', redisService: 'redis', ttl: 10_000 },
    });
    expect(translateConsul({ address: 'consul:8500' }).config.address).toBe('http://consul:8500');
    expect(translateConsul({ address: 'https://consul' }).config.address).toBe('https://consul');
  });

  it('dns, mdns and static', () => {
    expect(translateDns({ appName: 'shop', query: 'app.internal' })).toEqual({
      strategy: 'dns',
      config: { query: 'app.internal', every: 5000 },
    });
    expect(translateMdns({ appName: 'shop' })).toEqual({ strategy: 'mdns', config: { every: 5000 } });
    const hosts = ['a:7000', 'b'];
    const { config } = translateStatic({ hosts, redis: 'redis://c' });
    expect(config).toEqual({ hosts: ['a:7000', 'b'], redis: 'redis://c', every: 5000 });
    expect(config.hosts).not.toBe(hosts);
  });

  it('shows no secret, and keeps it', () => {
    const translated = [
      translateGossip({ secret: SECRET, previousSecret: new Secret(`${SECRET}2`) }),
      translateConsul({ token: SECRET }),
    ];
    expect(inspect(translated, { depth: 9 }) + JSON.stringify(translated)).not.toContain('hunter2');
    expect(translateGossip({ secret: SECRET }).config.secret.reveal()).toBe(SECRET);
    expect(translateConsul({ token: SECRET }).config.token?.reveal()).toBe(SECRET);
  });

  it.each([
    ['gossip.secret', () => translateGossip({})],
    ['dns.query', () => translateDns()],
    ['static.hosts', () => translateStatic({ hosts: [] })],
  ])('refuses to do without %s', (option, translate) => {
    expect(translate).toThrow(FoundationConfigError);
    expect(translate).toThrow(option);
  });

  it('takes undefined for not given', () => {
    expect(translateMdns({ every: undefined }).config.every).toBe(5000);
  });
});
