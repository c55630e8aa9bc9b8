// @redis any-topology
// SIGTERM of the owner: it stops its work, hands the name on and leaves nothing behind.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestCluster } from '../support/cluster.js';
import { msBetween } from '../support/history.time.js';
import { summary } from '../support/quantiles.js';

const NAMES = ['a', 'b', 'c'];
const ROUNDS = 6;
const LIMIT_MS = 10_000;

describe('a node that is terminated', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.open({ processes: 'steady,slow' });
    await cluster.start(NAMES);
    await cluster.members(NAMES);
  });
  afterAll(() => cluster.close());

  it(`hands over ${ROUNDS} times in a row, without overlap and at once`, async () => {
    const gaps: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const owner = await cluster.owner('steady');
      const node = cluster.node(owner.node);
      const { bootId } = await node.ready;
      const owned = (await node.ask('list')).filter((info) => info.node === owner.node).map(({ name }) => name);
      cluster.noteFault(`SIGTERM ${round + 1}`, owned, LIMIT_MS);
      // Nest ends a terminated application by the signal itself, once its hooks are done.
      expect(await node.terminate()).toMatchObject({ code: null, signal: 'SIGTERM' });

      const next = await cluster.owner('steady', { not: owner.node, above: owner.epoch });
      const [stopped] = cluster.events({ event: 'process.stopped', name: 'steady', node: owner.node }).slice(-1);
      expect(stopped!.payload).toMatchObject({ epoch: owner.epoch, reason: 'shutdown', clean: true });
      const started = await cluster.event({ event: 'process.started', name: 'steady', after: stopped!.at });
      expect(started.payload['epoch']).toBe(next.epoch);
      gaps.push(msBetween(stopped!.at, started.at));

      for (const other of others(owner.node)) {
        const left = await cluster.event({
          event: 'cluster.node_left',
          node: other,
          where: ({ payload }) => payload['bootId'] === bootId,
        });
        expect(left.payload['reason']).toBe('shutdown');
      }
      await cluster.start([owner.node]);
      await cluster.members(NAMES);
    }
    console.log(`Hand-over, process.stopped to process.started elsewhere: ${summary(gaps)}`);
    expect(Math.max(...gaps)).toBeLessThan(LIMIT_MS);
    expect(cluster.violations()).toEqual([]);
  }, 180_000);

  it('leaves no lease, owner or node behind when all of them go', async () => {
    for (const name of NAMES) await cluster.node(name).terminate();
    const keys = await cluster.keys();
    expect(keys.filter((key) => /^(lease|owner|nodes$|beats)\b/.test(key))).toEqual([]);
    expect(cluster.violations()).toEqual([]);
  });
});

const others = (name: string): string[] => NAMES.filter((other) => other !== name);
