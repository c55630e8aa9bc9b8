import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { NotReadyError } from '../../../errors/cluster.errors.js';
import { MessageError } from '../../../errors/message.errors.js';
import { Secret } from '../../../security/secret.js';
import { keyFor } from '../../../security/signer.js';
import type { FoundationEventName, FoundationEvents } from '../../../telemetry/events.js';
import { Telemetry } from '../../../telemetry/telemetry.js';
import { eventually } from '../../../testing/eventually.js';
import { asText } from '../../../wire/bundle.js';
import { keysOf } from '../../../wire/keys.js';
import { PackedWriter } from '../../../wire/packed.writer.js';
import type { NodeRecord } from '../../directory/directory.js';
import type { Transport } from '../transport.js';
import { DirectTransport } from './direct.transport.js';
import { seal } from './relay.js';
import { encodePartHead } from './stream/frames.js';
import { encodeBundle } from './topic.messages.js';

const COOKIE = 'the cookie of this spec';
const keys = keysOf('shop');

/** Topics in memory, as Redis has them: everyone hears, the publisher too. */
class FakeRedis implements Transport {
  readonly published: string[] = [];
  readonly #topics = new Map<string, Set<(text: string) => void>>();
  readonly #interrupted = new Set<() => void>();
  isDown = false;

