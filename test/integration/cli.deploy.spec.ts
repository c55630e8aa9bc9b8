// The commands of pipelines: waiting for a cluster, and replacing its nodes one by one.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Membership, Partitioned, ProcessManager, Singleton } from 'nestjs-foundation';
import { eventually, TcpProxy } from 'nestjs-foundation/testing';
import type { RedisServer } from '../support/redis-server.js';
import { command, type Ran } from './command.js';
import { boot, type Booted, closeLater, formed, onOwnRedis } from './fixture.js';

@Singleton({ name: 'feed' })
class Feed {}

@Partitioned({ partitions: 4 })
class Accounts {}

@Singleton({ name: 'picky', placement: { labels: { gpu: 'yes' } } })
class Picky {}

let server: RedisServer;
let appName: string;
onOwnRedis((ground) => ({ server, appName } = ground));

const start = (nodeName: string, providers = [Feed, Accounts]): Promise<Booted> =>
  boot(server.url, appName, providers, { nodeName });
const foundation = (argv: string[], wrote?: (out: string) => void): Promise<Ran> =>
  command(
    [...argv.slice(0, 1), '--app', appName, ...argv.slice(1)],
    { FOUNDATION_REDIS_URL: server.url },
    {
      stop: new AbortController().signal,
      ...(wrote === undefined ? {} : { wrote }),
    },
  );

describe('foundation wait', () => {
  it('ends when so many nodes are ready and everything runs', async () => {
    await start('a');
    let second: Promise<Booted> | undefined;
    const ran = await foundation(['wait', '--ready', '2'], (out) => {
      if (out.includes('1 of 2 nodes ready')) second ??= start('b');
    });
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out.trim().split('\n').at(-1)).toBe('2 nodes, 5 processes running');
    await second;
    expect(JSON.parse((await foundation(['wait', '--json'])).out)).toMatchObject({ ok: true, nodes: 2, missing: [] });
  });

  it('waits for a Redis that is away, too', async () => {
    const proxy = await TcpProxy.open(server.port);
    closeLater(() => proxy.close());
    await start('a');
    const env = { FOUNDATION_REDIS_URL: server.urlAt(proxy.port) };
    const stop = new AbortController().signal;
    const waiting = (ready: string, forTime: string, wrote: (out: string) => void) =>
      command(['wait', '--app', appName, '--ready', ready, '--for', forTime], env, { stop, wrote });
    // From the beginning, and while it waits.
    proxy.mode = 'cut';
    const ran = await waiting('1', '60s', (out) => {
      if (out.includes('cannot be reached')) proxy.mode = 'ok';
    });
    expect(ran).toMatchObject({ code: 0, out: expect.stringMatching(/Waiting: .*cannot be reached.*1 node,/s) });
    let second: Promise<Booted> | undefined;
    const later = await waiting('2', '60s', (out) => {
      if (out.includes('cannot be reached')) {
        proxy.mode = 'ok';
        second ??= start('b');
      } else if (out.includes('1 of 2 nodes ready')) proxy.mode = 'cut';
    });
    await second;
    expect(later).toMatchObject({ code: 0, out: expect.stringContaining('2 nodes,') });
    proxy.mode = 'cut';
    const never = await waiting('1', '1s', () => undefined);
    expect([never.code, never.out + never.err]).toEqual([1, expect.stringContaining('cannot be reached')]);
  });

  it('says what is missing when the time is over', async () => {
    const node = await start('a', [Feed, Picky]);
    await eventually(async () => (await node.app.get(ProcessManager).lookupSingleton('feed')) !== undefined, {
      what: 'The feed',
    });
    const ran = await foundation(['wait', '--for', '1s']);
    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(/Not ready after .*: picky is waiting \(.*gpu/);
    const { ok, missing } = JSON.parse((await foundation(['wait', '--for', '500ms', '--json'])).out) as never;
    expect([ok, missing]).toEqual([false, [expect.stringContaining('picky')]]);
  });
});

describe('foundation rollout', () => {
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'foundation-rollout-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const stateOf = ({ app }: Booted) =>
    app
      .get(Membership)
      .members()
      .find(({ self }) => self)!.state;

  /** What a service manager does: ends the node, and starts another process under the same name. */
  function managing(nodes: Map<string, Booted>, keepsName = true): { stop: () => Promise<void>; seen: string[] } {
    const seen: string[] = [];
    let isOver = false;
    const done = (async () => {
      while (!isOver) {
        for (const [name, node] of nodes) {
          const asked = join(folder, name);
          if (!existsSync(asked)) continue;
          rmSync(asked);
          seen.push(name, stateOf(node));
          await node.app.close();
          nodes.set(name, await start(keepsName ? name : `${name}-2`));
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    return { seen, stop: () => ((isOver = true), done) };
  }

  it.each([
    ['under its name', true],
    ['under another one, as without nodeName', false],
  ])('drains, restarts and awaits one node after the other, each %s', async (_how, keepsName) => {
    const nodes = new Map([
      ['a', await start('a')],
      ['b', await start('b')],
    ]);
    await formed(...nodes.values());
    const before = [...nodes.values()].map(({ app }) => app.get(Membership).self.bootId);
    const { seen, stop } = managing(nodes, keepsName);
    const script = "require('node:fs').writeFileSync(process.argv[1], '')";
    const ran = await foundation(['rollout', '--json', '--', 'node', '-e', script, join(folder, '{node}')]);
    await stop();
    expect(JSON.parse(ran.out)).toEqual({ ok: true, replaced: ['a', 'b'] });
    expect([ran.code, seen]).toEqual([0, ['a', 'draining', 'b', 'draining']]);
    const after = [...nodes.values()].map(({ app }) => app.get(Membership).self.bootId);
    expect(after.some((bootId) => before.includes(bootId))).toBe(false);
  });

  it('stops at the first that fails, and lets it take work again', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await formed(a, b);
    const ran = await foundation(['rollout', '--', 'node', '-e', 'process.exit(3)']);
    expect(ran).toMatchObject({ code: 1 });
    expect(ran.out).toContain('Stopped at a: "node" ended with code 3');
    expect(ran.out).toContain('0 nodes of 2 replaced.');
    for (const node of [a, b]) await eventually(() => stateOf(node) === 'up', { what: 'A node that takes work again' });
    const missing = await foundation(['rollout', '--', '/no/such/program']);
    expect([missing.code, missing.out]).toEqual([1, expect.stringContaining('ENOENT')]);
  });

  it('stops where a node does not come back in time', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await formed(a, b);
    const ran = await foundation(['rollout', 'b', '--for', '1s', '--', 'node', '-e', '']);
    expect([ran.code, ran.out]).toEqual([1, expect.stringMatching(/Stopped after .*b is not back/)]);
    await eventually(() => stateOf(b) === 'up', { what: 'The node that nothing has restarted, at work again' });
    expect((await foundation(['rollout', 'nobody', '--', 'node'])).err).toContain('"nobody"');
  });

  it('is not done where there is no node, such as under a wrong name', async () => {
    const ran = await foundation(['rollout', '--', 'node', '-e', '']);
    expect([ran.code, ran.out]).toEqual([1, expect.stringContaining('--app')]);
  });
});
