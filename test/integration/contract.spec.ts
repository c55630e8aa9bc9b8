// What nodes must share: nodes with other times, numbers and versions beside each other on a real Redis, and clocks
// that jump.
import { describe, expect, it } from '@jest/globals';
import {
  Callable,
  Channels,
  FoundationConfigError,
  type FoundationOptions,
  Membership,
  Partitioned,
  type PartitionedRef,
  type ProcessContext,
  ProcessManager,
  Singleton,
} from 'nestjs-foundation';
import type { NodeRecord } from '../../libs/foundation/src/backend/directory/directory.js';
import type { Lease } from '../../libs/foundation/src/backend/leases/leases.js';
import { VERSION } from '../../libs/foundation/src/cluster/version.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import type { Keys } from '../../libs/foundation/src/wire/keys.js';
import type { RedisServer } from '../support/redis-server.js';
import { backendOn, type Bench, boot, type Booted, CapturedLog, formed, LEASE, onOwnRedis } from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;
let log: CapturedLog;

onOwnRedis((ground) => ({ server, appName, keys, log } = ground));

const FAST = { beatEvery: 100, ttl: 1000 };
const SLOW = { beatEvery: 5000, ttl: 15_000 };

/** A node that joins and beats when the test says so. */
class Member {
  record!: NodeRecord;
  constructor(readonly bench: Bench) {}
  static async join(options: FoundationOptions): Promise<Member> {
    const member = new Member(await backendOn(server, appName, options));
    expect(await member.joinAs(member.name, options)).toMatchObject({ joined: true });
    return member;
  }
  get name(): string {
    return this.bench.node.name;
  }
  joinAs(name: string, options: FoundationOptions) {
    const membership = options.membership as { beatEvery: number; ttl: number } | undefined;
    this.record = {
      ...{ name, bootId: this.bench.node.bootId, host: 'h', pid: 1, version: VERSION, state: 'up', classes: [] },
      ...{ load: 0, lag: 0, labels: {}, replicas: {}, listens: {}, leaseServers: 1, joinedAt: 0 },
      ...membership,
    };
    return this.bench.backend.directory.join(this.record);
  }
  beat() {
    return this.bench.backend.directory.beat(this.record.name, this.record.bootId);
  }
  async members(): Promise<string[]> {
    const { members } = await this.bench.backend.directory.view();
    return members.map(({ name }) => name).sort();
  }
}

const agoInMs = async (ms: number): Promise<string> => {
  const [seconds = '', micros = ''] = (await server.cli('TIME')).split('\n');
  return String(Number(seconds) * 1000 + Math.floor(Number(micros) / 1000) - ms);
};

describe('A node with other times of membership', () => {
  it('is judged by its own: kept while it is silent for longer than another one may be', async () => {
    const [slow, fast] = [await Member.join({ membership: SLOW }), await Member.join({ membership: FAST })];
    await fast.members();
    await server.cli('ZADD', keys.beats, await agoInMs(4000), slow.name);
    expect((await fast.beat()).late).toEqual([]);
    expect(await fast.members()).toEqual([slow.name, fast.name].sort());
    // Nor is its name taken.
    const second = new Member(await backendOn(server, appName, { membership: FAST }));
    expect(await second.joinAs(slow.name, { membership: FAST })).toMatchObject({ joined: false });
    // A beat that is late by a second itself says that all were held up, so this is tried again on a machine that is
    // busy.
    await eventually(async () => {
      await server.cli('ZADD', keys.beats, await agoInMs(11_000), slow.name);
      return (await fast.beat()).late.includes(slow.name);
    });
    await eventually(async () => {
      await server.cli('ZADD', keys.beats, await agoInMs(15_001), slow.name);
      await fast.beat();
      return (await fast.members()).join() === fast.name;
    });
  });

  it('and is down when its own time is over, also for one that waits for longer', async () => {
    const [slow, fast] = [
      await Member.join({ membership: SLOW }),
      await Member.join({ membership: { beatEvery: 100, ttl: 4000 } }),
    ];
    await slow.members();
    await eventually(async () => {
      await server.cli('ZADD', keys.beats, await agoInMs(500), fast.name);
      return (await slow.beat()).late.includes(fast.name);
    });
    await eventually(async () => {
      await server.cli('ZADD', keys.beats, await agoInMs(4001), fast.name);
      await slow.beat();
      return (await slow.members()).join() === slow.name;
    });
  });

  it('keeps those with another cookie out for as long as it lives', async () => {
    const slow = await Member.join({ membership: SLOW });
    await server.cli('ZADD', keys.beats, await agoInMs(9000), slow.name);
    const other = new Member(
      await backendOn(server, appName, { security: { cookie: 'another cookie, of 16 and more' } }),
    );
    expect(await other.joinAs(other.name, {})).toEqual({ joined: false, refused: 'cookie' });
  });
});

