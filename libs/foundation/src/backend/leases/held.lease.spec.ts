import { describe, expect, it, jest } from '@jest/globals';
import { LeaseLostError } from '../../errors/process.errors.js';
import { HeldLease, type LeaseHolder } from './held.lease.js';

const DEADLINE = 1233;

function setUp() {
  const clock = { now: 1000 };
  const holder = {
    announce: jest.fn<LeaseHolder['announce']>().mockResolvedValue(undefined),
    leave: jest.fn<LeaseHolder['leave']>().mockResolvedValue(undefined),
    inherit: jest.fn<LeaseHolder['inherit']>().mockResolvedValue('state'),
    refresh: jest.fn<LeaseHolder['refresh']>().mockResolvedValue(undefined),
    release: jest.fn<LeaseHolder['release']>().mockResolvedValue(undefined),
    lost: jest.fn<LeaseHolder['lost']>(),
  };
  const grant = { epoch: 7, sentAt: 900 };
  const subject = { name: 'feed', key: 'key:feed', token: 'token', node: 'n1', deadlineMs: DEADLINE };
  const lease = new HeldLease(holder, subject, grant, () => clock.now);
  return { clock, holder, lease };
}

describe('HeldLease', () => {
  it('counts from when the acknowledged renewal was sent', () => {
    const { clock, lease } = setUp();
    expect(lease.left()).toBe(DEADLINE - 100);
    clock.now = 900 + DEADLINE - 1;
    expect(lease.isHeld()).toBe(true);
    clock.now = 900 + DEADLINE;
    expect(lease.isHeld()).toBe(false);
    expect(lease.left()).toBe(0);
  });

  it('is not held past its deadline even before anybody has noticed, and its signal waits for the one who does', () => {
    const { clock, lease, holder } = setUp();
    clock.now = 9999;
    expect(lease.isHeld()).toBe(false);
    expect(lease.signal.aborted).toBe(false);
    expect(holder.lost).not.toHaveBeenCalled();
  });

  it('is prolonged by an acknowledgement', () => {
    const { clock, lease } = setUp();
    lease.ackedAt = 2000;
    clock.now = 900 + DEADLINE;
    expect(lease.isHeld()).toBe(true);
  });

  it('is unsure from the moment at which nothing that was given up can arrive, until what is sent then is answered', () => {
    const { lease } = setUp();
    expect(lease.isUnsure(5000)).toBe(false);
    lease.astray(2000);
    expect(lease.isUnsure(1000)).toBe(true);
    lease.heard(1999);
    expect([1999, 2000].map((now) => lease.isUnsure(now))).toEqual([false, true]);
    // What is given up later counts; what was given up before it does not shorten that.
    lease.astray(3000);
    lease.astray(2500);
    lease.heard(2999);
    expect([2999, 3000].map((now) => lease.isUnsure(now))).toEqual([false, true]);
    lease.heard(3000);
    expect(lease.isUnsure(9999)).toBe(false);
  });

  it.each([
    ['abandoned', DEADLINE + 899],
    ['deadline', DEADLINE + 900],
  ] as const)('is %s when it is abandoned at %d', (reason, now) => {
    const { clock, lease, holder } = setUp();
    clock.now = now;
    lease.abandon();
    expect(holder.lost).toHaveBeenCalledWith(lease, reason);
  });

  it.each(['deadline', 'taken', 'abandoned', 'replaced'] as const)('says why it was lost: %s', (reason) => {
    const { lease, holder } = setUp();
    lease.lose(reason);
    expect(lease.isHeld()).toBe(false);
    expect(lease.ended).toBe(true);
    expect(lease.signal.aborted).toBe(true);
    const error = lease.signal.reason as LeaseLostError;
    expect(error).toBeInstanceOf(LeaseLostError);
    expect(error).toMatchObject({ processName: 'feed', node: 'n1', epoch: 7 });
    expect(holder.lost).toHaveBeenCalledWith(lease, reason);
  });

  it('is lost once, however often it is said', () => {
    const { lease, holder } = setUp();
    const aborted = jest.fn();
    lease.signal.addEventListener('abort', aborted);
    lease.lose('taken');
    const { reason } = lease.signal as { reason: unknown };
    lease.lose('deadline');
    lease.abandon();
    expect(holder.lost).toHaveBeenCalledTimes(1);
    expect(aborted).toHaveBeenCalledTimes(1);
    expect(lease.signal.reason).toBe(reason);
  });

  it('is no longer held when the holder and the listeners hear of the loss', () => {
    const { lease, holder } = setUp();
    const seen: boolean[] = [];
    holder.lost.mockImplementation((which) => void seen.push(which.isHeld()));
    lease.signal.addEventListener('abort', () => seen.push(lease.isHeld()));
    lease.lose('taken');
    expect(seen).toEqual([false, false]);
  });

  it('ends in order without a signal, and cannot be lost afterwards', () => {
    const { lease, holder } = setUp();
    lease.end();
    expect(lease.isHeld()).toBe(false);
    lease.lose('deadline');
    expect(lease.signal.aborted).toBe(false);
    expect(holder.lost).not.toHaveBeenCalled();
  });

  it('hands announce, leave, inherit and release to its holder', async () => {
    const { lease, holder } = setUp();
    expect(lease.announced).toBe(false);
    await lease.announce();
    expect(lease.announced).toBe(true);
    await lease.leave('mine');
    await expect(lease.inherit()).resolves.toBe('state');
    await lease.release();
    expect(holder.announce).toHaveBeenCalledWith(lease);
    expect(holder.leave).toHaveBeenCalledWith(lease, 'mine');
    expect(holder.inherit).toHaveBeenCalledWith(lease);
    expect(holder.release).toHaveBeenCalledWith(lease);
  });
});
