// Servers of socket.io on several nodes of one cluster, with clients of socket.io: every verb that reaches the clients
// of other nodes, and what a gap, rubbish and a node without the namespace mean. On real Redis.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ArgumentError, Channels, type FoundationOptions, type Gap, Membership } from 'nestjs-foundation';
import { type FoundationAdapterOptions, useFoundationAdapter } from 'nestjs-foundation/socket.io';
import { TcpProxy } from 'nestjs-foundation/testing';
import { Server } from 'socket.io';
import { io as connect, type Socket } from 'socket.io-client';
import { runtimeOf } from '../../libs/foundation/src/channels/channels.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, type CapturedLog, closeLater, formed, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let log: CapturedLog;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, log, keys } = ground));

const clients: Socket[] = [];
afterEach(() => clients.splice(0).forEach((client) => client.close()));

interface Side {
  node: Booted;
  io: Server;
  url: string;
}

async function side(options: FoundationOptions = {}, more: FoundationAdapterOptions = {}): Promise<Side> {
  const node = await boot(options.redis ?? server.url, appName, [], options);
  const http = createServer();
  const io = new Server(http);
  useFoundationAdapter(io, node.app.get(Channels), more);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  closeLater(() => io.close());
  return { node, io, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
}

/** Two servers that know of each other. */
async function pair(options: FoundationOptions = {}): Promise<[Side, Side]> {
  const sides: [Side, Side] = [await side(options), await side(options)];
  await formed(...sides.map(({ node }) => node));
  await known(...sides);
  return sides;
}

const known = (...sides: Side[]) =>
  eventually(
    async () =>
      (await Promise.all(sides.map(({ io }) => io.of('/').adapter.serverCount()))).every(
        (count) => count === sides.length,
      ),
    { what: `${sides.length} servers that know of each other` },
  );

/** A connected client, and what it hears. */
async function client({ url }: Side, nsp = '') {
  const socket = connect(`${url}${nsp}`, { transports: ['websocket'], forceNew: true, reconnection: false });
  clients.push(socket);
  const heard: unknown[][] = [];
  socket.onAny((...args: unknown[]) => void heard.push(args.filter((each) => typeof each !== 'function')));
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject));
  return { socket, heard, id: socket.id! };
}

const ids = async (sockets: Promise<{ id: string }[]>) => (await sockets).map(({ id }) => id).sort();

