// The test kit for applications: TestCluster over processes of their own, every verb of it, and what it says of bad
// input.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, freePort, NodeError, TestCluster, type TestNode, TestRedis } from 'nestjs-foundation/testing';
import type { Accounts, Orders, Till } from '../apps/shop.js';

const root = join(import.meta.dirname, '../..');
const entry = join(root, 'dist/test/apps/shop.js');
const SHORT = { timeout: 20_000 };

const textOf = async (node: TestNode): Promise<string> => (await fetch(node.url)).text();
const messageOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    (value) => `It resolved with ${JSON.stringify(value)}`,
    (error: Error) => error.message,
  );
const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('a test cluster', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.start({ nodes: 3, entry, env: ({ name, index }) => ({ SHELF: `${name}/${index}` }) });
  });
  afterAll(() => cluster.stop());

  const till = (): ReturnType<typeof cluster.singleton<Till>> => cluster.singleton<Till>('till');

  it('is made of nodes of the application, each with its name, port, environment and log', async () => {
    expect(cluster.nodes.map(({ name }) => name)).toEqual(['node-1', 'node-2', 'node-3']);
    expect(await Promise.all(cluster.nodes.map(textOf))).toEqual(['node-1', 'node-2', 'node-3']);
    expect(new Set(cluster.nodes.map(({ port, pid, bootId }) => `${port} ${pid} ${bootId}`)).size).toBe(3);
    const shelves = cluster.nodes.map((node) => node.get<Orders>('Orders').variable('SHELF'));
    expect(await Promise.all(shelves)).toEqual(['node-1/0', 'node-2/1', 'node-3/2']);
    // It runs as outside of tests.
    expect(await cluster.node('node-1').get<Orders>('Orders').variable('JEST_WORKER_ID')).toBeUndefined();
    expect(await cluster.node('node-1').get<Orders>('Orders').variable('FOUNDATION_TEST_NODE')).toBeUndefined();
    await eventually(() => cluster.node('node-2').log.includes('The shop is open'));
    expect(cluster.nodes.every(({ isRunning, isFrozen, isCut }) => isRunning && !isFrozen && !isCut)).toBe(true);
    const { state, members } = await cluster.node('node-3').view();
    expect({ state, members: members.map(({ name }) => name) }).toEqual({
      state: 'up',
      members: ['node-1', 'node-2', 'node-3'],
    });
  });

  it('calls providers of a node, and passes on what they answer and throw', async () => {
    const orders = cluster.node('node-2').get<Orders>('Orders');
    expect(await orders.place({ item: 'tea' })).toStrictEqual({
      item: 'tea',
      at: 'node-2',
      on: '1970-01-01T00:00:00.000Z',
    });
    expect(await orders.nothing()).toBeUndefined();
    const failure = await orders.fail().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(NodeError);
    expect(failure).toMatchObject({ name: 'TypeError', message: 'There is no tea', code: 'NO_TEA', node: 'node-2' });
    expect((failure as Error).stack).toMatch(/shop\.js.*on node node-2/s);
    await expect(orders.endless()).rejects.toThrow(/circular/);
    const node = cluster.node('node-2');
    const place = 'of the application of node node-2';
    expect(await messageOf(node.get('Nobody').work!())).toBe(`No provider or controller ${place} is called Nobody`);
    expect(await messageOf(node.get('Orders').work!())).toBe(`Orders ${place} has no work()`);
    expect(await messageOf(node.get('Door').open!())).toMatch(/node-2/);
  });

  it('calls singletons and partitions, from any node', async () => {
    const owner = await cluster.owner('till');
    expect(await till().where()).toBe(owner.name);
    for (const node of cluster.nodes) expect(await node.singleton<Till>('till').add(1, 2)).toBe(3);
    const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const indexes = await Promise.all(keys.map((key) => cluster.partition<Accounts>('accounts', key).index()));
    expect(indexes.every((index) => [0, 1, 2].includes(index))).toBe(true);
    expect(new Set(indexes).size).toBeGreaterThan(1);
    expect((await cluster.owner('accounts/1')).name).toMatch(/^node-/);
    const unknown = [cluster.singleton('nobody').work!(), cluster.partition('nobody', 'a').work!()].map(messageOf);
    expect(await Promise.all(unknown)).toEqual([
      expect.stringMatching(/No node runs "nobody"/),
      expect.stringMatching(/knows no partitions of "nobody"/),
    ]);
    expect(await messageOf(cluster.singleton('till').secret!())).toMatch(/secret/);
    expect(await messageOf(cluster.owner('accounts'))).toMatch(
      /^"accounts" has several owners: .*owner\('accounts\/\d'\)/,
    );
  });

  it('names an owner that survives a kill, and starts the node again', async () => {
    // In one look: right after the start it may still move.
    const { node, epoch } = await cluster.ownership('till');
    const owner = cluster.node(node);
    await owner.kill();
    expect(owner.isRunning).toBe(false);
    expect(await owner.exited).toMatchObject({ code: null, signal: 'SIGKILL' });
    const next = await cluster.owner('till');
    expect(next.name).not.toBe(owner.name);
    expect((await cluster.ownership('till')).epoch).toBeGreaterThan(epoch);
    expect(await till().where()).toBe(next.name);
    await cluster.assertSingleOwner('till');
    expect(cluster.ownersOf('till').slice(-2)).toEqual([owner.name, next.name]);
    expect(await messageOf(owner.get('Orders').nothing!())).toMatch(
      new RegExp(`^Node ${owner.name} has ended with SIGKILL`),
    );
    await owner.kill();
    const again = await cluster.startNode(owner.name);
    expect(again.pid).not.toBe(owner.pid);
    expect(cluster.node(owner.name)).toBe(again);
    expect(await textOf(again)).toBe(owner.name);
    expect(cluster.violations()).toEqual([]);
  });

  it('freezes an owner, which is replaced and does nothing when it is thawed', async () => {
    const owner = await cluster.owner('till');
    await owner.freeze();
    await owner.freeze();
    expect(owner.isFrozen).toBe(true);
    const next = await cluster.owner('till');
    expect(next.name).not.toBe(owner.name);
    owner.thaw();
    owner.thaw();
    await cluster.assertSingleOwner('till');
    await cluster.members();
    expect((await owner.view()).processes.find(({ name }) => name === 'till')?.node).toBe(next.name);
    expect(cluster.violations()).toEqual([]);
  });

  it.each(['hang', 'reset', 'no-replies'] as const)('cuts an owner off from Redis (%s), and heals it', async (kind) => {
    const owner = await cluster.owner('till');
    await owner.cut(kind);
    expect(owner.isCut).toBe(true);
    const next = await cluster.owner('till', { not: owner });
    expect(next.name).not.toBe(owner.name);
    // It can be asked all the same, and knows that it is isolated.
    await eventually(async () => (await owner.view()).state === 'isolated', SHORT);
    await owner.heal();
    expect(owner.isCut).toBe(false);
    await cluster.members(['node-1', 'node-2', 'node-3']);
    await cluster.assertSingleOwner('till');
    expect(cluster.violations()).toEqual([]);
  });

  it('delays the way to Redis, which changes no owner and cuts nobody off', async () => {
    const { node, epoch } = await cluster.ownership('till');
    await cluster.cut(node, 'redis', { delay: 20 });
    expect(cluster.node(node).isCut).toBe(false);
    expect(await cluster.ownership('till')).toEqual({ name: 'till', node, epoch });
    await cluster.members();
    await cluster.node(node).cut('hang');
    expect(cluster.node(node).isCut).toBe(true);
    await cluster.heal();
    await cluster.members(['node-1', 'node-2', 'node-3']);
    await cluster.assertSingleOwner('till');
    expect(cluster.violations()).toEqual([]);
  });

  it('freezes and kills Redis, and asks it', async () => {
    const { epoch } = await cluster.ownership('till');
    expect(await cluster.redis.command('PING')).toBe('PONG');
    await expect(cluster.redis.command('NONSENSE')).rejects.toThrow(/unknown command/);
    cluster.redis.freeze();
    await eventually(() => cluster.history().some(({ event }) => event === 'lease.lost'), SHORT);
    cluster.redis.thaw();
    await cluster.ownership('till');
    await cluster.redis.kill();
    await cluster.redis.restart();
    const after = await cluster.ownership('till', { above: epoch });
    expect(after.epoch).toBeGreaterThan(epoch);
    await cluster.assertSingleOwner('till');
  });

  it('adds a node, and stops one, which hands over', async () => {
    const more = await cluster.startNode();
    expect(more.name).toBe('node-4');
    const owner = await cluster.owner('till');
    const { signal, code } = await owner.stop();
    expect(signal ?? code).toBe('SIGTERM');
    expect((await owner.stop()).signal).toBe('SIGTERM');
    expect((await cluster.owner('till')).name).not.toBe(owner.name);
    await cluster.members();
    expect(owner.log).toMatch(/Left the cluster/i);
    await cluster.assertSingleOwner('till');
    await cluster.startNode(owner.name);
  });

  it('says what it saw when something does not come', async () => {
    const said = await messageOf(cluster.owner('nobody', { timeout: 300 }));
    expect(said).toMatch(
      /^An owner of "nobody" did not come true in 300 ms\. Last seen: \nnode-1 is up, sees node-1, /,
    );
    expect(said).toContain('till running on node-');
    expect(await messageOf(cluster.members(['node-1', 'ghost'], { timeout: 300 }))).toMatch(
      /^Members ghost,node-1 everywhere/,
    );
    await cluster.node('node-2').freeze();
    expect(await messageOf(cluster.owner('till', { timeout: 300, above: Number.MAX_SAFE_INTEGER }))).toMatch(
      /\nnode-2 is frozen$/,
    );
    cluster.node('node-2').thaw();
    await expect(cluster.assertSingleOwner({} as unknown as string)).rejects.toThrow(/name/);
  });

  it('refuses what it cannot do', async () => {
    expect(() => cluster.node('ghost')).toThrow(/There is no node ghost: there are node-1, node-2, node-3/);
    await expect(cluster.cut('ghost', 'redis')).rejects.toThrow(/no node ghost/);
    await expect(cluster.cut('node-1', 'node-1')).rejects.toThrow(/cut off from itself/);
    await expect(cluster.startNode('node-1')).rejects.toThrow(/runs already/);
    await expect(cluster.startNode('redis')).rejects.toThrow(/invalid option "nodes"/);
    expect(() => cluster.node('node-1').app).toThrow(/a process of its own/);
  });
});

