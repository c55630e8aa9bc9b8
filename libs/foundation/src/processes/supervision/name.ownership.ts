/**
 * Whether some names have an owner, as far as Redis can be believed.
 * Asked before a stop is reported, a temporary process is started again, and partitions get another number.
 */
import type { Leases, OwnerRecord } from '../../backend/leases/leases.js';

/** `unknown`: Redis names no owner, and may have lost its data a moment ago; retry after `graceMs`. */
export type Ownership = { state: 'owned' | 'free' } | { state: 'unknown'; graceMs: number };

/**
 * INVARIANT (I14, I17): a Redis that lost its data knows no owner, while a node that has not noticed may still be one,
 * and may take its lease back in the grace period. So no answer from within it counts as `free`; and the owners are
 * queried once more after it was seen to be over, because one may have come back at its very end.
 */
export async function ownershipOf(
  leases: Pick<Leases, 'grace'>,
  owners: () => Promise<readonly (OwnerRecord | undefined)[]>,
): Promise<Ownership> {
  const isOwned = async (): Promise<boolean> => (await owners()).some((owner) => owner !== undefined);
  if (await isOwned()) return { state: 'owned' };
  const graceMs = await leases.grace();
  if (graceMs > 0) return { state: 'unknown', graceMs };
  return { state: (await isOwned()) ? 'owned' : 'free' };
}
