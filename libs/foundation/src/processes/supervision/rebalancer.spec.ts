import { expect, it } from '@jest/globals';
import type { Member } from '../../cluster/member.js';
import type { VersionedEntry } from '../table/process.table.js';
import type { Hosted } from './node.workload.js';
import { Rebalancer, type RebalancerParts } from './rebalancer.js';

const COMPARE_EVERY_MS = 700;

it('compares some of thousands at a time, in turn, and no settled one again', async () => {
  const member = (name: string, load: number): Member =>
    ({ name, bootId: name, state: 'up', self: name === 'n1', load, lag: 0, classes: ['Job'], labels: {} }) as never;
  let members = [member('n1', 1200), member('n2', 0)];
  let clock = 0;
  const entries = new Map<string, VersionedEntry>();
  const hosted = new Map<string, Hosted>();
  for (let index = 0; index < 1200; index++) {
    const name = `job-${index}`;
    const placement = { strategy: 'spread', labels: {} };
    entries.set(name, { name, type: 'Job', declared: true, kind: 'singleton', status: 'wanted', placement } as never);
    hosted.set(name, { instance: { running: true }, since: 0, moving: false } as never);
  }
  const rebalancer = new Rebalancer({
    membership: { self: members[0], own: members[0], members: () => members },
    table: { get: (name: string) => entries.get(name) },
    workload: { hosted, load: 1200 },
    placement: {},
    isSupervising: () => true,
    now: () => clock,
  } as unknown as RebalancerParts);
  const compared = async (): Promise<number> => {
    clock += COMPARE_EVERY_MS;
    await rebalancer.rebalance();
    return [...hosted.values()].filter(({ betterSince }) => betterSince !== undefined).length;
  };
  expect([await compared(), await compared(), await compared()]).toEqual([500, 1000, 1200]);
  members = [member('n1', 1200), member('n2', 1199)];
  clock += COMPARE_EVERY_MS;
  await rebalancer.rebalance();
  expect([...hosted.values()].filter(({ settled }) => settled !== undefined)).toHaveLength(500);
  await compared();
  await compared();
  expect([...hosted.values()].filter(({ settled }) => settled !== undefined)).toHaveLength(1200);
});
