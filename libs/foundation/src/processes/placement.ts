/**
 * Pure: in which order the members may take a process.
 * Called by the supervisor; rank 0 tries first, the others a little later, so no coordinator is needed.
 */
import type { Member } from '../cluster/membership.js';

/** `spread`: the least loaded first. `hash`: the same order for the same name everywhere (rendezvous hashing). */
export type PlacementName = 'spread' | 'hash';

/** What placement needs to know of a process. */
export interface Placeable {
  name: string;
  /** Name of the class. */
  type: string;
  /** True when members list the class among theirs; otherwise every member may know it. */
  declared: boolean;
  placement: PlacementName;
  /** A node on which it crashed too often lately. */
  avoid?: string;
}

/** The members that may run the process, best first. */
export function rankMembers(subject: Placeable, members: readonly Member[]): Member[] {
  return members
    .filter((member) => member.state !== 'draining')
    .filter((member) => !subject.declared || member.classes.includes(subject.type))
    .map((member) => ({ member, score: scoreOf(subject, member) }))
    .sort((a, b) => compare(a.score, b.score))
    .map(({ member }) => member);
}

/** This node's place in the order; after everyone else when it is not among them. */
export function rankOf(subject: Placeable, members: readonly Member[], node: string): number {
  const ranked = rankMembers(subject, members);
  const index = ranked.findIndex(({ name }) => name === node);
  return index < 0 ? ranked.length : index;
}

function scoreOf(subject: Placeable, member: Member): number[] {
  return [
    member.name === subject.avoid ? 1 : 0,
    member.state === 'suspect' ? 1 : 0,
    subject.placement === 'spread' ? member.load : 0,
    -rendezvous(subject.name, member.name),
  ];
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * The weight of a name on a node, 0 to 2^32 − 1: FNV-1a over both, finished with the mixer of MurmurHash3.
 * Rendezvous hashing (Thaler and Ravishankar, 1996): the node with the largest weight wins, and when a node comes or
 * goes only the names it wins or loses move.
 */
export function rendezvous(name: string, node: string): number {
  let hash = 0x811c9dc5;
  for (const char of `${name}\u0000${node}`) {
    hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
