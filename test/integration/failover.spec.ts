// The primary of a Redis Cluster, and one behind sentinels, dies with what it had not yet replicated: no two owners, no
// lower epoch, and processes, calls, channels and restarts go on over the new primary.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Cluster } from 'ioredis';
import {
  Channel,
  Channels,
  HealthMonitor,
  Membership,
  type ProcessContext,
  ProcessManager,
  type ProcessRef,
  Singleton,
} from 'nestjs-foundation';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { keysOf } from '../../libs/foundation/src/wire/keys.js';
import { type RedisTopology, startTopology } from '../support/redis-topology.js';
import { boot, type Booted, CapturedLog, closeAll, closeLater, formed, freshName, settle, Teller } from './fixture.js';

const TIMEOUT = 30_000;
/** The owners that run now, over all nodes of a test; never two at a time. */
const owners = new Set<object>();
let overlaps = 0;

@Singleton({ name: 'clerk', backoff: { base: 10, cap: 50 } })
class Clerk extends Teller {
  override onProcessStart(ctx: ProcessContext): void {
    super.onProcessStart(ctx);
    // What lost its lease is no owner any more, even while its stop is still under way.
    ctx.signal.addEventListener('abort', () => owners.delete(this));
    if (owners.size > 0) overlaps += 1;
    owners.add(this);
  }
  onProcessStop(): void {
    owners.delete(this);
  }
}

class Listener {
  readonly heard: unknown[] = [];
  @Channel('events')
  hear(message: unknown): void {
    this.heard.push(message);
  }
}

const managerOf = (node: Booted) => node.app.get(ProcessManager);
const ask = (node: Booted): Promise<number> =>
  eventually(
    () =>
      managerOf(node)
        .lookupSingleton<Clerk>('clerk')
        .then((ref: ProcessRef<Clerk> | undefined) => ref?.call('epoch')),
    { timeout: TIMEOUT, what: 'A clerk that answers' },
  );

async function everyoneHears(nodes: Booted[], word: string): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    const message = `${word} ${index}`;
    // Published until heard: what was lost while the connections came back is what at most once means.
    await eventually(
      async () => {
        await node.app.get(Channels).broadcast('events', message);
        return nodes.every((other) => other.app.get(Listener).heard.includes(message));
      },
      { timeout: TIMEOUT, every: 100, what: `"${message}" everywhere` },
    );
  }
}

describe.each(['cluster', 'sentinel'])('a failover of a %s', (kind) => {
  let topology: RedisTopology;
  let appName: string;

  beforeEach(async () => {
    CapturedLog.install();
    owners.clear();
    overlaps = 0;
    appName = freshName();
    topology = await startTopology(kind);
    await settle(topology, appName);
  });
  afterEach(async () => {
    await closeAll();
    await topology.stop();
  });

  it('ends with one owner, a higher epoch, and everything working', async () => {
    const nodes = await Promise.all([1, 2, 3].map(() => boot(topology.url, appName, [Clerk, Listener])));
    await formed(...nodes);
    const before = await ask(nodes[0]!);
    await everyoneHears(nodes, 'before');

    await topology.failOver(keysOf(appName).incarnation);
    await eventually(() => nodes.every(({ app }) => app.get(Membership).state === 'up'), {
      timeout: TIMEOUT,
      what: 'Every node up',
      lastSeen: () => nodes.map(({ app }) => app.get(Membership).state),
    });
    const after = await eventually(async () => ((await ask(nodes[1]!)) > before ? ask(nodes[1]!) : undefined), {
      timeout: TIMEOUT,
      what: 'A clerk with a higher epoch',
    });
    await formed(...nodes);
    await everyoneHears(nodes, 'after');

    // A restart goes through BullMQ, whose blocking connection must have found the new primary, too.
    const ref = await managerOf(nodes[2]!).lookupSingleton<Clerk>('clerk');
    await ref!.cast('crash');
    await eventually(async () => (await ask(nodes[0]!)) > after, { timeout: TIMEOUT, what: 'A clerk restarted' });
    expect(overlaps).toBe(0);
  });
});

describe('a Redis Cluster of which one node is named', () => {
  it('goes on over the others when that one dies for good: leases, messages, calls, and nodes that come later', async () => {
    CapturedLog.install();
    owners.clear();
    const topology = await startTopology('cluster');
    closeLater(() => topology.stop());
    const appName = freshName();
    await settle(topology, appName);
    const seed = topology.url.replace(/,.*/, '');
    const nodes = await Promise.all([1, 2].map(() => boot(seed, appName, [Clerk, Listener])));
    await formed(...nodes);
    await everyoneHears(nodes, 'before');
    // The first server has the first third of the slots.
    let key = 0;
    while (Number(await topology.cli('CLUSTER', 'KEYSLOT', String(key))) > 5000) key += 1;
    await topology.failOver(String(key));
    await everyoneHears(nodes, 'after');
    await eventually(() => ask(nodes[0]!), { timeout: TIMEOUT, what: 'A clerk' });
    const reasons = async () => {
      const all = nodes.map(async ({ app }) => (await app.get(HealthMonitor).clusterHealth()).reasons);
      return (await Promise.all(all)).flat().filter(({ code }) => code.startsWith('redis-'));
    };
    await eventually(async () => (await reasons()).length === 0, { timeout: TIMEOUT, lastSeen: reasons });
    await closeAll();
  });
});

describe('a Cluster client of the application', () => {
  it('is duplicated, not used for anything else, and never closed', async () => {
    CapturedLog.install();
    const topology = await startTopology('cluster');
    const nodes = /redis-cluster:\/\/(.*)/
      .exec(topology.adminUrl)![1]!
      .split(',')
      .map((address) => {
        const [host = '', port] = address.split(':');
        return { host, port: Number(port) };
      });
    const mine = new Cluster(nodes);
    closeLater(async () => mine.disconnect());
    closeLater(() => topology.stop());
    const appName = freshName();
    await settle(topology, appName);
    const booted = await boot(mine, appName, [Clerk, Listener]);
    expect(await ask(booted)).toBeGreaterThan(0);
    await everyoneHears([booted], 'adopted');
    await booted.app.close();
    expect(await mine.exists(keysOf(appName).lease('clerk'))).toBe(0);
    expect(mine.status).toBe('ready');
    await closeAll();
  });
});
