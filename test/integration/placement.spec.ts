// Labels and capacity over several applications in this process, on real Redis: who may not run a process never does,
// what nobody may run waits and says why, and what runs is spread without moving for ever.
import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  HealthMonitor,
  Membership,
  Partitioned,
  type ProcessContext,
  type ProcessInfo,
  ProcessManager,
  ProcessTimeoutError,
  Singleton,
  Telemetry,
} from 'nestjs-foundation';
import { NODE, type NodeParts } from '../../libs/foundation/src/node.parts.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, closeLater, formed, onOwnRedis, type Provider } from './fixture.js';

@Injectable()
class Worker {}

@Injectable()
class Quick {
  onProcessStart(ctx: ProcessContext): void {
    ctx.complete();
  }
}

@Partitioned({ name: 'part', partitions: 8 })
class Part {}

@Singleton({ name: 'choosy', placement: { labels: { role: 'x' } } })
class Choosy {}

const SINGLETONS = Array.from({ length: 6 }, (_, index) => {
  @Singleton({ name: `s${index}` })
  class Spread {}
  Object.defineProperty(Spread, 'name', { value: `Spread${index}` });
  return Spread;
});

type Options = NonNullable<Parameters<typeof boot>[3]>;

let server: RedisServer;
let appName: string;

onOwnRedis((ground) => ({ server, appName } = ground));

const QUICK: Options = { processes: { timeout: 1000, backoff: { base: 10, cap: 50 } } };
const node = (nodeName: string, providers: Provider[], options: Options = {}): Promise<Booted> =>
  boot(server.url, appName, providers, { ...QUICK, nodeName, ...options });
const X = { labels: { role: 'x' } };
const ON_X = { placement: X };

const managerOf = ({ app }: Booted): ProcessManager => app.get(ProcessManager);
const listOf = (booted: Booted, name: string): Promise<ProcessInfo | undefined> =>
  managerOf(booted)
    .list()
    .then((list) => list.find((info) => info.name === name));
const reasonsOf = async ({ app }: Booted): Promise<string[]> =>
  (await app.get(HealthMonitor).clusterHealth()).reasons.map(({ code, message }) => `${code}: ${message}`);
/** How many run on each node, such as `a:2 b:1`, and how many wait. */
async function spreadOf(booted: Booted): Promise<string> {
  const list = await managerOf(booted).list();
  const counts = new Map<string, number>();
  for (const { node: owner, state } of list) {
    const key = state === 'running' ? owner! : state;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts]
    .sort()
    .map(([key, count]) => `${key}:${count}`)
    .join(' ');
}
async function spread(booted: Booted, expected: string, timeout = 40_000): Promise<void> {
  let last: unknown;
  await eventually(async () => (last = await spreadOf(booted)) === expected, {
    timeout,
    what: `The processes as ${expected}`,
    lastSeen: () => last,
  });
}
/** Which process left a node by a move, as often as it did. */
function movesOf(...nodes: Booted[]): string[] {
  const moves: string[] = [];
  for (const { app, name } of nodes) {
    app.get(Telemetry).attach('process.stopped', (_event, payload) => {
      if ((payload as { reason: string }).reason === 'move')
        moves.push(`${(payload as { name: string }).name} off ${name}`);
    });
  }
  return moves;
}
/**
 * That nothing changes for so many seconds. On a starved machine a node may lose its leases, or be taken for dead: what
 * it had goes elsewhere, rightly, and the seconds begin anew.
 */
async function stays(count: number, nodes: Booted[], state: () => Promise<unknown>): Promise<void> {
  const taken: string[] = [];
  for (const { app } of nodes) {
    for (const event of ['lease.lost', 'cluster.node_left'] as const) {
      app.get(Telemetry).attach(event, (_event, payload) => void taken.push(JSON.stringify([event, payload])));
    }
  }
  for (let tries = 0; tries < 3; tries++) {
    taken.length = 0;
    const before = await state();
    await seconds(count);
    const after = await state();
    if (taken.length > 0) continue;
    expect(after).toEqual(before);
    return;
  }
  throw new Error(`The nodes never had ${count} s in which nothing was taken from them: ${taken.join('\n')}`);
}
async function seconds(count: number): Promise<void> {
  const end = performance.now() + count * 1000;
  await eventually(() => performance.now() > end, { timeout: count * 1000 + 20_000 });
}

