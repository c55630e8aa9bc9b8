// @redis any-topology
// SIGKILL of the owner, again and again: somebody else takes over, alone, with a higher epoch.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from 'nestjs-foundation/testing';
import { TestCluster } from '../support/cluster.js';
import { msBetween } from '../support/history.time.js';
import { summary } from '../support/quantiles.js';

const NAMES = ['a', 'b', 'c'];
const KILLS = 20;
const LIMIT_MS = 10_000;

describe('a node that is killed', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.open({ processes: 'steady,slow' });
    await cluster.start(NAMES);
    await cluster.members(NAMES);
  });
  afterAll(() => cluster.close());

  it(`is replaced ${KILLS} times in a row`, async () => {
    const failovers: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const owner = await cluster.owner('steady');
      const owned = (await cluster.node(owner.node).ask('list')).filter((info) => info.node === owner.node);
      const killedAt = await cluster.node(owner.node).kill();
      cluster.noteFault(
        `kill ${kill + 1}`,
        owned.map(({ name }) => name),
        LIMIT_MS,
        killedAt,
      );
      const [again] = cluster.spawn([owner.node]);
      const next = await cluster.owner('steady', { not: owner.node, above: owner.epoch, ask: others(owner.node) });
      expect(next.epoch).toBeGreaterThan(owner.epoch);
      for (const { name } of owned) {
        const started = await cluster.event({ event: 'process.started', name, after: killedAt });
        failovers.push(msBetween(killedAt, started.at));
      }
      await again!.ready; // under the same name, which its predecessor left behind
    }
    await cluster.members(NAMES);
    console.log(`Failover, SIGKILL to process.started: ${summary(failovers)}`);
    expect(Math.max(...failovers)).toBeLessThan(LIMIT_MS);
    expect(cluster.violations()).toEqual([]);
  }, 300_000);

  it('is reported as gone by timeout, once by each observer', async () => {
    const victim = cluster.node('a');
    const { bootId } = await victim.ready;
    await victim.kill();
    for (const node of others('a')) {
      const gone = {
        event: 'cluster.node_left',
        node,
        where: ({ payload }: { payload: object }) => 'bootId' in payload && payload.bootId === bootId,
      };
      expect((await cluster.event(gone)).payload).toEqual({
        ...{ node: 'a', bootId, joinedAt: expect.any(Number), reason: 'timeout', release: expect.any(String) },
      });
    }
    await cluster.members(others('a'));
    const left = cluster.events({ event: 'cluster.node_left', where: ({ payload }) => payload['bootId'] === bootId });
    expect(left.map(({ node }) => node).sort()).toEqual(others('a'));
    await eventually(async () => !(await cluster.redis.cli('HKEYS', cluster.key('nodes'))).split('\n').includes('a'));
    expect(cluster.violations()).toEqual([]);
  });
});

const others = (name: string): string[] => NAMES.filter((other) => other !== name);