describe('The clock of Redis', () => {
  it.each([
    ['forward by an hour', 3_600_000],
    ['back by an hour', -3_600_000],
    ['forward by two seconds', 2000],
    ['back by two seconds', -2000],
  ])('may be set %s: nobody is thrown out, and who died is', async (_how, jump) => {
    const [a, b, dead] = [
      await Member.join({ membership: FAST }),
      await Member.join({ membership: FAST }),
      await Member.join({ membership: FAST }),
    ];
    for (const each of [a, b]) await each.beat();
    // What they had beaten before is that much older, or younger, than it was.
    const before = await agoInMs(jump);
    await server.cli('ZADD', keys.beats, before, a.name, before, b.name, before, dead.name);
    const answer = await a.beat();
    expect(answer).toMatchObject({ status: 'ok', late: [] });
    expect(await b.beat()).toMatchObject({ status: 'ok' });
    const began = performance.now();
    await eventually(async () => {
      for (const each of [a, b]) expect((await each.beat()).status).toBe('ok');
      return (await a.members()).length === 2;
    });
    expect(performance.now() - began).toBeLessThan(FAST.ttl + 2000);
    expect(await a.members()).toEqual([a.name, b.name].sort());
  });
});

describe('A beat that comes late', () => {
  const scoreOf = (name: string): Promise<string> => server.cli('ZSCORE', keys.beats, name);

  it.each([
    ['while another node beats, is no jump of the clock: who died is removed no later', 300, true],
    ['while no other node beats, may be one', 3000, false],
  ])('%s', async (_how, otherAgoMs, stays) => {
    const [a, b, dead] = [
      await Member.join({ membership: SLOW }),
      await Member.join({ membership: SLOW }),
      await Member.join({ membership: SLOW }),
    ];
    await eventually(async () => {
      await a.beat();
      const [late, other] = [await agoInMs(3000), await agoInMs(otherAgoMs)];
      await server.cli('ZADD', keys.beats, late, a.name, other, b.name, late, dead.name);
      const sent = performance.now();
      expect(await a.beat()).toMatchObject({ status: 'ok' });
      // On a machine that was so slow the beats have other ages.
      if (performance.now() - sent > 500) return false;
      expect((await scoreOf(dead.name)) === late).toBe(stays);
      expect((await scoreOf(b.name)) === other).toBe(stays);
      expect(Number(await scoreOf(a.name))).toBeGreaterThan(Number(late) + 2000);
      return true;
    });
  });
});

