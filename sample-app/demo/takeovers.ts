/**
 * Pure: what the nodes reported, and which of them were killed → how long each take-over took.
 */
import { type Happening, ownerships } from './history.js';

/** The death of an owner, and who came after it. */
export interface Takeover {
  /** When the owner was killed. */
  at: number;
  from: string;
  /** Not there while the singleton runs nowhere. */
  to?: string;
  epoch?: number;
  /** From the kill until the singleton had started again; until now while it has not. */
  ms: number;
}

/**
 * One for each `kill` that hit the owner, oldest first. A node that ended without one counts from its `exit`: it was
 * killed from somewhere else.
 */
export function takeovers(happenings: readonly Happening[], singleton: string, now: number): Takeover[] {
  const owned = ownerships(happenings, singleton);
  const found: Takeover[] = [];
  for (const { node, acquiredAt, startedAt, endedAt } of owned) {
    if (startedAt === undefined || endedAt === Infinity) continue;
    const isThisLife = ({ at, node: who }: Happening): boolean => who === node && at >= acquiredAt && at <= endedAt;
    const exit = happenings.find((seen) => seen.event === 'exit' && isThisLife(seen));
    if (exit === undefined) continue;
    const at = happenings.find((seen) => seen.event === 'kill' && isThisLife(seen))?.at ?? exit.at;
    const next = owned.find((other) => (other.startedAt ?? 0) > at);
    const ms = Math.round((next?.startedAt ?? now) - at);
    found.push({ at, from: node, to: next?.node, epoch: next?.epoch, ms });
  }
  return found;
}