describe('labels', () => {
  it('exclude: what no node may run waits, says why, and starts by itself on the first node that may', async () => {
    const [a, b] = await Promise.all([node('a', [Worker]), node('b', [Worker])]);
    await formed(a, b);
    const starting = managerOf(a).startSingleton(Worker, [], { name: 'n', ...ON_X, timeout: 50 });
    await expect(starting).rejects.toThrow(ProcessTimeoutError);
    await expect(starting).rejects.toThrow(/"n" waits, because no node has the label role=x/);
    expect(await listOf(b, 'n')).toMatchObject({ state: 'waiting', reason: 'no node has the label role=x' });
    await eventually(async () =>
      (await reasonsOf(b)).includes('process-waiting: Process "n" waits: no node has the label role=x.'),
    );
    expect(
      managerOf(a)
        .explainPlacement('n')
        .every(({ excluded }) => excluded),
    ).toBe(true);
    const x = await node('x', [Worker], X);
    await spread(a, 'x:1');
    expect((await listOf(x, 'n'))?.reason).toBeUndefined();
    await eventually(async () => !(await reasonsOf(a)).join().includes('process-waiting'));
    // A restart asks again who may run it.
    expect((await managerOf(a).restart('n')).node).toBe('x');
    await expect(managerOf(a).move('n', 'a')).rejects.toThrow('lacks the label role=x');
    await x.app.close();
    await eventually(async () => (await listOf(a, 'n'))?.state === 'waiting');
  }, 60_000);

  it('exclude in a rolling start, with the partitions and the replicas', async () => {
    const a = await node('a', [Choosy, Part, Worker]);
    const started = await managerOf(a).startReplicated(Worker, [], { name: 'every', ...ON_X });
    expect(started).toEqual([]);
    const two = managerOf(a).startReplicated(Worker, [], { name: 'two', replicas: 2, ...ON_X, timeout: 50 });
    const x = await node('x', [Choosy, Part, Worker], X);
    await formed(a, x);
    expect((await two).map(({ ok, node: on }) => `${String(ok)} ${on}`)).toEqual(['true x', 'true x']);
    await eventually(async () => (await listOf(a, 'choosy'))?.node === 'x');
    await eventually(async () => (await listOf(a, 'every@x'))?.state === 'running');
    expect(await listOf(a, 'every@a')).toBeUndefined();
    const parts = await managerOf(a).startPartitioned(Worker, [], { name: 'labelled', partitions: 8, ...ON_X });
    const owners = (await managerOf(a).list()).filter(({ name }) => name.startsWith(`${parts.name}/`));
    expect(new Set(owners.map((each) => each.node))).toEqual(new Set(['x']));
  }, 60_000);

  it('that a new declaration brings move what runs, not before there is a node that has them', async () => {
    const a = await node('a', [Worker]);
    await managerOf(a).startSingleton(Worker, [], { name: 'n' });
    const b = await node('b', [Choosy]);
    await formed(a, b);
    await eventually(async () => (await listOf(a, 'choosy'))?.state === 'waiting');
    // As a declaration of another version would have it.
    await a.app
      .get<NodeParts>(NODE)
      .table.change('n', (current) => ({ ...current!, placement: { strategy: 'spread', labels: { role: 'x' } } }));
    const epoch = (await listOf(a, 'n'))?.epoch;
    await eventually(async () => (await reasonsOf(b)).join().includes('process-misplaced: Process "n" is on node "a"'));
    await seconds(6);
    expect(await listOf(a, 'n')).toMatchObject({ state: 'running', node: 'a', epoch });
    await node('x', [Worker, Choosy], X);
    await eventually(async () => (await listOf(a, 'n'))?.node === 'x', { timeout: 30_000 });
  }, 90_000);
});

