// The transport for @nestjs/outbox, which is not on npm yet: what its documentation asks of a transport, over a durable
// channel; and FoundationClient in the place of the client that its ClientProxyTransport takes.
import { describe, expect, it } from '@jest/globals';
import {
  ArgumentError,
  Channels,
  type FoundationOptions,
  type MessageMeta,
  UnknownChannelError,
} from 'nestjs-foundation';
import { FoundationClient } from 'nestjs-foundation/microservices';
import { FoundationTransport, type OutboxEnvelope, type OutboxMessage } from 'nestjs-foundation/outbox';
import { lastValueFrom } from 'rxjs';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, keys } = ground));

const Transport = FoundationTransport('orders');
const NAMES = { channels: { names: { orders: { durable: { retryAfter: 200 } }, audit: {} } } };
const bootNode = (options: FoundationOptions = {}) => boot(server.url, appName, [Transport], { ...NAMES, ...options });

/** As the relay hands it over. */
const message = (id: string, payload: unknown = { id }): OutboxMessage => ({
  ...{ id, topic: 'order.placed', payload, headers: { tenant: 'a' }, key: 'k', createdAt: 7 },
});
const NEVER = { signal: new AbortController().signal };

async function hears(node: Booted) {
  const heard: [OutboxEnvelope, MessageMeta][] = [];
  const take = (envelope: unknown, meta: MessageMeta) => void heard.push([envelope as OutboxEnvelope, { ...meta }]);
  await node.app.get(Channels).subscribe('orders', take, { group: 'billing', from: '0' });
  return heard;
}

describe.each([
  ['through Redis', {}],
  ['signed', { security: { cookie: 'a cookie of the test, 0123456789' } }],
  ['in one process', { cluster: false }],
])('A transport of an outbox, %s', (_, options: FoundationOptions) => {
  it('publishes onto the durable channel, once for each id, whatever is tried again', async () => {
    const node = await bootNode(options);
    const heard = await hears(node);
    const transport = node.app.get(Transport);
    await transport.publish(message('one'), NEVER);
    await Promise.all(Array.from({ length: 5 }, () => transport.publish(message('two'), NEVER)));
    await transport.publish(message('one'), NEVER);
    await transport.publish(message('three'), NEVER);
    await eventually(() => heard.some(([{ id }]) => id === 'three'));
    expect(heard.map(([{ id }]) => id)).toEqual(['one', 'two', 'three']);
    const [[envelope, meta]] = heard as [[OutboxEnvelope, MessageMeta]];
    expect(envelope).toEqual({ ...message('one'), payload: { id: 'one' } });
    expect(meta).toMatchObject({ type: 'order.placed', deliveries: 1, id: expect.stringMatching(/^\d+-\d+$/) });
  });

  it('rejects what it cannot publish, so that the relay tries again or gives up', async () => {
    const { app } = await bootNode(options);
    const transport = app.get(Transport);
    const aborted = { signal: AbortSignal.abort(new Error('too late')) };
    await expect(transport.publish(message('id'), aborted)).rejects.toThrow('too late');
    for (const wrong of [{}, { id: 7 }, { id: 'x'.repeat(201) }, { topic: '' }, undefined]) {
      const given = wrong && { ...message('id'), id: undefined, ...wrong };
      await expect(transport.publish(given as never)).rejects.toThrow(ArgumentError);
    }
    await expect(transport.publish(message('id', 'x'.repeat(2_000_000)))).rejects.toThrow(/maxMessageBytes/);
    await expect(transport.publish(message('id', 1n))).rejects.toThrow(/JSON/);
    const on = (channel: string) => new (FoundationTransport(channel))(app.get(Channels)).publish(message('id'));
    await expect(on('audit')).rejects.toThrow(/durable/);
    await expect(on('unknown')).rejects.toThrow(UnknownChannelError);
  });
});

describe('An outbox', () => {
  it('marks ids for as long as they are to be known, and no longer', async () => {
    const node = await bootNode();
    const Short = FoundationTransport('orders', { deduplicateFor: 1000 });
    const transport = new Short(node.app.get(Channels));
    const heard = await hears(node);
    await transport.publish(message('one'));
    const left = Number(await server.cli('PTTL', keys.keptOnce('orders', 'one')));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(1000);
    await eventually(async () => (await server.cli('EXISTS', keys.keptOnce('orders', 'one'))) === '0');
    await transport.publish(message('one'));
    await eventually(() => heard.length === 2);
    expect(() => FoundationTransport('orders', { deduplicateFor: 'soon' as never })).toThrow(ArgumentError);
    expect(() => FoundationTransport('orders', { deduplicateFor: 0 })).toThrow(ArgumentError);
    expect(() => FoundationTransport('orders', null as never)).toThrow(ArgumentError);
  });

  it('takes a FoundationClient for its ClientProxyTransport', async () => {
    const node = await bootNode();
    const heard = await hears(node);
    const client = new FoundationClient({ channels: node.app.get(Channels), channel: 'orders' });
    // What ClientProxyTransport does with a client.
    const publish = (data: OutboxMessage) =>
      lastValueFrom(client.emit<unknown>(data.topic, data), { defaultValue: undefined });
    await publish(message('one'));
    await eventually(() => heard.length === 1);
    expect(heard[0]).toMatchObject([{ pattern: 'order.placed', data: { id: 'one' } }, { type: 'order.placed' }]);
    await expect(publish(message('two', 'x'.repeat(2_000_000)))).rejects.toThrow(/maxMessageBytes/);
  });
});
