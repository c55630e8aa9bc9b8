import { describe, expect, it } from '@jest/globals';
import { Telemetry } from '../../telemetry/telemetry.js';
import { LocalLeases } from './local.leases.js';

function setUp() {
  let now = 1_000_000;
  const hints: string[] = [];
  const leases = new LocalLeases({
    node: { name: 'n1', bootId: 'b1' },
    telemetry: new Telemetry(),
    hint: ({ t }) => hints.push(t),
    ttl: 1000,
    wallClock: () => now,
  });
  const take = async (name = 'feed') => (await leases.acquire(name))!;
  return { leases, take, hints, pass: (ms: number) => void (now += ms) };
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