describe('a test cluster that is stressed', () => {
  it('starts nodes at the same time, each under a name of its own, and no name twice', async () => {
    await using cluster = await TestCluster.start({ nodes: 1, entry });
    const twice = [cluster.startNode(), cluster.startNode(), cluster.startNode('x'), cluster.startNode('x')];
    const started = twice.map((start) =>
      start.then(
        ({ name }) => name,
        (error: Error) => error.message,
      ),
    );
    expect(await Promise.all(started)).toEqual(['node-2', 'node-3', 'x', 'Node x is starting already']);
    await cluster.members(['node-1', 'node-2', 'node-3', 'x']);
    const node = cluster.node('x');
    await node.cut();
    await node.kill();
    expect(await messageOf(cluster.startNode('x'))).toMatch(
      /^Node x is cut off from Redis, so it cannot join: heal it/,
    );
    await node.heal();
    await cluster.startNode('x');
  });
});

describe('a test cluster with links', () => {
  it('cuts two nodes off from each other, which reach each other through Redis then, and heals them', async () => {
    await using cluster = await TestCluster.start({ nodes: ['a', 'b', 'c'], entry, options: { transport: 'direct' } });
    const linked = (event: string, after: number): string[] =>
      cluster
        .history()
        .filter((each) => each.event === event && each.at > after)
        .map(({ node, payload }) => [node, payload['node']].sort().join(''));
    await eventually(() => new Set(linked('transport.link_up', 0)).size === 3, {
      ...SHORT,
      what: 'Three links',
      lastSeen: () => linked('transport.link_up', 0),
    });
    const before = cluster.history().at(-1)!.at;
    await cluster.cut('a', cluster.node('b'));
    await eventually(() => linked('transport.link_down', before).includes('ab'), {
      ...SHORT,
      what: 'The end of a link',
    });
    const owner = await cluster.owner('till');
    for (const node of cluster.nodes) expect(await node.singleton<Till>('till').where()).toBe(owner.name);
    expect(linked('transport.link_down', before).filter((pair) => pair !== 'ab')).toEqual([]);
    const healed = cluster.history().at(-1)!.at;
    await cluster.heal();
    await eventually(() => linked('transport.link_up', healed).includes('ab'), { ...SHORT, what: 'A link again' });
  });
});

