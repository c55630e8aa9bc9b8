// Leases against the real scripts: Redlock takes and frees, Lua mints, renews, reclaims and refuses.
import { describe, expect, it } from '@jest/globals';
import { Redis as Client, type Redis } from 'ioredis';
import { LeaseLostError, StaleEpochError, Telemetry } from 'nestjs-foundation';
import { TcpProxy } from 'nestjs-foundation/testing';
import { LeaseQuorum } from '../../libs/foundation/src/backend/leases/lease.quorum.js';
import { confirmScript, recoverScript, renewScript } from '../../libs/foundation/src/backend/leases/lease.scripts.js';
import type { Lease } from '../../libs/foundation/src/backend/leases/leases.js';
import { createRedlock } from '../../libs/foundation/src/backend/leases/name.locks.js';
import { RedlockLeases } from '../../libs/foundation/src/backend/leases/redlock.leases.js';
import { resolve } from '../../libs/foundation/src/config/resolve.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { monotonicNow } from '../../libs/foundation/src/time/monotonic.clock.js';
import type { Hint } from '../../libs/foundation/src/wire/hint.js';
import { LIVES, type Lives } from '../../libs/foundation/src/wire/key.lifetimes.js';
import { type Keys, keysOf } from '../../libs/foundation/src/wire/keys.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import {
  backendOn,
  type Bench,
  type CapturedLog,
  closeAll,
  closeLater,
  freshName,
  LEASE,
  MEMBERSHIP,
  onOwnRedis,
  settle,
} from './fixture.js';

let server: RedisServer;
let appName: string;
let keys: Keys;
let log: CapturedLog;

onOwnRedis((ground) => ({ server, appName, keys, log } = ground));

const take = async ({ backend }: Bench, name = 'feed'): Promise<Lease> => {
  const lease = await backend.leases.acquire(name);
  if (lease === undefined) throw new Error(`"${name}" was not acquired`);
  return lease;
};
/** As a candidate does it: asks until the name is free. */
const takeWhenFree = (bench: Bench, name = 'feed') =>
  eventually(async () => {
    const [standing] = await bench.backend.leases.standing([name]);
    return standing!.freeInMs === 0 ? bench.backend.leases.acquire(name) : undefined;
  });
const ownerOf = async ({ backend }: Bench, name = 'feed') => (await backend.leases.owners([name]))[0];

describe('One owner', () => {
  it('at a time, seen by everyone, in keys that redis-cli can read', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const lease = await take(a);
    expect(await b.backend.leases.acquire('feed')).toBeUndefined();
    expect(lease.isHeld()).toBe(true);
    const token = await server.cli('GET', keys.lease('feed'));
    const ttl = Number(await server.cli('PTTL', keys.lease('feed')));
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(LEASE.ttl);
    expect(await server.cli('HGET', keys.owner('feed'), 'token')).toBe(token);
    expect(await server.cli('GET', keys.epoch('feed'))).toBe(String(lease.epoch));
    expect(await ownerOf(b)).toEqual({
      ...{ name: 'feed', node: a.node.name, bootId: a.node.bootId, epoch: lease.epoch, state: 'starting' },
      since: expect.any(Number),
    });
    await lease.announce();
    expect((await ownerOf(b))?.state).toBe('running');
  });

  it('even when many try at once', async () => {
    const benches = await Promise.all([1, 2, 3, 4].map(() => backendOn(server, appName)));
    for (let round = 0; round < 10; round++) {
      const got = await Promise.all(benches.map(({ backend }) => backend.leases.acquire('feed')));
      const owners = got.filter((lease) => lease !== undefined);
      expect(owners.length).toBeLessThanOrEqual(1);
      await owners[0]?.release();
    }
  });

  it('keeps what it renews for longer than the ttl, many leases with one call', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const leases = await Promise.all(Array.from({ length: 30 }, (_, index) => take(a, `p${index}`)));
    await server.cli('CONFIG', 'RESETSTAT');
    const began = performance.now();
    await eventually(async () => {
      expect(await b.backend.leases.acquire('p7')).toBeUndefined();
      return performance.now() - began > 2 * LEASE.ttl;
    });
    expect(leases.every((lease) => lease.isHeld())).toBe(true);
    expect(a.of('lease.lost')).toEqual([]);
    const pexpires = Number(/cmdstat_pexpire:calls=(\d+)/.exec(await server.cli('INFO', 'commandstats'))?.[1]);
    expect(pexpires).toBeGreaterThanOrEqual(30 * 8);
  });

  it('frees the name by a release, cleans up, and says so', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const hints: Hint[] = [];
    b.backend.onHint((hint) => hints.push(hint));
    const lease = await take(a);
    await lease.release();
    expect(await server.cli('EXISTS', keys.lease('feed'), keys.owner('feed'))).toBe('0');
    await eventually(() => hints.some((hint) => hint.t === 'released' && hint.name === 'feed'));
    expect((await take(b)).epoch).toBeGreaterThan(lease.epoch);
    expect(lease.signal.aborted).toBe(false);
  });

  it('leaves an abandoned name taken until its ttl has run', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const lease = await take(a);
    lease.abandon();
    expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
    expect(await b.backend.leases.acquire('feed')).toBeUndefined();
    const [standing] = await b.backend.leases.standing(['feed']);
    expect(standing!.freeInMs).toBeGreaterThan(0);
    const next = await takeWhenFree(b);
    expect(next.epoch).toBeGreaterThan(lease.epoch);
  });

  it('tells the next owner of one that never started what it owned, unless it was the same node', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const first = await take(a);
    first.abandon();
    const own = await takeWhenFree(a);
    expect([own.before, own.unstarted]).toEqual([a.node.name, undefined]);
    own.abandon();
    const next = await takeWhenFree(b);
    expect([next.before, next.unstarted]).toEqual([a.node.name, own.epoch]);
    await next.announce();
    next.abandon();
    const last = await takeWhenFree(a);
    expect([last.before, last.unstarted]).toEqual([b.node.name, undefined]);
  });

  it('frees nothing of the next owner when it releases late', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const lease = await take(a);
    await server.cli('DEL', keys.lease('feed'));
    const next = await take(b);
    await lease.release();
    expect(await ownerOf(a)).toMatchObject({ node: b.node.name, epoch: next.epoch });
    expect(Number(await server.cli('PTTL', keys.lease('feed')))).toBeGreaterThan(0);
  });
});

