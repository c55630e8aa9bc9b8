/**
 * Pure: in which order the members may take a process.
 * Rank 0 tries first, the others a little later, so no coordinator is needed.
 */
import type { Member } from '../../cluster/member.js';
import { rendezvous, weightsOf } from '../../cluster/rendezvous.js';
import { exclusionOf, type Known, type Placeable } from './placement.exclusion.js';

/** One member in the order, or out of it. */
export interface Candidate {
  node: string;
  /**
   * Compared from left to right, smaller first: not preferred, avoided, suspect, lagging, load, not the owner, hash.
   */
  score: readonly number[];
  /** In words, why it stands where it does; for one that is excluded, why. */
  reason: string;
  excluded: boolean;
}

/** An event loop that is later than this ranks lower and is no sign of health, in milliseconds. */
export const LAGGING_MS = 200;

/** The place of a node in the order, and who is first in it. */
export interface Turn {
  rank: number;
  /** `undefined` when no node may run the process. */
  best: string | undefined;
}

export type Key = (subject: Placeable, member: Member, known: Known) => number;

/** The load of a member. */
export const LOAD: Key = (subject, member, known) =>
  subject.placement.strategy === 'spread' ? loadBesides(member, known) : 0;

/** Compared one after the other, smaller first. What speaks for a moment only does not speak against the owner. */
const CHEAP: readonly Key[] = [
  ({ prefer }, { name }) => (name === prefer ? 0 : 1),
  ({ avoid }, { name }) => (name === avoid ? 1 : 0),
  (_subject, { name, state }, { owner }) => (state === 'suspect' && name !== owner ? 1 : 0),
  (_subject, { name, lag }, { owner }) => (lag > LAGGING_MS && name !== owner ? 1 : 0),
  LOAD,
  ({ placement }, { name }, { owner }) =>
    placement.strategy === 'spread' && owner !== undefined && name !== owner ? 1 : 0,
];
/** All of it: what is left is decided by the hash of the names. */
export const KEYS: readonly Key[] = [...CHEAP, (subject, { name }) => -rendezvous(subject.name, name)];

/** Every member, best first, then those that may not run the process. */
export function explain(subject: Placeable, members: readonly Member[], known: Known = {}): Candidate[] {
  return members
    .map((member) => {
      const exclusion = exclusionOf(subject, member, known);
      return {
        node: member.name,
        score: scoreOf(subject, member, known),
        reason: exclusion ?? reasonOf(subject, member, known),
        excluded: exclusion !== undefined,
      };
    })
    .sort((a, b) => Number(a.excluded) - Number(b.excluded) || compare(a.score, b.score));
}

/** The names of the members that may run the process, best first. */
export function rankMembers(subject: Placeable, members: readonly Member[], known: Known = {}): string[] {
  return members
    .filter((member) => exclusionOf(subject, member, known) === undefined)
    .map((member) => ({ name: member.name, score: scoreOf(subject, member, known) }))
    .sort((a, b) => compare(a.score, b.score))
    .map(({ name }) => name);
}

/**
 * A node's place in that order, and who is first; `undefined` for a node that may not run the process. Looks at each
 * member once, for a thousand names may become free together. A node that the view does not have yet comes after
 * everyone.
 */
export function turnOf(
  subject: Placeable,
  members: readonly Member[],
  node: string,
  known: Known = {},
): Turn | undefined {
  const self = members.find(({ name }) => name === node);
  if (self !== undefined && exclusionOf(subject, self, known) !== undefined) return undefined;
  const order = orderOf(subject, known);
  const own = self && order.standing(self);
  let best = own;
  let rank = 0;
  for (const member of members) {
    if (member === self || exclusionOf(subject, member, known) !== undefined) continue;
    const standing = order.standing(member);
    if (own === undefined || order.isBefore(standing, own)) rank += 1;
    if (best === undefined || order.isBefore(standing, best)) best = standing;
  }
  return { rank, best: best?.member.name };
}

/** What a member owns besides the process in question. */
function loadBesides(member: Member, { owner, loadOf }: Known): number {
  const load = loadOf?.(member) ?? member.load;
  return member.name === owner ? load - 1 : load;
}

function reasonOf(subject: Placeable, member: Member, known: Known): string {
  const isOwner = member.name === known.owner;
  if (member.name === subject.prefer) return 'it was moved there';
  if (member.name === subject.avoid) return 'it crashed there again and again';
  if (member.state === 'suspect' && !isOwner) return 'it missed beats';
  if (member.lag > LAGGING_MS && !isOwner) return `its event loop is ${Math.round(member.lag)} ms late`;
  if (subject.placement.strategy !== 'spread') return 'by hash';
  const owns = loadBesides(member, known);
  return isOwner ? `it runs there, and the node owns ${owns} besides` : `it owns ${owns}, then by hash`;
}

function scoreOf(subject: Placeable, member: Member, known: Known): number[] {
  return KEYS.map((key) => key(subject, member, known));
}

/** A member and what it is compared by: the hash last, and only where all else is equal, for it costs most. */
interface Standing {
  member: Member;
  keys: readonly number[];
  weight: number | undefined;
}

/** The order of {@link KEYS} for one process, for those who need only who is before whom. */
export function orderOf(subject: Placeable, known: Known) {
  const weight = weightsOf(subject.name);
  const standing = (member: Member): Standing => ({
    member,
    keys: CHEAP.map((key) => key(subject, member, known)),
    weight: undefined,
  });
  const isBefore = (a: Standing, b: Standing): boolean => {
    const difference = compare(a.keys, b.keys);
    if (difference !== 0) return difference < 0;
    a.weight ??= weight(a.member.name);
    b.weight ??= weight(b.member.name);
    return a.weight > b.weight;
  };
  return { standing, isBefore };
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < a.length; index++) {
    const difference = a[index]! - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