describe('a start that fails', () => {
  it.each([
    [{ nodes: 0 }, /"nodes": received 0 \(number\), expected 1 to 50/],
    [{ nodes: 1.5 }, /"nodes"/],
    [{ nodes: [] }, /"nodes"/],
    [{ nodes: ['a', 'a'] }, /names that differ/],
    [{ nodes: ['a b'] }, /"nodes": received "a b"/],
    [{ nodes: ['redis'] }, /"redis" is none/],
    [{ timeout: -1 }, /"timeout": received -1/],
    [{ entry: 'nowhere.js' }, /no application to start: no nowhere\.js in /],
    [{ inProcess: 'yes' }, /"inProcess": received "yes"/],
    [{ inProcess: () => undefined, env: {} }, /"env".*nothing beside inProcess/],
    [{ redis: '/nowhere/redis-server', entry }, /nowhere\/redis-server.*ENOENT/s],
  ])('%j', async (options, says) => {
    expect(await messageOf(TestCluster.start(options as object))).toMatch(says);
  });

  it('because the application throws, has no Foundation, or finds no Redis, with its last lines', async () => {
    const start = (how: string, more: object): Promise<string> =>
      messageOf(TestCluster.start({ nodes: 1, entry, env: { SHOP: how }, ...more }));
    const said = await Promise.all([
      start('throws', {}),
      start('empty', { timeout: 12_000 }),
      start('', { redis: 'redis://127.0.0.1:1', timeout: 12_000 }),
    ]);
    expect(said).toEqual([
      expect.stringMatching(
        /^Node node-1 ended with code 1 before it was ready\. Its last lines:\n.*The shop is closed today/s,
      ),
      expect.stringMatching(/^Node node-1 was not ready in 12000 ms: its application has made no FoundationModule/),
      expect.stringMatching(/^Node node-1 was not ready in 12000 ms: it.*has not joined the cluster.*Could not join/s),
    ]);
  });

  it('because its port is taken', async () => {
    const other = createServer();
    await once(other.listen(0), 'listening');
    const { port } = other.address() as AddressInfo;
    const start = TestCluster.start({ nodes: 1, entry, env: { SHOP_PORT: String(port) } });
    const said = await messageOf(start);
    other.close();
    expect(said).toMatch(/EADDRINUSE/);
  });

  it('not because the application listens late, and then its port is known', async () => {
    await using cluster = await TestCluster.start({ nodes: 1, entry, env: { SHOP: 'late' } });
    expect(await textOf(cluster.node('node-1'))).toBe('node-1');
  });

  it('not because the application does not listen', async () => {
    await using cluster = await TestCluster.start({ nodes: 1, entry, env: { SHOP: 'deaf' } });
    expect(() => cluster.node('node-1').url).toThrow(/node-1 listens on no port/);
    await cluster.assertSingleOwner('till');
  });
});