describe('A state that is left', () => {
  it('is given to the next owner as often as it asks, to no later one, and is gone in seconds', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const first = await take(a);
    await first.leave('{"n":1}');
    await first.release();
    const second = await take(b);
    expect([await second.inherit(), await second.inherit()]).toEqual(['{"n":1}', '{"n":1}']);
    const left = Number(await server.cli('PTTL', keys.handoff('feed')));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(10_000);
    await second.release();
    const third = await take(a);
    expect([await third.inherit(), await third.inherit()]).toEqual([undefined, undefined]);
    expect(await server.cli('EXISTS', keys.handoff('feed'))).toBe('0');
  });

  it('reaches the next owner although the answer of Redis is lost', async () => {
    const proxy = await TcpProxy.open(server.port);
    closeLater(() => proxy.close());
    const url = new URL(server.url);
    url.port = String(proxy.port);
    const a = await backendOn(server, appName);
    const lease = { ...LEASE, ttl: 20_000 };
    const membership = { ...MEMBERSHIP, ttl: 20_000 };
    const b = await backendOn(server, appName, { redis: url.href, lease, membership });
    const first = await take(a);
    await first.leave('{"n":1}');
    await first.release();
    const second = await take(b);
    proxy.mode = 'noreply';
    const lost = second.inherit();
    lost.catch(() => undefined);
    await eventually(async () => (await server.cli('GET', keys.handoff('feed'))).startsWith('taken:'));
    proxy.mode = 'cut';
    await expect(lost).rejects.toThrow();
    proxy.mode = 'ok';
    expect(await eventually(() => second.inherit().catch(() => undefined))).toBe('{"n":1}');
    expect(second.isHeld()).toBe(true);
  });

  it('is not given to an owner that is one no more', async () => {
    const bench = await backendOn(server, appName);
    const first = await take(bench);
    await first.leave('{"n":1}');
    await server.cli('SET', keys.lease('feed'), 'other', 'PX', '60000');
    expect(await first.inherit()).toBeUndefined();
    await expect(first.leave('{"n":2}')).rejects.toThrow('no longer held');
  });
});

it('the last epoch of a name outlives its owner', async () => {
  const bench = await backendOn(server, appName);
  expect(await bench.backend.leases.lastEpoch('feed')).toBe(0);
  const lease = await take(bench);
  await lease.release();
  expect(await bench.backend.leases.lastEpoch('feed')).toBe(lease.epoch);
});

describe('Epochs', () => {
  it('rise strictly with each owner', async () => {
    const benches = [await backendOn(server, appName), await backendOn(server, appName)];
    const epochs: number[] = [];
    for (let round = 0; round < 40; round++) {
      const lease = await take(benches[round % 2]!);
      epochs.push(lease.epoch);
      await lease.release();
    }
    for (const [index, epoch] of epochs.entries()) {
      expect(Number.isSafeInteger(epoch)).toBe(true);
      if (index > 0) expect(epoch).toBeGreaterThan(epochs[index - 1]!);
    }
  });

  it('rise over FLUSHALL, also when the stored one was far ahead of the clock', async () => {
    const a = await backendOn(server, appName);
    const first = await take(a);
    await first.release();
    await server.cli('FLUSHALL');
    const second = await takeWhenFree(a);
    expect(second.epoch).toBeGreaterThan(first.epoch);
    await second.release();
    const ahead = second.epoch + 3_600_000_000;
    await server.cli('SET', keys.epoch('feed'), String(ahead));
    expect((await takeWhenFree(a)).epoch).toBe(ahead + 1);
  });

  it('rise above what is asked for, when the clock of Redis and its data went back', async () => {
    const a = await backendOn(server, appName);
    const ahead = (Date.now() + 3_600_000) * 1000;
    const lease = await a.backend.leases.acquire('feed', ahead);
    expect(lease?.epoch).toBe(ahead + 1);
  });

  it('guard a value: a lower one is refused inside Redis, whoever asks', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const { epoch } = await take(a);
    await a.backend.leases.fencedSet('total', '1', epoch);
    await a.backend.leases.fencedSet('total', '2', epoch);
    await b.backend.leases.fencedSet('total', '3', epoch + 1);
    const stale = a.backend.leases.fencedSet('total', '4', epoch);
    await expect(stale).rejects.toBeInstanceOf(StaleEpochError);
    await expect(stale).rejects.toMatchObject({ epoch, storedEpoch: epoch + 1, why: 'written' });
    expect(await server.cli('HMGET', keys.fenced('total'), 'epoch', 'value')).toBe(`${epoch + 1}\n3`);
  });

  it('are compared as numbers of full size', async () => {
    const { backend } = await backendOn(server, appName);
    const epoch = 3_795_425_133_117_777;
    await backend.leases.fencedSet('total', 'a', epoch);
    await expect(backend.leases.fencedSet('total', 'b', epoch - 1)).rejects.toBeInstanceOf(StaleEpochError);
    await backend.leases.fencedSet('total', 'c', epoch + 1);
    expect(await server.cli('HGET', keys.fenced('total'), 'epoch')).toBe(String(epoch + 1));
  });
});

