/**
 * Pure: whether a member may run a process at all: by its class, its labels, its capacity, and whether it drains.
 * The order among those that may is in `placement.ts`.
 */
import type { Member } from '../../cluster/member.js';

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

/** The same for many processes: what belongs together is checked once. */
export function obstaclesIn(members: readonly Member[]): (subject: Placeable) => string | undefined {
  const known = new Map<string, string | undefined>();
  return (subject) => {
    const { declared, type, placement } = subject;
    const like = JSON.stringify([declared && type, placement.labels]);
    if (!known.has(like)) known.set(like, obstacleOf(subject, members));
    return known.get(like);
  };
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

/** Why a member takes nothing more, if it does not. */
export function fullnessOf(member: Member, { owner, loadOf, ownedBy = loadOf }: Known): string | undefined {
  const { capacity } = member;
  if (capacity === undefined) return undefined;
  const owned = ownedBy?.(member) ?? member.load;
  return (member.name === owner ? owned - 1 : owned) < capacity ? undefined : `it is full (${owned} of ${capacity})`;
}
