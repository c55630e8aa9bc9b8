import { describe, expect, it, jest } from '@jest/globals';
import type { Lease, Leases } from '../../backend/leases/leases.js';
import { ArgumentError } from '../../errors/config.errors.js';
import { LeaseLostError, StaleEpochError } from '../../errors/process.errors.js';
import { fencedEffects } from './fenced.effects.js';

const setUp = () => {
  const fencedSet = jest.fn<Leases['fencedSet']>().mockResolvedValue(undefined);
  const fencedDelete = jest.fn<Leases['fencedDelete']>().mockResolvedValue(undefined);
  const state = { held: true };
  const refresh = jest.fn<Lease['refresh']>().mockResolvedValue(7);
  const lease = { epoch: 7, isHeld: () => state.held, refresh } as unknown as Lease & { epoch: number };
  const fenced = fencedEffects({ leases: { fencedSet, fencedDelete }, lease, name: 'feed', node: 'n1' });
  return { fenced, fencedSet, fencedDelete, state, lease, refresh };
};

describe('fencedEffects', () => {
  it('sets for as long as asked, and deletes, with the epoch of the lease', async () => {
    const { fenced, fencedSet, fencedDelete } = setUp();
    await fenced.set('k', 'v');
    await fenced.set('k', '', { ttl: 60_000 });
    await fenced.set('k', 'x'.repeat(1024 * 1024), {});
    await fenced.delete('k');
    expect(fencedSet.mock.calls.map(([key, value, ...rest]) => [key, value.length, ...rest])).toEqual([
      ['k', 1, 7, undefined],
      ['k', 0, 7, 60_000],
      ['k', 1024 * 1024, 7, undefined],
    ]);
    expect(fencedDelete.mock.calls).toEqual([['k', 7]]);
  });

  it('says in words of ours that Redis is away, and leaves what is said already', async () => {
    const { fenced, fencedSet, fencedDelete } = setUp();
    const raw = new Error('Stream is not writeable');
    const stale = new StaleEpochError('k', 7, 8);
    fencedSet.mockRejectedValueOnce(raw).mockRejectedValueOnce(stale);
    fencedDelete.mockRejectedValueOnce(raw);
    await expect(fenced.set('k', 'v')).rejects.toMatchObject({ code: 'FOUNDATION_REDIS_UNAVAILABLE', cause: raw });
    await expect(fenced.set('k', 'v')).rejects.toBe(stale);
    await expect(fenced.delete('k')).rejects.toMatchObject({ code: 'FOUNDATION_REDIS_UNAVAILABLE', cause: raw });
  });

  it('writes once more, with what a refresh says, where data was lost since the epoch began', async () => {
    const { fenced, fencedSet, fencedDelete, refresh, lease } = setUp();
    const lost = new StaleEpochError('k', 7, 20, 'lost');
    fencedSet.mockRejectedValueOnce(lost);
    refresh.mockImplementationOnce((above) => Promise.resolve((lease.epoch = above + 1)));
    await fenced.set('k', 'v');
    expect(refresh.mock.calls).toEqual([[20]]);
    expect(fencedSet.mock.calls.map(([, , epoch]) => epoch)).toEqual([7, 21]);
    fencedDelete.mockRejectedValueOnce(new StaleEpochError('k', 21, 30, 'lost'));
    // Of a lease whose epoch is not minted in Redis.
    refresh.mockImplementationOnce((above) => Promise.resolve(above));
    await fenced.delete('k');
    await fenced.set('k', 'w');
    expect(fencedDelete.mock.calls).toEqual([
      ['k', 21],
      ['k', 30],
    ]);
    expect(fencedSet.mock.lastCall).toEqual(['k', 'w', 30, undefined]);
  });

  it('rejects where the refresh finds that the lease is lost, or raises nothing', async () => {
    const { fenced, fencedSet, refresh, state } = setUp();
    const lost = new StaleEpochError('k', 7, 20, 'lost');
    fencedSet.mockRejectedValue(lost);
    await expect(fenced.set('k', 'v')).rejects.toBe(lost);
    expect(fencedSet.mock.calls).toHaveLength(2);
    refresh.mockImplementationOnce(() => {
      state.held = false;
      return Promise.resolve(7);
    });
    await expect(fenced.set('k', 'v')).rejects.toBeInstanceOf(LeaseLostError);
    refresh.mockRejectedValueOnce(new Error('Connection is closed.'));
    state.held = true;
    await expect(fenced.set('k', 'v')).rejects.toMatchObject({ code: 'FOUNDATION_REDIS_UNAVAILABLE' });
    expect(fencedSet.mock.calls).toHaveLength(4);
  });

  it('refuses without a call once the lease is not held', async () => {
    const { fenced, fencedSet, fencedDelete, state } = setUp();
    state.held = false;
    await expect(fenced.set('k', 'v')).rejects.toBeInstanceOf(LeaseLostError);
    await expect(fenced.delete('k')).rejects.toBeInstanceOf(LeaseLostError);
    expect([fencedSet.mock.calls, fencedDelete.mock.calls]).toEqual([[], []]);
  });

  it.each([
    ['key', ['', 'v']],
    ['key', ['k'.repeat(513), 'v']],
    ['key', [7, 'v']],
    ['value', ['k', 'ü'.repeat(600_000)]],
    ['value', ['k', undefined]],
    ['value', ['k', { toString: () => 'v' }]],
    ['ttl', ['k', 'v', { ttl: 59_999 }]],
    ['ttl', ['k', 'v', { ttl: Infinity }]],
    ['ttl', ['k', 'v', { ttl: '60000' }]],
    ['ttl', ['k', 'v', { ttl: null }]],
    ['options', ['k', 'v', 60]],
    ['ttl', ['k', 'v', { ttl: 400 * 86_400_000 }]],
  ])('refuses a %s that cannot be: %j', async (argument, args) => {
    const { fenced, fencedSet } = setUp();
    const set = fenced.set as (...args: unknown[]) => Promise<void>;
    const refused = set(...(args as unknown[]));
    await expect(refused).rejects.toBeInstanceOf(ArgumentError);
    await expect(refused).rejects.toMatchObject({ argument });
    expect(fencedSet.mock.calls).toEqual([]);
  });

  it('refuses a key to delete that cannot be', async () => {
    await expect(setUp().fenced.delete('')).rejects.toMatchObject({ argument: 'key' });
  });
});
