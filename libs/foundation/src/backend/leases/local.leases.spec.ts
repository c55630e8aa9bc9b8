import { describe, expect, it } from '@jest/globals';
import { StaleEpochError } from '../../errors/process.errors.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { LIVES } from '../../wire/key.lifetimes.js';
import { LocalLeases } from './local.leases.js';

function setUp() {
  let now = 1_000_000;
  const hints: string[] = [];
  const telemetry = new Telemetry();
  const events: [string, unknown][] = [];
  telemetry.attach('lease.*', (event, payload) => events.push([event, payload]));
  const leases = new LocalLeases({
    node: { name: 'n1', bootId: 'b1' },
    telemetry,
    hint: ({ t }) => hints.push(t),
    ttl: 1000,
    wallClock: () => now,
    now: () => now,
  });
  const take = async (name = 'feed') => (await leases.acquire(name))!;
  return { leases, take, hints, events, pass: (ms: number) => void (now += ms) };
}

describe('LocalLeases: what an owner leaves', () => {
  it('reaches the next owner as often as it inherits, and no later one', async () => {
    const { take } = setUp();
    const first = await take();
    await first.leave('state');
    await first.release();
    const second = await take();
    expect([await second.inherit(), await second.inherit()]).toEqual(['state', 'state']);
    await second.release();
    const third = await take();
    expect([await third.inherit(), await third.inherit()]).toEqual([undefined, undefined]);
  });

  it('is the last value, of an owner that still is one, and for a minute', async () => {
    const { take, pass } = setUp();
    const first = await take();
    await first.leave('one');
    await first.leave('two');
    await first.release();
    await expect(first.leave('late')).rejects.toThrow('no longer held');
    const second = await take();
    expect(await second.inherit()).toBe('two');
    await second.leave('three');
    await second.release();
    pass(60_000);
    expect(await (await take()).inherit()).toBeUndefined();
  });

  it('is not taken by one that has ended: it waits for the next', async () => {
    const { take } = setUp();
    const first = await take();
    await first.leave('state');
    await first.release();
    const second = await take();
    await second.release();
    expect(await second.inherit()).toBeUndefined();
    expect(await (await take()).inherit()).toBe('state');
  });

  it('says the epoch of the owner there is', async () => {
    const { leases, take } = setUp();
    expect(await leases.lastEpoch('feed')).toBe(0);
    const { epoch } = await take();
    expect(await leases.lastEpoch('feed')).toBe(epoch);
  });
});

describe('LocalLeases: a lease that has ended', () => {
  it('is announced to nobody', async () => {
    const { take, hints } = setUp();
    const lease = await take();
    await lease.announce();
    await lease.release();
    await lease.announce();
    expect(hints).toEqual(['running', 'released']);
  });

  it('is said to be free once, however often it is released', async () => {
    const { take, hints, events, pass } = setUp();
    const lease = await take();
    await lease.release();
    await lease.release();
    pass(1);
    await lease.release();
    lease.abandon();
    expect(hints).toEqual(['released']);
    expect(events.map(([event]) => event)).toEqual(['lease.acquired', 'lease.released']);
    expect(lease.signal.aborted).toBe(false);
  });

  it('is not said to be free when its instance stops while another owns the name', async () => {
    const { leases, take, hints, pass } = setUp();
    const lease = await take();
    leases.loseAll();
    pass(1000);
    const next = await take();
    await lease.release();
    expect([hints, next.isHeld(), leases.held()]).toEqual([[], true, 1]);
  });

  it('is forgotten at once where that is asked for', async () => {
    const { leases, take } = setUp();
    await (await take()).release();
    await leases.forget(['feed', 'never']);
    expect(await leases.lastEpoch('feed')).toBe(0);
  });

  it('is forgotten early beyond 100,000', async () => {
    const { leases, take } = setUp();
    const all = await Promise.all(Array.from({ length: 100_001 }, (_, index) => take(`p${index}`)));
    await Promise.all(all.map((lease) => lease.release()));
    expect(await leases.lastEpoch('p0')).toBe(0);
    expect(await leases.lastEpoch('p1')).toBeGreaterThan(0);
  });

  it('is free, and said to be, once what was lost has stopped after all', async () => {
    const { leases, take, hints } = setUp();
    const lease = await take();
    leases.loseAll();
    await lease.release();
    await lease.release();
    expect(hints).toEqual(['released']);
  });

  it('keeps a name taken that was lost, also when its epoch is to be forgotten', async () => {
    const { leases, take } = setUp();
    await take();
    leases.loseAll();
    await leases.forget(['feed']);
    expect(await leases.acquire('feed')).toBeUndefined();
  });

  it('is forgotten with its epoch after a day', async () => {
    const { leases, take, pass } = setUp();
    const { epoch, release } = await take().then((lease) => ({ epoch: lease.epoch, release: () => lease.release() }));
    await release();
    const other = await take('other');
    pass(24 * 3_600_000 - 1);
    expect(await leases.lastEpoch('feed')).toBe(epoch);
    pass(1);
    await other.release();
    expect(await leases.lastEpoch('feed')).toBe(0);
    expect(await leases.lastEpoch('other')).toBe(other.epoch);
  });
});

