// Leases on three independent Redis servers of which any may die, hang, or come back without its data.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { FoundationConfigError, type FoundationOptions, RedisUnavailableError } from 'nestjs-foundation';
import { TcpProxy } from 'nestjs-foundation/testing';
import Redlock from 'redlock';
import type { Lease } from '../../libs/foundation/src/backend/leases/leases.js';
import { eventually } from '../../libs/foundation/src/testing/eventually.js';
import { keysOf } from '../../libs/foundation/src/wire/keys.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import {
  backendFor,
  backendOn,
  type Bench,
  boot,
  CapturedLog,
  closeAll,
  closeLater,
  freshName,
  LEASE,
  settle,
} from './fixture.js';

const DEADLINE = LEASE.ttl - Math.ceil(LEASE.ttl * 0.01) - 2 - LEASE.margin;

/** For what must be held throughout: a busy machine stalls this process now and then for most of a second. */
const STEADY = { lease: { ...LEASE, ttl: 2 * LEASE.ttl }, membership: { ttl: 3 * LEASE.ttl } };

let servers: RedisServer[];
let appName: string;

beforeEach(async () => {
  CapturedLog.install();
  appName = freshName();
  servers = await Promise.all([1, 2, 3].map(() => startRedis()));
  await Promise.all(servers.map((server) => settle(server, appName)));
});
afterEach(async () => {
  // A paused server is resumed by its stop.
  await Promise.all(servers.map((server) => server.stop()));
  await closeAll();
});

const quorum = (): FoundationOptions => ({ redis: { quorum: servers.map(({ url }) => url) } });

const open = (options: FoundationOptions = {}): Promise<Bench> =>
  backendOn(servers[0]!, appName, { ...quorum(), ...options });

const taken = (bench: Bench, name = 'job'): Promise<Lease> =>
  eventually(() => bench.backend.leases.acquire(name), { what: `The lease of "${name}"` });

const keyOn = (server: RedisServer, name = 'job') => server.cli('GET', keysOf(appName).lease(name));

/** Waits for some renewals and says whether the lease was held at each look. */
async function heldFor(lease: Lease, ms: number): Promise<boolean> {
  const until = performance.now() + ms;
  let held = true;
  await eventually(() => {
    held &&= lease.isHeld();
    return !held || performance.now() >= until;
  });
  return held;
}

