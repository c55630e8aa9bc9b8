import { describe, expect, it } from '@jest/globals';
import { Telemetry } from '../../telemetry/telemetry.js';
import { LocalLeases } from './local.leases.js';

describe('LocalLeases: what an owner leaves', () => {
  const setUp = () => {
    let now = 1_000_000;
    const leases = new LocalLeases({
      node: { name: 'n1', bootId: 'b1' },
      telemetry: new Telemetry(),
      hint: () => undefined,
      ttl: 1000,
      wallClock: () => now,
    });
    const take = async (name = 'feed') => (await leases.acquire(name))!;
    return { leases, take, pass: (ms: number) => void (now += ms) };
  };

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
