/**
 * Pure: holds the changes of the cluster-wide configuration, as the nodes went by them, to what is promised of them.
 */
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';
import { lastLossOf } from './ownership.js';

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

/**
 * I28: once nothing is broken any more, all nodes go by the same revision, and by none before the last one that a node
 * was told to be set, unless Redis has lost its data after that. `test.config_set` { revision }: a `set` has resolved.
 */
export function configConverges(events: readonly HistoryEvent[], facts: HistoryFacts): Violation[] {
  const { settledAt, killed = [], exits = [] } = facts;
  if (settledAt === undefined) return [];
  const gone = new Set([...killed, ...exits].map(({ pid }) => pid));
  const last = new Map<string, HistoryEvent>();
  const names = new Set<unknown>();
  for (const event of events) {
    if (event.event !== 'config.changed' || event.at > settledAt) continue;
    names.add(event.payload['name']);
    if (!gone.has(event.pid)) last.set(`${event.pid} ${String(event.payload['name'])}`, event);
  }
  return [...names].flatMap((name): Violation[] => {
    const own = [...last.values()].filter(({ payload }) => payload['name'] === name);
    const least = Math.min(...own.map(({ payload }) => Number(payload['revision'])));
    const behind = own.find(({ payload }) => Number(payload['revision']) > least);
    const complain = (sentence: string, more: HistoryEvent[]): Violation[] => [
      { invariant: 'I28', sentence, events: [...own, ...more] },
    ];
    if (behind !== undefined) return complain(`The nodes went by different revisions of "${String(name)}"`, []);
    const lostAt = lastLossOf(facts);
    const set = events.find(
      ({ event, at, payload }) =>
        event === 'test.config_set' && at > lostAt && at <= settledAt && Number(payload['revision']) > least,
    );
    return set === undefined ? [] : complain(`A change of "${String(name)}" that was confirmed is gone`, [set]);
  });
}

/**
 * I28: a change that was confirmed is not undone by one of another value. Of paths that one node sets, one change after
 * the other: `test.config_setting` { path, value } before, `test.config_set` { path, value } when it was confirmed, and
 * `test.config_seen` { values } at the end. What was not confirmed may be there or not.
 */
export function configKept(events: readonly HistoryEvent[], facts: HistoryFacts): Violation[] {
  const seen = events.findLast(({ event }) => event === 'test.config_seen');
  if (seen === undefined) return [];
  const lostAt = lastLossOf(facts);
  const values = seen.payload['values'] as Readonly<Record<string, unknown>>;
  const paths = new Set(
    events.filter(({ event }) => event === 'test.config_set').map(({ payload }) => payload['path']),
  );
  return [...paths].flatMap((path): Violation[] => {
    const of = (name: string): HistoryEvent[] =>
      events.filter(({ event, payload, at }) => event === name && payload['path'] === path && at <= seen.at);
    const set = of('test.config_set').at(-1);
    if (set === undefined || set.at <= lostAt) return [];
    const since = of('test.config_setting').findLast(({ payload }) => payload['value'] === set.payload['value']);
    const may = of('test.config_setting').filter(({ at }) => at >= (since?.at ?? 0));
    if (may.some(({ payload }) => payload['value'] === values[String(path)])) return [];
    const sentence = `The change of "${String(path)}" to ${JSON.stringify(set.payload['value'])} was confirmed and is gone`;
    return [{ invariant: 'I28', sentence, events: [set, seen] }];
  });
}