describe('a test cluster on a Redis of others', () => {
  it('is a cluster of its own there, and leaves that Redis alone', async () => {
    await using redis = await TestRedis.start();
    await using one = await TestCluster.start({ nodes: 1, entry, redis: redis.url });
    await using two = await TestCluster.start({ nodes: ['other'], entry, redis: redis.url });
    expect((await one.node('node-1').view()).members).toHaveLength(1);
    await two.assertSingleOwner('till');
    expect(() => one.redis).toThrow(/not started by the test/);
    await one.stop();
    await one.stop();
    await expect(one.startNode()).rejects.toThrow(/is stopped/);
    // Nothing is left that could break a rule, and that proves nothing.
    expect(() => one.violations()).toThrow(/stopped, and its history is removed/);
    expect(() => one.ownersOf('till')).toThrow(/look at it before stop/);
    expect(await messageOf(one.owner('till'))).toBe('This cluster is stopped');
    expect(await redis.command('PING')).toBe('PONG');
  });

  it('runs on the embedded one', async () => {
    await using cluster = await TestCluster.start({ nodes: 2, entry, redis: 'embedded' });
    expect(cluster.redis.isEmbedded).toBe(true);
    const owner = await cluster.owner('till');
    await owner.kill();
    expect((await cluster.owner('till')).name).not.toBe(owner.name);
    await cluster.assertSingleOwner('till');
  });
});