describe('capacity', () => {
  it('is what a node owns at most: of eight on two nodes with room for two each, four run, four wait, and health says so', async () => {
    const [a, b] = await Promise.all([node('a', [Worker], { capacity: 2 }), node('b', [Worker], { capacity: 2 })]);
    await formed(a, b);
    const names = Array.from({ length: 8 }, (_, index) => `n${index}`);
    const outcomes = await Promise.allSettled(
      names.map((name) => managerOf(a).startSingleton(Worker, [], { name, timeout: 50 })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
    const rejected = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []));
    expect(rejected[0]).toContain('all nodes are full (a owns 2 of 2, b owns 2 of 2)');
    await spread(a, 'a:2 b:2 waiting:4');
    await eventually(
      async () => (await reasonsOf(a)).filter((reason) => reason.includes('all nodes are full')).length === 4,
    );
    const moves = movesOf(a, b);
    const c = await node('c', [Worker], { capacity: 3 });
    await spread(a, 'a:2 b:2 c:3 waiting:1');
    const [first] = (await managerOf(a).list()).filter(({ node: owner }) => owner === 'c');
    await managerOf(a).stop(first!.name);
    await spread(a, 'a:2 b:2 c:3 stopped:1');
    expect(moves).toEqual([]);
    expect(
      c.app
        .get(Membership)
        .members()
        .every(({ load, capacity }) => load <= capacity!),
    ).toBe(true);
  }, 90_000);

  it('holds for fifty names at once, and zero owns nothing, not even what is on every node', async () => {
    const nodes = await Promise.all([
      node('none', [Worker], { capacity: 0 }),
      node('two', [Worker], { capacity: 2 }),
      node('free', [Worker]),
    ]);
    await formed(...nodes);
    const most = new Map<string, number>();
    const now = new Map<string, number>();
    for (const { app, name } of nodes) {
      const count = (change: number) => () => {
        now.set(name, (now.get(name) ?? 0) + change);
        most.set(name, Math.max(most.get(name) ?? 0, now.get(name)!));
      };
      app.get(Telemetry).attach('lease.acquired', count(1));
      app.get(Telemetry).attach('lease.released', count(-1));
    }
    const names = Array.from({ length: 50 }, (_, index) => `n${index}`);
    await Promise.all(names.map((name) => managerOf(nodes[0]).startSingleton(Worker, [], { name })));
    await spread(nodes[0], 'free:48 two:2');
    expect([most.get('none'), most.get('two')]).toEqual([undefined, 2]);
    const told = (await managerOf(nodes[1]).startReplicated(Worker, [], { name: 'every' })).map((result) =>
      result.ok ? `${result.node} runs it` : `${result.node}: ${result.error.message}`,
    );
    const [none, two, free] = ['none', 'two', 'free'].map((name) => told.find((each) => each.startsWith(name)));
    expect(none).toContain('it is full (0 of 0)');
    expect(two).toContain('it is full (2 of 2)');
    expect(free).toBe('free runs it');
    // Each move frees a place.
    await managerOf(nodes[0]).stop((await managerOf(nodes[0]).list()).find(({ node: owner }) => owner === 'two')!.name);
    await eventually(async () => nodes[1].app.get(Membership).own.load === 2);
    expect(most.get('two')).toBe(2);
  }, 90_000);

  it('is free again when a quick job has ended: a stream of them never fills a node that owns nothing', async () => {
    const [a, b] = await Promise.all(['a', 'b'].map((name) => node(name, [Quick], { capacity: 2 })));
    await formed(a!, b!);
    const start = (booted: Booted, name: string): Promise<unknown> =>
      managerOf(booted).startSingleton(Quick, [], { name, restart: 'temporary', timeout: 10_000 });
    for (let index = 0; index < 15; index++) await start(a!, `one-${index}`);
    const names = Array.from({ length: 20 }, (_, index) => String(index));
    await Promise.all([a!, b!].flatMap((booted) => names.map((name) => start(booted, `${booted.name}-${name}`))));
    // A node hears of what ended on another one a little later than the caller there.
    let spread = '';
    await eventually(async () => (spread = await spreadOf(a!)) === 'completed:55', { lastSeen: () => spread });
  }, 90_000);

  it('of a node that is full by partitions moves nothing of what it owns', async () => {
    const [a, b] = await Promise.all([node('a', [Part], { capacity: 3 }), node('b', [Part])]);
    await formed(a, b);
    const moves = movesOf(a, b);
    await eventually(async () => (await managerOf(a).list()).every(({ state }) => state === 'running'));
    await seconds(8);
    // What was started before both were there may move, once.
    expect(new Set(moves).size).toBe(moves.length);
    await stays(12, [a, b], async () => [moves.length, await spreadOf(a)]);
    expect(await spreadOf(a)).toMatch(/^a:[123] b:[567]$/);
    // A move to the last place is one that it has room for.
    const here = (await managerOf(a).list()).find(({ node: owner }) => owner === 'a')!;
    expect((await managerOf(a).move(here.name, 'b')).node).toBe('b');
    expect((await managerOf(a).move(here.name, 'a')).node).toBe('a');
    await expect(
      managerOf(a).move((await managerOf(a).list()).find(({ node: owner }) => owner === 'b')!.name, 'a'),
    ).rejects.toThrow('it is full (3 of 3)');
  }, 90_000);
});

