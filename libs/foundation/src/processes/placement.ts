/**
 * Pure: in which order the members may take a process.
 * Called by the supervisor; rank 0 tries first, the others a little later, so no coordinator is needed.
 */
import type { Member } from '../cluster/membership.js';
import { rendezvous } from '../tools/rendezvous.js';

/** `spread`: the least loaded first. `hash`: the same order for the same name everywhere (rendezvous hashing). */
export type PlacementName = 'spread' | 'hash';

/** Where a process may run and who comes first. */
export interface Placement {
  strategy: PlacementName;
  /** Only nodes that have all of these labels. */
  labels: Readonly<Record<string, string>>;
}

/** What placement needs to know of a process. */
export interface Placeable {
  name: string;
  /** Name of the class. */
  type: string;
  /** True when members list the class among theirs; otherwise every member may know it. */
  declared: boolean;
  placement: Placement;
  /** A node on which it crashed too often lately. */
  avoid?: string;
  /** The node it was moved to. */
  prefer?: string;
}

/** One member in the order, or out of it. */
export interface Candidate {
  node: string;
  /** Compared from left to right, smaller first: not preferred, avoided, suspect, lagging, load, hash. */
  score: readonly number[];
  /** In words, why it stands where it does; for one that is excluded, why. */
  reason: string;
  excluded: boolean;
}

/** How many more processes a node must own than the best one before `spread` moves one. */
const WORTH_MOVING = 2;
/** How long after a move nobody but its target takes the process, unless the target is gone. */
const GIVE_WAY_MS = 3000;
/** An event loop that is later than this ranks lower and is no sign of health, in milliseconds. */
export const LAGGING_MS = 200;

/** Every member, best first, then those that may not run the process. */
export function explain(subject: Placeable, members: readonly Member[]): Candidate[] {
  return members
    .map((member) => {
      const exclusion = exclusionOf(subject, member);
      const score = scoreOf(subject, member);
      return {
        node: member.name,
        score,
        reason: exclusion ?? reasonOf(subject, member),
        excluded: exclusion !== undefined,
      };
    })
    .sort((a, b) => Number(a.excluded) - Number(b.excluded) || compare(a.score, b.score));
}

/** The names of the members that may run the process, best first. */
export function rankMembers(subject: Placeable, members: readonly Member[]): string[] {
  return members
    .filter((member) => exclusionOf(subject, member) === undefined)
    .map((member) => ({ name: member.name, score: scoreOf(subject, member) }))
    .sort((a, b) => compare(a.score, b.score))
    .map(({ name }) => name);
}

/** The node that suits a process better than this one, if it is worth a move. */
export function betterNode(entry: Placeable, members: readonly Member[], self: string): string | undefined {
  const [best] = rankMembers(entry, members);
  if (best === undefined || best === self) return undefined;
  if (entry.placement.strategy === 'hash') return best;
  const loadOf = (node: string): number => members.find(({ name }) => name === node)?.load ?? 0;
  return loadOf(self) - loadOf(best) >= WORTH_MOVING ? best : undefined;
}

/**
 * True while a process that was just moved must be left to its target: a node whose copy of the table is older than the
 * move wins the lease with an old rank, and being first would undo the move.
 */
export function givesWay(subject: Placeable, members: readonly Member[], self: string, ageMs: number): boolean {
  const { prefer } = subject;
  if (prefer === undefined || prefer === self || prefer === subject.avoid) return false;
  // A version of the future is one from before the clock of Redis was set back.
  if (Math.abs(ageMs) > GIVE_WAY_MS) return false;
  const target = members.find(({ name }) => name === prefer);
  return target !== undefined && target.state === 'up' && exclusionOf(subject, target) === undefined;
}

function exclusionOf(subject: Placeable, member: Member): string | undefined {
  if (member.state === 'draining') return 'it is draining';
  if (subject.declared && !member.classes.includes(subject.type)) return `it does not have the class ${subject.type}`;
  const missing = Object.entries(subject.placement.labels).find(([key, value]) => member.labels[key] !== value);
  if (missing !== undefined) return `it lacks the label ${missing[0]}=${missing[1]}`;
  if (member.capacity !== undefined && member.load >= member.capacity)
    return `it is full (${member.load} of ${member.capacity})`;
  return undefined;
}

function reasonOf(subject: Placeable, member: Member): string {
  if (member.name === subject.prefer) return 'it was moved there';
  if (member.name === subject.avoid) return 'it crashed there again and again';
  if (member.state === 'suspect') return 'it missed beats';
  if (member.lag > LAGGING_MS) return `its event loop is ${Math.round(member.lag)} ms late`;
  return subject.placement.strategy === 'spread' ? `it owns ${member.load}, then by hash` : 'by hash';
}

/** This node's place in the order; after everyone else when it is not among them. */
export function rankOf(subject: Placeable, members: readonly Member[], node: string): number {
  const ranked = rankMembers(subject, members);
  const index = ranked.indexOf(node);
  return index < 0 ? ranked.length : index;
}

function scoreOf(subject: Placeable, member: Member): number[] {
  return [
    member.name === subject.prefer ? 0 : 1,
    member.name === subject.avoid ? 1 : 0,
    member.state === 'suspect' ? 1 : 0,
    member.lag > LAGGING_MS ? 1 : 0,
    subject.placement.strategy === 'spread' ? member.load : 0,
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
