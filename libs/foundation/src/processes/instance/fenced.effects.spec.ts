import { describe, expect, it, jest } from '@jest/globals';
import type { Lease, Leases } from '../../backend/leases/leases.js';
import { ArgumentError } from '../../errors/config.errors.js';
import { LeaseLostError, StaleEpochError } from '../../errors/process.errors.js';
import { fencedEffects } from './fenced.effects.js';

const setUp = () => {
  const fencedSet = jest.fn<Leases['fencedSet']>().mockResolvedValue(undefined);
  const fencedDelete = jest.fn<Leases['fencedDelete']>().mockResolvedValue(undefined);
  const state = { held: true };
  const lease = { epoch: 7, isHeld: () => state.held } as unknown as Lease;
  const fenced = fencedEffects({ leases: { fencedSet, fencedDelete }, lease, name: 'feed', node: 'n1' });
  return { fenced, fencedSet, fencedDelete, state };
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
    ['ttl', ['k', 'v', 60]],
    ['ttl', ['k', 'v', 400 * 86_400_000]],
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
