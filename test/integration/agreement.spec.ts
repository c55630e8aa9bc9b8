// @redis any-topology
// What an awaited command has done is what the same node says next: lists, look-ups, members, health.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  HealthMonitor,
  Membership,
  type OnProcessStart,
  Partitioned,
  type ProcessContext,
  ProcessLostError,
  ProcessManager,
  Replicated,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, formed, onOwnRedis, Teller } from './fixture.js';

let server: RedisServer;
let appName: string;

let keys: Keys;
let letGo: (() => void)[] = [];

onOwnRedis((ground) => ({ server, appName, keys } = ground));
beforeEach(() => void (letGo = []));
afterEach(() => letGo.forEach((each) => each()));

class Feed extends Teller {}

class Job implements OnProcessStart {
  onProcessStart(ctx: ProcessContext): void {
    ctx.complete();
  }
}

@Partitioned({ partitions: 8 })
class Shards extends Teller {}

@Replicated({ maxRestarts: 0 })
class Everywhere extends Teller {}

@Singleton({ name: 'picky', placement: { labels: { role: 'nobody' } } })
class Picky extends Teller {}

@Singleton({ name: 'endless', restart: 'temporary', timeout: '10m', stopTimeout: 100 })
class Endless implements OnProcessStart {
  onProcessStart(): Promise<void> {
    return new Promise((resolve) => letGo.push(resolve));
  }
}

const managerOf = ({ app }: Booted): ProcessManager => app.get(ProcessManager);
const lineOf = async (node: Booted, name: string) =>
  (await managerOf(node).list()).find((line) => line.name === name || line.name.startsWith(`${name}@`));
const linesOf = async (node: Booted, type: string) =>
  (await managerOf(node).list()).filter((line) => line.type === type);

const cluster = async (...providers: Parameters<typeof boot>[2]): Promise<[Booted, Booted, Booted]> => {
  const nodes = [
    await boot(server.url, appName, providers),
    await boot(server.url, appName, providers),
    await boot(server.url, appName, providers),
  ] as [Booted, Booted, Booted];
  await formed(...nodes);
  return nodes;
};

describe('After an awaited', () => {
  it('start and stop, list and look-up say so, also while others have not heard of it', async () => {
    const nodes = await cluster(Feed);
    for (let round = 0; round < 30; round++) {
      const node = nodes[round % 3]!;
      const other = nodes[(round + 1) % 3]!;
      const ref = await managerOf(node).startSingleton(Feed, [], { name: 'feed' });
      expect(await lineOf(node, 'feed')).toMatchObject({ state: 'running', node: ref.node, epoch: ref.epoch });
      await managerOf(other).stop('feed');
      const line = await lineOf(other, 'feed');
      expect([round, line?.state, line?.node]).toEqual([round, 'stopped', undefined]);
      expect(await managerOf(other).lookupSingleton('feed')).toBeUndefined();
    }
  });

  it('start of a job that is over, it is said to have completed', async () => {
    const [node] = await cluster(Job);
    for (let round = 0; round < 20; round++) {
      const name = `job-${round}`;
      const ref = await managerOf(node).startSingleton(Job, [], { name, restart: 'temporary' });
      if (!ref.completed) continue;
      expect([name, (await lineOf(node, name))?.state]).toEqual([name, 'completed']);
      expect(await managerOf(node).lookupSingleton(name)).toBeUndefined();
    }
  });

  it('restart, all parts that ran are other instances and run', async () => {
    const [node] = await cluster(Shards, Everywhere);
    for (const type of ['Shards', 'Everywhere']) {
      const count = type === 'Shards' ? 8 : 3;
      const runs = async () => (await linesOf(node, type)).filter(({ state }) => state === 'running');
      const before = await eventually(async () => ((await runs()).length === count ? runs() : undefined), {
        what: `${type} to run`,
        lastSeen: () => linesOf(node, type),
      });
      const newest = Math.max(...before.map(({ epoch = 0 }) => epoch));
      const ref = await managerOf(node).restart(type);
      const after = await linesOf(node, type);
      expect(after.map(({ state }) => state)).toEqual(Array(count).fill('running'));
      expect(Math.min(...after.map(({ epoch = 0 }) => epoch))).toBeGreaterThan(newest);
      expect(ref.epoch).toBeGreaterThan(newest);
    }
  });

  it('restart of what every node has escalated, it runs', async () => {
    const [node, ...others] = await cluster(Everywhere);
    await eventually(
      async () => (await linesOf(node, 'Everywhere')).filter(({ state }) => state === 'running').length === 3,
    );
    for (const { name } of [node, ...others]) {
      const ref = managerOf(node).lookupSingleton<Everywhere>(`Everywhere@${name}`);
      await (await ref)!.remote.crash();
    }
    await eventually(
      async () => (await linesOf(node, 'Everywhere')).filter(({ state }) => state === 'escalated').length === 3,
      { what: 'all to be escalated', lastSeen: () => linesOf(node, 'Everywhere') },
    );
    const ref = await managerOf(node).restart('Everywhere');
    expect((await linesOf(node, 'Everywhere')).find(({ node: on }) => on === ref.node)?.state).toBe('running');
  });

  it('drain and undrain, here or elsewhere, the members are so', async () => {
    const [node, other] = await cluster(Feed);
    const stateOf = ({ name }: Booted) =>
      node.app
        .get(Membership)
        .members()
        .find((member) => member.name === name)?.state;
    for (const which of [other, node]) {
      await managerOf(node).drain({ node: which.name });
      expect(stateOf(which)).toBe('draining');
      await managerOf(node).undrain({ node: which.name });
      expect(stateOf(which)).toBe('up');
    }
  });

  it('stop of what waits for a node, health does not say that it waits', async () => {
    const [node] = await cluster(Picky);
    const reasons = async () => (await node.app.get(HealthMonitor).clusterHealth()).reasons.map(({ code }) => code);
    await eventually(async () => (await reasons()).includes('process-waiting'));
    await managerOf(node).stop('picky');
    expect(await reasons()).not.toContain('process-waiting');
  });
});

describe('A wait', () => {
  it('for a temporary process ends when its node is gone, not after the time of its start', async () => {
    const [node] = await cluster(Endless);
    const waiting = managerOf(node).startSingleton(Endless, [], { name: 'job' });
    const isLost = expect(waiting).rejects.toThrow(ProcessLostError);
    await eventually(() => letGo.length === 2, { what: 'Both to start' });
    // As if its node had died: nobody owns it any more.
    await server.cli('DEL', keys.lease('job'));
    await isLost;
    expect((await lineOf(node, 'job'))?.state).toBe('lost');
  });
});
