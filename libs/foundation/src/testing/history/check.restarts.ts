/** Pure: holds a history to what is promised of crashes, restarts and ends. */
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';
import { REVIVED } from './ownership.js';

/**
 * I6: one restart for each crash, not more than allowed in the window, and one escalation until it is started again.
 */
export function restartsOnce(events: readonly HistoryEvent[], { limits = {} }: HistoryFacts): Violation[] {
  const seen = new Map<string, HistoryEvent>();
  const window = new Map<string, HistoryEvent[]>();
  const escalated = new Map<string, HistoryEvent>();
  return events.flatMap((event): Violation[] => {
    const name = String(event.payload['name']);
    if (event.event === REVIVED) {
      window.delete(name);
      escalated.delete(name);
    } else if (event.event === 'process.escalated') {
      const before = escalated.get(name);
      escalated.set(name, event);
      if (before) return [{ invariant: 'I6', sentence: `"${name}" was escalated twice`, events: [before, event] }];
    } else if (event.event === 'process.restart_scheduled') {
      const found: Violation[] = [];
      const key = `${name} ${String(event.payload['epoch'])}`;
      const before = seen.get(key);
      seen.set(key, event);
      if (before !== undefined) {
        const sentence = `Two restarts of "${name}" were scheduled for one epoch`;
        found.push({ invariant: 'I6', sentence, events: [before, event] });
      }
      const limit = limits[name];
      if (limit !== undefined) {
        const since = event.at - limit.maxSeconds * 1_000_000;
        const recent = [...(window.get(name) ?? []).filter(({ at }) => at > since), event];
        window.set(name, recent);
        if (recent.length > limit.maxRestarts) {
          const sentence = `"${name}" was restarted ${recent.length} times in ${limit.maxSeconds} s, and ${limit.maxRestarts} are allowed`;
          found.push({ invariant: 'I6', sentence, events: recent });
        }
      }
      return found;
    }
    return [];
  });
}

/** I10: no stray error, and no process ended that the test did not end. */
export function nothingUnexpected(events: readonly HistoryEvent[], { exits = [] }: HistoryFacts): Violation[] {
  const stray = events
    .filter(({ event }) => event === 'test.stray_error')
    .map((event) => ({
      invariant: 'I10',
      sentence: `${event.node} had an ${String(event.payload['kind'])}: ${String(event.payload['error'])}`,
      events: [event],
    }));
  const ended = exits
    .filter(({ injected }) => !injected)
    .map(({ node, pid, how }) => ({
      invariant: 'I10',
      sentence: `${node} (${pid}) ended by itself with ${how}`,
      events: events.filter((event) => event.pid === pid).slice(-1),
    }));
  return [...stray, ...ended];
}

/** An end that its node had so long to record is recorded. */
const RECORDED_WITHIN_US = 2_000_000;

/**
 * I13: a temporary process starts once, a transient one not again after it has completed, until a call starts it.
 * Whether one had completed is unknown where its owner died, or lost its lease, before it could record that.
 */
export function policiesHold(
  events: readonly HistoryEvent[],
  { policies = {}, killed = [], frozen = [] }: HistoryFacts,
): Violation[] {
  const over = new Map<string, HistoryEvent>();
  return events.flatMap((event): Violation[] => {
    const name = String(event.payload['name']);
    const policy = policies[name] ?? policies[name.replace(/-.*/, '-*')];
    if (policy === undefined || policy === 'permanent') return [];
    const before = over.get(name);
    if (event.event === REVIVED) over.delete(name);
    // The node that knew of the end lost its lease before Redis had it, and says so: no other node could know.
    if (event.event === 'process.end_unrecorded' && policy === 'transient') over.delete(name);
    if (event.event === 'process.stopped' && event.payload['reason'] === 'complete') {
      const cutShort = [...killed, ...frozen.map(({ pid, from }) => ({ pid, at: from }))].some(
        ({ pid, at }) => pid === event.pid && at > event.at && at < event.at + RECORDED_WITHIN_US,
      );
      if (policy === 'temporary' || !cutShort) over.set(name, event);
    }
    if (event.event !== 'process.starting') return [];
    if (policy === 'temporary') over.set(name, event);
    if (before === undefined) return [];
    const sentence = `The ${policy} process "${name}" started again`;
    return [{ invariant: 'I13', sentence, events: [before, event] }];
  });
}
