// Gateways of Nest on two nodes, one of which dies while it is waited for: what waits for its clients ends as soon as
// the membership says that it has left, long before the time is over.
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, TestCluster, type TestNode } from 'nestjs-foundation/testing';
import { io, type Socket } from 'socket.io-client';
import type { Verbs } from '../apps/sockets.js';

const entry = join(import.meta.dirname, '../../dist/test/apps/sockets.js');
/** Much longer than it takes until a node that was killed has left. */
const LONG_MS = 60_000;

let cluster: TestCluster;
const sockets: Socket[] = [];

const verbs = (name: string) => cluster.node(name).get<Verbs>('Verbs');

async function client({ url }: TestNode): Promise<Socket> {
  const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false });
  sockets.push(socket);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject));
  return socket;
}

const known = (name: string, count: number) =>
  eventually(async () => (await verbs(name).servers()) === count, { what: `${count} servers, as ${name} knows` });

beforeAll(async () => {
  cluster = await TestCluster.start({ nodes: ['a', 'b'], entry });
  await known('a', 2);
  await known('b', 2);
});
afterEach(() => sockets.splice(0).forEach((socket) => socket.close()));
afterAll(() => cluster?.stop());

describe('Gateways on several nodes', () => {
  it('reach the clients of each other', async () => {
    const [one, two] = [await client(cluster.node('a')), await client(cluster.node('b'))];
    const heard: string[] = [];
    one.on('tea', () => heard.push('one'));
    two.on('tea', () => heard.push('two'));
    expect(await two.timeout(10_000).emitWithAck('join', 'tea')).toBe('tea');
    await verbs('a').toRoom('tea', 'tea');
    await eventually(() => heard.length === 1);
    expect(heard).toEqual(['two']);
  });

  it('wait for a node that dies until it has left, and no longer', async () => {
    const [one, two] = [await client(cluster.node('a')), await client(cluster.node('b'))];
    one.on('name?', (answer: (name: string) => void) => answer('one'));
    const asked = new Promise<void>((resolve) => two.once('name?', () => resolve())); // and does not answer
    await verbs('b').answer();
    const ask = verbs('a').ask(LONG_MS);
    await asked;
    await cluster.node('b').freeze(); // so that it cannot answer what it is asked from now on
    const fetched = verbs('a').fetch(LONG_MS);
    const query = verbs('a').query();
    await cluster.node('b').kill();
    const [acks, ids, answers] = await Promise.all([ask, fetched, query]);
    expect(acks).toMatchObject({ value: ['one'] });
    expect(ids).toMatchObject({ value: [one.id] });
    expect(answers).toMatchObject({ value: [] });
    for (const { ms } of [acks, ids, answers]) expect(ms).toBeLessThan(LONG_MS / 2);
    expect(cluster.node('a').log).toContain('A node left before all of its clients had acknowledged');
    await known('a', 1);

    await cluster.startNode('b');
    await known('a', 2);
    const three = await client(cluster.node('b'));
    three.on('name?', (answer: (name: string) => void) => answer('three'));
    await eventually(async () => {
      const { value } = await verbs('a').ask(5000);
      return Array.isArray(value) && value.length === 2;
    });
  });

  it('hear each other until their servers close, also while a node drains', async () => {
    const two = await client(cluster.node('b'));
    const heard: string[] = [];
    two.on('tea', () => heard.push('tea'));
    const closed = new Promise<void>((resolve) => two.once('disconnect', () => resolve()));
    await verbs('b').hold();
    const stopped = cluster.node('b').stop();
    await eventually(async () => (await verbs('a').drained()) === 1, { what: 'b has drained' });
    expect((await verbs('a').fetch(10_000)).value).toEqual([two.id]);
    await verbs('a').toRoom(two.id!, 'tea');
    await eventually(() => heard.length === 1);
    await verbs('a').release();
    await closed;
    await stopped;
    await known('a', 1);
    await cluster.startNode('b');
    await known('a', 2);
  });
});