describe('a quorum of three', () => {
  it('grants one owner, whose epoch a majority knows', async () => {
    const [a, b] = [await open(), await open()];
    const leases = await Promise.all([a, b].map(({ backend }) => backend.leases.acquire('job')));
    const owner = leases.find((lease) => lease !== undefined) ?? (await taken(a));
    expect(await b.backend.leases.acquire('job')).toBeUndefined();
    const epochs = await Promise.all(servers.map((server) => server.cli('GET', keysOf(appName).epoch('job'))));
    expect(epochs.filter((epoch) => epoch === String(owner.epoch)).length).toBeGreaterThanOrEqual(2);
    await owner.announce();
    const [record] = await b.backend.leases.owners(['job']);
    expect(record).toMatchObject({ epoch: owner.epoch, state: 'running' });
    await owner.release();
    const next = await taken(b);
    expect(next.epoch).toBeGreaterThan(owner.epoch);
  });

  it.each([0, 1, 2])('goes on with the same owner when server %i dies and comes back empty', async (dead) => {
    const [a, b] = [await open(STEADY), await open(STEADY)];
    const lease = await taken(a);
    await servers[dead]!.kill();
    expect(await heldFor(lease, 2 * STEADY.lease.ttl)).toBe(true);
    await servers[dead]!.restart();
    // It gets the lease again, or the next failure of another one would end it.
    await eventually(() => keyOn(servers[dead]!), { what: 'The lease on the server that came back' });
    await servers[(dead + 1) % 3]!.kill();
    expect(await heldFor(lease, 2 * STEADY.lease.ttl)).toBe(true);
    expect(a.of('lease.lost')).toEqual([]);
    await expect(b.backend.leases.acquire('job').catch(() => undefined)).resolves.toBeUndefined();
  });

  it.each([0, 1, 2])('goes on when server %i hangs, and a new owner can be had as well', async (hung) => {
    const [a, b] = [await open(STEADY), await open(STEADY)];
    const lease = await taken(a);
    servers[hung]!.pause();
    expect(await heldFor(lease, 2 * STEADY.lease.ttl)).toBe(true);
    const other = await taken(b, 'other');
    expect(other.isHeld()).toBe(true);
    await lease.release();
    const next = await taken(b);
    expect(next.epoch).toBeGreaterThan(lease.epoch);
    servers[hung]!.resume();
    expect(await heldFor(next, STEADY.lease.ttl)).toBe(true);
  });

  it.each([
    ['die', (server: RedisServer) => server.kill()],
    ['hang', async (server: RedisServer) => server.pause()],
  ])('fences every owner in time when two %s, and has owners again when they are back', async (_what, fault) => {
    const [a, b] = [await open(), await open()];
    const leases = [await taken(a, 'one'), await taken(b, 'two')];
    const began = performance.now();
    await Promise.all(servers.slice(1).map(fault));
    const { backend } = a;
    await eventually(() => leases.every((lease) => lease.signal.aborted), { what: 'Both fenced' });
    // The deadline counts from the last renewal that was sent before the fault; the rest is slack for a busy machine.
    expect(performance.now() - began).toBeLessThan(DEADLINE + 1000);
    await expect(backend.leases.acquire('three').catch(() => undefined)).resolves.toBeUndefined();
    await Promise.all(servers.slice(1).map((server) => server.restart()));
    const again = await taken(b, 'one');
    expect(again.epoch).toBeGreaterThan(leases[0]!.epoch);
  });

  it('keeps the owner with a higher epoch when two lose their data at the same time', async () => {
    const [a, b] = [await open(), await open()];
    const lease = await taken(a);
    const { epoch } = lease;
    await Promise.all(servers.slice(0, 2).map((server) => server.cli('FLUSHALL')));
    expect(await b.backend.leases.acquire('job')).toBeUndefined();
    await eventually(() => a.of('lease.reclaimed').length > 0, { what: 'The lease reclaimed' });
    expect(await heldFor(lease, 2 * LEASE.ttl)).toBe(true);
    expect(lease.epoch).toBeGreaterThan(epoch);
    const epochs = await Promise.all(servers.map((server) => server.cli('GET', keysOf(appName).epoch('job'))));
    expect(epochs.filter((stored) => stored === String(lease.epoch)).length).toBeGreaterThanOrEqual(2);
  });

  it('ends an owner whose lease a majority has given to another one', async () => {
    const a = await open();
    const lease = await taken(a);
    await Promise.all(servers.slice(0, 2).map((server) => server.cli('SET', keysOf(appName).lease('job'), 'other')));
    await eventually(() => lease.signal.aborted, { what: 'The lease lost' });
    expect(a.of('lease.lost')).toMatchObject([{ reason: 'taken' }]);
  });

  it('does not end one that a single server has given to another one', async () => {
    const lease = await taken(await open());
    await servers[0]!.cli('SET', keysOf(appName).lease('job'), 'other', 'PX', '1000');
    expect(await heldFor(lease, 2 * LEASE.ttl)).toBe(true);
    await eventually(async () => (await keyOn(servers[0]!)) === (await keyOn(servers[1]!)), { what: 'The key back' });
  });

  it('hands a state over once, although a server slept through it', async () => {
    const [a, b] = [await open(), await open()];
    const lease = await taken(a);
    await lease.leave('state');
    await lease.release();
    servers[2]!.pause();
    const second = await taken(b);
    expect([await second.inherit(), await second.inherit()]).toEqual(['state', 'state']);
    servers[2]!.resume();
    await second.release();
    const third = await taken(a);
    expect(await third.inherit()).toBeUndefined();
  });

  it('refuses a fenced write with a stale epoch while a server is away', async () => {
    const bench = await open();
    const { leases } = bench.backend;
    const { epoch } = await taken(bench);
    await leases.fencedSet('k', 'new', epoch + 10);
    await servers[1]!.kill();
    await expect(leases.fencedSet('k', 'old', epoch)).rejects.toMatchObject({ storedEpoch: epoch + 10 });
    await leases.fencedSet('k', 'newer', epoch + 11);
  });

  it('starts with one server missing and not with two', async () => {
    await servers[2]!.kill();
    const lease = await taken(await open());
    expect(lease.isHeld()).toBe(true);
    await servers[1]!.kill();
    const { backend } = await backendFor(servers[0]!, appName, quorum());
    await expect(backend.open()).rejects.toThrow(RedisUnavailableError);
  });

  it('adopts a Redlock over as many clients, and refuses another one', async () => {
    const clients = servers.map(({ url }) => new Redis(url));
    closeLater(async () => clients.forEach((client) => client.disconnect()));
    const lease = await taken(await open({ redlock: new Redlock(clients) }));
    expect(await heldFor(lease, LEASE.ttl)).toBe(true);
    await expect(open({ redlock: new Redlock(clients.slice(0, 1)) })).rejects.toThrow(FoundationConfigError);
  });

  it('refuses the same server twice', async () => {
    const [one, two] = servers.map(({ url }) => url);
    const { backend } = await backendFor(servers[0]!, appName, { redis: { quorum: [one!, two!, one!] } });
    await expect(backend.open()).rejects.toThrow(/same Redis server twice/);
  });

  it('refuses a node that would lease on another number of servers than the others', async () => {
    const node = await boot({ quorum: servers.map(({ url }) => url) }, appName, []);
    const alone = boot(servers[0]!.url, appName, []);
    await expect(alone).rejects.toBeInstanceOf(FoundationConfigError);
    await expect(alone).rejects.toThrow(/stop all nodes first/);
    expect(await servers[0]!.cli('HLEN', keysOf(appName).nodes)).toBe('1');
    // While its servers are there: BullMQ may go on trying to reach one that went away during its close.
    await node.app.close();
  });

  it('keeps a lease when a server that answers late comes back without it', async () => {
    const late = await TcpProxy.open(servers[2]!.port);
    closeLater(() => late.close());
    const urls = [servers[0]!.url, servers[1]!.url, servers[2]!.urlAt(late.port)];
    const a = await open({ redis: { quorum: urls } });
    const lease = await taken(a);
    late.mode = 40;
    await servers[1]!.cli('DEL', keysOf(appName).lease('job'));
    expect(await heldFor(lease, 2 * LEASE.ttl)).toBe(true);
    await eventually(() => keyOn(servers[1]!), { what: 'The lease put back' });
    expect(a.of('lease.lost')).toEqual([]);
  });

  it('repairs an owner record with a foreign epoch, so that calls are not refused', async () => {
    const a = await open();
    const lease = await taken(a);
    await servers[2]!.cli('DEL', keysOf(appName).lease('job'));
    await servers[2]!.cli('HSET', keysOf(appName).owner('job'), 'epoch', String(lease.epoch + 1000));
    await eventually(async () => (await servers[2]!.cli('HGET', keysOf(appName).owner('job'), 'epoch')) === String(lease.epoch)); // prettier-ignore
    expect((await a.backend.leases.owners(['job']))[0]).toMatchObject({ epoch: lease.epoch });
  });
});