describe('A fenced write after a loss of data', () => {
  /** What became of it, once Redis answers. */
  const outcome = ({ backend }: Bench, epoch: number): Promise<string> =>
    eventually(
      () =>
        backend.leases.fencedSet('total', 'x', epoch).then(
          () => 'accepted',
          (error: unknown) => (error instanceof StaleEpochError ? error.why : undefined),
        ),
      { timeout: 20_000 },
    );

  /** As a context does it: an epoch that is too old is raised once. */
  const writeAsOwner = async (bench: Bench, lease: Lease): Promise<number> => {
    await eventually(async () => {
      const refused = await outcome(bench, lease.epoch);
      if (refused === 'lost') await lease.refresh(lease.epoch + 1);
      return refused === 'accepted';
    });
    return lease.epoch;
  };

  it.each<[string, () => Promise<unknown>]>([
    ['FLUSHALL', () => server.cli('FLUSHALL')],
    ['a restart that is empty', () => server.kill().then(() => server.restart())],
    [
      'a hand that deletes the life, and not the values',
      () => server.cli('DEL', keys.incarnation, keys.fenced('total')),
    ],
  ])('is refused with the epoch of an owner from before: %s', async (_what, lose) => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const stale = await take(a);
    await stale.release();
    const lease = await take(b);
    await b.backend.leases.fencedSet('total', 'y', lease.epoch);
    const before = lease.epoch;
    await lose();
    expect(await outcome(a, stale.epoch)).toBe('lost');
    // The owner itself has to say that it is one: its epoch may be as stale.
    expect(await outcome(a, before)).toBe('lost');
    expect(await server.cli('EXISTS', keys.fenced('total'))).toBe('0');
    const next = await eventually(
      async () => {
        if (lease.isHeld()) return lease;
        return (await b.backend.leases.acquire('feed').catch(() => undefined)) ?? undefined;
      },
      { timeout: 20_000 },
    );
    expect(await writeAsOwner(b, next)).toBeGreaterThan(before);
    expect(await outcome(a, stale.epoch)).toBe('written');
  });

  it('is refused by data that went back to what it was', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const stale = await take(a);
    await a.backend.leases.fencedSet('total', 'old', stale.epoch);
    // As a replica that has not heard of what follows.
    await server.cli('SAVE');
    await stale.release();
    const lease = await take(b);
    await b.backend.leases.fencedSet('total', 'new', lease.epoch);
    await server.kill();
    await server.restart();
    expect(await outcome(a, stale.epoch)).toBe('lost');
    expect(await server.cli('HMGET', keys.fenced('total'), 'epoch', 'value')).toBe(`${stale.epoch}\nold`);
    const next = await eventually(
      async () => {
        const [standing] = await b.backend.leases.standing(['feed']);
        return standing!.freeInMs === 0 ? b.backend.leases.acquire('feed') : undefined;
      },
      { timeout: 20_000 },
    );
    expect(await writeAsOwner(b, next)).toBeGreaterThan(lease.epoch);
  });

  it('is the same to an owner whose lease outlived it: its epoch is raised, and lookups name that', async () => {
    const bench = await backendOn(server, appName);
    const lease = await take(bench);
    const before = lease.epoch;
    // Another life of the same data, as a restart with all of it that is quick enough.
    await server.cli('SET', keys.incarnation, `another ${Date.now() - 10}`);
    expect(await outcome(bench, before)).toBe('lost');
    expect(await lease.refresh(before + 1)).toBe(lease.epoch);
    expect(lease.isHeld()).toBe(true);
    expect(lease.epoch).toBeGreaterThan(before);
    expect(bench.of('lease.reclaimed')).toEqual([
      { name: 'feed', node: bench.node.name, epoch: lease.epoch, previousEpoch: before },
    ]);
    expect((await ownerOf(bench))?.epoch).toBe(lease.epoch);
    expect(await outcome(bench, lease.epoch)).toBe('accepted');
    expect(await outcome(bench, before)).toBe('written');
    const raised = lease.epoch;
    await lease.refresh(0);
    expect(lease.epoch).toBe(raised);
  });

  it('lets no epoch be raised for a lease that another node has', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const lease = await take(a);
    await server.cli('DEL', keys.lease('feed'));
    await take(b);
    await server.cli('DEL', keys.incarnation);
    const before = lease.epoch;
    await lease.refresh(0);
    expect([lease.isHeld(), lease.epoch]).toEqual([false, before]);
    expect(await outcome(a, before)).toBe('lost');
  });
});

