import { describe, expect, it } from '@jest/globals';
import type { FoundationOptions } from '../../config/options.js';
import { withKitOptions } from './node.options.js';

const links = { host: '127.0.0.1', port: 1, advertise: '127.0.0.1:2' } as FoundationOptions['transport'];

describe('the options of a node of a test', () => {
  it('are those of the kit, and of the application where it says nothing', () => {
    const own: FoundationOptions = {
      appName: 'shop',
      nodeName: 'own',
      lease: { ttl: 3000, margin: 100 },
      labels: { a: '1' },
    };
    const kit: FoundationOptions = { nodeName: 'node-1', lease: { ttl: 1000 }, topologies: [] };
    expect(withKitOptions(own, kit)).toEqual({
      ...{ appName: 'shop', nodeName: 'node-1', labels: { a: '1' }, topologies: [] },
      lease: { ttl: 1000, margin: 100 },
    });
    expect(own.lease).toEqual({ ttl: 3000, margin: 100 });
  });

  it('put a Redis in the place of one that the application has made, with what is made of that', () => {
    const client = { status: 'ready', options: {} } as never;
    const own = { redis: client, redlock: client, queue: client } as FoundationOptions;
    expect(withKitOptions(own, { redis: 'redis://here' })).toEqual({ redis: 'redis://here' });
    expect(withKitOptions(own, {})).toEqual(own);
  });

  it('say where links listen, and leave it to the application whether there are any', () => {
    const of = (own: FoundationOptions['transport'], kit: FoundationOptions['transport']): unknown =>
      withKitOptions(own === undefined ? {} : { transport: own }, { transport: kit! }).transport;
    expect(of(undefined, links)).toBeUndefined();
    expect(of('redis', links)).toBe('redis');
    expect(of('direct', links)).toEqual({ ...(links as object), kind: 'direct' });
    expect(of({ kind: 'direct', host: '0.0.0.0', port: 9 }, links)).toEqual({ ...(links as object), kind: 'direct' });
    const direct = { ...(links as object), kind: 'direct' } as FoundationOptions['transport'];
    expect(of('redis', direct)).toEqual(direct);
    expect(of('direct', 'redis')).toBe('redis');
  });
});