describe('spread', () => {
  it.each([
    ['together', false],
    ['one after the other', true],
  ])(
    'gives six singletons to three nodes that start %s as 2, 2 and 2, and then nothing moves',
    async (_how, isRolling) => {
      const names = ['a', 'b', 'c'];
      const nodes: Booted[] = [];
      if (isRolling) for (const name of names) nodes.push(await node(name, SINGLETONS));
      else nodes.push(...(await Promise.all(names.map((name) => node(name, SINGLETONS)))));
      await formed(...nodes);
      const moves = movesOf(...nodes);
      await spread(nodes[0]!, 'a:2 b:2 c:2');
      expect(new Set(moves).size).toBe(moves.length);
      await stays(8, nodes, async () => (await spread(nodes[0]!, 'a:2 b:2 c:2'), [moves.length]));
    },
    150_000,
  );

  it('gives six names at once to three idle nodes evenly, without a move', async () => {
    const nodes = await Promise.all(['a', 'b', 'c'].map((name) => node(name, [Worker])));
    await formed(...nodes);
    const moves = movesOf(...nodes);
    const names = Array.from({ length: 6 }, (_, index) => `job-${index}`);
    await Promise.all(names.map((name) => managerOf(nodes[1]!).startSingleton(Worker, [], { name })));
    await spread(nodes[0]!, 'a:2 b:2 c:2');
    // Whatever the nodes had not heard of each other by then was mended by a move at most.
    expect(new Set(moves).size).toBe(moves.length);
  }, 60_000);
});

describe('without a cluster', () => {
  it('labels and capacity exclude as well', async () => {
    const alone = await boot(server.url, appName, [Worker], { ...QUICK, cluster: false, nodeName: 'a', capacity: 1 });
    closeLater(() => alone.app.close());
    const manager = managerOf(alone);
    await expect(manager.startSingleton(Worker, [], { name: 'n', ...ON_X, timeout: 1 })).rejects.toThrow('role=x');
    await manager.startSingleton(Worker, [], { name: 'one' });
    await expect(manager.startSingleton(Worker, [], { name: 'two', timeout: 1 })).rejects.toThrow(
      'all nodes are full (a owns 1 of 1)',
    );
    await manager.stop('one');
    await spread(alone, 'a:1 stopped:1 waiting:1');
  }, 60_000);
});
