/**
 * Pure: what `Foundation.Logic.EventLogic` of 1.x does with lists of events.
 */
import type { V1Event } from './v1.event.js';

/** By time, oldest first. */
export function byTime(events: readonly V1Event[]): V1Event[] {
  return [...events].sort((a, b) => a.timestamp - b.timestamp);
}

/** The events of each correlation id, by time; those without one are left out: `group_by_correlation/1`. */
export function groupByCorrelation(events: readonly V1Event[]): Map<string, V1Event[]> {
  const groups = new Map<string, V1Event[]>();
  for (const event of byTime(events)) {
    if (event.correlationId === null) continue;
    groups.set(event.correlationId, [...(groups.get(event.correlationId) ?? []), event]);
  }
  return groups;
}

/** Those from one time to another, both included: `filter_by_time_range/3`. */
export function filterByTimeRange(events: readonly V1Event[], from: number, to: number): V1Event[] {
  return events.filter(({ timestamp }) => timestamp >= from && timestamp <= to);
}

/** The event with other data: `transform_event_data/2`. @throws what `transform` throws. */
export function transformEventData(event: V1Event, transform: (data: unknown) => unknown): V1Event {
  return Object.freeze({ ...event, data: transform(event.data) });
}
