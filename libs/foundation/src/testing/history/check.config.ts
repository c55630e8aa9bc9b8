/**
 * Pure: holds the changes of the cluster-wide configuration, as the nodes went by them, to what is promised of them.
 */
import type { Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';

/** I28: a node goes by rising revisions, and a revision is the same change on all nodes. */
export function configAgrees(events: readonly HistoryEvent[]): Violation[] {
  const byRevision = new Map<string, HistoryEvent>();
  const last = new Map<string, HistoryEvent>();
  return events.flatMap((event): Violation[] => {
    if (event.event !== 'config.changed') return [];
    const { name, revision, id } = event.payload;
    const [own, same] = [`${event.bootId} ${String(name)}`, `${String(name)} ${String(revision)}`];
    const [before, other] = [last.get(own), byRevision.get(same)];
    last.set(own, event);
    if (other === undefined) byRevision.set(same, event);
    if (before !== undefined && Number(before.payload['revision']) >= Number(revision)) {
      const sentence = `${event.node} went by revision ${String(revision)} of "${String(name)}" after a later one`;
      return [{ invariant: 'I28', sentence, events: [before, event] }];
    }
    if (other !== undefined && other.payload['id'] !== id) {
      const sentence = `Revision ${String(revision)} of "${String(name)}" is another change on ${event.node} than on ${other.node}`;
      return [{ invariant: 'I28', sentence, events: [other, event] }];
    }
    return [];
  });
}