describe('What belongs to a lease', () => {
  const redisTime = async (): Promise<number> => Math.floor(Number((await server.cli('TIME')).split('\n')[0]) * 1000);
  const pttl = async (key: string) => Number(await server.cli('PTTL', key));
  /** Somebody else writes in the place of what belongs to the lease of `feed`. */
  const spoil = async (): Promise<void> => {
    await server.cli('DEL', keys.owner('feed'), keys.epoch('feed'));
    await server.cli('RPUSH', keys.owner('feed'), 'x');
    await server.cli('RPUSH', keys.epoch('feed'), 'x');
  };
  /** Leases over the connections of a backend, with lives of the test's own. */
  const withLives = ({ backend, node }: Bench, lives: Partial<Lives>): RedlockLeases => {
    const [leases, control] = [backend.raw.leases, backend.raw.control].map(
      (client) => new LeaseQuorum([client as Redis]),
    );
    const { lease } = resolve({ cluster: true, lease: LEASE }, {}, { host: 'h', pid: 1 });
    const all = { ...LIVES, ...lives };
    const redlock = createRedlock(leases!.clients);
    const made = new RedlockLeases({
      quorum: leases!,
      control: control!,
      redlock,
      keys,
      times: lease,
      node,
      telemetry: new Telemetry(),
      now: monotonicNow,
      lives: all,
    });
    closeLater(async () => made.close());
    return made;
  };
  const DAY = 86_400_000;

  it('has a life from the beginning, which the state of running prolongs', async () => {
    const a = await backendOn(server, appName);
    const lease = await take(a);
    expect(await pttl(keys.owner('feed'))).toBeGreaterThan(DAY - 60_000);
    expect(await pttl(keys.epoch('feed'))).toBeGreaterThan(7 * DAY - 60_000);
    await server.cli('PEXPIRE', keys.owner('feed'), '50000');
    await lease.announce();
    expect(await pttl(keys.owner('feed'))).toBeGreaterThan(DAY - 60_000);
  });

  it('never ends while the lease is held, and ends by itself once the node is gone', async () => {
    const a = await backendOn(server, appName);
    const leases = withLives(a, { owner: 1500, epoch: 1500, prolongEvery: 100 });
    const held = (await leases.acquire('feed'))!;
    await held.announce();
    const since = (await ownerOf(a))!.since;
    const began = performance.now();
    await eventually(async () => {
      expect(await ownerOf(a)).toMatchObject({ epoch: held.epoch, state: 'running', since });
      expect(await server.cli('GET', keys.epoch('feed'))).toBe(String(held.epoch));
      return performance.now() - began > 3000;
    });
    // As a node that is killed: nobody prolongs, and nobody takes the name again.
    leases.close();
    await eventually(async () => (await server.cli('EXISTS', keys.owner('feed'), keys.epoch('feed'))) === '0', {
      what: 'What belonged to the lease of a node that is gone ends',
      timeout: 20_000,
    });
  });

  it('is put back when it was evicted, and not for a stale owner', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const leases = withLives(a, { prolongEvery: 100 });
    const held = (await leases.acquire('feed'))!;
    await held.announce();
    await server.cli('DEL', keys.owner('feed'), keys.epoch('feed'));
    await eventually(async () => {
      const owner = await ownerOf(b);
      return owner?.epoch === held.epoch && owner.state === 'running' && owner.bootId === a.node.bootId;
    });
    expect(await server.cli('GET', keys.epoch('feed'))).toBe(String(held.epoch));
    await server.cli('DEL', keys.lease('feed'), keys.owner('feed'));
    const next = await take(b);
    await eventually(() => !held.isHeld());
    expect(await ownerOf(a)).toMatchObject({ epoch: next.epoch, bootId: b.node.bootId });
  });

  it('keeps no name from being owned, and no other one from being found, where somebody else has written it', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const leases = withLives(a, { prolongEvery: 100 });
    const other = (await leases.acquire('other'))!;
    let last = 0;
    for (const epoch of ['jünk', 'inf', 'nan', '-7', '9007199254740993999', undefined]) {
      await server.cli('DEL', keys.epoch('feed'));
      if (epoch === undefined) await server.cli('RPUSH', keys.epoch('feed'), 'x');
      else await server.cli('SET', keys.epoch('feed'), epoch);
      const held = (await leases.acquire('feed'))!;
      expect(Number.isSafeInteger(held.epoch)).toBe(true);
      expect(held.epoch).toBeGreaterThan(last);
      expect(await server.cli('GET', keys.epoch('feed'))).toBe(String(held.epoch));
      last = held.epoch;
      await held.release();
    }
    const held = (await leases.acquire('feed'))!;
    await spoil();
    const found = await b.backend.leases.owners(['feed', 'other']);
    expect(found.find((owner) => owner?.name === 'other')).toMatchObject({ epoch: other.epoch });
    // And the owner writes it again.
    await eventually(async () => (await ownerOf(b))?.epoch === held.epoch);
    expect(await server.cli('GET', keys.epoch('feed'))).toBe(String(held.epoch));
  });

  it('is written again by scripts for many leases, of which one is not theirs any more', async () => {
    const a = await backendOn(server, appName);
    const client = a.backend.raw.leases as Redis;
    const names = ['feed', 'other'];
    const held = [await take(a, 'feed'), await take(a, 'other')];
    const tokens = await Promise.all(names.map((name) => server.cli('GET', keys.lease(name))));
    const all = names.flatMap((name) => [keys.lease(name), keys.epoch(name), keys.owner(name)]);
    await spoil();
    const each = names.flatMap((_, index) => [tokens[index]!, held[index]!.epoch, 'running']);
    const confirmed = await confirmScript.run(client, all, [
      'n',
      'b',
      1500,
      60_000,
      60_000,
      await redisTime(),
      400,
      ...each,
    ]);
    expect((confirmed as unknown[]).slice(1)).toEqual([1, 1]);
    expect((await ownerOf(a))?.epoch).toBe(held[0]!.epoch);
    await spoil();
    const more = names.flatMap((_, index) => [tokens[index]!, 1500, held[index]!.epoch, '']);
    const recovered = await recoverScript.run(
      client,
      [keys.incarnation, ...all],
      [3000, 'n', 'b', 1500, 60_000, 60_000, await redisTime(), 400, 50, ...more],
    );
    expect((recovered as unknown[]).slice(1)).toEqual(held.map(({ epoch }) => String(epoch)));
  });

  it('is gone after a release, the epoch after a day', async () => {
    const a = await backendOn(server, appName);
    const lease = await take(a);
    await lease.release();
    expect(await server.cli('EXISTS', keys.owner('feed'))).toBe('0');
    expect(await pttl(keys.epoch('feed'))).toBeLessThanOrEqual(DAY);
    expect(await pttl(keys.epoch('feed'))).toBeGreaterThan(DAY - 60_000);
    // Not by a late release, of a name that has another owner.
    const next = await take(a);
    await server.cli('DEL', keys.lease('feed'));
    await eventually(() => !next.isHeld());
    const last = await takeWhenFree(a);
    await next.release();
    expect(await pttl(keys.epoch('feed'))).toBeGreaterThan(6 * DAY);
    expect(last.isHeld()).toBe(true);
  });

  it('fenced values live for 30 days after the last write, or as long as asked', async () => {
    const bench = await backendOn(server, appName);
    const { backend } = bench;
    const { epoch } = await take(bench);
    await backend.leases.fencedSet('total', '1', epoch);
    expect(await pttl(keys.fenced('total'))).toBeGreaterThan(30 * DAY - 60_000);
    await backend.leases.fencedSet('total', '2', epoch, 70_000);
    expect(await pttl(keys.fenced('total'))).toBeLessThanOrEqual(70_000);
    await backend.leases.fencedSet('total', '3', epoch);
    expect(await pttl(keys.fenced('total'))).toBeGreaterThan(30 * DAY - 60_000);
  });

  it('fenced values can be deleted, and no stale owner brings them back', async () => {
    const bench = await backendOn(server, appName);
    const { backend } = bench;
    const { epoch } = await take(bench);
    await backend.leases.fencedSet('total', '1', epoch);
    await expect(backend.leases.fencedDelete('total', epoch - 1)).rejects.toBeInstanceOf(StaleEpochError);
    await backend.leases.fencedDelete('total', epoch + 1);
    expect(await server.cli('HMGET', keys.fenced('total'), 'epoch', 'value')).toBe(`${epoch + 1}\n`);
    expect(await pttl(keys.fenced('total'))).toBeLessThanOrEqual(DAY);
    await expect(backend.leases.fencedSet('total', '2', epoch)).rejects.toBeInstanceOf(StaleEpochError);
    await backend.leases.fencedSet('total', '3', epoch + 1);
    expect(await server.cli('HGET', keys.fenced('total'), 'value')).toBe('3');
  });
});

