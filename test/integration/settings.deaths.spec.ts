// The cluster-wide configuration while nodes freeze, die, join and are cut off: each change is on all nodes or on none.
import { afterEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { TestCluster } from '../support/cluster.js';
import type { NodeProcess } from '../support/node.process.js';
import { ENV } from '../support/node.protocol.js';

const NAMES = ['a', 'b', 'c'];
const MEMBERSHIP = { beatEvery: 250, ttl: 2000 };

let cluster: TestCluster;
afterEach(() => cluster.close());

async function open(options: object = {}, behindProxies: string[] = []): Promise<NodeProcess[]> {
  const env = {
    ...{ [ENV.settings]: '1', [ENV.quiet]: '1' },
    [ENV.options]: JSON.stringify({ membership: MEMBERSHIP, ...options }),
  };
  cluster = await TestCluster.open({ env, behindProxies });
  const nodes = await cluster.start(NAMES);
  await cluster.members(NAMES);
  return nodes;
}

/** Until the nodes have these values. */
const have = (nodes: readonly NodeProcess[], path: string, value: unknown) =>
  eventually(
    async () => (await Promise.all(nodes.map((node) => node.ask('getConfig', path)))).every((each) => each === value),
    {
      what: `${path} = ${String(value)} on ${nodes.map(({ name }) => name).join()}`,
      timeout: 20_000,
    },
  );

describe.each([['redis'], ['direct']])('A cluster-wide value over %s', (transport) => {
  it('is set while a node is frozen, which has it when it is back', async () => {
    const [a, b, c] = (await open({ transport })) as [NodeProcess, NodeProcess, NodeProcess];
    await a.ask('setConfig', 'first', 1, { quorum: 'all', timeout: 20_000 });
    await have([a, b, c], 'first', 1);
    await c.freeze();
    const commit = await a.ask('setConfig', 'first', 2, { timeout: 20_000 });
    expect(commit.accepted.sort()).toEqual(['a', 'b']);
    expect(commit.missing.map(({ node }) => node)).toEqual(['c']);
    await expect(a.ask('setConfig', 'first', 3, { quorum: 'all', timeout: 500 })).rejects.toMatchObject({
      code: 'FOUNDATION_CONFIG_QUORUM',
    });
    await b.ask('setConfig', 'first', 4, { timeout: 20_000 });
    await have([a, b], 'first', 4);
    c.thaw();
    await have([a, b, c], 'first', 4);
    // It missed some, and is told of each.
    const told = [
      [0, 1],
      [1, 2],
      [2, 4],
    ];
    for (const node of [a, b, c]) expect(await node.ask('heardConfig', 'first')).toEqual(told);
    expect(cluster.violations()).toEqual([]);
  });
});

describe('A cluster-wide value', () => {
  it('is on no node where the one that sets it dies before it is written', async () => {
    const [a, b, c] = (await open()) as [NodeProcess, NodeProcess, NodeProcess];
    for (const node of [b, c]) await node.ask('paceConfig', 1000);
    // The others look at it, and have not answered.
    const setting = a.ask('setConfig', 'first', 7, { timeout: 20_000 }).catch(() => 'gone');
    await a.ask('state');
    await a.kill();
    expect(await setting).toBe('gone');
    for (const node of [b, c]) await node.ask('paceConfig', 0);
    await cluster.members(['b', 'c']);
    expect(await cluster.redis.cli('HEXISTS', cluster.key('settings'), 'app')).toBe('0');
    for (const node of [b, c]) expect(await node.ask('getConfig', 'first')).toBe(0);
    await b.ask('setConfig', 'first', 8, { quorum: 'all', timeout: 20_000 });
    await have([b, c], 'first', 8);
    expect(cluster.violations()).toEqual([]);
  });

  it('is on all nodes or on none, whenever the one that sets it dies', async () => {
    let nodes = await open();
    let last = 0;
    for (let round = 1; round <= 6; round++) {
      const [a, b, c] = nodes as [NodeProcess, NodeProcess, NodeProcess];
      const setting = a.ask('setConfig', 'first', round, { timeout: 20_000 }).then(
        () => true,
        () => false,
      );
      // Some are over by then, some are not.
      for (let turn = 0; turn < round; turn++) await new Promise((resolve) => setImmediate(resolve));
      await a.kill();
      const isDone = await setting;
      const row = await cluster.redis.cli('HGET', cluster.key('settings'), 'app');
      const written = row.includes(`"value":${round},`) || row.includes(`"value":${round}}`);
      if (isDone) expect(written).toBe(true);
      last = written ? round : last;
      await have([b, c], 'first', last);
      const [again] = await cluster.start([a.name]);
      nodes = [b, c, again!];
      await have(nodes, 'first', last);
      await cluster.members(NAMES);
    }
    expect(cluster.violations()).toEqual([]);
  });

  it('is there for a node that joins while it is set, and after a restart of all', async () => {
    const [a, b, c] = (await open()) as [NodeProcess, NodeProcess, NodeProcess];
    for (const node of [a, b, c]) await node.ask('paceConfig', 300);
    const setting = a.ask('setConfig', 'text', 'joined', { timeout: 20_000 });
    const [d] = (await cluster.start(['d'])) as [NodeProcess];
    await setting;
    for (const node of [a, b, c]) await node.ask('paceConfig', 0);
    await have([a, b, c, d], 'text', 'joined');
    await Promise.all([a, b, c, d].map((node) => node.terminate()));
    const again = await cluster.start(NAMES);
    for (const node of again) expect(await node.ask('getConfig', 'text')).toBe('joined');
    await again[0]!.ask('setConfig', 'text', 'again', { timeout: 20_000 });
    await have(again, 'text', 'again');
    expect(cluster.violations()).toEqual([]);
  });

  it('is won by one of two nodes that set it at the same time, and is the same everywhere', async () => {
    const [a, b, c] = (await open()) as [NodeProcess, NodeProcess, NodeProcess];
    for (let round = 1; round <= 20; round++) {
      const outcomes = await Promise.all(
        [a, b].map((node, index) =>
          node.ask('setConfig', 'first', 10 * round + index, { timeout: 20_000 }).then(
            ({ revision }) => revision,
            ({ code }: { code?: string }) => code,
          ),
        ),
      );
      for (const each of outcomes) if (typeof each !== 'number') expect(each).toBe('FOUNDATION_CONFIG_CONFLICT');
      expect(outcomes.some((each) => typeof each === 'number')).toBe(true);
      expect(new Set(outcomes).size).toBe(2);
      const later = [...outcomes.keys()].filter((index) => typeof outcomes[index] === 'number');
      const winner = later.sort((x, y) => Number(outcomes[y]) - Number(outcomes[x]))[0]!;
      await have([a, b, c], 'first', 10 * round + winner);
    }
    const told = await Promise.all([a, b, c].map((node) => node.ask('heardConfig', 'first')));
    expect(told[1]).toEqual(told[0]);
    expect(told[2]).toEqual(told[0]);
    told[0]!.forEach(([before], index) => expect(before).toBe(index === 0 ? 0 : told[0]![index - 1]![1]));
    expect(cluster.violations()).toEqual([]);
  });

  it('is not set by the few: neither without the others, nor without Redis', async () => {
    const [a, b, c] = (await open({}, ['a'])) as [NodeProcess, NodeProcess, NodeProcess];
    await Promise.all([b.freeze(), c.freeze()]);
    await expect(a.ask('setConfig', 'first', 1, { timeout: 700 })).rejects.toMatchObject({
      code: 'FOUNDATION_CONFIG_QUORUM',
    });
    for (const node of [b, c]) node.thaw();
    await cluster.members(NAMES);
    const cut = cluster.cutOff('a', 'cut', 4000);
    await expect(a.ask('setConfig', 'first', 2, { timeout: 1500 })).rejects.toMatchObject({
      code: expect.stringMatching(/^FOUNDATION_(REDIS_UNAVAILABLE|CONFIG_QUORUM|CONFIG_OUTCOME)$/),
    });
    // The many go on.
    await eventually(() =>
      b.ask('setConfig', 'second', 3, { timeout: 5000 }).then(
        () => true,
        () => false,
      ),
    );
    await cut;
    await have([a, b, c], 'second', 3);
    await have([a, b, c], 'first', 0);
    expect(cluster.violations()).toEqual([]);
  });

  it('is known once Redis answers again, the same on all nodes', async () => {
    const nodes = await open({ transport: 'direct' });
    const [a] = nodes as [NodeProcess];
    await a.ask('setConfig', 'text', 'there', { timeout: 20_000 });
    const frozen = cluster.freezeRedis(1500);
    const outcome = await a.ask('setConfig', 'first', 5, { timeout: 600 }).catch(({ code }: { code?: string }) => code);
    expect(outcome).toBe('FOUNDATION_CONFIG_OUTCOME');
    await frozen;
    await eventually(
      () =>
        a.ask('setConfig', 'second', 1, { timeout: 5000 }).then(
          () => true,
          () => false,
        ),
      {
        timeout: 20_000,
      },
    );
    await have(nodes, 'second', 1);
    const first = await Promise.all(nodes.map((node) => node.ask('getConfig', 'first')));
    expect(new Set(first).size).toBe(1);
    expect([0, 5]).toContain(first[0]);
    expect(cluster.violations()).toEqual([]);
  });
});
