// Two Nest applications in this one process are two nodes of a cluster on real Redis.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, type Type } from '@nestjs/common';
import { Redis } from 'ioredis';
import {
  Channel,
  Channels,
  DuplicateNodeError,
  Membership,
  MessageError,
  type MessageMeta,
  type ProcessContext,
  ProcessManager,
  ProcessStartError,
  Singleton,
  type SingletonOptions,
  UnknownProcessError,
} from 'nestjs-foundation';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, CapturedLog, closeLater, formed, freshName, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;
let log: CapturedLog;

onOwnRedis((ground) => ({ server, appName, keys, log } = ground));

const processes = { backoff: { base: 10, cap: 50 }, stopTimeout: 1000, timeout: 5000 };
const bootNode = (providers: Parameters<typeof boot>[2] = [], options: Parameters<typeof boot>[3] = {}) =>
  boot(server.url, appName, providers, { processes, ...options });
const managerOf = ({ app }: Booted) => app.get(ProcessManager);
const channelsOf = ({ app }: Booted) => app.get(Channels);
const runningOn = (node: Booted, name = 'feed') =>
  eventually(() => managerOf(node).lookupSingleton(name), { what: `"${name}" to run` });

interface Life {
  ctx: ProcessContext;
  began: number;
  ended?: number;
  reason?: string;
}

/** A process class whose lives are written down. */
function recorded(options: SingletonOptions = {}, start?: (ctx: ProcessContext, count: number) => unknown) {
  const lives: Life[] = [];
  @Singleton({ name: 'feed', ...options })
  class Feed {
    life?: Life;
    async onProcessStart(ctx: ProcessContext): Promise<void> {
      this.life = { ctx, began: performance.now() };
      lives.push(this.life);
      await start?.(ctx, lives.length);
    }
    onProcessStop(reason: string): void {
      Object.assign(this.life!, { ended: performance.now(), reason });
    }
  }
  return { type: Feed as Type<object>, lives };
}

/** The lives never overlap, and each has a higher epoch than the one before. */
function expectOneAtATime(lives: readonly Life[]): void {
  for (const [index, life] of lives.entries()) {
    const next = lives[index + 1];
    if (next === undefined) continue;
    expect(life.ended).toBeLessThanOrEqual(next.began);
    expect(next.ctx.epoch).toBeGreaterThan(life.ctx.epoch);
  }
}

describe('Membership', () => {
  it('is the same on both nodes, and ends with a leave', async () => {
    const [a, b] = [await bootNode(), await bootNode()];
    await formed(a, b);
    const views = [a, b].map(({ app }) => app.get(Membership));
    await eventually(() => views[0]!.version === views[1]!.version);
    expect(views[0]!.members().map(({ name, state }) => [name, state])).toEqual(
      [a.name, b.name].sort().map((name) => [name, 'up']),
    );
    await b.app.close();
    await eventually(() => views[0]!.members().length === 1);
    expect(new Set(a.of('cluster.node_joined').map(({ node }) => node))).toEqual(new Set([a.name, b.name]));
    expect(a.of('cluster.node_joined')).toHaveLength(2);
    await eventually(() => a.of('cluster.node_left').length === 1, { what: 'The word that a node has left' });
    expect(a.of('cluster.node_left')).toEqual([expect.objectContaining({ node: b.name, reason: 'shutdown' })]);
    expect(await server.cli('HKEYS', keys.nodes)).toBe(a.name);
    // As the specification has it: a message and an object.
    const formations = log.lines.filter((line) => line.includes('Foundation cluster formed'));
    const [first] = formations.map((line) => JSON.parse(/\{.*\}/.exec(line)![0]) as unknown);
    expect(first).toMatchObject({
      clusterId: appName,
      nodeCount: expect.any(Number),
      formationTimeMs: expect.any(Number),
      strategy: 'redis',
    });
  });

  it('refuses a second node of the same name, and the first one does not notice', async () => {
    const a = await bootNode([], { nodeName: 'same' });
    await expect(bootNode([], { nodeName: 'same' })).rejects.toBeInstanceOf(DuplicateNodeError);
    const version = a.app.get(Membership).version;
    expect(a.app.get(Membership).members()).toHaveLength(1);
    expect(a.app.get(Membership).state).toBe('up');
    expect(a.app.get(Membership).version).toBe(version);
  });

  it('takes the name of a node that was killed', async () => {
    const beats = { beatEvery: 100, ttl: 1200 };
    const record = { name: 'same', bootId: 'dead', host: 'h', pid: 1, version: '0', state: 'up', classes: [], load: 0 };
    await server.cli('HSET', keys.nodes, 'same', `dead ${JSON.stringify({ ...record, joinedAt: 1 })}`);
    await server.cli('ZADD', keys.beats, String(Date.now()), 'same');
    const a = await bootNode([], { nodeName: 'same', membership: beats });
    expect(a.app.get(Membership).members()).toMatchObject([{ name: 'same', self: true }]);
  });

  it('keeps applications of another name apart', async () => {
    const a = await bootNode();
    const other = await boot(server.url, freshName('other'), [], {});
    expect(a.app.get(Membership).members()).toHaveLength(1);
    expect(other.app.get(Membership).members()).toHaveLength(1);
  });
});

