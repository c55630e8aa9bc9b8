// Every key in Redis has a life that docs/reference/redis-keys.md states, and what was there for a while is gone in
// the end.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { IsInt } from 'class-validator';
import { Redis } from 'ioredis';
import {
  Channel,
  Channels,
  ClusterConfig,
  ClusterCron,
  type OnProcessHandoff,
  type OnProcessStart,
  type ProcessContext,
  ProcessManager,
  ServiceMesh,
  Singleton,
  Telemetry,
} from 'nestjs-foundation';
import { FoundationLockStore } from 'nestjs-foundation/locks';
import { FoundationTransport } from 'nestjs-foundation/outbox';
import { Loads } from '../../libs/foundation/src/backend/directory/load.hints.js';
import { RedisNodeDirectory } from '../../libs/foundation/src/backend/directory/redis.directory.js';
import { LeaseQuorum } from '../../libs/foundation/src/backend/leases/lease.quorum.js';
import { createRedlock } from '../../libs/foundation/src/backend/leases/name.locks.js';
import { RedlockLeases } from '../../libs/foundation/src/backend/leases/redlock.leases.js';
import { RedisStreams } from '../../libs/foundation/src/backend/streams/redis.streams.js';
import { RedisTable } from '../../libs/foundation/src/backend/tables/redis.table.js';
import { resolve } from '../../libs/foundation/src/config/resolve.js';
import { createSigner } from '../../libs/foundation/src/security/signer.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { LIVES, type Lives } from '../../libs/foundation/src/wire/key.lifetimes.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { boot, type Booted, closeLater, formed, LEASE, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;

onOwnRedis((ground) => ({ server, appName, keys } = ground));

interface Line {
  pattern: RegExp;
  type: string;
  life: string;
}

/** The lines of the table in the docs. */
function table(): Line[] {
  const text = readFileSync(new URL('../../docs/reference/redis-keys.md', import.meta.url), 'utf8');
  return [...text.matchAll(/^\| `([^`]+)` *\| (\w+) *\|[^|]*\| (\w+) *\|/gm)].map(([, key, type, life]) => ({
    pattern: new RegExp(`^${key!.replace(/<[^>]+>/g, '.+')}$`),
    type: type!,
    life: life!,
  }));
}

const connect = (): Redis => {
  const client = new Redis(server.adminUrl);
  closeLater(async () => void client.disconnect());
  return client;
};

async function keysNow(client: Redis, prefix = `${keys.tag}:`): Promise<string[]> {
  const found: string[] = [];
  let cursor = '0';
  do {
    const [next, some] = await client.scan(cursor, 'COUNT', 1000);
    found.push(...some.filter((key) => key.startsWith(prefix)));
    cursor = next;
  } while (cursor !== '0');
  return found.sort();
}

@Singleton({ name: 'ledger', handoff: true })
class Ledger implements OnProcessStart, OnProcessHandoff {
  static readonly contexts: ProcessContext[] = [];

  async onProcessStart(ctx: ProcessContext): Promise<void> {
    Ledger.contexts.push(ctx);
    await ctx.fenced.set('balance', '42');
  }

  onHandoff(): unknown {
    return { balance: 42 };
  }
}

@Singleton({ name: 'crasher', restart: 'permanent', maxRestarts: 100, backoff: { base: 300, cap: 300 } })
class Crasher implements OnProcessStart {
  onProcessStart(ctx: ProcessContext): void {
    ctx.run(async () => Promise.reject(new Error('crash')));
  }
}

class Nightly {
  @ClusterCron('0 3 * * *')
  close(): void {}
}

class Payments {
  @Channel('payments', { group: 'books', from: '0' })
  take(): void {
    throw new Error('not today');
  }
}

class Shared {
  @IsInt() limit!: number;
}

describe('The table of keys', () => {
  it('has a line for every key that a cluster leaves, with its type and its life', async () => {
    const options = {
      channels: { names: { payments: { durable: { maxDeliveries: 1, retryAfter: 50 } } } },
      clusterConfig: { schema: Shared, defaults: { limit: 1 } },
    };
    const providers = [Ledger, Crasher, Payments, Nightly, FoundationLockStore];
    const [a, b] = [
      await boot(server.url, appName, providers, options),
      await boot(server.url, appName, providers, options),
    ];
    await formed(a, b);
    await a.app.get(ServiceMesh).registerService('till', {});
    const offered = await b.app.get(ServiceMesh).registerService('till', {});
    await offered.deregister();
    await a.app.get(Channels).broadcast('payments', { amount: 12 });
    await new (FoundationTransport('payments'))(a.app.get(Channels)).publish({ id: 'one', topic: 'paid', payload: 1 });
    await a.app.get(FoundationLockStore).acquire('till', 'ann', 60_000);
    await a.app.get(ClusterConfig).set('limit', 2);
    const client = connect();
    const needed = ['handoff:', 'fenced:', 'dead:', 'groups:', 'crashes:', 'owner:', 'services:marks', 'cron:'];
    await eventually(
      async () => Ledger.contexts.length > 0 && (await client.exists(keys.deadLetters('payments'))) === 1,
    );
    await a.app.get(ProcessManager).restart('ledger');
    await eventually(
      async () => {
        const now = await keysNow(client);
        return needed.slice(1).every((each) => now.some((key) => key.startsWith(`${keys.tag}:${each}`)));
      },
      { what: 'Every kind of key', timeout: 20_000, lastSeen: () => needed },
    );
    await b.app.close();
    // Its owner record alone may be the one of the owner before.
    await eventually(async () => (await client.exists(keys.lease('ledger'), keys.owner('ledger'))) === 2, {
      what: 'The other node owns it',
    });

    const lines = table();
    expect(lines.length).toBeGreaterThan(20);
    const wrong: string[] = [];
    const used = new Set<Line>();
    for (const key of await keysNow(client)) {
      const [type, ttl] = [await client.type(key), await client.pttl(key)];
      // It ended in between.
      if (type === 'none' || ttl === -2) continue;
      const line = lines.find(({ pattern }) => pattern.test(key.slice(keys.tag.length + 1)));
      const life = ttl === -1 ? 'stays' : 'expires';
      if (line !== undefined) used.add(line);
      const isRight = line !== undefined && [type, 'any'].includes(line.type) && [life, 'any'].includes(line.life);
      if (!isRight) wrong.push(`${key} is a ${type} that ${life}; the table says ${line?.type} ${line?.life}`);
    }
    expect(wrong).toEqual([]);
    const unseen = lines.filter((line) => !used.has(line)).map(({ pattern }) => pattern.source);
    // A hand-over state is taken by the next owner within milliseconds, no process and no setting was removed, there is
    // no cookie, and all nodes have the same lease times.
    expect(
      unseen.filter((source) => !/handoff|owner|processes:marks|settings:marks|epochs|played|longest/.test(source)),
    ).toEqual([]);
  });
});

describe('Groups of a durable channel', () => {
  const seal = createSigner('any', undefined);
  const streamsWith = (client: Redis, name: string, lives: Partial<Lives>): RedisStreams => {
    const streams = new RedisStreams({
      control: client,
      connect: () => new Redis(server.adminUrl),
      keys,
      name,
      seal,
      lives: {
        ...LIVES,
        ...lives,
      },
    });
    closeLater(async () => streams.close());
    return streams;
  };
  const listener = { take: async () => undefined, buried: () => undefined, lost: () => undefined };
  const optionsOf = (group: string) => {
    return { stream: 'orders', group, from: '0', batch: 10, retryAfter: 1000, maxDeliveries: 5 };
  };
  const groups = async (client: Redis) =>
    ((await client.xinfo('GROUPS', keys.stream('orders'))) as string[][]).map(([, name]) => name!).sort();

  it('that nobody uses any more go, those that are used or were used lately stay, and so do their messages', async () => {
    const client = connect();
    const old = streamsWith(client, 'old', {});
    await old.append('orders', 'one', 100);
    for (const group of ['gone', 'away']) await (await old.consume(optionsOf(group), listener)).close();
    // As a node of the version before: it reads, and notes nothing.
    const silent = await old.consume(optionsOf('silent'), listener);
    await eventually(async () => (await client.zcard(keys.streamGroups('orders'))) === 3);
    const ago = (ms: number) => Date.now() - ms;
    await client.zadd(keys.streamGroups('orders'), ago(100_000), 'gone', ago(50_000), 'away', ago(100_000), 'silent');
    const fresh = streamsWith(client, 'new', { unused: 75_000 });
    const consumer = await fresh.consume(optionsOf('fresh'), listener);
    await eventually(async () => !(await groups(client)).includes('gone'), { what: 'The unused group goes' });
    expect(await groups(client)).toEqual(['away', 'fresh', 'silent']);
    expect((await client.zrange(keys.streamGroups('orders'), '0', '-1')).sort()).toEqual(['away', 'fresh', 'silent']);
    expect(await client.xlen(keys.stream('orders'))).toBe(1);
    expect(await client.pttl(keys.stream('orders'))).toBeGreaterThan(0);
    await Promise.all([consumer.close(), silent.close()]);
  });

  it('of a version that noted nothing count from the first sight, and a channel that nobody uses ends', async () => {
    const client = connect();
    await client.xgroup('CREATE', keys.stream('orders'), 'before', '0', 'MKSTREAM');
    const streams = streamsWith(client, 'new', { unused: 1500 });
    const consumer = await streams.consume(optionsOf('fresh'), listener);
    await eventually(async () => (await client.zcard(keys.streamGroups('orders'))) === 2);
    expect(await groups(client)).toEqual(['before', 'fresh']);
    await consumer.close();
    await eventually(async () => (await keysNow(client)).every((key) => !/stream|groups|dead/.test(key)), {
      what: 'The channel ends',
      lastSeen: () => 'a key of it',
    });
  });

  it('a sender alone gives its channel a life', async () => {
    const client = connect();
    const streams = streamsWith(client, 'new', { unused: 1000 });
    await streams.append('orders', 'one', 100);
    await eventually(async () => (await client.exists(keys.stream('orders'))) === 0);
  });
});

describe('Ten thousand that came and went', () => {
  const COUNT = 10_000;
  const AT_ONCE = 200;
  const forAll = async (work: (index: number) => Promise<unknown>): Promise<void> => {
    for (let at = 0; at < COUNT; at += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => work(at + index)));
  };
  const node = { name: 'n', bootId: 'b' };
  /** So short that the test can wait for it, and longer than what is done in between. */
  const SHORT: Lives = { ...LIVES, owner: 3000, epoch: 3000, releasedEpoch: 500, fenced: 1000, fencedMark: 500 };
  const setUp = async () => {
    const client = connect();
    const config = resolve({ cluster: true, lease: { ...LEASE, ttl: 2000 } }, {}, { host: 'h', pid: 1 });
    const before = await keysNow(client);
    /** Nothing is left but the keys of which there is one each, and they have the size that they had. */
    const isBack = async (sizes: () => Promise<number[]> = () => Promise.resolve([])) => {
      await eventually(
        async () => {
          expect((await keysNow(client)).filter((key) => !before.includes(key) && /:p\d/.test(key))).toEqual([]);
          expect((await sizes()).every((size) => size <= 1)).toBe(true);
          return true;
        },
        { timeout: 30_000, every: 250, what: 'Redis as it was before' },
      );
    };
    return { client, config, isBack };
  };

  const setUpLeases = async (lives: Lives = SHORT) => {
    const { client, config, isBack } = await setUp();
    const masters = new LeaseQuorum([client]);
    const leases = new RedlockLeases({
      quorum: masters,
      control: masters,
      redlock: createRedlock([client]),
      keys,
      times: config.lease,
      node,
      telemetry: new Telemetry(),
      lives,
    });
    return { leases, isBack, client };
  };

  it('names: leases, owners and epochs, given back or lost', async () => {
    const { leases, isBack } = await setUpLeases();
    await forAll(async (index) => {
      const lease = await eventually(() => leases.acquire(`p${index}`), { timeout: 30_000 });
      // Half of the owners die.
      if (index % 2 === 0) await lease.release();
      else lease.abandon();
    });
    await isBack();
    leases.close();
  });

  it('names that are used no more: their epochs go with them, in their usual lives', async () => {
    const { leases, isBack } = await setUpLeases(LIVES);
    await forAll(async (index) => {
      const lease = await eventually(() => leases.acquire(`p${index}`), { timeout: 30_000 });
      await lease.release();
      if (index % 100 === 99) await leases.forget(Array.from({ length: 100 }, (_, at) => `p${index - at}`));
    });
    await leases.forget(Array.from({ length: COUNT }, (_, index) => `p${index}`));
    await isBack();
    leases.close();
  });

  it('epochs never fall (I3), whatever was forgotten and whatever the clock of Redis says', async () => {
    const { leases, client } = await setUpLeases(LIVES);
    const own = async (name: string) => eventually(() => leases.acquire(name), { timeout: 30_000 });
    const once = async (name: string) => {
      const lease = await own(name);
      await lease.release();
      return lease.epoch;
    };
    await once('p1');
    // As if the clock of Redis had been an hour ahead when it was minted.
    const ahead = (Date.now() + 3_600_000) * 1000;
    await client.set(keys.epoch('p1'), String(ahead));
    await leases.forget(['p1', 'p2']);
    expect(await client.exists(keys.epoch('p1'))).toBe(0);
    expect(Number(await client.get(keys.epochs))).toBe(ahead);
    const first = await once('p1');
    expect(first).toBeGreaterThan(ahead);
    // One that is lower does not lower it, and it is forgotten no sooner than that of a name in use.
    await client.set(keys.epoch('p2'), '5');
    await leases.forget(['p2']);
    await leases.forget(['p1']);
    expect(await client.pttl(keys.epochs)).toBeGreaterThan(LIVES.epoch - 60_000);
    expect(await once('p1')).toBeGreaterThan(first);
    // What is owned is not forgotten: who asks whether somebody owned it since must be told.
    const held = await own('p1');
    await leases.forget(['p1']);
    expect(await leases.lastEpoch('p1')).toBe(held.epoch);
    await held.release();
    leases.close();
  });

  it.each([['nonsense'], ['9007199254740993'], ['-5'], ['1e400'], ['nan']])(
    'names are owned as before when somebody writes %s as the highest epoch',
    async (value) => {
      const { leases, client } = await setUpLeases(LIVES);
      await client.set(keys.epochs, value);
      const lease = await eventually(() => leases.acquire('p1'), { timeout: 30_000 });
      expect(Math.abs(lease.epoch / 1000 - Date.now())).toBeLessThan(60_000);
      await lease.release();
      await leases.forget(['p1']);
      expect(Number(await client.get(keys.epochs))).toBe(lease.epoch);
      leases.close();
      await client.del(keys.epochs);
    },
  );

  it('fenced keys, deleted or left', async () => {
    const { leases, isBack } = await setUpLeases();
    // That of no owner, after the beginning of the data.
    const epoch = Date.now() * 2000;
    await forAll(async (index) => {
      await leases.fencedSet(`p${index}`, 'v', epoch);
      if (index % 2 === 0) await leases.fencedDelete(`p${index}`, epoch);
    });
    await isBack();
    leases.close();
  });

  it('services and processes: rows and marks', async () => {
    const { client, isBack } = await setUp();
    const place = {
      rows: keys.services,
      versions: keys.serviceVersions,
      marks: keys.serviceMarks,
      head: keys.serviceHead,
      hints: keys.hints,
      hint: { t: 'services' as const },
    };
    const rows = new RedisTable(client, place, createSigner('any', undefined), { keepMs: 100, max: 100 });
    const writes = Array.from({ length: COUNT }, (_, index) => ({ key: `p${index}`, value: '{}', expected: 0 }));
    const { versions } = await rows.put(writes);
    await rows.remove(writes.map(({ key }, index) => ({ key, version: versions[index]! })));
    // As the nodes do every ten minutes: the marks have had their time.
    const sizes = async (): Promise<number[]> => {
      await rows.remove([]);
      return [await client.hlen(place.rows), await client.zcard(place.marks), await client.zcard(place.versions)];
    };
    await isBack(sizes);
  });

  it('lives of nodes, that left or died', async () => {
    const { client, isBack } = await setUp();
    const config = resolve({ cluster: true, membership: { beatEvery: 100, ttl: 1500 } }, {}, { host: 'h', pid: 1 });
    const seal = createSigner('any', undefined);
    const nodes = new RedisNodeDirectory({
      client,
      control: client,
      keys,
      config,
      seal,
      loads: new Loads(seal, keys.nodes),
    });
    const record = (name: string) => ({
      ...{ name, bootId: `boot-${name}`, host: 'h', pid: 1, version: '1', state: 'up' as const, classes: [], load: 0 },
      ...{ lag: 0, labels: {}, replicas: {}, listens: {}, leaseServers: 1, joinedAt: 0 },
    });
    await forAll(async (index) => {
      await nodes.join(record(`p${index}`));
      if (index % 2 === 0) await nodes.leave(`p${index}`, `boot-p${index}`);
    });
    await nodes.join(record('last'));
    const sizes = async (): Promise<number[]> => {
      await nodes.beat('last', 'boot-last');
      return [await client.hlen(keys.nodes), await client.zcard(keys.beats)];
    };
    await eventually(async () => (await sizes()).every((size) => size === 1), { timeout: 30_000, what: 'One node' });
    // Why they left is kept for a minute, and has its life.
    const left = (await keysNow(client, keys.left(''))).slice(0, 100);
    for (const key of left) expect(await client.pttl(key)).toBeLessThanOrEqual(60_000);
    expect(left.length).toBeGreaterThan(0);
    await client.del(await keysNow(client, keys.left('')));
    await isBack();
  });

  it('groups of a durable channel', async () => {
    const { client } = await setUp();
    await client.xgroup('CREATE', keys.stream('orders'), 'first', '0', 'MKSTREAM');
    const stream = keys.stream('orders');
    await forAll((index) => client.xgroup('CREATE', stream, `p${index}`, '0'));
    await forAll((index) => client.zadd(keys.streamGroups('orders'), 1000 + index, `p${index}`));
    const streams = new RedisStreams({
      control: client,
      connect: () => new Redis(server.adminUrl),
      keys,
      name: 'n',
      seal: createSigner('any', undefined),
    });
    const options = { stream: 'orders', group: 'own', from: '0', batch: 10, retryAfter: 1000, maxDeliveries: 5 };
    const listener = { take: async () => undefined, buried: () => undefined, lost: () => undefined };
    const consumer = await streams.consume(options, listener);
    await eventually(async () => ((await client.xinfo('GROUPS', stream)) as unknown[]).length === 2, {
      timeout: 30_000,
      every: 500,
      what: 'Two groups are left',
    });
    await consumer.close();
    expect((await client.zrange(keys.streamGroups('orders'), '0', '-1')).sort()).toEqual(['first', 'own']);
    streams.close();
  });
});

describe('A node that leaves with many services', () => {
  const OTHERS = 9000;
  const LEAVING = 1000;

  it('costs nobody a lease or its place, and they are gone at once', async () => {
    // Three nodes share this process: what a starved machine takes from one it takes from all. The leaving is 20 ms.
    const options = { lease: { ttl: 6000 }, membership: { beatEvery: 1000, ttl: 15_000 } };
    const [a, b, c] = [
      await boot(server.url, appName, [Ledger], options),
      await boot(server.url, appName, [], options),
      await boot(server.url, appName, [], options),
    ];
    await formed(a, b, c);
    const offer = async ({ app }: Booted, count: number): Promise<void> => {
      for (let at = 0; at < count; at += 500)
        await Promise.all(Array.from({ length: 500 }, () => app.get(ServiceMesh).registerService('till', {})));
    };
    await offer(c, OTHERS);
    await offer(b, LEAVING);
    const seen = () => a.app.get(ServiceMesh).discoverServices({ name: 'till' });
    const count = async (): Promise<number> => (await seen()).length;
    await eventually(async () => (await count()) === OTHERS + LEAVING, { timeout: 60_000, what: 'All are found' });
    // In one process with a loaded machine the registrations themselves may have cost something; the leaving must not.
    const began = [a, b, c].map(({ events }) => events.length);
    await b.app.close();
    await eventually(async () => (await count()) === OTHERS, { what: 'Those of the node that left are gone' });
    expect(await connect().hlen(keys.services)).toBe(OTHERS);
    const bad = [a, b, c].flatMap(({ events }, index) =>
      events.slice(began[index]).filter(({ event, payload }) => {
        const isSwept = event === 'cluster.node_left' && (payload as { reason?: string }).reason === 'timeout';
        return isSwept || event === 'lease.lost' || event === 'cluster.isolated';
      }),
    );
    expect(bad).toEqual([]);
  });
});