describe('an application in TypeScript', () => {
  it.each(['commonjs', 'module'])('is run without a build, as %s', async (type) => {
    const cwd = mkdtempSync(join(tmpdir(), 'foundation-kit-'));
    try {
      mkdirSync(join(cwd, 'src'));
      symlinkSync(join(root, 'node_modules'), join(cwd, 'node_modules'));
      const extension = type === 'module' ? '.js' : '';
      const files = {
        'package.json': JSON.stringify({ name: `kit-${type}`, type }),
        'tsconfig.json': readFileSync(join(root, 'tsconfig.base.json'), 'utf8'),
        'src/main.ts': `import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module${extension}';
async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule);
  await app.listen(process.env.PORT ?? 3000);
}
void main();`,
        'src/app.module.ts': `import { Injectable, Module } from '@nestjs/common';
import { FoundationModule, Membership, Singleton } from 'nestjs-foundation';
@Singleton() class Feed {}
@Injectable() class Board {
  constructor(private readonly membership: Membership) {}
  name(): string { return this.membership.self.name satisfies string; }
}
@Module({ imports: [FoundationModule.forRoot({ cluster: true })], providers: [Feed, Board] })
export class AppModule {}`,
      };
      for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
      await using cluster = await TestCluster.start({ nodes: 1, cwd });
      expect(await cluster.node('node-1').get('Board').name!()).toBe('node-1');
      await cluster.assertSingleOwner('Feed');
      writeFileSync(join(cwd, 'src/app.module.ts'), 'export class AppModule { oops');
      expect(await messageOf(cluster.startNode())).toMatch(/app\.module\.ts.*expected/s);
    } finally {
      rmSync(cwd, { recursive: true, force: true });
    }
  });
});

describe('what a test leaves behind', () => {
  const visitor = join(root, 'dist/test/apps/shop.visitor.js');
  interface Left {
    pids: number[];
    folder: string;
  }

  async function visit(how: string, kill: boolean, TMPDIR: string): Promise<Left> {
    const env = { ...process.env, TMPDIR };
    const child = spawn(process.execPath, [visitor, how], { stdio: ['ignore', 'pipe', 'pipe'], env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)));
    const left = (): Left | undefined => JSON.parse(/^\{.*\}$/m.exec(output)?.[0] ?? 'null') as Left | undefined;
    const found = await eventually(left, { timeout: 60_000, what: 'A test cluster', lastSeen: () => output });
    const worker = Number(/^worker (\d+)$/m.exec(output)?.[1] ?? 0);
    if (kill) child.kill('SIGKILL');
    await eventually(() => child.exitCode !== null || child.signalCode !== null, { timeout: 30_000, what: 'Its end' });
    if (worker > 0) process.kill(worker, 'SIGCONT');
    await eventually(() => !found.pids.some(isThere), {
      timeout: 30_000,
      what: 'The end of what it started',
      lastSeen: () => found.pids.filter(isThere),
    });
    if (worker > 0 && isThere(worker)) process.kill(worker, 'SIGKILL');
    return found;
  }

  it.each([
    ['waits', 'is killed', true],
    ['runner', 'is killed with its worker going on', true],
    ['forgets', 'ends without a stop', false],
    ['throws', 'throws', false],
  ])('is nothing (%s): it %s', async (how, _what, kill) => {
    const place = mkdtempSync(join(tmpdir(), 'foundation-left-'));
    const folders = (): string[] => readdirSync(place).filter((name) => name.startsWith('foundation-'));
    try {
      const { folder } = await visit(how, kill, place);
      expect(folder.startsWith(place)).toBe(true);
      await eventually(() => folders().length === 0, { what: 'The end of its folders', lastSeen: folders });
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  });
});

describe('a Redis for a test', () => {
  it('has the port, password and configuration that it is given, and ends with its folder', async () => {
    const port = await freePort();
    const redis = await TestRedis.start({ port, password: 'a b', args: ['--appendonly', 'yes'] });
    expect(redis.url).toBe(`redis://:a%20b@127.0.0.1:${port}`);
    await redis.command('SET', 'a', 'ü');
    await redis.command('RPUSH', 'list', '1', '2');
    await redis.restart();
    expect([await redis.command('GET', 'a'), await redis.command('GET', 'b')]).toEqual(['ü', null]);
    expect(await redis.command('LRANGE', 'list', '0', '-1')).toEqual(['1', '2']);
    expect(await redis.cli('LRANGE', 'list', '0', '-1')).toBe('1\n2');
    const { pid } = redis;
    await redis.stop();
    expect([isThere(pid), existsSync(redis.folder)]).toEqual([false, false]);
    expect(() => redis.pid).toThrow(/not running/);
    await expect(TestRedis.start({ server: 'embedded', password: 'x' })).rejects.toThrow(/takes no args, password/);
  });
});