describe('A singleton', () => {
  it('runs once in the cluster and is found from both nodes', async () => {
    const { type, lives } = recorded();
    const nodes = [await bootNode([type]), await bootNode([type])];
    await formed(...nodes);
    const refs = [await runningOn(nodes[0]!), await runningOn(nodes[1]!)];
    expect(refs[0]).toMatchObject({ name: 'feed', node: refs[1]!.node, epoch: refs[1]!.epoch });
    expect(lives).toHaveLength(1);
    expect(refs[0]!.epoch).toBe(lives[0]!.ctx.epoch);
    for (const node of nodes) {
      expect(await managerOf(node).list()).toEqual([
        expect.objectContaining({ name: 'feed', state: 'running', node: refs[0]!.node, epoch: refs[0]!.epoch }),
      ]);
    }
  });

  it('moves when the application that runs it is closed, without an overlap and with a higher epoch', async () => {
    const { type, lives } = recorded();
    const nodes = [await bootNode([type]), await bootNode([type])];
    await formed(...nodes);
    const { node } = await runningOn(nodes[0]!);
    const [owner, other] = nodes[0]!.name === node ? nodes : [nodes[1], nodes[0]];
    await owner!.app.close();
    await eventually(() => lives.length === 2);
    expect(lives[0]!.reason).toBe('shutdown');
    expectOneAtATime(lives);
    expect((await runningOn(other!)).node).toBe(other!.name);
    expect(lives[1]!.ctx.node).toBe(other!.name);
  });

  it('runs only where its class is a provider', async () => {
    const { type, lives } = recorded();
    const without = await bootNode();
    const having = await bootNode([type]);
    expect((await runningOn(without)).node).toBe(having.name);
    expect(lives).toHaveLength(1);
  });

  it('is spread with others over both nodes', async () => {
    const kinds = Array.from({ length: 6 }, (_, index) => recorded({ name: `p${index}` }));
    // One class name for all of them would be a conflict, so each gets its own.
    kinds.forEach(({ type }, index) => Object.defineProperty(type, 'name', { value: `Feed${index}` }));
    const types = kinds.map(({ type }) => type);
    const nodes = await Promise.all([bootNode(types), bootNode(types)]);
    await eventually(
      async () => (await managerOf(nodes[0]).list()).filter(({ state }) => state === 'running').length === 6,
    );
    for (const { lives } of kinds) expectOneAtATime(lives);
    expect(kinds.every(({ lives }) => lives.length === 1)).toBe(true);
  });

  it('is stopped and restarted from the other node', async () => {
    const { type, lives } = recorded();
    const without = await bootNode();
    await bootNode([type]);
    await runningOn(without);
    await managerOf(without).stop('feed');
    expect(lives[0]!.reason).toBe('stop');
    expect(await managerOf(without).lookupSingleton('feed')).toBeUndefined();
    const ref = await managerOf(without).restart('feed');
    expect(ref.epoch).toBe(lives[1]!.ctx.epoch);
    expectOneAtATime(lives);
    await expect(managerOf(without).stop('nobody')).rejects.toBeInstanceOf(UnknownProcessError);
  });

  it('is stopped by a node that has not heard yet that it was started again', async () => {
    const { type } = recorded();
    const [without, having] = [managerOf(await bootNode()), managerOf(await bootNode([type]))];
    await having.startSingleton(type, [], { name: 'job' });
    await having.stop('job');
    const stateOf = async (): Promise<unknown> => (await without.list()).find(({ name }) => name === 'job')?.state;
    await eventually(async () => (await stateOf()) === 'stopped', { lastSeen: stateOf });
    await having.startSingleton(type, [], { name: 'job' });
    await without.stop('job');
    expect(await having.lookupSingleton('job')).toBeUndefined();
  });

  it('is restarted by BullMQ after a crash, and escalated after too many', async () => {
    let broken = true;
    const { type, lives } = recorded({ maxRestarts: 2 }, (ctx) => {
      if (broken) ctx.fail(new Error('broken'));
    });
    const nodes = [await bootNode([type]), await bootNode([type])];
    await eventually(async () => (await managerOf(nodes[0]!).list())[0]?.state === 'escalated');
    expect(lives).toHaveLength(3);
    expectOneAtATime(lives);
    expect(nodes.flatMap(({ of }) => of('process.escalated'))).toHaveLength(1);
    const scheduled = nodes.flatMap(({ of }) => of('process.restart_scheduled')).map(({ epoch }) => epoch);
    expect(scheduled).toHaveLength(new Set(scheduled).size);
    broken = false;
    expect((await managerOf(nodes[1]!).restart('feed')).epoch).toBeGreaterThan(lives[2]!.ctx.epoch);
  });

  it.each<[string, SingletonOptions, (lives: Life[], node: Booted) => unknown, string]>([
    ['was stopped', {}, (_lives, node) => managerOf(node).stop('feed'), 'stopped'],
    ['was escalated', { maxRestarts: 0 }, (lives) => lives[0]!.ctx.fail(new Error('broken')), 'escalated'],
    ['has completed', { restart: 'transient' }, (lives) => lives[0]!.ctx.complete(), 'completed'],
    ['was temporary and crashed', { restart: 'temporary' }, (lives) => lives[0]!.ctx.fail(new Error('x')), 'failed'],
  ])('that %s stays down when another node joins', async (_what, options, end, state) => {
    const { type, lives } = recorded(options);
    const first = await bootNode([type]);
    await runningOn(first);
    await end(lives, first);
    await eventually(async () => (await managerOf(first).list())[0]?.state === state);
    const second = await bootNode([type]);
    await formed(first, second);
    const eldest = (node: Booted) =>
      [...node.app.get(Membership).members()].sort((a, b) => a.joinedAt - b.joinedAt)[0]?.name;
    expect((await managerOf(second).list())[0]?.state).toBe(state);
    expect(lives).toHaveLength(1);
    expect([eldest(first), eldest(second)]).toEqual([first.name, first.name]);
  });

  it('that a call starts and that cannot start leaves nothing behind', async () => {
    const lives: ProcessContext[] = [];
    @Injectable()
    class Broken {
      onProcessStart(ctx: ProcessContext): void {
        lives.push(ctx);
        throw new Error('no connection');
      }
    }
    const node = await bootNode([Broken]);
    const started = managerOf(node).startSingleton(Broken, ['x'], { name: 'feed' });
    await expect(started).rejects.toBeInstanceOf(ProcessStartError);
    await expect(started).rejects.toThrow(/no connection/);
    expect(lives).toHaveLength(1);
    expect(lives[0]!.signal.aborted).toBe(true);
    await eventually(async () => (await server.cli('EXISTS', keys.lease('feed'), keys.owner('feed'))) === '0');
    expect((await managerOf(node).list())[0]).toMatchObject({ name: 'feed', state: 'failed' });
  });

  it('goes on with a higher epoch when Redis loses everything, and the cluster is whole again', async () => {
    const { type, lives } = recorded();
    const nodes = [await bootNode([type]), await bootNode([type])];
    await formed(...nodes);
    const before = await runningOn(nodes[0]!);
    await server.cli('FLUSHALL');
    await eventually(async () => ((await managerOf(nodes[1]!).lookupSingleton('feed'))?.epoch ?? 0) > before.epoch);
    expect(lives).toHaveLength(1);
    expect(lives[0]!.ctx.isOwner()).toBe(true);
    // Redis has the new epoch a moment before its owner hears of it.
    await eventually(() => lives[0]!.ctx.epoch > before.epoch);
    await eventually(async () => (await server.cli('HLEN', keys.nodes)) === '2');
    await eventually(async () => (await server.cli('HLEN', keys.processes)) === '1');
    await formed(...nodes);
    await expect(lives[0]!.ctx.fenced.set('k', 'v')).resolves.toBeUndefined();
  });

  it('that was stopped stays so when a node starts just after Redis has lost everything', async () => {
    const { type, lives } = recorded();
    const a = await bootNode([type]);
    await runningOn(a);
    await managerOf(a).stop('feed');
    await server.cli('FLUSHALL');
    const b = await bootNode([type]);
    await eventually(async () => (await server.cli('HLEN', keys.processes)) === '1');
    await formed(a, b);
    const statuses = await Promise.all([a, b].map(async (node) => (await managerOf(node).list())[0]?.state));
    expect(statuses).toEqual(['stopped', 'stopped']);
    expect(lives).toHaveLength(1);
  });

  it('is stopped when its lease is deleted by hand, and starts again', async () => {
    const { type, lives } = recorded();
    const node = await bootNode([type]);
    await runningOn(node);
    await server.cli('DEL', keys.lease('feed'));
    await eventually(() => lives.length === 2);
    expect(lives[0]!.reason).toBe('lease-lost');
    expectOneAtATime(lives);
  });

  it('ignores rows of the table that nobody can read', async () => {
    const { type, lives } = recorded();
    await server.cli('HSET', keys.processes, 'evil', '{"name":"evil","__proto__":{"x":1}}', 'junk', 'not json');
    await server.cli('ZADD', keys.processVersions, '5', 'evil', '6', 'junk');
    const node = await bootNode([type]);
    await runningOn(node);
    expect(lives).toHaveLength(1);
    expect((await managerOf(node).list()).map(({ name }) => name)).toEqual(['feed']);
  });
});

