/**
 * Pure: holds a history to the invariants of the cluster, and says what broke one and by which events.
 * `invariants.ts` has the list of them.
 */
import { ArgumentError } from '../../errors/config.errors.js';
import { read, show, shown } from '../../errors/describe.js';
import { checkOptions } from '../../foreign/given.options.js';
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';
import { INVARIANTS } from './invariants.js';
import { ownershipsOf } from './ownership.js';

/** As much as is shown of what an event says. */
const PAYLOAD_CHARS = 2000;

/**
 * Checks everything that the events and the facts allow; an empty list means that nothing was broken.
 *
 * Besides the events of Foundation it reads those that a test application records: `test.effect` { name, epoch } acted
 * as the owner, `test.fenced_write` { name, epoch, accepted, sentAt }, `test.lookup` { name, node, epoch, askedAt },
 * `test.stray_error` { kind, error }, `test.revived` { name } is about to start it by a call; and those of
 * `check.calls.ts`, `check.changes.ts`, `check.messages.ts`, `check.acknowledged.ts`, `check.durable.ts`,
 * `check.services.ts`, `check.jobs.ts` and `check.cron.ts`.
 *
 * @throws ArgumentError for what is no list of events.
 */
export function checkHistory(history: readonly HistoryEvent[], facts: HistoryFacts = {}): Violation[] {
  checkEvents('checkHistory', history);
  const given: unknown = facts;
  checkOptions('checkHistory', given, 'facts');
  const events = history.map(readable).sort((a, b) => a.at - b.at);
  const killed = [...(facts.killed ?? []), ...(facts.exits ?? [])];
  const ownerships = ownershipsOf(events, { ...facts, killed });
  return INVARIANTS.flatMap(({ checks = [] }) => checks.flatMap((check) => check(events, ownerships, facts)));
}

/** The checks read texts and numbers, and what an application records may be anything that JSON can hold. */
function readable(event: HistoryEvent): HistoryEvent {
  const odd = Object.entries(event.payload).filter(([, value]) => typeof value === 'object' && !canBeWritten(value));
  if (odd.length === 0) return event;
  return {
    ...event,
    payload: { ...event.payload, ...Object.fromEntries(odd.map(([key, value]) => [key, shown(value)])) },
  };
}

/** False for what has a `toString` of its own that is none, and for what is nested too deep. */
function canBeWritten(value: unknown): boolean {
  try {
    JSON.stringify(value);
    String(value);
    return true;
  } catch {
    return false;
  }
}

/** The violations as text for a failed expectation, one line each, times in ms since the first event. */
export function describeViolations(violations: readonly Violation[], history: readonly HistoryEvent[]): string[] {
  checkEvents('describeViolations', history);
  const given: unknown = violations;
  if (!Array.isArray(given) || !given.every(isViolation)) {
    throw new ArgumentError('describeViolations', 'violations', show(violations), 'what checkHistory has found');
  }
  // Not spread into arguments: ten minutes of five nodes are half a million events, more than a call can have.
  const zero = history.reduce((first, { at }) => Math.min(first, at), Infinity);
  const line = ({ at, node, pid, event, payload }: HistoryEvent): string =>
    `\n    ${((at - zero) / 1000).toFixed(1)} ms ${node} (${pid}) ${event} ${shown(payload, PAYLOAD_CHARS)}`;
  return violations.map(({ invariant, sentence, events }) => `${invariant}: ${sentence}${events.map(line).join('')}`);
}

function checkEvents(call: string, history: unknown): void {
  const isEvent = (event: unknown): boolean => typeof (read(event, 'payload') ?? undefined) === 'object';
  if (Array.isArray(history) && history.every(isEvent)) return;
  throw new ArgumentError(call, 'history', show(history), 'a list of events, as parseHistory reads them');
}

function isViolation(violation: unknown): boolean {
  return Array.isArray(read(violation, 'events'));
}