describe('After a loss of data', () => {
  const LONG: FoundationOptions = { lease: { ...LEASE, ttl: 5000, renewEvery: 1500 }, membership: SLOW };
  const SHORT: FoundationOptions = { lease: LEASE, membership: FAST };
  const graceOf = ({ bench }: Member): Promise<number> => bench.backend.leases.grace();

  it('the longest lease counts for all who have met its owner, and for those that join them', async () => {
    const [long, short] = [await Member.join(LONG), await Member.join(SHORT)];
    const lease: Lease = await eventually(() => long.bench.backend.leases.acquire('feed'));
    await short.beat();
    // The owner is cut off: it does not renew, and counts on its lease until its own deadline.
    await server.cli('FLUSHALL');
    await short.beat();
    expect(await graceOf(short)).toBeGreaterThan(4000);
    const newcomer = await Member.join(SHORT);
    expect(await graceOf(newcomer)).toBeGreaterThan(4000);
    expect(await newcomer.bench.backend.leases.acquire('feed')).toBeUndefined();
    expect(lease.isHeld() || lease.signal.aborted).toBe(true);
  });

  it('a stop is not answered while an owner that has not heard of it may still be one', async () => {
    let [started, ended] = [0, 0];
    @Singleton({ name: 'feed' })
    class Feed {
      onProcessStart(): void {
        started += 1;
      }
      onProcessStop(): void {
        ended += 1;
      }
    }
    const patient = { membership: { beatEvery: 200, ttl: 20_000 } };
    const owner = await boot(server.url, appName, [Feed], patient);
    const other = await boot(server.url, appName, [], patient);
    await formed(owner, other);
    const manager = other.app.get(ProcessManager);
    await eventually(() => manager.lookupSingleton('feed'));
    await server.cli('FLUSHALL');
    await manager.stop('feed');
    // More than one where the owner had heard of it, and had started again.
    expect(started).toBeGreaterThan(0);
    expect(ended).toBe(started);
  });

  it('it counts no more a while after the last of its nodes has left', async () => {
    const [long, short] = [await Member.join(LONG), await Member.join(SHORT)];
    await short.beat();
    await long.bench.backend.directory.leave(long.name, long.record.bootId);
    const longest = `${keys.incarnation}:longest`;
    expect(Number(await server.cli('PTTL', longest))).toBeLessThanOrEqual(60_000);
    // As a minute later, for one that has not met it.
    await server.cli('PEXPIRE', longest, '1');
    await eventually(async () => (await server.cli('EXISTS', longest)) === '0');
    await Member.join(SHORT);
    expect(await server.cli('GET', longest)).toBe(String(Math.ceil(LEASE.ttl * 0.01) + 2 + LEASE.ttl));
  });

  it('a node that starts after it waits for as long as "lease.grace" says', async () => {
    await server.cli('FLUSHALL');
    const newcomer = await Member.join({ ...SHORT, lease: { ...LEASE, grace: 5052 } });
    expect(await graceOf(newcomer)).toBeGreaterThan(4000);
  });
});

/** The same class in two releases of an application. */
function release(partitions: number) {
  @Partitioned({ name: 'carts', partitions })
  class Carts {
    #ctx!: ProcessContext;
    onProcessStart(ctx: ProcessContext): void {
      this.#ctx = ctx;
    }
    @Callable()
    which(): number | undefined {
      return this.#ctx.index;
    }
  }
  return Carts;
}
type Carts = InstanceType<ReturnType<typeof release>>;