describe('Channels', () => {
  const heard: { node: string; message: unknown; meta: MessageMeta }[] = [];
  beforeEach(() => void (heard.length = 0));
  const listening = async (options: Parameters<typeof boot>[3] = {}) => {
    const node = await bootNode([], options);
    await channelsOf(node).subscribe('events', (message, meta) => void heard.push({ node: node.name, message, meta }));
    return node;
  };
  const at = (node: Booted) => heard.filter((each) => each.node === node.name);

  it('reach handlers on both nodes, each once', async () => {
    const [a, b] = [await listening(), await listening()];
    await channelsOf(a).broadcast('events', { id: 1 }, { type: 'order.placed' });
    await eventually(() => heard.length === 2);
    for (const { message, meta } of heard) {
      expect(message).toEqual({ id: 1 });
      expect(meta).toMatchObject({ channel: 'events', type: 'order.placed', from: a.name, seq: 1 });
    }
    await channelsOf(b).broadcast('events', { id: 2 });
    await eventually(() => heard.length === 4);
    expect([at(a).length, at(b).length]).toEqual([2, 2]);
  });

  it('reach decorated methods of providers, and of a singleton on whichever node it runs', async () => {
    const got: string[] = [];
    @Injectable()
    class Orders {
      @Channel('events')
      hear(message: unknown): void {
        got.push(`provider ${String(message)}`);
      }
    }
    @Singleton({ name: 'feed' })
    class Feed {
      @Channel('events')
      hear(message: unknown): void {
        got.push(`singleton ${String(message)}`);
      }
    }
    const [a, b] = [await bootNode([Orders, Feed]), await bootNode([Orders, Feed])];
    await runningOn(a);
    await eventually(() => [a, b].some(({ of }) => of('process.started').length > 0));
    await eventually(async () => {
      got.length = 0;
      await channelsOf(b).broadcast('events', 'x');
      return eventually(() => got.length === 3, { timeout: 500 }).catch(() => false);
    });
    expect(got.sort()).toEqual(['provider x', 'provider x', 'singleton x']);
  });

  it('keep the order of each sender, without a gap and without a double', async () => {
    const [a, b] = [await listening(), await listening()];
    const count = 500;
    await Promise.all(
      [a, b].flatMap((node) => Array.from({ length: count }, (_, n) => channelsOf(node).broadcast('events', n))),
    );
    await eventually(() => heard.length === 4 * count);
    for (const receiver of [a, b]) {
      for (const sender of [a, b]) {
        const sequence = at(receiver).filter(({ meta }) => meta.from === sender.name);
        expect(sequence.map(({ meta }) => meta.seq)).toEqual(Array.from({ length: count }, (_, n) => n + 1));
        expect(sequence.map(({ message }) => message)).toEqual(Array.from({ length: count }, (_, n) => n));
      }
    }
  });

  it('drop and count what somebody else publishes, and go on', async () => {
    const node = await listening();
    const raw = new Redis(server.adminUrl);
    closeLater(() => Promise.resolve(raw.disconnect()));
    const topic = keys.channel('events');
    const bad: (string | Buffer)[] = [
      ...['', 'not json', 'null', '5', '[1,2]', '{"v":99}', '{"__proto__":{"polluted":1}}', '{"v":1,"from":5}'],
      Buffer.from([0xff, 0xfe, 0x00, 0x80]),
      '['.repeat(50_000),
      `{"v":1,"from":"x","boot":"y","seq":1,"at":"now","body":1}`,
    ];
    for (const text of bad) await raw.publish(topic, text);
    await raw.publish(keys.hints, 'nonsense');
    await raw.publish(keys.hints, '{"t":"load","node":{},"load":"x"}');
    await channelsOf(node).broadcast('events', 'good');
    await raw.publish(topic, '[{"v":2,"from":"x","boot":"y","seq":1,"at":1},{"b":{"a":1}}]');
    await eventually(() => heard.length === 2);
    expect(heard.map(({ message }) => message).sort()).toEqual([{ a: 1 }, 'good'].sort());
    await eventually(() => node.of('message.dropped').length === bad.length);
    expect(node.app.get(Membership).state).toBe('up');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('refuse a message that is too large at the sender, and carry the largest one', async () => {
    const [a, b] = [await listening(), await listening()];
    await expect(channelsOf(a).broadcast('events', 'x'.repeat(1024 * 1024 - 1))).rejects.toBeInstanceOf(MessageError);
    await channelsOf(a).broadcast('events', 'x'.repeat(1024 * 1024 - 2));
    await eventually(() => at(b).length === 1 && at(a).length === 1);
    expect((at(b)[0]!.message as string).length).toBe(1024 * 1024 - 2);
  });

  it('do not wait for a handler that is stuck', async () => {
    const [a, b] = [await bootNode(), await listening()];
    await channelsOf(b).subscribe('events', () => new Promise(() => undefined));
    for (let n = 0; n < 10; n++) await channelsOf(a).broadcast('events', n);
    await eventually(() => at(b).length === 10);
  });

  it('are left by unsubscribe, also in Redis', async () => {
    const [a, b] = [await bootNode(), await bootNode()];
    const subscription = await channelsOf(b).subscribe(
      'events',
      (message, meta) => void heard.push({ node: b.name, message, meta }),
    );
    expect(await server.cli('PUBSUB', 'NUMSUB', keys.channel('events'))).toMatch(/1$/);
    await subscription.unsubscribe();
    expect(await server.cli('PUBSUB', 'NUMSUB', keys.channel('events'))).toMatch(/0$/);
    await channelsOf(a).broadcast('events', 1);
    await channelsOf(b).subscribe('events', (message, meta) => void heard.push({ node: b.name, message, meta }));
    await channelsOf(a).broadcast('events', 2);
    await eventually(() => heard.length === 1);
    expect(heard[0]!.message).toBe(2);
  });

  it('come back when Redis cuts the connections', async () => {
    const [a, b] = [await listening(), await listening()];
    await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually(async () => {
      await channelsOf(a).broadcast('events', 'again');
      return at(b).length > 0;
    });
    const before = at(b).length;
    expect(new Set(at(b).map(({ meta }) => meta.seq)).size).toBe(before);
  });
});

describe('close()', () => {
  it('leaves no connection and no key of this node behind', async () => {
    const { type } = recorded();
    // Other specs run in this process, too.
    const sockets = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
    const socketsBefore = sockets();
    const before = Number(/connected_clients:(\d+)/.exec(await server.cli('INFO', 'clients'))?.[1]);
    const node = await bootNode([type]);
    await runningOn(node);
    expect(Number(/connected_clients:(\d+)/.exec(await server.cli('INFO', 'clients'))?.[1])).toBeGreaterThan(before);
    await node.app.close();
    await eventually(
      async () => Number(/connected_clients:(\d+)/.exec(await server.cli('INFO', 'clients'))?.[1]) === before,
    );
    expect(await server.cli('EXISTS', keys.lease('feed'), keys.owner('feed'))).toBe('0');
    expect(await server.cli('HLEN', keys.nodes)).toBe('0');
    await eventually(() => sockets() <= socketsBefore, { lastSeen: sockets });
  });
});
