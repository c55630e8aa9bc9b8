// The direct transport under applications: calls and channels over links, through Redis while one is down, beside nodes
// that use Redis only, and not for nodes with another cookie.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import {
  Callable,
  Channels,
  CookieMismatchError,
  DirectListenError,
  FoundationConfigError,
  type FoundationOptions,
  Membership,
  type ProcessContext,
  ProcessManager,
  Singleton,
} from 'nestjs-foundation';
import { eventually, freePort, TcpProxy } from 'nestjs-foundation/testing';
import { keysOf } from '../../libs/foundation/src/wire/keys.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { secret } from '../support/secrets.js';
import { boot, type Booted, CapturedLog, closeLater, formed, onOwnRedis, settle } from './fixture.js';

const COOKIE = secret('the cookie of the direct spec');
const OTHER_COOKIE = secret('another cookie of this spec');
const DIRECT: FoundationOptions = { transport: { kind: 'direct', host: '127.0.0.1' }, security: { cookie: COOKIE } };

const PLAIN: FoundationOptions = { security: { cookie: COOKIE } };

@Singleton({ name: 'ledger' })
class Ledger {
  #ctx!: ProcessContext;
  onProcessStart(ctx: ProcessContext): void {
    this.#ctx = ctx;
  }
  @Callable()
  echo(value: unknown): { value: unknown; node: string } {
    return { value, node: this.#ctx.node };
  }
}

let server: RedisServer;
let appName: string;
let log: CapturedLog;

onOwnRedis((ground) => ({ server, appName, log } = ground));

const start = (options: FoundationOptions = DIRECT): Promise<Booted> => boot(server.url, appName, [Ledger], options);

/** Links that this node has. */
const links = ({ of }: Booted): number => of('transport.link_up').length - of('transport.link_down').length;
const linked = (count: number, ...nodes: Booted[]): Promise<unknown> =>
  eventually(() => nodes.every((node) => links(node) === count), {
    what: `${count} links each`,
    lastSeen: () => nodes.map((node) => [node.name, links(node)]),
  });

async function cluster(size: number, options?: FoundationOptions): Promise<Booted[]> {
  const nodes = await Promise.all(Array.from({ length: size }, () => start(options)));
  await formed(...nodes);
  await linked(size - 1, ...nodes);
  return nodes;
}

/** A node that the others reach through a proxy. */
async function behindProxy(): Promise<{ node: Booted; proxy: TcpProxy }> {
  const [port, outside] = [await freePort(), await freePort()];
  const proxy = await TcpProxy.open({ port, own: outside });
  closeLater(() => proxy.close());
  const transport = { kind: 'direct' as const, host: '127.0.0.1', port, advertise: `127.0.0.1:${outside}` };
  return { node: await start({ ...DIRECT, transport }), proxy };
}

class Heard {
  readonly messages: unknown[] = [];
  readonly from: string[] = [];

  static async by(node: Booted, channel = 'events'): Promise<Heard> {
    const heard = new Heard();
    await node.app.get(Channels).subscribe(channel, (message, { from }) => {
      heard.messages.push(message);
      heard.from.push(from);
    });
    return heard;
  }

