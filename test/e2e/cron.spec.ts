// @redis any-topology
// Cluster-wide cron jobs whose owner dies, leaves or is frozen around a tick; `npm run chaos:cron` does it for minutes.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, type HistoryEvent, historyNow } from 'nestjs-foundation/testing';
import { TestCluster } from '../support/cluster.js';
import type { NodeProcess } from '../support/node.process.js';

const NAMES = ['a', 'b', 'c'];

describe('a job that fires each second', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.open({ env: { TEST_CRON: '1', TEST_QUIET: '1' } });
    await cluster.start(NAMES);
    await cluster.members(NAMES);
  });
  afterAll(() => cluster.close());

  const firing = (after: number, not?: string): Promise<HistoryEvent> =>
    cluster.event({
      event: 'test.cron_fired',
      after,
      where: ({ node, payload }) => payload['job'] === 'seconds' && node !== not,
    });

  it.each<[string, (node: NodeProcess) => Promise<unknown>]>([
    ['dies', (node) => node.kill()],
    ['is terminated', (node) => node.terminate()],
    ['is frozen for longer than its lease', (node) => node.freeze()],
    ['dies and Redis loses its data', (node) => Promise.all([node.kill(), cluster.redis.cli('FLUSHALL')])],
  ])('goes on, fires no time twice and reports those that it left out when its owner %s', async (_what, break_) => {
    const { node: owner } = await firing(historyNow());
    // In the middle of a run, of which each takes 150 ms.
    await firing(historyNow());
    const at = historyNow();
    await break_(cluster.node(owner));
    const next = await firing(at, owner);
    if (cluster.node(owner).alive) cluster.node(owner).thaw();
    else await cluster.start([owner]);
    await cluster.members(NAMES);
    await firing(next.at + 1_500_000);
    await eventually(() => cluster.violations().length === 0, { lastSeen: () => cluster.violations() });
    expect(cluster.violations()).toEqual([]);
  });
});
