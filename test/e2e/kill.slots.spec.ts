// SIGKILL of nodes that own replicas and partitions: what they had is taken over, what others had stays where it is.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, historyNow } from 'nestjs-foundation/testing';
import { TestCluster } from '../support/cluster.js';
import { ENV, type Owner } from '../support/node.protocol.js';

const NAMES = ['a', 'b', 'c'];
const REPLICAS = ['trio#0', 'trio#1', 'trio#2'];
const PARTITIONS = ['shard/0', 'shard/1', 'shard/2', 'shard/3'];
const SLOTS = [...REPLICAS, ...PARTITIONS];
const KILLS = 6;
const LIMIT_MS = 10_000;

describe('a node with replicas and partitions that is killed', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.open({ processes: 'trio,shard', env: { [ENV.calls]: '1' } });
    await cluster.start(NAMES);
    await cluster.members(NAMES);
  });
  afterAll(() => cluster.close());

  const owners = (): Promise<Owner[]> => Promise.all(SLOTS.map((slot) => cluster.owner(slot)));

  it(`is replaced ${KILLS} times in a row, for what it owned and for nothing else`, async () => {
    for (let kill = 0; kill < KILLS; kill++) {
      const before = await owners();
      const victim = before[kill % SLOTS.length]!.node;
      const lost = before.filter(({ node }) => node === victim);
      const killedAt = await cluster.node(victim).kill();
      cluster.noteFault(`kill ${kill + 1}`, SLOTS, LIMIT_MS, killedAt);
      for (const { name, epoch } of lost) await cluster.owner(name, { not: victim, above: epoch });
      for (const { name, node, epoch } of before.filter((each) => each.node !== victim)) {
        // Rebalancing moves a partition in order; nothing but that, or a stall of the machine, may. Who stalls says so
        // late.
        const ends = (event: string) => cluster.events({ event, name, node, after: killedAt });
        const stays = async (): Promise<boolean> => {
          const now = await cluster.owner(name);
          return now.node === node && now.epoch === epoch;
        };
        const isAccountedFor = async () =>
          ends('lease.released').length + ends('lease.lost').length > 0 || (await stays());
        await eventually(isAccountedFor, { what: `${name} to be on ${node} still, or why it is not` });
      }
      await cluster.start([victim]);
      await cluster.members(NAMES);
    }
    await owners();
    expect(cluster.violations()).toEqual([]);
  }, 300_000);

  it('leaves no replica, partition or call behind when all but one node are killed at once', async () => {
    const [survivor, ...victims] = NAMES;
    await Promise.all(victims.map((name) => cluster.node(name).kill()));
    const killed = historyNow();
    cluster.noteFault('two kills at once', SLOTS, LIMIT_MS);
    for (const slot of SLOTS) {
      await eventually(async () => (await cluster.owner(slot)).node === survivor, { what: `${slot} on ${survivor}` });
    }
    // Calls reach every one of them there.
    await eventually(
      () => {
        const called = new Set(
          cluster.events({ event: 'test.call_run', after: killed }).map(({ payload }) => payload['name']),
        );
        return SLOTS.every((slot) => called.has(slot));
      },
      { what: 'A call of each' },
    );
    expect(cluster.violations()).toEqual([]);
  });
});
