/**
 * Pure: holds the times of cluster-wide cron jobs to what is promised of them.
 */
import type { HistoryFacts, Violation } from './history.facts.js';
import type { HistoryEvent } from './history.js';
import { lossesOf } from './ownership.js';

/** Of one job, however far apart the times in a history are. */
const MOST_TIMES = 100_000;

/**
 * I27: a time is fired at most once, and one that is not fired is reported.
 *
 * `test.cron_fired` { job, scheduled }: the method was called, and not by hand. `test.cron_job` { job, everyMs }: its
 * times are multiples of this; without it only what is fired is looked at. After a loss of data that no node within
 * reach remembers better, what was fired before it may be reported as missed, too.
 */
export function timesOnce(events: readonly HistoryEvent[], facts: HistoryFacts = {}): Violation[] {
  const fired = new Map<string, Map<number, HistoryEvent>>();
  const violations: Violation[] = [];
  for (const event of of(events, 'test.cron_fired')) {
    const [job, scheduled] = [String(event.payload['job']), Number(event.payload['scheduled'])];
    const times = fired.get(job) ?? new Map<number, HistoryEvent>();
    fired.set(job, times);
    const before = times.get(scheduled);
    if (before === undefined) times.set(scheduled, event);
    else violations.push(violation(`Job "${job}" was fired twice for ${textOf(scheduled)}`, before, event));
  }
  const losses = lossesOf(events, facts);
  const wasLost = (from: number, to: number): boolean => losses.some((at) => at > from && at < to);
  const every = new Map(of(events, 'test.cron_job').map(({ payload }) => [String(payload['job']), periodOf(payload)]));
  for (const [job, times] of fired) {
    const reported = reportedOf(events, job, every.get(job) ?? Infinity);
    for (const [time, event] of reported.missed) {
      const twice = times.get(time);
      if (twice !== undefined && event.payload['caughtUp'] !== true && !wasLost(twice.at, event.at)) {
        violations.push(violation(`Job "${job}" reports as missed what it fired for ${textOf(time)}`, twice, event));
      }
    }
    if (!every.has(job)) continue;
    const all = [...times.keys()];
    const last = all.reduce((a, b) => Math.max(a, b));
    const first = all.reduce((a, b) => Math.min(a, b));
    for (const time of timesBetween(first, last, every.get(job)!)) {
      if (times.has(time) || reported.missed.has(time) || reported.others.has(time)) continue;
      violations.push(violation(`Job "${job}" neither fired nor reported ${textOf(time)}`, times.get(last)!));
    }
  }
  return violations;
}

/** The times that were reported as missed, and as skipped or interrupted. */
function reportedOf(events: readonly HistoryEvent[], job: string, everyMs: number) {
  const missed = new Map<number, HistoryEvent>();
  for (const event of of(events, 'cron.missed').filter(({ payload }) => payload['job'] === job)) {
    const { first, last } = event.payload;
    for (const time of timesBetween(Number(first), Number(last), everyMs)) missed.set(time, event);
  }
  const reports = [...of(events, 'cron.skipped'), ...of(events, 'cron.interrupted')];
  const others = new Set(
    reports.filter(({ payload }) => payload['job'] === job).map(({ payload }) => Number(payload['scheduled'])),
  );
  return { missed, others };
}

/** Infinite for what is no period. */
function periodOf({ everyMs }: HistoryEvent['payload']): number {
  return Number(everyMs) >= 1 ? Number(everyMs) : Infinity;
}

/** Both of them included. */
function* timesBetween(first: number, last: number, everyMs: number): Generator<number> {
  for (let index = 0, time = first; time <= last && index < MOST_TIMES; index++, time += everyMs) yield time;
}

function of(events: readonly HistoryEvent[], name: string): HistoryEvent[] {
  return events.filter(({ event }) => event === name);
}

function violation(sentence: string, ...events: HistoryEvent[]): Violation {
  return { invariant: 'I27', sentence, events };
}

function textOf(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString();
}