  async all(expected: unknown[]): Promise<void> {
    await eventually(() => this.messages.length >= expected.length, {
      what: `${expected.length} messages`,
      lastSeen: () => this.messages.length,
    });
    expect(this.messages).toEqual(expected);
  }
}

const say = (node: Booted, message: unknown): Promise<void> => node.app.get(Channels).broadcast('events', message);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
/** What is published in Redis but for the hints, from now on. */
async function published(): Promise<string[]> {
  const watcher = new Redis(server.adminUrl);
  closeLater(async () => watcher.disconnect());
  const topics: string[] = [];
  watcher.on('pmessage', (_pattern: string, topic: string) => {
    if (topic !== keysOf(appName).hints) topics.push(topic);
  });
  await watcher.psubscribe('*');
  return topics;
}

async function echo(node: Booted, value: unknown): Promise<{ value: unknown; node: string }> {
  const ref = await eventually(() => node.app.get(ProcessManager).lookupSingleton(Ledger));
  return ref.call('echo', value);
}

describe('a cluster on the direct transport', () => {
  it('puts the address into the record, and links every two nodes once', async () => {
    const nodes = await cluster(3);
    for (const { app, of } of nodes) {
      const addresses = app
        .get(Membership)
        .members()
        .map(({ address }) => address);
      expect(addresses).toEqual(Array.from({ length: 3 }, () => expect.stringMatching(/^127\.0\.0\.1:\d+$/)));
      expect(of('transport.link_up')).toHaveLength(2);
    }
  });

  it('carries channels and calls without a PUBLISH', async () => {
    const nodes = await cluster(3);
    const heard = await Promise.all(nodes.map((node) => Heard.by(node)));
    await Promise.all(nodes.map((node) => echo(node, 0)));
    const topics = await published();
    for (const message of numbers(100)) await say(nodes[0]!, message);
    const owners = await Promise.all(nodes.map((node) => echo(node, 'x'.repeat(200_000))));
    await Promise.all(heard.map((each) => each.all(numbers(100))));
    expect(new Set(owners.map(({ node }) => node)).size).toBe(1);
    expect(owners.map(({ value }) => (value as string).length)).toEqual([200_000, 200_000, 200_000]);
    expect(topics).toEqual([]);
  });

  it('lets the last messages of a node that leaves arrive', async () => {
    const [leaving, staying] = (await cluster(2)) as [Booted, Booted];
    const heard = await Heard.by(staying);
    const sent = Promise.all(numbers(500).map((message) => say(leaving, message)));
    await leaving.app.close();
    await sent;
    await heard.all(numbers(500));
    await linked(0, staying);
  });

  it('does not start without a cookie, or on a port that is taken', async () => {
    await expect(start({ transport: 'direct' })).rejects.toBeInstanceOf(FoundationConfigError);
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const transport = { kind: 'direct' as const, host: '127.0.0.1', port };
    await expect(start({ ...DIRECT, transport })).rejects.toBeInstanceOf(DirectListenError);
    taken.close();
  });
});

describe('a link that breaks', () => {
  it.each(['cut', 'blackhole'] as const)(
    '%s: texts go through Redis and back to the link, in order and once',
    async (mode) => {
      const { node: second, proxy } = await behindProxy();
      const { node: first, proxy: other } = await behindProxy();
      await formed(first, second);
      await linked(1, first, second);
      const heard = [await Heard.by(first), await Heard.by(second)];
      const sent: [number[], number[]] = [[], []];
      const sayBoth = async (): Promise<void> => {
        await Promise.all(
          [first, second].map((node, index) => {
            const message = sent[index]!.length;
            sent[index]!.push(message);
            return say(node, message);
          }),
        );
        await new Promise((resolve) => setImmediate(resolve));
      };
      const downs = (): number => first.of('transport.link_down').length + second.of('transport.link_down').length;
      const ofOther = (mine: number): number[] =>
        heard[mine]!.messages.filter(
          (_, index) => heard[mine]!.from[index] !== [first, second][mine]!.name,
        ) as number[];

      for (const each of [proxy, other]) each.mode = mode;
      await eventually(async () => (await sayBoth(), downs() === 2), { every: 1 });
      // Over Redis now: what is said arrives while there is no link.
      await eventually(async () => (await sayBoth(), ofOther(0).includes(sent[1].length - 1)), { every: 1 });
      expect([links(first), links(second)]).toEqual([0, 0]);
      for (const each of [proxy, other]) each.mode = 'ok';
      await eventually(async () => (await sayBoth(), links(first) === 1 && links(second) === 1), { every: 1 });
      for (let more = 0; more < 20; more += 1) await sayBoth();

      await eventually(() => ofOther(0).length >= sent[1].length && ofOther(1).length >= sent[0].length);
      expect(ofOther(0)).toEqual(sent[1]);
      expect(ofOther(1)).toEqual(sent[0]);
      expect([...first.of('transport.interrupted'), ...second.of('transport.interrupted')]).toEqual([]);
      await expect(echo(first, 'after')).resolves.toMatchObject({ value: 'after' });
      await expect(echo(second, 'after')).resolves.toMatchObject({ value: 'after' });
    },
  );

  it('holds while Redis is away: linked nodes go on talking', async () => {
    const own = await startRedis();
    closeLater(() => own.stop());
    await settle(own, appName);
    const nodes = await Promise.all([1, 2].map(() => boot(own.url, appName, [], DIRECT)));
    const [first, second] = nodes as [Booted, Booted];
    await formed(first, second);
    await linked(1, first, second);
    const heard = await Heard.by(second);
    own.pause();
    await say(first, 'hello');
    await heard.all(['hello']);
    own.resume();
  });
});

describe('a node with another cookie', () => {
  const STRANGER: FoundationOptions = { ...DIRECT, security: { cookie: OTHER_COOKIE } };

  it('is rejected', async () => {
    await cluster(2);
    await expect(start(STRANGER)).rejects.toThrow(CookieMismatchError);
  });

  it('is not seen, not linked, not heard, and cannot call, when it makes its way in through Redis', async () => {
    const nodes = await cluster(2);
    const owner = await eventually(() => nodes[0]!.app.get(ProcessManager).lookupSingleton(Ledger));
    await server.cli('DEL', keysOf(appName).seal);
    const stranger = await start(STRANGER);
    const heard = await Promise.all([...nodes, stranger].map((node) => Heard.by(node)));
    await say(stranger, 'from outside');
    await eventually(() => log.lines.some((line) => line.includes(stranger.name) && line.includes('not a member')), {
      lastSeen: () => log.lines.slice(-5),
    });
    expect(stranger.app.get(Membership).members()).toHaveLength(1);
    for (const { app } of nodes) expect(app.get(Membership).members()).toHaveLength(2);
    // It may be on the move when it is looked up.
    const ref = await eventually(() => stranger.app.get(ProcessManager).lookupSingleton(Ledger));
    await expect(ref.call('echo', 'x')).rejects.toMatchObject({ code: expect.stringMatching(/FOUNDATION_CALL/) });

    await say(nodes[0]!, 'from inside');
    await heard[1]!.all(['from inside']);
    expect(heard[0]!.messages).toEqual(['from inside']);
    expect(heard[2]!.messages).toEqual(['from outside']);
    expect(links(stranger)).toBe(0);
    await expect(owner.call('echo', 'y')).resolves.toMatchObject({ value: 'y' });
  });

  it('never sees the cookie in a log, an event or the membership of those who have it', async () => {
    const nodes = await cluster(2);
    await expect(start(STRANGER)).rejects.toThrow(CookieMismatchError);
    await eventually(() => log.lines.some((line) => line.includes('Rejected a node')));
    const shown = [
      log.lines.join(),
      inspect(
        nodes.map(({ events }) => events),
        { depth: 10, maxArrayLength: null },
      ),
    ];
    shown.push(
      inspect(
        nodes.map(({ app }) => app.get(Membership)),
        { depth: 5 },
      ),
    );
    expect(shown.join()).not.toMatch(/cookie of (the direct|this) spec/);
  });
});

describe('a cluster of direct nodes and nodes on Redis', () => {
  it('delivers everything to everyone, once and in order', async () => {
    const directs = await cluster(2);
    const plain = await Promise.all([start(PLAIN), start(PLAIN)]);
    const nodes = [...directs, ...plain];
    await formed(...nodes);
    const heard = await Promise.all(nodes.map((node) => Heard.by(node)));
    for (const count of numbers(50)) await Promise.all(nodes.map((node) => say(node, { from: node.name, count })));
    await eventually(() => heard.every(({ messages }) => messages.length >= 200), {
      lastSeen: () => heard.map(({ messages }) => messages.length),
    });
    for (const { messages } of heard) {
      for (const { name } of nodes) {
        const mine = (messages as { from: string; count: number }[]).filter(({ from }) => from === name);
        expect(mine.map(({ count }) => count)).toEqual(numbers(50));
      }
    }
    for (const node of nodes) await expect(echo(node, node.name)).resolves.toMatchObject({ value: node.name });
  });

  it('serves calls in both directions as soon as a node has joined', async () => {
    const first = await start();
    await eventually(() => first.app.get(ProcessManager).lookupSingleton(Ledger));
    const plain = await start(PLAIN);
    await expect(echo(plain, 'to direct')).resolves.toMatchObject({ node: first.name });
    const second = await start();
    await expect(echo(second, 'to direct')).resolves.toMatchObject({ node: first.name });
    await first.app.close();
    await formed(plain, second);
    const { node } = await echo(plain, 1);
    await expect(echo(node === plain.name ? second : plain, 'moved')).resolves.toMatchObject({ node });
  });
});