describe('A lease that is taken away', () => {
  it.each([
    ['deleted', async () => void (await server.cli('DEL', keys.lease('feed')))],
    ['stolen', async () => void (await server.cli('SET', keys.lease('feed'), 'thief', 'PX', '60000'))],
    [
      'turned into something else',
      async () => {
        await server.cli('DEL', keys.lease('feed'));
        await server.cli('RPUSH', keys.lease('feed'), 'x');
      },
    ],
  ])('by hand (%s) is noticed at the next renewal, or at the deadline', async (_how, act) => {
    const a = await backendOn(server, appName);
    const lease = await take(a);
    const acted = performance.now();
    await act();
    await eventually(() => lease.signal.aborted);
    expect(lease.isHeld()).toBe(false);
    expect(performance.now() - acted).toBeLessThan(2 * LEASE.ttl);
    expect(a.of('lease.lost')).toHaveLength(1);
  });

  it.each(['deleted', 'turned into something else'])('does not take the others with it: %s', async (how) => {
    const a = await backendOn(server, appName);
    const [feed, other] = [await take(a, 'feed'), await take(a, 'other')];
    await other.announce();
    await server.cli('DEL', keys.lease('feed'));
    if (how !== 'deleted') await server.cli('RPUSH', keys.lease('feed'), 'x');
    const acted = performance.now();
    await eventually(() => feed.signal.aborted);
    await eventually(() => performance.now() - acted > 1.5 * LEASE.ttl);
    expect(other.isHeld()).toBe(true);
    const [gone, there] = await a.backend.leases.owners(['feed', 'other']);
    expect(gone).toBeUndefined();
    expect(there).toMatchObject({ name: 'other', state: 'running' });
    expect(a.of('lease.lost')).toMatchObject([{ name: 'feed', reason: 'taken' }]);
  });

  it('is never named by owners(), whatever the record says', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    await (await take(a)).announce();
    await server.cli('DEL', keys.lease('feed'));
    expect(await server.cli('EXISTS', keys.owner('feed'))).toBe('1');
    expect(await ownerOf(b)).toBeUndefined();
    await server.cli('SET', keys.lease('feed'), 'thief');
    expect(await ownerOf(b)).toBeUndefined();
  });
});

