/**
 * Pure: holds a history to what is promised of durable channels. Read by `checkHistory`.
 */
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';
import { lastLossOf } from './ownership.js';

/** What was kept so shortly before the end need not be handled yet: it may be due again only once, or alone. */
const HANDLED_WITHIN_US = 15_000_000;

/** A message in one group; the handlers that began it, and those that ended well. */
interface Delivered {
  begun: HistoryEvent[];
  handled: HistoryEvent[];
}

/**
 * I24: what Redis has kept is handled by each group while Redis has its data; and what a consumer has handled, or still
 * handles, is given to no other one as long as nothing fails.
 *
 * `test.durable_listening` { channel, group }. `test.durable_kept` { channel, message, sentAt }: Redis has it.
 * `test.durable_delivered` and `test.durable_handled` { channel, group, message, deliveries }: its handler began, and
 * ended without an error.
 */
export function durableDelivered(events: readonly HistoryEvent[], facts: HistoryFacts): Violation[] {
  const all = deliveriesOf(events);
  return [...unhandled(events, facts, all), ...handledTwice(facts, all)];
}

function deliveriesOf(events: readonly HistoryEvent[]): Map<string, Delivered> {
  const all = new Map<string, Delivered>();
  for (const event of events) {
    if (event.event !== 'test.durable_delivered' && event.event !== 'test.durable_handled') continue;
    const key = keyOf(event.payload, event.payload['group']);
    const delivered = all.get(key) ?? { begun: [], handled: [] };
    all.set(key, delivered);
    delivered[event.event === 'test.durable_handled' ? 'handled' : 'begun'].push(event);
  }
  return all;
}

function keyOf({ channel, message }: HistoryEvent['payload'], group: unknown): string {
  return JSON.stringify([channel, group, message]);
}

function unhandled(
  events: readonly HistoryEvent[],
  facts: HistoryFacts,
  all: ReadonlyMap<string, Delivered>,
): Violation[] {
  const limit = (facts.settledAt ?? events.at(-1)?.at ?? 0) - HANDLED_WITHIN_US;
  const since = lastLossOf(facts);
  const groups = new Map<string, HistoryEvent>();
  for (const event of events) {
    const { channel, group } = event.payload;
    const key = JSON.stringify([channel, group]);
    if (event.event === 'test.durable_listening' && !groups.has(key)) groups.set(key, event);
  }
  const kept = events.filter(({ event, at }) => event === 'test.durable_kept' && at < limit);
  return [...groups.values()].flatMap(({ at: from, payload: { channel, group } }): Violation[] => {
    const lost = kept.filter(({ payload }) => {
      const sentAt = Number(payload['sentAt']);
      const isFor = payload['channel'] === channel && sentAt > from && sentAt > since;
      return isFor && (all.get(keyOf(payload, group))?.handled.length ?? 0) === 0;
    });
    if (lost.length === 0) return [];
    const sentence = `${lost.length} messages that Redis has kept on "${String(channel)}" were not handled by the group "${String(group)}"`;
    return [{ invariant: 'I24', sentence, events: lost.slice(0, 5) }];
  });
}

/** A handler that fails has its message again, so only one that has ended well, then or later, keeps it. */
function handledTwice(facts: HistoryFacts, all: ReadonlyMap<string, Delivered>): Violation[] {
  return [...all.values()].flatMap(({ begun, handled }): Violation[] => {
    for (const [index, again] of begun.entries()) {
      const before = begun[index - 1];
      if (before === undefined) continue;
      const ended = handled.find(
        ({ bootId, payload }) => bootId === before.bootId && payload['deliveries'] === before.payload['deliveries'],
      );
      if (ended === undefined || mayHaveFailed(facts, before, again)) continue;
      const { channel, message } = again.payload;
      const sentence = `${again.node} was given "${String(message)}" on "${String(channel)}", which ${before.node} had and handled`;
      return [{ invariant: 'I24', sentence, events: [before, ended, again] }];
    }
    return [];
  });
}

/** Anything that may have lost an acknowledgement, or have made a consumer look dead. */
function mayHaveFailed(facts: HistoryFacts, first: HistoryEvent, again: HistoryEvent): boolean {
  const { killed = [], exits = [], frozen = [], cut = [], redisFrozen = [], rewound = [], dataLost = [] } = facts;
  const isBetween = ({ from, until = Infinity }: { from: number; until?: number }): boolean =>
    from <= again.at && until >= first.at;
  const at = (time: number): { from: number; until: number } => ({ from: time, until: time });
  return [
    ...[...killed, ...exits].filter(({ pid }) => pid === first.pid).map((one) => at(one.at)),
    ...frozen.filter(({ pid }) => pid === first.pid),
    ...cut.filter(({ node }) => node === first.node),
    ...[...redisFrozen, ...rewound],
    ...dataLost.map((one) => at(one.at)),
  ].some(isBetween);
}
