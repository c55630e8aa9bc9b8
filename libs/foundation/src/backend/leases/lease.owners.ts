/**
 * Who owns what, as a majority of the servers says it.
 * Used by `redlock.leases.ts`; underneath EVALSHA.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Keys } from '../../wire/keys.js';
import { callsOf, toCount, toTexts } from '../redis/lua.script.js';
import type { LeaseQuorum } from './lease.quorum.js';
import type { OwnerRecord } from './leases.js';
import { ownersScript } from './owner.scripts.js';

/** How often servers that do not agree on an owner are queried, and how long to wait in between. */
const LOOKS = 4;
const RELOOK_MS = 25;

/** See the file header. */
export class LeaseOwners {
  constructor(
    private readonly control: LeaseQuorum,
    private readonly keys: Keys,
  ) {}

  async owners(names: readonly string[]): Promise<(OwnerRecord | undefined)[]> {
    const owners: (OwnerRecord | undefined)[] = [];
    for (const some of callsOf(names)) owners.push(...(await this.#some(some)));
    return owners;
  }

  async #some(names: readonly string[]): Promise<(OwnerRecord | undefined)[]> {
    const keys = names.flatMap((name) => [this.keys.lease(name), this.keys.owner(name)]);
    const decide = (replies: readonly unknown[], isLast = false): (OwnerRecord | 'none' | undefined)[] => {
      const rows = replies.filter((reply) => Array.isArray(reply)) as unknown[][];
      return names.map((name, index) =>
        this.#agreed(
          rows.map((row) => ownerOf(name, toTexts(row[index]))),
          isLast,
        ),
      );
    };
    for (let look = 1; ; look++) {
      const replies = await this.control.run(ownersScript, keys, [], (some) =>
        decide(some).every((owner) => owner !== undefined),
      );
      const owners = decide(replies, look === LOOKS);
      if (owners.every((owner) => owner !== undefined))
        return owners.map((owner) => (owner === 'none' ? undefined : owner));
      // For a moment, while a lease is being acquired or released, the servers do not agree.
      if (look === LOOKS) throw new Error(`The Redis servers do not agree who owns ${names.join(', ').slice(0, 100)}`);
      await sleep(RELOOK_MS);
    }
  }

  /** The owner that a majority names; `none` when a majority knows none. */
  #agreed(owners: readonly (OwnerRecord | undefined)[], isLast: boolean): OwnerRecord | 'none' | undefined {
    const { majority } = this.control;
    const isMost = (some: readonly unknown[]): boolean => some.length >= majority;
    const known = owners.filter((owner) => owner !== undefined);
    if (owners.length - known.length >= majority) return 'none';
    const agreed = known.filter(({ bootId }) => isMost(known.filter((other) => other.bootId === bootId)));
    // INVARIANT (I14): each server mints an epoch of its own for a new owner, and one that went back to older data for
    // an old one. Until the owner has written to most of them which one counts, none of these is named; where that does
    // not get through, the highest is better than no answer.
    const counts = agreed.filter(({ epoch }) => isMost(agreed.filter((other) => other.epoch === epoch)));
    const named = counts.length > 0 || !isLast ? counts : agreed;
    const epoch = Math.max(...named.map((owner) => owner.epoch));
    const furthest = named.filter((owner) => owner.epoch === epoch);
    return furthest.find(({ state }) => state === 'running') ?? furthest[0];
  }
}

function ownerOf(name: string, row: readonly string[]): OwnerRecord | undefined {
  const [node, bootId, epoch, state, since] = row;
  if (node === undefined || bootId === undefined) return undefined;
  return {
    name,
    node,
    bootId,
    epoch: toCount(Number(epoch)),
    state: state === 'running' ? 'running' : 'starting',
    since: toCount(Number(since)),
  };
}