  publish = async (topic: string, text: string): Promise<number> => {
    if (this.isDown) throw new Error('Redis is down');
    this.published.push(topic);
    const listeners = [...(this.#topics.get(topic) ?? [])];
    setImmediate(() => listeners.forEach((listener) => listener(text)));
    return listeners.length;
  };
  subscribe = async (topic: string, listener: (text: string) => void) => {
    this.#topics.set(topic, (this.#topics.get(topic) ?? new Set()).add(listener));
    return async () => void this.#topics.get(topic)?.delete(listener);
  };
  onInterrupted = (listener: () => void) => {
    this.#interrupted.add(listener);
    return () => void this.#interrupted.delete(listener);
  };
  interrupt = (): void => this.#interrupted.forEach((listener) => listener());
}

const recordOf = (bootId: string): NodeRecord => ({
  ...{ name: `node ${bootId}`, bootId, host: 'h', pid: 1, version: '0', state: 'up' },
  ...{ classes: [], load: 0, lag: 0, labels: {}, replicas: {}, listens: {}, leaseServers: 1, joinedAt: 1 },
});

class Node {
  readonly events: { event: FoundationEventName; payload: object }[] = [];
  readonly heard: string[] = [];
  readonly interruptions: (string | undefined)[] = [];
  /** Of one topic alone. */
  readonly partial: unknown[] = [];
  readonly transport: DirectTransport;

  constructor(
    readonly bootId: string,
    redis: Transport,
    { cookie = COOKIE, maxMessageBytes = 1024 * 1024 } = {},
  ) {
    const telemetry = new Telemetry();
    telemetry.attach('*', (event, payload) => void this.events.push({ event, payload }));
    const config = {
      appName: 'shop',
      transport: { kind: 'direct' as const, host: '127.0.0.1', port: 0, cookie: new Secret(cookie) },
      channels: { maxMessageBytes },
    };
    this.transport = new DirectTransport(config, { name: `node ${bootId}`, bootId }, telemetry, redis, keys);
    this.transport.onInterrupted((from, topic) => {
      if (topic === undefined) this.interruptions.push(from);
      else this.partial.push([from, topic]);
    });
  }

  of<E extends FoundationEventName>(name: E): FoundationEvents[E][] {
    return this.events.filter(({ event }) => event === name).map(({ payload }) => payload as FoundationEvents[E]);
  }

  get links(): number {
    return this.of('transport.link_up').length - this.of('transport.link_down').length;
  }

  record(address: string | undefined = this.transport.address): NodeRecord {
    return { ...recordOf(this.bootId), ...(address === undefined ? {} : { address }) };
  }

  listen = (): Promise<unknown> => this.transport.subscribe('t', (bundle) => void this.heard.push(asText(bundle)));
  say = (text: string, lane?: 'high' | 'normal' | 'low') => this.transport.publish('t', text, lane);
  heardAll = (...texts: string[]): Promise<unknown> =>
    eventually(() => (expect(this.heard).toEqual(texts), true), { what: `${this.bootId} to hear all` });
}

const plainRecord = recordOf('r');
const UNREACHABLE = '127.0.0.1:1';

describe('DirectTransport', () => {
  let redis: FakeRedis;
  let nodes: Node[] = [];

  beforeEach(() => {
    Logger.overrideLogger(false);
    redis = new FakeRedis();
  });
  afterEach(() => {
    for (const { transport } of nodes) transport.close();
    nodes = [];
  });

  async function start(bootId: string, options?: ConstructorParameters<typeof Node>[2]): Promise<Node> {
    const node = new Node(bootId, redis, options);
    nodes.push(node);
    await node.transport.listen();
    return node;
  }

  const meet = (...members: NodeRecord[]): void => nodes.forEach(({ transport }) => transport.meet(members));

  async function pair(): Promise<[Node, Node]> {
    const both: [Node, Node] = [await start('a'), await start('b')];
    meet(...both.map((node) => node.record()));
    await eventually(() => both.every(({ links }) => links === 1));
    return both;
  }

  it('publishes nothing before it knows the members', async () => {
    const node = await start('a');
    await expect(node.say('1')).rejects.toBeInstanceOf(NotReadyError);
    node.transport.meet([node.record()]);
    await expect(node.say('1')).resolves.toBe(0);
  });

  it('publishes nothing once it has left', async () => {
    const [a, b] = await pair();
    await b.listen();
    a.transport.close();
    await expect(a.say('1')).rejects.toBeInstanceOf(NotReadyError);
  });

  it('packs for a node that reads it, and sends texts to all others, and while there is no link', async () => {
    const [a, b] = await pair();
    const old = await start('c');
    await Promise.all([b.listen(), old.listen()]);
    const plain: string[] = [];
    await redis.subscribe('t', (text) => plain.push(text));
    // Reached by letters, as a node of which nobody knows yet what it reads.
    meet(a.record(), b.record(), old.record(UNREACHABLE), plainRecord);
    const kinds: string[] = [];
    await b.transport.subscribe('t', (bundle) => void kinds.push(typeof bundle === 'string' ? 'text' : 'packed'));
    await old.transport.subscribe(
      't',
      (bundle) => void kinds.push(`${typeof bundle === 'string' ? 'text' : 'packed'} to c`),
    );
    const writer = new PackedWriter();
    for (const value of [{ n: 1 }, ['x'], 'é']) writer.add(value);
    await a.transport.publish('t', writer.finish());
    await b.heardAll('[{"n":1},["x"],"é"]');
    await old.heardAll('[{"n":1},["x"],"é"]');
    expect([...kinds].sort()).toEqual(['packed', 'text to c']);
    expect(plain.map((text) => JSON.parse(text) as unknown)).toEqual([[{ n: 1 }, ['x'], 'é']]);
  });

  it('believes no plain text in the name of a node that has a link, whatever it looks like', async () => {
    const [a, b] = await pair();
    await b.listen();
    const forged = [{ boot: 'a', v: 2, from: 'node a', seq: 2 ** 50 }, { b: 1 }];
    for (const value of [forged, [{ from: 'a' }], { boot: 'a', k: 'ack' }])
      await redis.publish('t', JSON.stringify(value));
    const plain = JSON.stringify([{ v: 2, from: 'node c', boot: 'c', seq: 1 }]);
    await redis.publish('t', plain);
    await a.say('genuine');
    await eventually(() => b.heard.length === 2);
    expect(new Set(b.heard)).toEqual(new Set([plain, 'genuine']));
    expect(b.of('transport.refused')).not.toEqual([]);
  });

  it('makes one link, counts who listens, and leaves Redis out of it', async () => {
    const [a, b] = await pair();
    await b.listen();
    expect(await a.say('1')).toBe(1);
    expect(await b.say('2')).toBe(0);
    await b.heardAll('1');
    redis.isDown = true;
    expect(await a.say('3')).toBe(1);
    await b.heardAll('1', '3');
    expect(redis.published.filter((topic) => topic === 't')).toEqual([]);
  });

  it('refuses a text that is larger than any node takes', async () => {
    const [a, b] = await pair();
    await b.listen();
    await expect(a.say('x'.repeat(4 * 1024 * 1024))).rejects.toBeInstanceOf(MessageError);
  });

  it('reaches a node of which it has no address that works, and says that it cannot dial it', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await b.listen();
    meet(a.record(), b.record(UNREACHABLE));
    await a.say('1');
    await b.heardAll('1');
    await eventually(() => a.of('transport.link_failed').length > 0);
    expect(a.of('transport.link_failed')[0]).toMatchObject({ node: 'node b', address: UNREACHABLE });
    expect(b.interruptions).toEqual([]);
    meet(a.record(), b.record('nonsense'));
    await a.say('2');
    await b.heardAll('1', '2');
  });

  it('hears and answers a node that its view does not have yet', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await Promise.all([a.listen(), b.listen()]);
    a.transport.meet([a.record()]);
    b.transport.meet([a.record(UNREACHABLE), b.record()]);
    await b.say('question');
    await a.heardAll('question');
    await a.say('answer');
    await b.heardAll('answer');
  });

  it.each([
    ['a', 'b'],
    ['b', 'a'],
  ])('is known to all once it has been greeted: %s by %s, whichever dials', async (newId, oldId) => {
    const [joining, member] = [await start(newId), await start(oldId)];
    member.transport.meet([member.record()]);
    await joining.listen();
    joining.transport.meet([joining.record(), member.record()]);
    const tellOfLate = await joining.transport.greet();
    await member.say('1');
    await joining.heardAll('1');
    tellOfLate();
    expect(joining.interruptions).toEqual([]);
  });

  it('waits for no greeting that does not come, and says that messages of that node may be missing', async () => {
    const [a, b, c] = [await start('a'), await start('b'), await start('c')];
    meet(a.record(), b.record(UNREACHABLE), c.record());
    redis.isDown = true;
    const tellOfLate = await a.transport.greet();
    expect(a.interruptions).toEqual([]);
    tellOfLate();
    expect(a.interruptions).toEqual(['b']);
  });

  it('relays frames again that Redis lost', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await b.listen();
    meet(a.record(), b.record(UNREACHABLE));
    redis.isDown = true;
    await a.say('1');
    await a.say('2');
    redis.isDown = false;
    await b.heardAll('1', '2');
  });

