/**
 * Pure: in which order the members may take a process.
 * Called by the supervisor; rank 0 tries first, the others a little later, so no coordinator is needed.
 */
import type { Member } from '../../cluster/membership.js';
import { rendezvous, weightsOf } from '../../cluster/rendezvous.js';

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
  /**
   * Compared from left to right, smaller first: not preferred, avoided, suspect, lagging, load, not the owner, hash.
   */
  score: readonly number[];
  /** In words, why it stands where it does; for one that is excluded, why. */
  reason: string;
  excluded: boolean;
}

/** How long after a move nobody but its target takes the process, unless the target is gone. */
const GIVE_WAY_MS = 3000;
/** An event loop that is later than this ranks lower and is no sign of health, in milliseconds. */
export const LAGGING_MS = 200;

/** What a node knows besides the list of the members. */
export interface Known {
  /**
   * The node that runs the process now: what it owns is counted without it, and it comes first where nothing speaks for
   * another.
   */
  owner?: string | undefined;
  /** What a member owns, or will own in a moment. Default: what it says itself, which is a beat old. */
  loadOf?: (member: Member) => number;
  /**
   * What of that fills it up: what is only expected decides the order, and never that a node is full. Default: all of
   * it.
   */
  ownedBy?: (member: Member) => number;
}

/** The place of a node in the order, and who is first in it. */
export interface Turn {
  rank: number;
  /** `undefined` when nobody may run the process. */
  best: string | undefined;
}

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

type Key = (subject: Placeable, member: Member, known: Known) => number;

const LOAD: Key = (subject, member, known) =>
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
const KEYS: readonly Key[] = [...CHEAP, ({ name: process }, { name }) => -rendezvous(process, name)];

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

/** Why a node may not run the process: it drains, lacks the class or a label, or is full; `undefined` when it may. */
export function exclusionOf(subject: Placeable, member: Member, known: Known = {}): string | undefined {
  return misfitOf(subject, member) ?? fullnessOf(member, known);
}

/** Why a process has nowhere to run; `undefined` when some member may run it. */
export function obstacleOf(subject: Placeable, members: readonly Member[]): string | undefined {
  const staying = members.filter(({ state }) => state !== 'draining');
  const knowing = staying.filter(({ classes }) => !subject.declared || hasClass({ classes }, subject.type));
  if (knowing.length === 0)
    return staying.length === 0 ? 'no node takes anything' : `no node has the class ${subject.type}`;
  const wanted = Object.entries(subject.placement.labels);
  const fitting = knowing.filter((member) => wanted.every(([key, value]) => hasLabel(member, key, value)));
  if (fitting.length === 0) {
    const never = wanted.filter(([key, value]) => !knowing.some((member) => hasLabel(member, key, value)));
    const lacking = never.length > 0 ? never : wanted;
    const list = lacking.map(([key, value]) => `${key}=${value}`).join(' and ');
    return `no node has the label${lacking.length > 1 ? 's' : ''} ${list}`;
  }
  if (fitting.some((member) => fullnessOf(member, {}) === undefined)) return undefined;
  const which = fitting.length === staying.length ? 'all nodes' : 'the nodes that may run it';
  const list = fitting.slice(0, 3).map(({ name, load, capacity }) => `${name} owns ${load} of ${capacity}`);
  return `${which} are full (${list.join(', ')}${fitting.length > 3 ? ', …' : ''})`;
}

/** The same for many processes: what belongs together is looked at once. */
export function obstaclesIn(members: readonly Member[]): (subject: Placeable) => string | undefined {
  const known = new Map<string, string | undefined>();
  return (subject) => {
    const { declared, type, placement } = subject;
    const like = JSON.stringify([declared && type, placement.labels]);
    if (!known.has(like)) known.set(like, obstacleOf(subject, members));
    return known.get(like);
  };
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
  // Whether it is full only the target knows: what others have heard of it may be older than the room that was made
  // there.
  return target !== undefined && target.state === 'up' && misfitOf(subject, target) === undefined;
}

/** What speaks against a node whatever it owns. */
export function misfitOf(subject: Placeable, member: Member): string | undefined {
  if (member.state === 'draining') return 'it is draining';
  if (subject.declared && !hasClass(member, subject.type)) return `it does not have the class ${subject.type}`;
  const missing = Object.entries(subject.placement.labels).find(([key, value]) => !hasLabel(member, key, value));
  return missing === undefined ? undefined : `it lacks the label ${missing[0]}=${missing[1]}`;
}

/**
 * The classes of a member, by the list that it keeps until it says others: thousands are looked up for each of
 * thousands of names.
 */
const classSets = new WeakMap<readonly string[], ReadonlySet<string>>();

function hasClass({ classes }: Pick<Member, 'classes'>, type: string): boolean {
  let known = classSets.get(classes);
  if (known === undefined) classSets.set(classes, (known = new Set(classes)));
  return known.has(type);
}

function hasLabel({ labels }: Member, key: string, value: string): boolean {
  return Object.hasOwn(labels, key) && labels[key] === value;
}

function fullnessOf(member: Member, { owner, loadOf, ownedBy = loadOf }: Known): string | undefined {
  const { capacity } = member;
  if (capacity === undefined) return undefined;
  const owned = ownedBy?.(member) ?? member.load;
  return (member.name === owner ? owned - 1 : owned) < capacity ? undefined : `it is full (${owned} of ${capacity})`;
}

/** What a member owns besides the process that is looked at. */
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
function orderOf(subject: Placeable, known: Known) {
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
