/**
 * Pure: holds jobs that end by themselves, and nodes with a limit, to what is promised of them.
 */
import type { Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';
import type { Ownership } from './ownership.js';

/**
 * I22: a job that runs and completes is not reported as failed to its caller.
 *
 * `test.job_started` { name, outcome }: how the start was answered, `ok` or the name of the error.
 */
export function jobsAnswered(events: readonly HistoryEvent[]): Violation[] {
  const completed = new Map<string, HistoryEvent>();
  for (const event of events) {
    if (event.event === 'process.stopped' && event.payload['reason'] === 'complete') {
      completed.set(String(event.payload['name']), event);
    }
  }
  return events.flatMap((event): Violation[] => {
    if (event.event !== 'test.job_started' || event.payload['outcome'] !== 'ProcessStartError') return [];
    const name = String(event.payload['name']);
    const ran = completed.get(name);
    if (ran === undefined) return [];
    const sentence = `The start of "${name}" was answered with ProcessStartError, and it ran and completed on ${ran.node}`;
    return [{ invariant: 'I22', sentence, events: [ran, event] }];
  });
}

/** I23: a node owns at no time more than its capacity. `test.capacity` { capacity } by the node. */
export function capacityHolds(events: readonly HistoryEvent[], ownerships: readonly Ownership[]): Violation[] {
  const limits = events.filter(({ event }) => event === 'test.capacity');
  return limits.flatMap((limit): Violation[] => {
    const capacity = Number(limit.payload['capacity']);
    const own = ownerships.filter(({ bootId }) => bootId === limit.bootId);
    // An end and a beginning in the same microsecond follow each other.
    const changes = own
      .flatMap(({ acquired, end, to }) => [
        { at: acquired.at, by: 1, event: acquired },
        { at: to, by: -1, event: end ?? acquired },
      ])
      .sort((one, other) => one.at - other.at || one.by - other.by);
    let owned = 0;
    for (const { by, event } of changes) {
      owned += by;
      if (owned <= capacity) continue;
      const sentence = `${limit.node} owned ${owned} processes with a capacity of ${capacity}`;
      return [{ invariant: 'I23', sentence, events: [limit, event] }];
    }
    return [];
  });
}
