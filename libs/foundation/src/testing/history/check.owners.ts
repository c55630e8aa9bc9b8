/** Pure: holds a history to what is promised of owners and their epochs. */
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';
import { byName, CALL_RUN, epochAt, isAct, isRewound, ms, type Ownership } from './ownership.js';

/** I1: at most one owner of a name at a time. */
export function oneOwner(ownerships: readonly Ownership[]): Violation[] {
  const spans = ownerships.flatMap((ownership) => ownership.spans.map((span) => ({ ownership, span })));
  spans.sort((a, b) => a.span[0] - b.span[0]);
  const found: Violation[] = [];
  const last = new Map<string, (typeof spans)[number]>();
  for (const next of spans) {
    const { name } = next.ownership;
    const before = last.get(name);
    if (before !== undefined && before.ownership !== next.ownership && next.span[0] < before.span[1]) {
      found.push({
        invariant: 'I1',
        sentence: `"${name}" had two owners for ${ms(Math.min(before.span[1], next.span[1]) - next.span[0])}: ${next.ownership.node} became one while ${before.ownership.node} was`,
        events: [before.ownership, next.ownership].flatMap(({ acquired, end }) => [acquired, ...(end ? [end] : [])]),
      });
    }
    if (before === undefined || next.span[1] > before.span[1]) last.set(name, next);
  }
  return found;
}

/**
 * I1, by what was done: an act only while the process owns the name, under the epoch it has then, and none after a
 * newer owner's beginning.
 */
export function oneActor(events: readonly HistoryEvent[], ownerships: readonly Ownership[]): Violation[] {
  const all = byName(ownerships);
  return events.flatMap((event): Violation[] => {
    if (!isAct(event)) return [];
    const name = String(event.payload['name']);
    const epoch = Number(event.payload['epoch']);
    const others = all.get(name) ?? [];
    const complain = (sentence: string, ...more: HistoryEvent[]): Violation[] => [
      { invariant: 'I1', sentence, events: [...more, event] },
    ];
    const own = others.find(
      ({ pid, bootId, acquired, to }) =>
        pid === event.pid && bootId === event.bootId && acquired.at <= event.at && event.at <= to,
    );
    if (own === undefined) return complain(`${event.node} acted as "${name}" without owning it`);
    const newer = others.find(({ epochs }) => epochs[0]!.epoch > epoch && epochs[0]!.from < event.at);
    if (newer !== undefined && newer !== own) {
      const since = ms(event.at - newer.acquired.at);
      return complain(
        `${event.node} acted as "${name}" ${since} after ${newer.node} had become its owner`,
        newer.acquired,
      );
    }
    if (epochAt(own, event.at) === epoch) return [];
    return complain(`${event.node} acted as "${name}" under an epoch that was not its own then`, own.acquired);
  });
}

/** I1, by what ran: a lease is released only after its instance has stopped, and the calls that it was carrying out. */
export function stoppedBeforeRelease(events: readonly HistoryEvent[]): Violation[] {
  const running = new Map<string, HistoryEvent>();
  const calls = new Map<string, Map<string, HistoryEvent>>();
  return events.flatMap((event): Violation[] => {
    const key = `${event.pid} ${event.bootId} ${String(event.payload['name'])}`;
    const id = String(event.payload['id']);
    if (event.event === 'process.starting') running.set(key, event);
    if (event.event === 'process.stopped' && event.payload['clean'] === true) running.delete(key);
    if (event.event === CALL_RUN) calls.set(key, (calls.get(key) ?? new Map<string, HistoryEvent>()).set(id, event));
    if (event.event === 'test.call_ran') calls.get(key)?.delete(id);
    if (event.event !== 'lease.released') return [];
    const started = running.get(key);
    const called = [...(calls.get(key)?.values() ?? [])];
    if (started === undefined && called.length === 0) return [];
    const what = started === undefined ? `${called.length} calls of it had ended` : 'its instance had stopped';
    return [
      {
        invariant: 'I1',
        sentence: `${event.node} released "${String(event.payload['name'])}" before ${what}`,
        events: [...(started === undefined ? called : [started]), event],
      },
    ];
  });
}

/** I2: a node that was cut off had fenced itself before anybody else became the owner. */
export function fencedBeforeTakeover(
  ownerships: readonly Ownership[],
  { cut = [], fenceGapMs = 0 }: HistoryFacts,
): Violation[] {
  return ownerships.flatMap((ownership): Violation[] => {
    const { name, node, acquired, end } = ownership;
    // One that was frozen says that it is over only after the thaw; what counts is when it could act last.
    const to = ownership.spans.at(-1)?.[1] ?? ownership.to;
    const during = cut.some((one) => one.node === node && acquired.at < one.from && to > one.from);
    if (!during) return [];
    const next = ownerships
      .filter((other) => other.name === name && other.acquired.at > acquired.at && other.node !== node)
      .sort((a, b) => a.acquired.at - b.acquired.at)[0];
    if (next === undefined || next.acquired.at - to >= fenceGapMs * 1000) return [];
    return [
      {
        invariant: 'I2',
        sentence: `${node} was cut off and fenced "${name}" only ${ms(next.acquired.at - to)} before ${next.node} took it, less than ${fenceGapMs} ms`,
        events: [...(end ? [end] : [acquired]), next.acquired],
      },
    ];
  });
}

