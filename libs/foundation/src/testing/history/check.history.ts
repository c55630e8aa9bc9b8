/**
 * Pure: holds a history to the invariants of the cluster, and says what broke one and by which events.
 * The list of invariants is the list of functions at the end of `checkHistory`.
 */
import { callsKept } from './check.calls.js';
import { changesMade, handoffsOnce, stopsHold } from './check.changes.js';
import { capacityHolds, jobsAnswered } from './check.jobs.js';
import { lossesTold } from './check.messages.js';
import { movesSettle } from './check.moves.js';
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';
import { byName, CALL_RUN, epochAt, isAct, ms, type Ownership, ownershipsOf, REVIVED } from './ownership.js';

/** How long the answer to a renewal may take. */
const RECLAIM_ANSWER_MS = 1000;

/**
 * Checks everything that the events and the facts allow; an empty list means that nothing was broken.
 *
 * Besides the events of Foundation it reads those that a test application records: `test.effect` { name, epoch } acted
 * as the owner, `test.fenced_write` { name, epoch, accepted, sentAt }, `test.lookup` { name, node, epoch, askedAt },
 * `test.stray_error` { kind, error }, `test.revived` { name } is about to start it by a call; and those of
 * `check.calls.ts`, `check.changes.ts`, `check.messages.ts` and `check.jobs.ts`.
 */
export function checkHistory(history: readonly HistoryEvent[], facts: HistoryFacts = {}): Violation[] {
  const events = [...history].sort((a, b) => a.at - b.at);
  const killed = [...(facts.killed ?? []), ...(facts.exits ?? [])];
  const ownerships = ownershipsOf(events, { ...facts, killed });
  return [
    ...oneOwner(ownerships),
    ...oneActor(events, ownerships),
    ...stoppedBeforeRelease(events),
    ...fencedBeforeTakeover(ownerships, facts),
    ...epochsRise(events),
    ...fencedWritesRise(events),
    ...ownedAgain(ownerships, facts),
    ...restartsOnce(events, facts),
    ...nothingUnexpected(events, facts),
    ...policiesHold(events, facts),
    ...lookupsTrue(events, ownerships, facts),
    ...viewsAgree(events, facts),
    ...callsKept(events, facts),
    ...stopsHold(events, ownerships),
    ...changesMade(events, ownerships),
    ...handoffsOnce(events),
    ...movesSettle(events, facts),
    ...lossesTold(events, facts),
    ...jobsAnswered(events),
    ...capacityHolds(events, ownerships),
  ];
}

/** The violations as text for a failed expectation, one line each, times in ms since the first event. */
export function describeViolations(violations: readonly Violation[], history: readonly HistoryEvent[]): string[] {
  // Not spread into arguments: ten minutes of five nodes are half a million events, more than a call can have.
  const zero = history.reduce((first, { at }) => Math.min(first, at), Infinity);
  const show = ({ at, node, pid, event, payload }: HistoryEvent): string =>
    `\n    ${((at - zero) / 1000).toFixed(1)} ms ${node} (${pid}) ${event} ${JSON.stringify(payload)}`;
  return violations.map(({ invariant, sentence, events }) => `${invariant}: ${sentence}${events.map(show).join('')}`);
}