describe('Servers of socket.io in a cluster', () => {
  it('send to the clients of all nodes, of a room, and but some, with bytes as they are', async () => {
    const [a, b] = await pair();
    const [one, two, three] = [await client(a), await client(b), await client(b)];
    await b.io.sockets.sockets.get(two.id)!.join('tea');
    const bytes = { inner: [Buffer.from([0, 255, 7])], view: new Uint8Array([1, 2]), none: null };
    a.io.emit('all', 1, { two: [3] }, bytes);
    a.io.to('tea').emit('tea');
    a.io.except(three.id).emit('but three');
    a.io.local.emit('here');
    a.io.emit('last');
    await eventually(() => [one, two, three].every(({ heard }) => heard.at(-1)?.[0] === 'last'));
    const events = ({ heard }: { heard: unknown[][] }) => heard.map(([event]) => event);
    expect(events(one)).toEqual(['all', 'but three', 'here', 'last']);
    expect(events(two)).toEqual(['all', 'tea', 'but three', 'last']);
    expect(events(three)).toEqual(['all', 'last']);
    const came = { inner: [Buffer.from([0, 255, 7])], view: Buffer.from([1, 2]), none: null };
    for (const { heard } of [one, two]) expect(heard[0]).toEqual(['all', 1, { two: [3] }, came]);
  });

  it('collect acknowledgements of all clients, and name the error when one is late', async () => {
    const [a, b] = await pair();
    const [one, two, three] = [await client(a), await client(b), await client(b)];
    one.socket.on('name?', (answer: (name: unknown) => void) => answer('one'));
    two.socket.on('name?', (answer: (name: unknown) => void) => answer(Buffer.from('two')));
    three.socket.on('name?', (answer: (name: unknown) => void) => answer({ three: true }));
    const names = (await a.io.timeout(10_000).emitWithAck('name?')) as unknown[];
    expect(names).toHaveLength(3);
    expect(names).toEqual(expect.arrayContaining(['one', Buffer.from('two'), { three: true }]));
    expect(await a.io.to(two.id).timeout(10_000).emitWithAck('name?')).toEqual([Buffer.from('two')]);
    expect(await a.io.to('no such room').timeout(10_000).emitWithAck('name?')).toEqual([]);
    const [remote] = await a.io.in(three.id).fetchSockets();
    expect(await remote!.timeout(10_000).emitWithAck('name?')).toEqual({ three: true });

    three.socket.off('name?');
    const late = a.io.timeout(500).emitWithAck('name?');
    const error = await late.catch((caught: unknown) => caught);
    expect(error).toMatchObject({ message: 'operation has timed out' });
    expect((error as { responses: unknown[] }).responses).toHaveLength(2);
  });

  it('collect those of a server that is alone, and of this node where that is asked for', async () => {
    const a = await side();
    const one = await client(a);
    one.socket.on('name?', (answer: (name: unknown) => void) => answer('one'));
    expect(await a.io.timeout(10_000).emitWithAck('name?')).toEqual(['one']);
    expect(await a.io.local.timeout(10_000).emitWithAck('name?')).toEqual(['one']);
    const b = await side();
    await formed(a.node, b.node);
    await known(a, b);
    const two = await client(b);
    two.socket.on('name?', (answer: (name: unknown) => void) => answer('two'));
    expect(await a.io.local.timeout(10_000).emitWithAck('name?')).toEqual(['one']);
    expect(await b.io.local.timeout(10_000).emitWithAck('name?')).toEqual(['two']);
    expect(await a.io.local.to(two.id).timeout(10_000).emitWithAck('name?')).toEqual([]);
  });

  it('fetch the sockets of all nodes, in as many answers as it takes', async () => {
    const [a, b] = await pair();
    const [one, two, three] = [await client(a), await client(b), await client(b)];
    expect(await ids(a.io.fetchSockets())).toEqual([one.id, two.id, three.id].sort());
    expect(await ids(a.io.local.fetchSockets())).toEqual([one.id]);
    // More than one answer may have.
    for (const [index, socket] of [...b.io.sockets.sockets.values()].entries()) {
      socket.data = { index, much: 'x'.repeat(600_000), bytes: Buffer.from([index]) };
      await socket.join('large');
    }
    const large = await a.io.in('large').fetchSockets();
    expect(large.map(({ data }) => (data as { bytes: Buffer }).bytes[0]).sort()).toEqual([0, 1]);
    expect(large.every(({ rooms, handshake }) => rooms.has('large') && handshake.url.startsWith('/socket.io'))).toBe(
      true,
    );
    // What does not fit into any is an error, which says so.
    b.io.sockets.sockets.get(two.id)!.data = 'x'.repeat(2_000_000);
    await expect(a.io.fetchSockets()).rejects.toThrow(/fetchSockets of \/.*maxMessageBytes/s);
  });

  it('let sockets of other nodes join, leave and go', async () => {
    const [a, b] = await pair();
    const two = await client(b);
    const roomsOf = () => [...(b.io.sockets.sockets.get(two.id)?.rooms ?? [])].filter((room) => room !== two.id);
    a.io.in(two.id).socketsJoin(['x', 'y']);
    await eventually(() => roomsOf().length === 2);
    a.io.in('x').socketsLeave('y');
    await eventually(() => roomsOf().join() === 'x');
    const [remote] = await a.io.in(two.id).fetchSockets();
    remote!.disconnect(true);
    await eventually(() => two.socket.disconnected && b.io.sockets.sockets.size === 0);
  });

  it('talk to each other: serverSideEmit with an answer, without, and where nothing listens', async () => {
    const [a, b] = await pair();
    const said: unknown[] = [];
    b.io.on('note' as never, ((...args: unknown[]) => void said.push(...args)) as never);
    b.io.on(
      'sum' as never,
      ((x: number, y: number, answer: (sum: unknown) => void) => answer({ sum: x + y })) as never,
    );
    expect(a.io.serverSideEmit('note', 1, { two: Buffer.from('b') })).toBe(true);
    await eventually(() => said.length === 2);
    expect(said).toEqual([1, { two: Buffer.from('b') }]);
    expect(await a.io.serverSideEmitWithAck('sum', 3, 4)).toEqual([{ sum: 7 }]);
    await expect(a.io.serverSideEmitWithAck('unknown')).rejects.toThrow(
      new RegExp(`${b.node.name} .*nothing listens to "unknown"`),
    );
    // What the application throws there is said, and nothing else comes of it.
    a.io.serverSideEmit('sum', 3, 4, () => {
      throw new Error('my callback');
    });
    await eventually(() => log.lines.some((line) => /serverSideEmit threw.*my callback/.test(line)), {
      lastSeen: () => log.lines,
    });
  });

  it('know namespaces that only some nodes have', async () => {
    const [a, b] = await pair();
    a.io.of('/chat');
    expect(await a.io.of('/chat').fetchSockets()).toEqual([]);
    expect(await a.io.of('/chat').timeout(10_000).emitWithAck('anybody?')).toEqual([]);
    expect(await a.io.of('/chat').serverSideEmitWithAck('anybody?')).toEqual([]);
    b.io.of('/chat');
    const two = await client(b, '/chat');
    a.io.of('/chat').emit('hello');
    await eventually(() => two.heard.length === 1);
    expect(await ids(a.io.of('/chat').fetchSockets())).toEqual([two.id]);
  });

  it('say what a gap means: logged, and told to onGap', async () => {
    const proxy = await TcpProxy.open(server.port);
    closeLater(() => proxy.close());
    const gaps: Gap[] = [];
    const [a, b] = [
      await side(),
      await side({ redis: server.urlAt(proxy.port) }, { onGap: (gap) => void gaps.push(gap) }),
    ];
    await formed(a.node, b.node);
    await known(a, b);
    const two = await client(b);
    a.io.emit('first');
    await eventually(() => two.heard.length === 1);
    const heardBy = (count: number) =>
      eventually(
        async () => (await server.cli('PUBSUB', 'NUMSUB', keys.channel('#socket.io:'))).endsWith(String(count)),
        {
          what: `${count} servers that hear`,
        },
      );
    proxy.mode = 'cut';
    await heardBy(1);
    a.io.emit('lost');
    proxy.mode = 'ok';
    await heardBy(2);
    await eventually(
      () => {
        a.io.emit('more');
        return gaps.length > 0;
      },
      { timeout: 20_000, what: 'A gap' },
    );
    expect(gaps[0]).toMatchObject({ channel: '#socket.io:', from: a.node.name });
    expect(log.lines.some((line) => /Lost messages of a socket.io server/.test(line))).toBe(true);
  });

  it('survive whatever the network brings', async () => {
    const [a, b] = await pair();
    const two = await client(b);
    const channel = runtimeOf(a.node.app.get(Channels)).reserve('#socket.io:');
    const said = { nsp: '/', rooms: [], except: [], flags: {} };
    const rubbish: unknown[] = [
      ...[null, 7, 'x', [], {}, { kind: 'emit' }, { kind: 'constructor', nsp: '/' }, { ...said, kind: 'emit' }],
      { ...said, kind: 'emit', body: { type: 99, data: 'no list' } },
      {
        ...said,
        kind: 'emit',
        body: { type: 2, data: ['e'] },
        rooms: 7,
        bytes: [[['data', '__proto__', 'x'], 'AA==']],
      },
      { ...said, kind: 'join', body: { length: 3 } },
      { ...said, kind: 'ask', id: -1, body: null },
      { ...said, kind: 'fetch', after: [] },
      { ...said, kind: 'query', body: 'no list' },
      { ...said, kind: 'tell', body: [{}] },
    ];
    for (const each of rubbish) await channel.send(each);
    for (const each of rubbish) await channel.gather(each, { timeout: 2000 });
    for (const each of rubbish) await channel.tell(b.node.app.get(Membership).self.bootId, each);
    a.io.emit('still here');
    await eventually(() => two.heard.some(([event]) => event === 'still here'));
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  it('are one of each name on a node, and refuse options that are not right', async () => {
    const { node } = await side();
    const channels = node.app.get(Channels);
    const use = (options: unknown) => useFoundationAdapter(new Server(), channels, options as FoundationAdapterOptions);
    expect(() => use({})).toThrow(ArgumentError);
    expect(() => use({ name: 'x'.repeat(101) })).toThrow(/"?name"?/);
    expect(() => use({ name: 7 })).toThrow(ArgumentError);
    expect(() => use({ onGap: 7 })).toThrow(ArgumentError);
    expect(() => useFoundationAdapter(new Server(), {} as Channels)).toThrow(ArgumentError);
    // What was refused has not taken the name.
    for (const io of [null, {}]) {
      expect(() => useFoundationAdapter(io as Server, channels, { name: 'x' })).toThrow(ArgumentError);
    }
    useFoundationAdapter(new Server(), channels, { name: 'x' });
    const second = new Server(createServer());
    useFoundationAdapter(second, channels, { name: 'second' });
    await second.close();
    use({ name: 'second' });
  });
});
