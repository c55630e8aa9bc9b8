import { expect, it } from '@jest/globals';
import type { Member } from '../../cluster/member.js';
import type { VersionedEntry } from '../table/process.table.js';
import type { Hosted } from './node.workload.js';
import { Rebalancer, type RebalancerParts } from './rebalancer.js';

const COMPARE_EVERY_MS = 700;
const COOL_DOWN_MS = 5000;

const member = (name: string, load: number, labels = {}): Member =>
  ({ name, bootId: name, state: 'up', self: name === 'n1', load, lag: 0, classes: ['Job'], labels }) as never;

/** A node that runs so many, and what it would move. */
function nodeWith(count: number, ...others: Member[]) {
  const own = member('n1', count);
  const world = { clock: 0, members: [own, ...others], asked: [] as string[] };
  const entries = new Map<string, VersionedEntry>();
  const hosted = new Map<string, Hosted>();
  const put = (name: string, labels = {}): void => {
    const placement = { strategy: 'spread', labels };
    entries.set(name, { name, type: 'Job', declared: true, kind: 'singleton', status: 'wanted', placement } as never);
    const instance = { running: true, stop: () => undefined };
    hosted.set(name, { instance, since: world.clock, moving: false } as never);
  };
  for (let index = 0; index < count; index++) put(`job-${index}`);
  const rebalancer = new Rebalancer({
    membership: { self: own, own, members: () => world.members },
    table: { get: (name: string) => entries.get(name) },
    workload: { hosted, load: count },
    placement: { isWanted: () => true },
    isSupervising: () => true,
    now: () => world.clock,
  } as unknown as RebalancerParts);
  rebalancer.onMove((_node, name) => Promise.resolve(world.asked.push(name) > 0));
  const look = async (): Promise<void> => {
    world.clock += COMPARE_EVERY_MS;
    await rebalancer.rebalance();
  };
  const howMany = (is: (each: Hosted) => boolean): number => [...hosted.values()].filter(is).length;
  return { world, hosted, put, look, howMany };
}

it('compares some of thousands at a time, in turn, and no settled one again', async () => {
  const { world, look, howMany } = nodeWith(1200, member('n2', 0));
  const compared = async (): Promise<number> => {
    await look();
    return howMany(({ betterSince }) => betterSince !== undefined);
  };
  expect([await compared(), await compared(), await compared()]).toEqual([500, 1000, 1200]);
  world.members = [world.members[0]!, member('n2', 1199)];
  const settled = async (): Promise<number> => {
    await look();
    return howMany((each) => each.settled !== undefined);
  };
  expect([await settled(), await settled(), await settled()]).toEqual([500, 1000, 1200]);
});

it('moves at once what may not stay, however many others come, go, and are compared', async () => {
  const { world, hosted, put, look } = nodeWith(3000, member('n2', 2990, { gpu: 'yes' }));
  // None of these moves for its load, and all of them are compared anew with each of these loads.
  for (let times = 0; times < 9; times++) {
    world.members = [world.members[0]!, { ...member('n2', 2990 - times, { gpu: 'yes' }), lag: 1000 }];
    await look();
  }
  put('job-400', { gpu: 'yes' });
  const began = world.clock;
  for (let times = 0; !world.asked.includes('job-400') && world.clock - began < 60_000; times++) {
    world.members = [world.members[0]!, member('n2', 2998 - (times % 2), { gpu: 'yes' })];
    for (let index = 0; index < 600; index++) {
      put(`short-${times}-${index}`);
      hosted.delete(`short-${times - 2}-${index}`);
    }
    await look();
  }
  expect(world.clock - began).toBeLessThan(COOL_DOWN_MS + 3 * COMPARE_EVERY_MS);
});
