/**
 * Pure: holds broadcasts that wait until they are handled to what their senders are told. Read by `checkHistory`.
 */
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';

/** How much later than its timeout a wait may end. */
const SLACK_MS = 3000;
/** That a node listens is known on the others so long after it began, or they after they saw it. */
const KNOWN_WITHIN_US = 1_500_000;

/** A broadcast, and what its sender was told. */
interface Asked {
  asked: HistoryEvent;
  end?: HistoryEvent;
  /** Boot ids of the nodes that have handled it, and when. */
  handled: Map<string, number>;
}

/**
 * I21: a message that was acknowledged was handled by every node that listened and that its sender knew, unless that
 * node has shut down. Read from `test.ask_listening` { channel }, `test.asked` { channel, id, timeoutMs },
 * `test.ask_handled` { channel, id }, `test.ask_acknowledged` and `test.ask_failed` { channel, id }.
 */
export function acknowledgedHandled(events: readonly HistoryEvent[]): Violation[] {
  const listening = new Map<string, HistoryEvent>();
  for (const event of events) {
    if (event.event === 'test.ask_listening')
      listening.set(`${event.bootId} ${String(event.payload['channel'])}`, event);
  }
  const seen = changesOf(events);
  return askedOf(events).flatMap(({ asked, end, handled }): Violation[] => {
    if (end?.event !== 'test.ask_acknowledged') return [];
    const { channel, id } = asked.payload;
    const skipped = [...(seen.get(asked.bootId) ?? [])].find(([bootId, changes]) => {
      const began = listening.get(`${bootId} ${String(channel)}`)?.at ?? Infinity;
      const before = changes.findLast(({ at }) => at <= asked.at);
      const isKnown =
        before?.event === 'cluster.node_joined' && Math.max(before.at, began) < asked.at - KNOWN_WITHIN_US;
      const hasShutDown = changes.some(
        ({ event, at, payload }) =>
          event === 'cluster.node_left' && payload['reason'] === 'shutdown' && at > asked.at && at <= end.at,
      );
      return isKnown && !hasShutDown && !((handled.get(bootId) ?? Infinity) <= end.at);
    });
    if (skipped === undefined) return [];
    const [joined] = skipped[1] as [HistoryEvent];
    const sentence = `${asked.node} was told that "${String(id)}" is handled, and ${String(joined.payload['node'])} had not handled it`;
    return [{ invariant: 'I21', sentence, events: [joined, asked, end] }];
  });
}

/** I16: each wait ends in its time, unless its sender does before. */
export function acknowledgementsEnd(events: readonly HistoryEvent[], facts: HistoryFacts): Violation[] {
  const { killed = [], exits = [], frozen = [], callSlackMs = SLACK_MS } = facts;
  const last = events.at(-1)?.at ?? 0;
  return askedOf(events).flatMap(({ asked, end }): Violation[] => {
    const late = frozen.filter(({ pid, until = Infinity }) => pid === asked.pid && until > asked.at);
    const stood = late.reduce((sum, { from, until = Infinity }) => sum + until - Math.max(from, asked.at), 0);
    const limit = asked.at + (Number(asked.payload['timeoutMs']) + callSlackMs) * 1000 + stood;
    const over = Math.min(last, ...[...killed, ...exits].filter(({ pid }) => pid === asked.pid).map(({ at }) => at));
    if ((end?.at ?? over) <= limit) return [];
    const sentence = `The message "${String(asked.payload['id'])}" of ${asked.node} was waited for after its timeout`;
    return [{ invariant: 'I16', sentence, events: [asked, ...(end === undefined ? [] : [end])] }];
  });
}

function askedOf(events: readonly HistoryEvent[]): Asked[] {
  const all = new Map<string, Asked>();
  for (const event of events) {
    const key = `${String(event.payload['channel'])} ${String(event.payload['id'])}`;
    if (event.event === 'test.asked') all.set(key, { asked: event, handled: new Map() });
    const one = all.get(key);
    if (one === undefined) continue;
    if (event.event === 'test.ask_handled') one.handled.set(event.bootId, event.at);
    if (event.event === 'test.ask_acknowledged' || event.event === 'test.ask_failed') one.end = event;
  }
  return [...all.values()];
}

/** By who saw it, and by who came or went. */
function changesOf(events: readonly HistoryEvent[]): Map<string, Map<string, HistoryEvent[]>> {
  const seen = new Map<string, Map<string, HistoryEvent[]>>();
  for (const event of events) {
    if (event.event !== 'cluster.node_joined' && event.event !== 'cluster.node_left') continue;
    const changes = seen.get(event.bootId) ?? new Map<string, HistoryEvent[]>();
    seen.set(event.bootId, changes);
    const bootId = String(event.payload['bootId']);
    changes.set(bootId, [...(changes.get(bootId) ?? []), event]);
  }
  return seen;
}
