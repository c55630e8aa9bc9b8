/**
 * Pure: holds what nodes found of services to what is promised. Read by `checkHistory`.
 */
import type { Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';

/**
 * I7: a node finds only services of nodes that are members as it sees them. Read from `test.found` { service,
 * instances: { bootId }[] }, and the `cluster.node_joined` and `cluster.node_left` of the same process.
 */
export function servicesOfMembers(events: readonly HistoryEvent[]): Violation[] {
  const gone = new Map<string, HistoryEvent>();
  return events.flatMap((event): Violation[] => {
    const { bootId, payload } = event;
    const other = `${bootId} ${String(payload['bootId'])}`;
    if (event.event === 'cluster.node_joined') gone.delete(other);
    if (event.event === 'cluster.node_left') gone.set(other, event);
    if (event.event !== 'test.found') return [];
    const instances = payload['instances'] as readonly { bootId: string }[];
    const left = instances.map((one) => gone.get(`${bootId} ${one.bootId}`)).find((one) => one !== undefined);
    if (left === undefined) return [];
    const sentence = `${event.node} found "${String(payload['service'])}" of ${String(left.payload['node'])}, which was no member any more`;
    return [{ invariant: 'I7', sentence, events: [left, event] }];
  });
}