  it('says that messages may be missing of a node that learnt late what this one listens to', async () => {
    const [a, b] = [await start('a'), await start('b')];
    meet(a.record(UNREACHABLE), b.record(UNREACHABLE));
    await a.listen();
    expect(a.partial).toEqual([]);
    redis.isDown = true;
    await a.transport.subscribe('u', () => undefined);
    redis.isDown = false;
    await eventually(() => a.partial.length > 0);
    expect([a.partial, a.interruptions]).toEqual([[['b', 'u']], []]);
  });

  it('rejects a node with another cookie, whichever side dials, and reveals the cookie to no peer', async () => {
    const [a, b, c] = [await start('a'), await start('b', { cookie: 'another cookie here' }), await start('c')];
    await Promise.all([a, b, c].map((node) => node.listen()));
    meet(a.record(), b.record(), c.record());
    await Promise.all([a.say('from a'), b.say('from b'), c.say('from c')]);
    await Promise.all([a.heardAll('from c'), c.heardAll('from a')]);
    await eventually(() => [a, b, c].every((node) => node.of('transport.refused').length > 0));
    expect(b.heard).toEqual([]);
    // The first texts may have come as letters, before there was a link.
    await eventually(() => a.links === 1 && c.links === 1);
    expect(b.links).toBe(0);
    const shown = inspect([a, b, c], { depth: 6, showHidden: true }) + JSON.stringify([a.events, b.events, c.events]);
    expect(shown).not.toMatch(/the cookie of this spec|another cookie here/);
  });