// As after the clock of Redis was set back by ten minutes: what it keeps with a time limit, it keeps that much longer.
describe('A lease that lasts far longer than any owner asked for', () => {
  const TEN_MINUTES = '600000';

  it('of a dead owner names nobody, and is free after one lease time', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const lease = await take(a);
    await lease.announce();
    lease.abandon();
    const key = keys.lease('feed');
    for (const lasts of [['PEXPIRE', key, TEN_MINUTES] as const, ['PERSIST', key] as const]) {
      const [command, ...args] = lasts;
      expect(await server.cli(command, ...args)).toBe('1');
      expect(await ownerOf(b)).toBeUndefined();
    }
    const began = performance.now();
    const [standing] = await b.backend.leases.standing(['feed']);
    expect(standing!.freeInMs).toBeLessThanOrEqual(LEASE.ttl);
    const next = await takeWhenFree(b);
    expect(next.epoch).toBeGreaterThan(lease.epoch);
    expect(performance.now() - began).toBeGreaterThanOrEqual(LEASE.ttl - 20);
  });

  it('stays with an owner that lives, which renews it for its own time', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const lease = await take(a);
    const began = performance.now();
    await eventually(async () => {
      await server.cli('PEXPIRE', keys.lease('feed'), TEN_MINUTES);
      await b.backend.leases.standing(['feed']);
      expect(await b.backend.leases.acquire('feed')).toBeUndefined();
      return performance.now() - began > 2 * LEASE.ttl;
    });
    expect(lease.isHeld()).toBe(true);
    expect(a.of('lease.lost')).toEqual([]);
    expect((await eventually(() => ownerOf(b)))?.node).toBe(a.node.name);
  });

  it('and is nobody’s is looked at again soon, and kept for a minute at most', async () => {
    const b = await backendOn(server, appName);
    await server.cli('SET', keys.lease('feed'), 'somebody', 'PX', '3600000');
    const [standing] = await b.backend.leases.standing(['feed']);
    expect(standing!.freeInMs).toBeLessThanOrEqual(2.1 * LEASE.ttl);
    expect(Number(await server.cli('PTTL', keys.lease('feed')))).toBeLessThanOrEqual(60_000);
    await server.cli('DEL', keys.lease('feed'));
    await takeWhenFree(b);
  });

  it('and never ends is left to who set it, and said: nothing else would say why a process does not run', async () => {
    const b = await backendOn(server, appName);
    await server.cli('SET', keys.lease('feed'), 'somebody');
    for (let times = 0; times < 2; times += 1) {
      const [standing] = await b.backend.leases.standing(['feed', 'other']);
      expect(standing!.freeInMs).toBeGreaterThan(0);
      expect(standing!.freeInMs).toBeLessThanOrEqual(1000);
    }
    expect(await b.backend.leases.acquire('feed')).toBeUndefined();
    const said = log.lines.filter((line) => line.includes('without an expiry'));
    expect(said).toEqual([expect.stringMatching(/^warn .*"name":"feed"/)]);
    expect(said[0]).toContain(keys.lease('feed'));
    await server.cli('DEL', keys.lease('feed'));
    await takeWhenFree(b);
  });
});

