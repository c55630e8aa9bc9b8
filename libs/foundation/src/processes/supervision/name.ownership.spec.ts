import { describe, expect, it } from '@jest/globals';
import type { OwnerRecord } from '../../backend/leases/leases.js';
import { ownershipOf } from './name.ownership.js';

const owner = { name: 'feed' } as OwnerRecord;

describe('ownershipOf', () => {
  const seen = (graceMs: number, ...answers: (OwnerRecord | undefined)[]) =>
    ownershipOf({ grace: async () => graceMs }, async () => [undefined, answers.shift()]);

  it('is owned as soon as one name has an owner, in the grace period as well', async () => {
    expect(await seen(0, owner)).toEqual({ state: 'owned' });
    expect(await seen(500, owner)).toEqual({ state: 'owned' });
  });

  it('is unknown for as long as an owner may take its lease back', async () => {
    expect(await seen(500, undefined)).toEqual({ state: 'unknown', graceMs: 500 });
  });

  it('finds an owner that came back at the very end of the grace period', async () => {
    expect(await seen(0, undefined, owner)).toEqual({ state: 'owned' });
    expect(await seen(0, undefined, undefined)).toEqual({ state: 'free' });
  });
});
