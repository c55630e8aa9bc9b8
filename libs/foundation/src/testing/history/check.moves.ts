/**
 * Pure: holds a history to what is promised of moves that were not requested.
 */
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';
import { ms } from './ownership.js';

/** What makes another place the better one, or is about to; a move that a call asks for begins with `test.revived`. */
const CHANGES: ReadonlySet<string> = new Set([
  ...['cluster.node_joined', 'cluster.node_left', 'cluster.node_suspect', 'cluster.isolated', 'cluster.rejoined'],
  ...['cluster.data_loss', 'lease.lost', 'lease.reclaimed', 'process.crashed', 'process.escalated', 'drain.progress'],
  ...['test.revived', 'test.stopping', 'test.stopped', 'test.restarted', 'test.moved'],
]);
/** A call that changes a process is carried out within this time, or given up. */
const ANSWERED_US = 20_000_000;
/** A connection that was cut, and a node that was frozen, has so long to be as good as before. */
const MENDED_US = 2_000_000;
/**
 * A cluster has so long to spread what it runs after a change: five seconds of waiting, half a minute of rest, and the
 * moves.
 */
const SPREAD_MS = 120_000;

/**
 * I20: in a cluster in which nothing changes nothing moves. A process does not come back to a node that it left by a
 * move of the cluster's own while nothing else happened, and long after the last change no process moves at all.
 */
export function movesSettle(
  events: readonly HistoryEvent[],
  { killed = [], frozen = [], cut = [], redisFrozen = [], exits = [] }: HistoryFacts,
): Violation[] {
  const injuries = [
    ...[...killed, ...exits].map(({ at }) => at),
    ...[...frozen, ...cut, ...redisFrozen].flatMap(({ from, until }) =>
      until === undefined ? [from] : [from, until, until + MENDED_US],
    ),
  ].sort((a, b) => a - b);
  let injury = 0;
  let changed: number | undefined;
  let left = new Map<string, HistoryEvent[]>();
  const asked = new Map<string, number>();
  return events.flatMap((event): Violation[] => {
    changed ??= event.at;
    const isInjured = injury < injuries.length && injuries[injury]! <= event.at;
    while (injury < injuries.length && injuries[injury]! <= event.at) injury += 1;
    const { name, reason } = event.payload;
    if (event.event === 'test.revived') asked.set(String(name), event.at);
    // The caller may get what it requested, or the next best node.
    const isAsked = event.at - (asked.get(String(name)) ?? -Infinity) < ANSWERED_US;
    const isMove = event.event === 'process.stopped' && reason === 'move' && !isAsked;
    const isEnd = event.event === 'process.stopped' && reason !== 'move';
    if (isInjured || isEnd || CHANGES.has(event.event)) {
      changed = event.at;
      left = new Map();
    }
    const key = String(name);
    if (isMove) {
      left.set(key, [...(left.get(key) ?? []), event]);
      if (event.at - changed <= SPREAD_MS * 1000) return [];
      const sentence = `${event.node} moved "${key}" away ${ms(event.at - changed)} after the last change`;
      return [{ invariant: 'I20', sentence, events: [event] }];
    }
    if (event.event === 'process.starting') asked.delete(key);
    const before =
      event.event === 'process.starting' ? left.get(key)?.find(({ node }) => node === event.node) : undefined;
    if (before === undefined) return [];
    const sentence = `"${key}" came back to ${event.node} ${ms(event.at - before.at)} after it had been moved away, and nothing had changed`;
    return [{ invariant: 'I20', sentence, events: [before, event] }];
  });
}