describe('Data loss', () => {
  it('keeps the first owner of a new Redis waiting for one lease time', async () => {
    appName = freshName();
    keys = keysOf(appName);
    const a = await backendOn(server, appName);
    const began = performance.now();
    expect(await a.backend.leases.acquire('feed')).toBeUndefined();
    const [standing] = await a.backend.leases.standing(['feed']);
    expect(standing!.freeInMs).toBeGreaterThan(0);
    expect(standing!.freeInMs).toBeLessThanOrEqual(LEASE.ttl * 1.01 + 2);
    await takeWhenFree(a);
    expect(performance.now() - began).toBeGreaterThanOrEqual(LEASE.ttl);
  });

  it('lets the incumbent go on with a higher epoch and refuses everybody else', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const lease = await take(a);
    await lease.announce();
    const before = lease.epoch;
    await server.cli('FLUSHALL');
    // Asks first, as a candidate with luck would: nothing is held in Redis at this moment.
    expect(await b.backend.leases.acquire('feed')).toBeUndefined();
    await eventually(() => a.of('lease.reclaimed').length === 1);
    expect(lease.epoch).toBeGreaterThan(before);
    expect(lease.signal.aborted).toBe(false);
    expect(a.of('lease.reclaimed')).toEqual([
      { name: 'feed', node: a.node.name, epoch: lease.epoch, previousEpoch: before },
    ]);
    expect(await ownerOf(b)).toMatchObject({ node: a.node.name, epoch: lease.epoch, state: 'running' });
    const began = performance.now();
    await eventually(async () => {
      expect(await b.backend.leases.acquire('feed')).toBeUndefined();
      return performance.now() - began > 1.5 * LEASE.ttl;
    });
    expect(lease.isHeld()).toBe(true);
  });

  it('gives nothing to a node that had fenced itself before', async () => {
    const [a, b] = [await backendOn(server, appName), await backendOn(server, appName)];
    const lease = await take(a);
    a.backend.leases.loseAll();
    await server.cli('FLUSHALL');
    const next = await takeWhenFree(b);
    expect(next.epoch).toBeGreaterThan(lease.epoch);
    expect(lease.isHeld()).toBe(false);
    expect(a.of('lease.reclaimed')).toEqual([]);
  });

  it('by a restart of an empty Redis never makes two owners', async () => {
    const own = await startRedis();
    try {
      await settle(own, appName);
      const [a, b] = [await backendOn(own, appName), await backendOn(own, appName)];
      const lease = await take(a);
      const before = lease.epoch;
      await own.kill();
      await own.restart();
      // A redlock call in flight while the server goes would end this Jest process; so only questions until it is back.
      const next = await eventually(async () => {
        const [standing] = await b.backend.leases.standing(['feed']);
        if (standing!.freeInMs > 0) return lease.epoch > before ? lease : undefined;
        const heldBefore = lease.isHeld();
        const got = await b.backend.leases.acquire('feed');
        expect(got !== undefined && heldBefore && lease.isHeld()).toBe(false);
        return got;
      });
      expect(next.epoch).toBeGreaterThan(before);
    } finally {
      await closeAll();
      await own.stop();
    }
  });

  it('by SCRIPT FLUSH is none: scripts are sent again', async () => {
    const a = await backendOn(server, appName);
    const lease = await take(a);
    await server.cli('SCRIPT', 'FLUSH');
    const began = performance.now();
    await eventually(() => performance.now() - began > 1.2 * LEASE.ttl);
    expect(lease.isHeld()).toBe(true);
    await lease.release();
    expect(await a.backend.leases.acquire('feed')).toBeDefined();
  });
});

describe('A script that the network holds back', () => {
  const evals = async (): Promise<number> => {
    const calls = (await server.cli('INFO', 'commandstats')).matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g);
    return [...calls].reduce((sum, [, count]) => sum + Number(count), 0);
  };

  it.each(['FLUSHALL', 'a lease that has run out'])(
    'gives nothing back to an owner that has fenced itself meanwhile, after %s (I14)',
    async (how) => {
      const proxy = await TcpProxy.open(server.port);
      closeLater(() => proxy.close());
      const a = await backendOn(server, appName, { redis: server.url.replace(`:${server.port}`, `:${proxy.port}`) });
      const lease = await take(a);
      await lease.announce();
      // So that nothing is on its way which arrives in time.
      const ttl = async (): Promise<number> => Number(await server.cli('PTTL', keys.lease('feed')));
      const first = await ttl();
      await eventually(async () => (await ttl()) > first);
      proxy.mode = 'norequest';
      await eventually(() => a.of('lease.lost').length === 1);
      if (how === 'FLUSHALL') await server.cli('FLUSHALL');
      else await eventually(async () => (await ttl()) === -2);
      await server.cli('CONFIG', 'RESETSTAT');
      proxy.mode = 'ok';
      // The renewal that was not answered, and what was tried after it: Redis executes all of it before it answers
      // this.
      let executed = 0;
      await eventually(async () => (executed = await evals()) >= 1, { lastSeen: () => executed });
      expect(await server.cli('EXISTS', keys.lease('feed'), keys.owner('feed'))).toMatch(
        how === 'FLUSHALL' ? '0' : '1',
      );
      expect(await ttl()).toBe(-2);
      const b = await backendOn(server, appName);
      expect(await ownerOf(b)).toBeUndefined();
      expect((await takeWhenFree(b)).epoch).toBeGreaterThan(lease.epoch);
    },
  );
});