describe('The number of partitions', () => {
  // Nobody is down for a moment without the processor.
  const patient = { membership: { beatEvery: 200, ttl: 20_000 } };
  const KEYS = Array.from({ length: 20 }, (_, index) => `customer-${index}`);
  const refOf = ({ app }: Booted): PartitionedRef<Carts> => app.get(ProcessManager).lookupPartitioned<Carts>('carts')!;
  const reached = (ref: PartitionedRef<Carts>) => Promise.all(KEYS.map((key) => ref.for(key).call('which')));

  it('is one for the cluster: that of the table until all nodes declare another one, and then that', async () => {
    const [four, eight] = [release(4), release(8)];
    const a = await boot(server.url, appName, [four], patient);
    const b = await boot(server.url, appName, [eight], patient);
    await formed(a, b);
    const onA = await a.app.get(ProcessManager).startPartitioned(four);
    const onB = await b.app.get(ProcessManager).startPartitioned(eight);
    expect([onA.partitions, onB.partitions]).toEqual([4, 4]);
    const before = await reached(refOf(a));
    expect(await reached(refOf(b))).toEqual(before);
    expect(before).toEqual(KEYS.map((key) => onB.partitionOf(key)));
    expect(log.lines.some((line) => line.includes('Another declaration of a process counts'))).toBe(true);
    expect(a.app.get(Membership).differences()).toMatchObject([
      { setting: 'process carts', values: [{ nodes: [a.name] }, { nodes: [b.name] }] },
    ]);
    // The last of the old nodes leaves, and its successor declares what b does.
    await a.app.close();
    const c = await boot(server.url, appName, [eight], patient);
    await eventually(() => [b, c].every((node) => refOf(node)?.partitions === 8));
    // A reference that was made before goes by the new number, too.
    const after = await reached(onB);
    expect(after).toEqual(KEYS.map((key) => onB.partitionOf(key)));
    expect(Math.max(...after.map(Number))).toBeGreaterThan(3);
    expect(await reached(refOf(c))).toEqual(after);
    // An old node that comes back does not set it back.
    const d = await boot(server.url, appName, [four], patient);
    await formed(b, c, d);
    expect(await reached(refOf(d))).toEqual(after);
    expect([b, c, d].map((node) => refOf(node).partitions)).toEqual([8, 8, 8]);
  });
});

describe('A node that nobody can be in a cluster with', () => {
  it('is refused with what both say, and the other does not notice', async () => {
    const a = await boot(server.url, appName, [], {});
    // A node of another version, which beats for ever.
    const record = {
      name: 'newer',
      bootId: 'boot',
      version: '9.0.0',
      protocol: { newest: 9, oldest: 9 },
      leaseServers: 1,
    };
    await server.cli(
      'HSET',
      keys.nodes,
      'newer',
      `boot 1 ${JSON.stringify({ ...record, beatEvery: 200_000, ttl: 600_000 })}`,
    );
    await server.cli('ZADD', keys.beats, await agoInMs(0), 'newer');
    const refused = await boot(server.url, appName, [], {}).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(FoundationConfigError);
    expect((refused as Error).message).toContain(`Foundation ${VERSION} with protocol 1, while node "newer"`);
    expect((refused as Error).message).toContain('has Foundation 9.0.0 with protocol 9');
    expect((await server.cli('HKEYS', keys.nodes)).split('\n').sort()).toEqual([a.name, 'newer'].sort());
    expect(a.app.get(Membership).state).toBe('up');
  });
});

describe('Nodes with links and nodes without', () => {
  it('hear one another', async () => {
    const security = { cookie: 'a cookie of the test, long enough' };
    const direct = { transport: { kind: 'direct' as const, host: '127.0.0.1' }, security };
    const [a, b, c] = [
      await boot(server.url, appName, [], direct),
      await boot(server.url, appName, [], { security }),
      await boot(server.url, appName, [], direct),
    ];
    await formed(a, b, c);
    const heard: string[] = [];
    for (const node of [a, b, c]) {
      await node.app.get(Channels).subscribe('events', (message) => void heard.push(`${node.name} ${String(message)}`));
    }
    await eventually(() =>
      [a, b, c].every(({ app }) =>
        app
          .get(Membership)
          .members()
          .every(({ listens }) => 'events' in listens),
      ),
    );
    for (const node of [a, b, c]) await node.app.get(Channels).broadcast('events', node.name);
    const all = [a, b, c].flatMap((to) => [a, b, c].map((from) => `${to.name} ${from.name}`)).sort();
    await eventually(() => heard.length >= 9, { lastSeen: () => heard });
    expect([...heard].sort()).toEqual(all);
    expect(a.app.get(Membership).differences()).toMatchObject([{ setting: 'transport', rule: 'settled' }]);
  });
});
