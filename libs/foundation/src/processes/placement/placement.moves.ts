/**
 * Pure: when a process moves to another member, and when that member takes it.
 * No move is worth undoing; see `betterNode` and `refusalOf`.
 */
import type { Member } from '../../cluster/member.js';
import { exclusionOf, fullnessOf, type Known, misfitOf, type Placeable } from './placement.exclusion.js';
import { KEYS, LAGGING_MS, LOAD, orderOf } from './placement.js';

/** How long after a move only its target takes the process, unless the target is gone. */
const GIVE_WAY_MS = 3000;
/** A node that suits a process better than the one that runs it. */
export interface Better {
  node: string;
  /** True when nothing but the load speaks for it: then it must own at least two fewer at the moment of the move. */
  byLoad: boolean;
}

/** What the owner of a process, and the node that is to take it, know of the move. */
export interface Proposal {
  /** The owner. */
  from: string;
  /** What the other one may own afterwards: what the owner has left then; `undefined` when the load does not matter. */
  limit: number | undefined;
  /** As the one that is asked sees them. */
  members: readonly Member[];
}

/**
 * What of the members speaks for or against a move of something that this node owns: as long as it stays the same, what
 * was found to be in its place still is. Their loads matter only where they own at least two fewer.
 */
export function outlookOf(members: readonly Member[], self: string, load: number): string {
  return members
    .map((member) => {
      const { bootId, state, lag, load: theirs } = member;
      if (member.name === self) return `${bootId} ${state} ${fullnessOf(member, { loadOf: () => load }) !== undefined}`;
      const isBetter = theirs <= load - 2 ? theirs : '';
      return `${bootId} ${state} ${lag > LAGGING_MS} ${fullnessOf(member, {}) !== undefined} ${isBetter}`;
    })
    .join(', ');
}

/**
 * The node that a process should move to, if there is one: the first in the order, in which the owner counts without
 * the process, so that a move is never worth undoing. It is the only one that decides about moves.
 */
export function betterNode(
  subject: Placeable,
  members: readonly Member[],
  owner: string,
  loadOf?: (member: Member) => number,
): Better | undefined {
  const known: Known = { owner, ...(loadOf === undefined ? {} : { loadOf }) };
  const from = members.find(({ name }) => name === owner);
  const mayStay = from !== undefined && exclusionOf(subject, from, known) === undefined;
  const order = orderOf(subject, known);
  let first = mayStay ? order.standing(from) : undefined;
  for (const member of members) {
    if (member === from || exclusionOf(subject, member, known) !== undefined) continue;
    const standing = order.standing(member);
    if (first === undefined || order.isBefore(standing, first)) first = standing;
  }
  const to = first?.member;
  if (to === undefined || to === from) return undefined;
  // One that misses beats or lags is first only where the owner may not stay, and a moment later it may be neither.
  if (to.state !== 'up' || to.lag > LAGGING_MS) return undefined;
  const decisive = mayStay ? KEYS.find((key) => key(subject, from, known) !== key(subject, to, known)) : undefined;
  return { node: to.name, byLoad: decisive === LOAD };
}

/**
 * Why a node does not take a process that another one would move to it; `undefined` when it does.
 *
 * INVARIANT (I20): it decides by what it owns and has promised itself, not by what anybody has heard of it, and a
 * process moves for the load only to a node that owns at least two fewer. So each move makes the loads more even,
 * however old the view was by which it was proposed, and the moves come to an end.
 *
 * @param load what the node owns and has promised.
 */
export function refusalOf(
  subject: Placeable,
  member: Member,
  load: number,
  { limit, from, members }: Proposal,
): string | undefined {
  const exclusion = exclusionOf(subject, member, { loadOf: () => load });
  if (exclusion !== undefined || limit === undefined) return exclusion;
  if (load + 1 > limit) return `it owns ${load}`;
  // Several that move at the same time have all seen the same node idle.
  const idler = members.find(
    (other) =>
      ![member.name, from].includes(other.name) &&
      other.load < load &&
      other.state === 'up' &&
      exclusionOf(subject, other) === undefined,
  );
  return idler === undefined ? undefined : `${idler.name} owns fewer`;
}

/** What a node knows of a process that it has just won. */
export interface Taken {
  self: string;
  /** The owner before, where it is known. */
  before: string | undefined;
  /** How long ago the row was written. */
  ageMs: number;
}

/**
 * True while a process that was just moved must be left to its target: a node whose copy of the table is older than the
 * move wins the lease with an old rank, and being first would undo the move. A target that had it already has lost it,
 * and may be dead: waiting until the view says so would make its failover as slow as that of a node.
 */
export function givesWay(subject: Placeable, members: readonly Member[], { self, before, ageMs }: Taken): boolean {
  const { prefer } = subject;
  if (prefer === undefined || prefer === self || prefer === subject.avoid || prefer === before) return false;
  // A version of the future is one from before the clock of Redis was set back.
  if (Math.abs(ageMs) > GIVE_WAY_MS) return false;
  const target = members.find(({ name }) => name === prefer);
  // Whether it is full only the target knows: what others have heard of it may be older than the room that was made
  // there.
  return target !== undefined && target.state === 'up' && misfitOf(subject, target) === undefined;
}
