/**
 * Pure: holds a history to what `stop`, `restart`, `move` and the hand-over promise.
 */
import { processOf } from '../../cluster/slot.names.js';
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';
import { CALL_RUN, isRewound, lossesOf, ms, type Ownership, REVIVED, unheardReclaim } from './ownership.js';

/**
 * I17: what was stopped stays down. `test.stopped` { name }: no node owns it, nor one of its replicas or partitions,
 * once `stop` has been answered, and none starts until `test.revived` { name }.
 */
export function stopsHold(events: readonly HistoryEvent[], ownerships: readonly Ownership[]): Violation[] {
  const down = new Map<string, HistoryEvent>();
  return events.flatMap((event): Violation[] => {
    const name = String(event.payload['name']);
    if (event.event === REVIVED) down.delete(processOf(name));
    if (event.event === 'test.stopped') {
      down.set(name, event);
      const owned = ownerships.filter(
        (one) =>
          (one.name === name || processOf(one.name) === name) &&
          one.spans.some(([from, to]) => from < event.at && to > event.at),
      );
      return owned.map((one) => ({
        invariant: 'I17',
        sentence: `${one.node} owned "${one.name}" after the stop of "${name}" had been answered`,
        events: [one.acquired, event, ...(one.end ? [one.end] : [])],
      }));
    }
    const stopped = down.get(name) ?? down.get(processOf(name));
    if (event.event !== 'process.starting' || stopped === undefined) return [];
    const sentence = `"${name}" came back ${ms(event.at - stopped.at)} after its stop, and nobody had asked for it`;
    return [{ invariant: 'I17', sentence, events: [stopped, event] }];
  });
}

/**
 * I18: a restart is answered by an instance that began after it was requested, and so is a move, unless the process was
 * on that node already. An instance that took its lease back after data loss meanwhile may be named, if it stops then;
 * also one that lost the lease before it heard of that.
 * `test.restarted` and `test.moved` { name, node, epoch, askedAt, to }.
 */
export function changesMade(
  events: readonly HistoryEvent[],
  ownerships: readonly Ownership[],
  facts: HistoryFacts,
): Violation[] {
  const { leaseTtlMs = 1500 } = facts;
  const losses = lossesOf(events, facts);
  return events.flatMap((event): Violation[] => {
    if (event.event !== 'test.restarted' && event.event !== 'test.moved') return [];
    const { name, node, epoch, askedAt, to } = event.payload;
    const seen = { node: String(node), epoch: Number(epoch), seenAt: event.at, leaseTtlMs };
    const its = ownerships.filter((one) => one.name === name);
    const named = its.find((one) => one.node === node && one.epochs.some((part) => part.epoch === epoch));
    const unheard = named === undefined ? unheardReclaim(losses, its, seen) : undefined;
    // It was the owner while the answer was waited for.
    if (unheard !== undefined && unheard.to + leaseTtlMs * 1000 > Number(askedAt)) return [];
    // One that took its lease back meanwhile looks like a new one until it stops, as it must.
    const reclaimed = named?.epochs.slice(1).find((part) => part.epoch === epoch);
    const isLeaving = reclaimed !== undefined && reclaimed.from > Number(askedAt) - 1e6 && named?.to !== Infinity;
    const stayed = (event.event === 'test.moved' && node === to) || isLeaving;
    const began = named === undefined ? -Infinity : startOf(named, events, event.at);
    if (named !== undefined && (stayed || began > Number(askedAt))) return [];
    const what = `${event.event === 'test.moved' ? 'move' : 'restart'} of "${String(name)}"`;
    const why = named === undefined ? 'one that never was' : `one that had begun before`;
    return [
      {
        invariant: 'I18',
        sentence: `A ${what} was answered with the instance ${String(epoch)} on ${String(node)}, ${why}`,
        events: [...(named ? [named.acquired] : []), event],
      },
    ];
  });
}

/** When the instance of this ownership began, as far as it is known by `until`. */
function startOf({ name, pid, bootId, acquired }: Ownership, events: readonly HistoryEvent[], until: number): number {
  const start = events.find(
    (event) =>
      event.event === 'process.starting' &&
      event.pid === pid &&
      event.bootId === bootId &&
      event.payload['name'] === name &&
      event.at >= acquired.at &&
      event.at <= until,
  );
  return start?.at ?? -Infinity;
}

/**
 * I19: a state is handed over once, from an owner to the very next instance, and is the last word of the one that left
 * it. `test.handoff_left` { name, epoch, id }, `test.handoff_taken` { name, epoch, id, from }: `from` travelled with
 * the state. A Redis that went back to older data may not know that a state was taken.
 */
export function handoffsOnce(events: readonly HistoryEvent[], facts: HistoryFacts = {}): Violation[] {
  const left = new Map<string, HistoryEvent>();
  const taken = new Map<string, HistoryEvent>();
  const starts: HistoryEvent[] = [];
  return events.flatMap((event): Violation[] => {
    const { name, epoch, id, from } = event.payload;
    const key = String(id);
    const complain = (sentence: string, ...more: (HistoryEvent | undefined)[]): Violation[] => [
      { invariant: 'I19', sentence, events: [...more.filter((one) => one !== undefined), event] },
    ];
    if (event.event === 'process.started') starts.push(event);
    if (event.event === CALL_RUN) {
      const over = [...left.values()].findLast((one) => isSameInstance(one, event));
      return over ? complain(`${event.node} changed "${String(name)}" after it had left its state`, over) : [];
    }
    if (event.event === 'test.handoff_left') left.set(key, event);
    if (event.event !== 'test.handoff_taken') return [];
    const origin = left.get(key);
    const before = taken.get(key);
    taken.set(key, event);
    if (before !== undefined) {
      return isRewound(facts, before.at, event.at) ? [] : complain(`The state ${key} was applied twice`, before);
    }
    if (origin?.payload['name'] !== name || origin?.payload['epoch'] !== from)
      return complain(`The state ${key} was applied, and nobody had left it so`, origin);
    if (Number(epoch) <= Number(from)) return complain(`The state ${key} was applied by a stale owner`, origin);
    const between = starts.find(
      ({ payload }) =>
        payload['name'] === name && Number(payload['epoch']) > Number(from) && Number(payload['epoch']) < Number(epoch),
    );
    return between ? complain(`The state ${key} skipped an instance and was older than its work`, origin, between) : [];
  });
}

function isSameInstance(one: HistoryEvent, other: HistoryEvent): boolean {
  return (
    one.pid === other.pid &&
    one.bootId === other.bootId &&
    one.payload['name'] === other.payload['name'] &&
    one.payload['epoch'] === other.payload['epoch']
  );
}