describe('A script that arrives when its answer is not waited for any more', () => {
  const WAIT = 200;
  const client = (): Redis => {
    const own = new Client(server.adminUrl);
    closeLater(() => own.quit());
    return own;
  };
  const ttl = async (): Promise<number> => Number(await server.cli('PTTL', keys.lease('feed')));
  /** When a script was sent that arrives so many milliseconds later, by the clock of Redis. */
  const sent = async (ago: number): Promise<number> => {
    const [seconds, micros] = (await server.cli('TIME')).split(/\s+/).map(Number) as [number, number];
    return seconds * 1000 + Math.floor(micros / 1000) - ago;
  };
  const own = (): string[] => [keys.lease('feed'), keys.epoch('feed'), keys.owner('feed')];

  it('renews nothing, and says so', async () => {
    const redis = client();
    await server.cli('SET', keys.lease('feed'), 'token', 'PX', '5000');
    const renew = (at: number): Promise<unknown> =>
      renewScript.run(redis, [keys.lease('feed'), keys.lease('none')], [60_000, at, WAIT, 'token', 'token']);
    expect(await renew(await sent(1000))).toEqual([expect.stringMatching(/^\d{13}$/), '', '']);
    expect(await ttl()).toBeLessThanOrEqual(5000);
    expect(await renew(await sent(0))).toEqual([expect.any(String), 1, 0]);
    expect(await ttl()).toBeGreaterThan(5000);
    await server.cli('PEXPIRE', keys.lease('feed'), '5000');
    // Nothing is known of the clock yet.
    expect(await renew(-1)).toEqual([expect.any(String), 1, 0]);
    expect(await ttl()).toBeGreaterThan(5000);
  });

  it.each([
    ['while its owner is one', 0, 1000, true],
    ['too late', 1000, 5000, false],
    ['in time, when its owner has fenced itself', 100, 150 + 50, false],
    ['by an unknown clock', NaN, 1000, false],
  ])('reclaims %s: %d ms after it was sent, with %d ms left: %s', async (_what, ago, left, isIn) => {
    const redis = client();
    await server.cli('DEL', keys.incarnation, keys.epoch('feed'));
    const at = Number.isNaN(ago) ? -1 : await sent(ago);
    const head = [1500, 'n', 'b', 1000, 1000, 1000, at, WAIT, 150];
    const answer = await recoverScript.run(redis, [keys.incarnation, ...own()], [...head, 'token', left, 7, 'running']);
    expect(answer).toEqual([expect.any(String), isIn ? expect.stringMatching(/^\d{16}$/) : 'late']);
    expect(await server.cli('EXISTS', keys.lease('feed'), keys.owner('feed'))).toMatch(isIn ? /^2/ : /^0/);
  });

  it('does not keep for longer what its owner may still have, and names the epoch all the same', async () => {
    const redis = client();
    await server.cli('SET', keys.lease('feed'), 'token', 'PX', '5000');
    const recover = async (at: number): Promise<unknown> =>
      recoverScript.run(
        redis,
        [keys.incarnation, ...own()],
        [1500, 'n', 'b', 1000, 1000, 1000, at, WAIT, 150, 'token', 60_000, 7, 'running'],
      );
    expect(await recover(await sent(1000))).toEqual([expect.any(String), '7']);
    expect(await ttl()).toBeLessThanOrEqual(5000);
    // It is older than the data of this Redis, and raised once, for an owner that is still one.
    const raised = expect.stringMatching(/^\d{16}$/);
    const [, epoch] = (await recover(await sent(0))) as string[];
    expect(epoch).toEqual(raised);
    expect(await ttl()).toBeGreaterThan(5000);
    expect(await recover(await sent(0))).toEqual([expect.any(String), epoch]);
  });

  it('puts nothing back where a server lost it', async () => {
    const redis = client();
    const confirm = (at: number): Promise<unknown> =>
      confirmScript.run(redis, own(), ['n', 'b', 1000, 1000, 1000, at, WAIT, 'token', 7, 'running']);
    expect(await confirm(await sent(1000))).toEqual([expect.any(String), 0]);
    expect(await confirm(-1)).toEqual([expect.any(String), 0]);
    expect(await server.cli('EXISTS', ...own())).toMatch(/^0/);
    expect(await confirm(await sent(0))).toEqual([expect.any(String), 1]);
    // What is there is confirmed whenever it comes: it counts with its lease only.
    expect(await confirm(await sent(1000))).toEqual([expect.any(String), 1]);
    expect(await ttl()).toBeLessThanOrEqual(1000);
  });
});

describe('A Redis that does not answer', () => {
  it('fences the owner before its lease can expire, and the name is free only after that', async () => {
    const own = await startRedis();
    try {
      await settle(own, appName);
      const a = await backendOn(own, appName);
      const lease = await take(a);
      const times: { lost?: number } = {};
      lease.signal.addEventListener('abort', () => (times.lost = performance.now()));
      // Paused and not closed: no socket error, so this may happen inside Jest. Nothing of redlock is in flight.
      own.pause();
      const paused = performance.now();
      await eventually(() => lease.signal.aborted);
      expect(times.lost! - paused).toBeLessThan(LEASE.ttl);
      expect(a.of('lease.lost')).toMatchObject([{ reason: 'deadline' }]);
      own.resume();
      const next = await takeWhenFree(a);
      expect(next.epoch).toBeGreaterThan(lease.epoch);
    } finally {
      own.resume();
      await closeAll();
      await own.stop();
    }
  });
});