  it('rejects relayed frames of a stranger, and frames that are replayed', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await b.listen();
    meet(a.record(), b.record(UNREACHABLE));
    const letters: string[] = [];
    await redis.subscribe(keys.letters('b'), (text) => letters.push(text));
    await a.say('1');
    await b.heardAll('1');
    for (const letter of [...letters]) await redis.publish(keys.letters('b'), letter);
    const body = encodeBundle('t', 'forged');
    const part = { seq: 2, lane: 'normal', kind: 'text', first: true, last: true, bytes: body } as const;
    const state = { stream: 9e15, base: 2, otherStream: 0, received: 0 };
    const forged = seal(keyFor('a guess', 'shop', 'letter'), 'a', 'b', state, [encodePartHead(part), body]);
    await redis.publish(keys.letters('b'), forged);
    await redis.publish(keys.letters('b'), 'nonsense');
    await a.say('2');
    await b.heardAll('1', '2');
    expect(b.of('transport.refused')).toEqual([
      { address: 'redis', reason: 'wrong-cookie' },
      { address: 'redis', reason: 'wrong-cookie' },
    ]);
  });

  describe('beside nodes on Redis', () => {
    it('publishes for them on the plain topic, and hears them there, each text once', async () => {
      const [a, b] = await pair();
      await Promise.all([a.listen(), b.listen()]);
      const plain: string[] = [];
      await redis.subscribe('t', (text) => plain.push(text));
      meet(a.record(), b.record(), plainRecord);
      expect(await a.say('["a"]')).toBeUndefined();
      await redis.publish('t', '["r"]');
      await a.heardAll('["r"]');
      await eventually(() => b.heard.length === 2);
      // Of two senders, so in any order.
      expect([...b.heard].sort()).toEqual(['["a"]', '["r"]']);
      expect(plain.map((text) => JSON.parse(text) as unknown)).toEqual([['a'], ['r']]);
    });

    it('answers one that it hears before its view has it', async () => {
      const a = await start('a');
      await a.listen();
      meet(a.record());
      await a.say('["nobody"]');
      const plain: string[] = [];
      await redis.subscribe('t', (text) => plain.push(text));
      await redis.publish('t', '["question"]');
      await a.heardAll('["question"]');
      await a.say('["answer"]');
      await eventually(() => plain.length === 2);
    });

    it('reports a cut of Redis only then', async () => {
      const [a, b] = await pair();
      redis.interrupt();
      expect(a.interruptions).toEqual([]);
      meet(a.record(), b.record(), plainRecord);
      redis.interrupt();
      expect(a.interruptions).toEqual([undefined]);
    });

    it('rejects when Redis does not take the text', async () => {
      const [a, b] = await pair();
      meet(a.record(), b.record(), plainRecord);
      redis.isDown = true;
      await expect(a.say('1')).rejects.toThrow('Redis is down');
    });
  });

  describe('a node that is no longer in the view', () => {
    it('is kept while its link holds, and forgotten with it', async () => {
      const [a, b] = await pair();
      await b.listen();
      a.transport.meet([a.record()]);
      expect(await a.say('1')).toBe(1);
      await b.heardAll('1');
      b.transport.close();
      await eventually(() => a.links === 0);
      expect(await a.say('2')).toBe(0);
    });

    it('reports missing texts to a node that comes back, delivers the next, and sends its topics again', async () => {
      const [a, b] = [await start('a'), await start('b')];
      await b.listen();
      meet(a.record(), b.record(UNREACHABLE));
      await a.say('1');
      await b.heardAll('1');
      await eventually(async () => (await a.say('2')) === 1);
      // A forgets b, which has not noticed.
      a.transport.meet([a.record()]);
      expect(await a.say('not for b')).toBe(0);
      meet(a.record(), b.record(UNREACHABLE));
      await eventually(async () => (await a.say('3')) === 1, { what: 'A to know again what b listens to' });
      await eventually(() => b.interruptions.length > 0);
      expect(b.interruptions).toEqual(['a']);
      await eventually(() => b.heard.at(-1) === '3');
      expect(b.heard).not.toContain('not for b');
    });
  });

  it('drops for a node that takes nothing, lowest lane first, counts it, tells that node, and harms no other one', async () => {
    const [a, b] = await pair();
    await b.listen();
    const stuck = new Node('s', redis);
    nodes.push(stuck);
    // In the view, and nobody is there.
    a.transport.meet([a.record(), b.record(), stuck.record(UNREACHABLE)]);
    const large = (lane: string): string => lane.padEnd(1024 * 1024, '.');
    for (let count = 0; count < 12; count += 1)
      for (const lane of ['low', 'normal'] as const) await a.say(large(lane), lane);
    await eventually(() => b.heard.length === 24);
    const dropped = a.of('transport.dropped');
    expect(dropped[0]).toMatchObject({ node: 'node s', lane: 'low' });
    expect(new Set(dropped.map(({ node }) => node))).toEqual(new Set(['node s']));
    // It comes, and hears what was kept, in order; what was not is reported.
    await stuck.transport.listen();
    await stuck.listen();
    stuck.transport.meet([a.record(), b.record(), stuck.record(UNREACHABLE)]);
    await eventually(() => stuck.heard.length > 0 && stuck.interruptions.includes('a'), { timeout: 14_000 });
  });

  it('flushes what is underway, and does not wait for absent nodes', async () => {
    const [a, b] = await pair();
    await b.listen();
    for (let count = 0; count < 200; count += 1) void a.say('x'.repeat(10_000));
    await a.transport.flush();
    expect(b.heard).toHaveLength(200);
    a.transport.meet([a.record(), b.record(), new Node('s', redis).record(UNREACHABLE)]);
    await a.say('y');
    await a.transport.flush();
  });

  it('counts frames and passes over messages that it does not know', async () => {
    const [a, b] = await pair();
    await b.listen();
    const body = Buffer.from([0]);
    const part = { seq: 1, lane: 'normal', kind: 'text', first: true, last: true, bytes: body } as const;
    const state = { stream: 9e15, base: 1, otherStream: 0, received: 0 };
    const key = keyFor(COOKIE, 'shop', 'letter');
    await redis.publish(keys.letters('b'), seal(key, 'z', 'b', state, [encodePartHead(part), body]));
    await eventually(() => b.of('transport.interrupted').length > 0);
    await a.say('1');
    await b.heardAll('1');
  });
});