/** I1: at most one owner of a name at a time. */
function oneOwner(ownerships: readonly Ownership[]): Violation[] {
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
function oneActor(events: readonly HistoryEvent[], ownerships: readonly Ownership[]): Violation[] {
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
function stoppedBeforeRelease(events: readonly HistoryEvent[]): Violation[] {
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
function fencedBeforeTakeover(
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
function epochsRise(events: readonly HistoryEvent[]): Violation[] {
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
function fencedWritesRise(events: readonly HistoryEvent[]): Violation[] {
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
 * I5: what is wanted is owned again in time; an owner that the fault did not end need only last until the next fault.
 */
function ownedAgain(ownerships: readonly Ownership[], { wanted = [] }: HistoryFacts): Violation[] {
  return wanted.flatMap(({ name, at, withinMs, because }): Violation[] => {
    const limit = at + withinMs * 1000;
    const spans = ownerships.filter((ownership) => ownership.name === name).flatMap((ownership) => ownership.spans);
    const next = Math.min(
      limit,
      ...wanted.filter((other) => other.name === name && other.at > at).map((other) => other.at),
    );
    if (spans.some(([from, to]) => (from > at && from <= limit) || (from <= at && to >= next))) return [];
    const late = ownerships.find((ownership) => ownership.name === name && ownership.acquired.at > limit);
    const when = late === undefined ? 'never again' : `only after ${ms(late.acquired.at - at)}`;
    const sentence = `"${name}" was owned ${when} after ${because}, and ${withinMs} ms were allowed`;
    return [{ invariant: 'I5', sentence, events: late === undefined ? [] : [late.acquired] }];
  });
}

/**
 * I6: one restart for each crash, not more than allowed in the window, and one escalation until it is started again.
 */
function restartsOnce(events: readonly HistoryEvent[], { limits = {} }: HistoryFacts): Violation[] {
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
function nothingUnexpected(events: readonly HistoryEvent[], { exits = [] }: HistoryFacts): Violation[] {
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
 * I13: a temporary process starts once, a transient one not again after it has completed, until somebody starts it.
 * Whether one had completed nobody can know where its owner died, or lost its lease, before it could record that.
 */
function policiesHold(
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
    // The node that knew of the end lost its lease before Redis had it, and says so: nobody else could know.
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

/**
 * I14: a lookup names an owner that had the lease at some moment between question and answer. Redis keeps the lease of
 * an owner that died or fenced itself until its ttl has run (from when Redis goes on, if it was frozen then), so that
 * owner may be named until then, but not once there is a newer one. The epoch of a reclaim is in Redis a moment before
 * its owner hears of it; an owner that loses its lease before that never does.
 */
function lookupsTrue(
  events: readonly HistoryEvent[],
  ownerships: readonly Ownership[],
  { leaseTtlMs = 1500, redisFrozen = [] }: HistoryFacts,
): Violation[] {
  const all = byName(ownerships);
  const losses = events.filter(({ event }) => event === 'cluster.data_loss').map(({ at }) => at);
  // Only after a loss of data is there anything to reclaim; a node may notice it after others have asked.
  const mayHaveReclaimed = ({ acquired, end, epochs }: Ownership, epoch: number, seenAt: number): boolean =>
    end?.event === 'lease.lost' &&
    epochs.every((part) => part.epoch < epoch) &&
    losses.some((at) => at >= acquired.at && at <= seenAt + leaseTtlMs * 1000);
  return events.flatMap((event): Violation[] => {
    if (event.event !== 'test.lookup' || event.payload['node'] === undefined) return [];
    const { name, node, epoch, askedAt } = event.payload as {
      name: string;
      node: string;
      epoch: number;
      askedAt: number;
    };
    const others = all.get(name) ?? [];
    const named =
      others.find((one) => one.node === node && one.epochs.some((part) => part.epoch === epoch)) ??
      others.find((one) => one.node === node && mayHaveReclaimed(one, epoch, event.at));
    const complain = (why: string, more: HistoryEvent[] = []): Violation[] => [
      {
        invariant: 'I14',
        sentence: `A lookup of "${name}" named ${node} with epoch ${epoch}, ${why}`,
        events: [...more, event],
      },
    ];
    if (named === undefined) return complain('which never owned it so');
    const index = named.epochs.findIndex((part) => part.epoch === epoch);
    const since = (named.epochs[index] ?? named.epochs[0]!).from - (index > 0 ? RECLAIM_ANSWER_MS * 1000 : 0);
    if (event.at < since) return complain('which was not the owner yet', [named.acquired]);
    const newer = others.find((one) => one.acquired.at < askedAt && epochAt(one, askedAt) > epoch);
    if (newer !== undefined) return complain(`though ${newer.node} was the owner already`, [newer.acquired]);
    const woken = redisFrozen.find(({ from, until = Infinity }) => from <= named.to && until > named.to)?.until;
    if (askedAt > (woken ?? named.to) + leaseTtlMs * 1000)
      return complain('whose lease had run out', named.end ? [named.end] : []);
    return [];
  });
}

/** I8: once nothing is broken any more, every node that is alive has the same view, and all of them are in it. */
function viewsAgree(events: readonly HistoryEvent[], facts: HistoryFacts): Violation[] {
  const { settledAt, killed = [], exits = [], frozen = [] } = facts;
  if (settledAt === undefined) return [];
  const gone = new Set([
    ...[...killed, ...exits].filter(({ at }) => at <= settledAt).map(({ pid }) => pid),
    ...frozen.filter(({ from, until = Infinity }) => from <= settledAt && until > settledAt).map(({ pid }) => pid),
  ]);
  const last = new Map<number, HistoryEvent>();
  for (const event of events) {
    if (event.event === 'cluster.view_changed' && event.at <= settledAt && !gone.has(event.pid))
      last.set(event.pid, event);
  }
  const views = [...last.values()];
  const [first] = views;
  const same = views.every(
    ({ payload }) => payload['version'] === first?.payload['version'] && payload['members'] === views.length,
  );
  if (same) return [];
  return [{ invariant: 'I8', sentence: 'The nodes had different views when the cluster was whole', events: views }];
}