/** I3: epochs of a name rise strictly. */
export function epochsRise(events: readonly HistoryEvent[]): Violation[] {
  const last = new Map<string, HistoryEvent>();
  return events.flatMap((event): Violation[] => {
    if (event.event !== 'lease.acquired' && event.event !== 'lease.reclaimed') return [];
    const name = String(event.payload['name']);
    const before = last.get(name);
    last.set(name, event);
    if (before === undefined || Number(event.payload['epoch']) > Number(before.payload['epoch'])) return [];
    return [{ invariant: 'I3', sentence: `The epoch of "${name}" did not rise`, events: [before, event] }];
  });
}

/**
 * I4: no fenced write is accepted that was sent after one with a higher epoch had been acknowledged. `at` is the
 * answer, `sentAt` in the payload the question: an answer that a frozen process reads late proves nothing.
 */
export function fencedWritesRise(events: readonly HistoryEvent[]): Violation[] {
  const highest = new Map<string, HistoryEvent>();
  return events.flatMap((event): Violation[] => {
    if (event.event !== 'test.fenced_write' || event.payload['accepted'] !== true) return [];
    const name = String(event.payload['name']);
    const before = highest.get(name);
    const epoch = Number(event.payload['epoch']);
    if (before === undefined || epoch >= Number(before.payload['epoch'])) highest.set(name, event);
    else if (Number(event.payload['sentAt'] ?? event.at) > before.at) {
      const sentence = `A fenced write of "${name}" with epoch ${epoch} was accepted after a higher one`;
      return [{ invariant: 'I4', sentence, events: [before, event] }];
    }
    return [];
  });
}

/**
 * I4: what an owner has written last, and knows to be written, is not written over by an earlier write of its own.
 * `number` in the payload of a write rises with each write of a node; a read says which one it found. A Redis that went
 * back to older data has lost the writes of before.
 */
export function fencedWritesLast(events: readonly HistoryEvent[], facts: HistoryFacts = {}): Violation[] {
  const written = new Map<string, HistoryEvent[]>();
  return events.flatMap((event): Violation[] => {
    const { name, epoch, number, writer = event.bootId, accepted, askedAt } = event.payload;
    const key = `${String(name)} ${String(epoch)} ${String(writer)}`;
    if (event.event === 'test.fenced_write' && accepted === true) {
      written.set(key, [...(written.get(key) ?? []), event]);
    }
    if (event.event !== 'test.fenced_read') return [];
    const later = written
      .get(key)
      ?.find(
        (write) =>
          Number(write.payload['number']) > Number(number) &&
          write.at < Number(askedAt) &&
          !isRewound(facts, Number(write.payload['sentAt']), event.at),
      );
    if (later === undefined) return [];
    const sentence = `A fenced write of "${String(name)}" was written over by an earlier one of the same owner`;
    return [{ invariant: 'I4', sentence, events: [later, event] }];
  });
}

/** A process is on its way to another node for no longer than this. */
const MOVING_US = 1_000_000;

/**
 * I5: what is wanted is owned again in time; an owner that the fault did not end need only last until the next fault,
 * or until it gives the name away as the history ends.
 */
export function ownedAgain(
  events: readonly HistoryEvent[],
  ownerships: readonly Ownership[],
  { wanted = [] }: HistoryFacts,
): Violation[] {
  const over = events.at(-1)?.at ?? 0;
  return wanted.flatMap(({ name, at, withinMs, because }): Violation[] => {
    const limit = at + withinMs * 1000;
    const spans = ownerships.filter((ownership) => ownership.name === name).flatMap((ownership) => ownership.spans);
    const next = Math.min(
      limit,
      ...wanted.filter((other) => other.name === name && other.at > at).map((other) => other.at),
    );
    if (spans.some(([from, to]) => (from > at && from <= limit) || (from <= at && to >= next))) return [];
    const isLeaving = ownerships.some(
      ({ name: owned, acquired, end }) =>
        owned === name &&
        acquired.at <= at &&
        end?.event === 'lease.released' &&
        end.at > Math.max(at, over - MOVING_US),
    );
    if (isLeaving && over < limit) return [];
    const late = ownerships.find((ownership) => ownership.name === name && ownership.acquired.at > limit);
    const when = late === undefined ? 'never again' : `only after ${ms(late.acquired.at - at)}`;
    const sentence = `"${name}" was owned ${when} after ${because}, and ${withinMs} ms were allowed`;
    return [{ invariant: 'I5', sentence, events: late === undefined ? [] : [late.acquired] }];
  });
}
