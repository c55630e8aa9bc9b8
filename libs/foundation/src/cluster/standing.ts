/**
 * Pure: who is there at this moment, by the beats that Redis has. What a node and the command line say of one moment is
 * the same by it, also while a node is dead and nobody has noticed. Asked by health and by the command line.
 */
import type { DirectorySnapshot, NodeRecord } from '../backend/directory/directory.js';
import { latenessOf } from '../backend/observer.backend.js';
import type { ClusterView } from './cluster.view.js';
import { type Member, memberOf } from './member.js';

/** The members and what they say of themselves. */
export interface Standing {
  members: readonly Member[];
  records: readonly NodeRecord[];
}

/** As this node's own view has it. */
export function knownBy(view: Pick<ClusterView, 'members' | 'records'>): Standing {
  return { members: view.members(), records: view.records() };
}

/**
 * As the next heartbeat would have it: who missed beats is suspect, and who is silent for longer than its time is no
 * member, whether a member has removed it yet or not.
 */
export function standingBy(
  records: readonly NodeRecord[],
  { now, beats }: Pick<DirectorySnapshot, 'now' | 'beats'>,
  self: string,
): Standing {
  const there: NodeRecord[] = [];
  const members: Member[] = [];
  for (const record of records) {
    const beat = beats.get(record.name);
    const lateness = latenessOf(record, beat === undefined ? undefined : now - beat);
    if (lateness === 'down') continue;
    there.push(record);
    members.push(memberOf(record, { isLate: lateness === 'late', self: record.bootId === self }));
  }
  members.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { members, records: there };
}

/** How many nodes there should be, by those members that were told or find out: the most. */
export function expectedBy(records: readonly NodeRecord[]): number | undefined {
  const told = records.flatMap(({ expects }) => (expects === undefined ? [] : [expects]));
  return told.length === 0 ? undefined : Math.max(...told);
}