describe('LocalLeases: taking a name', () => {
  it('gives epochs on the scale of a cluster, each above all before and above what is asked for', async () => {
    const { leases, take, pass } = setUp();
    const { epoch } = await take();
    expect(epoch).toBe(1_000_000_000);
    expect((await take('b')).epoch).toBe(epoch + 1);
    expect((await leases.acquire('c', 5_000_000_000))!.epoch).toBe(5_000_000_001);
    expect((await leases.acquire('d', 7))!.epoch).toBe(5_000_000_002);
    pass(5_000_000);
    expect((await take('e')).epoch).toBe(6_000_000_000);
  });

  it('says who owns it, since when, and whether it runs', async () => {
    const { leases, take, pass } = setUp();
    const lease = await take();
    const owner = { name: 'feed', node: 'n1', bootId: 'b1', epoch: lease.epoch, since: 1_000_000 };
    pass(500);
    expect(await leases.owners(['feed', 'b'])).toEqual([{ ...owner, state: 'starting' }, undefined]);
    await lease.announce();
    expect(await leases.owners(['feed'])).toEqual([{ ...owner, state: 'running' }]);
    expect(await lease.refresh(1)).toBe(lease.epoch);
  });

  it('is refused while it is owned, and for as long as a lease after it was lost', async () => {
    const { leases, take, pass } = setUp();
    const lease = await take();
    expect([leases.held(), await leases.acquire('feed')]).toEqual([1, undefined]);
    expect(await leases.standing(['feed', 'b'])).toEqual([
      { name: 'feed', freeInMs: 1000 },
      { name: 'b', freeInMs: 0 },
    ]);
    lease.abandon();
    pass(999);
    expect([leases.held(), await leases.acquire('feed')]).toEqual([0, undefined]);
    expect(await leases.standing(['feed'])).toEqual([{ name: 'feed', freeInMs: 1 }]);
    pass(1);
    expect((await take()).epoch).toBeGreaterThan(lease.epoch);
  });

  it('is over for all when it is closed, and for good', async () => {
    const { leases, take, events } = setUp();
    const lease = await take();
    leases.close();
    expect([lease.isHeld(), lease.signal.aborted]).toEqual([false, true]);
    expect(events.at(-1)).toEqual([
      'lease.lost',
      { name: 'feed', node: 'n1', epoch: lease.epoch, reason: 'abandoned' },
    ]);
    expect(await leases.acquire('b')).toBeUndefined();
  });

  it('tells what becomes of it, once', async () => {
    const { leases, take, events } = setUp();
    const first = await take();
    await first.release();
    const second = await take();
    leases.loseAll();
    leases.loseAll();
    await second.release();
    const told = { name: 'feed', node: 'n1' };
    expect(events).toEqual([
      ['lease.acquired', { ...told, epoch: first.epoch }],
      ['lease.released', { ...told, epoch: first.epoch }],
      ['lease.acquired', { ...told, epoch: second.epoch }],
      ['lease.lost', { ...told, epoch: second.epoch, reason: 'replaced' }],
    ]);
  });

  it('is not made free by an earlier owner that stops late', async () => {
    const { leases, take, hints, pass } = setUp();
    const first = await take();
    leases.loseAll();
    pass(1000);
    await take();
    leases.loseAll();
    await first.release();
    expect(hints).toEqual([]);
    expect(await leases.acquire('feed')).toBeUndefined();
  });
});

describe('LocalLeases: a fenced write', () => {
  it('is refused below an epoch that wrote, for as long as that lives', async () => {
    const { leases, pass } = setUp();
    await leases.fencedSet('k', 'v', 7, 5000);
    await leases.fencedSet('k', 'v', 7, 5000);
    const refused = leases.fencedSet('k', 'v', 6);
    await expect(refused).rejects.toBeInstanceOf(StaleEpochError);
    await expect(refused).rejects.toMatchObject({ key: 'k', epoch: 6, storedEpoch: 7 });
    await expect(leases.fencedDelete('k', 6)).rejects.toThrow(StaleEpochError);
    pass(4999);
    await expect(leases.fencedSet('k', 'v', 6)).rejects.toThrow(StaleEpochError);
    pass(1);
    await leases.fencedSet('k', 'v', 6);
  });

  it('lives as long as in a cluster, also what is left of one that was deleted', async () => {
    const { leases, pass } = setUp();
    await leases.fencedSet('k', 'v', 7);
    pass(LIVES.fenced - 1);
    await expect(leases.fencedSet('k', 'v', 6)).rejects.toThrow(StaleEpochError);
    await leases.fencedDelete('k', 8);
    pass(LIVES.fencedMark - 1);
    await expect(leases.fencedSet('k', 'v', 7)).rejects.toThrow(StaleEpochError);
    pass(1);
    await leases.fencedSet('k', 'v', 7);
  });
});

it('LocalLeases: what an owner left is not inherited by itself', async () => {
  const { take } = setUp();
  const lease = await take();
  await lease.leave('state');
  expect(await lease.inherit()).toBeUndefined();
  await lease.release();
  expect(await lease.inherit()).toBeUndefined();
  expect(await (await take()).inherit()).toBe('state');
});
