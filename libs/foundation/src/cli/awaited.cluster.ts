/**
 * What a cluster lacks until a deployment may go on: nodes that are ready, and processes that run.
 * Used by `wait` and `rollout`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisUnavailableError } from '../errors/connection.errors.js';
import { isA } from '../errors/describe.js';
import type { Clock } from '../time/clock.js';
import { complaint, count } from './format.js';
import type { Observer } from './observer.js';
import { type Snapshot, snapshotOf } from './snapshot.js';

/** Processes in these states are wanted and do not run. */
const NOT_YET: ReadonlySet<string> = new Set(['waiting', 'starting', 'backing-off', 'failed', 'escalated']);
const NAMES_SHOWN = 5;
const LOOK_EVERY_MS = 250;

/** What is awaited. */
export interface Awaited {
  /** How many nodes must be up, in time and not draining. */
  ready: number;
  /** How long, in milliseconds. */
  forMs: number;
  /** What else must be, as what is missing until then. */
  more?: (snapshot: Snapshot) => string[];
  /** Told whenever something else is missing. */
  changed: (missing: readonly string[]) => void;
  signal: AbortSignal;
}

/** How it went. */
export interface Outcome {
  /** Sentences; empty when nothing is missing any longer. */
  missing: string[];
  waitedMs: number;
  /** What was seen last, unless Redis did not answer then. */
  snapshot: Snapshot | undefined;
}

/** Pure: what is missing, in sentences. */
export function missingIn({ nodes, processes }: Pick<Snapshot, 'nodes' | 'processes'>, ready: number): string[] {
  const up = nodes.filter(({ state }) => state === 'up').length;
  const waiting = processes.filter(({ state }) => NOT_YET.has(state));
  const named = waiting
    .slice(0, NAMES_SHOWN)
    .map(({ name, state, reason }) => `${name} is ${state}${reason === undefined ? '' : ` (${reason})`}`);
  const rest = waiting.length - named.length;
  return [
    ...(up < ready ? [`${up} of ${count(ready, 'node')} ready`] : []),
    ...named,
    ...(rest > 0 ? [`${count(rest, 'more process', 'more processes')} not running`] : []),
  ];
}

/**
 * Looks until nothing is missing, the time is over, or the signal aborts. A Redis that does not answer is missing, too:
 * it may be back in time.
 */
export async function awaitCluster(
  app: string,
  observer: Observer,
  { ready, forMs, more, changed, signal }: Awaited,
  clock: Pick<Clock, 'monotonic'>,
): Promise<Outcome> {
  const began = clock.monotonic();
  let told = '';
  for (;;) {
    const seen = await snapshotOf(app, observer).catch(whyAway);
    const [snapshot, missing] =
      typeof seen === 'string' ? [undefined, [seen]] : [seen, [...missingIn(seen, ready), ...(more?.(seen) ?? [])]];
    const waitedMs = Math.round(clock.monotonic() - began);
    if (missing.length === 0 || waitedMs >= forMs || signal.aborted) return { missing, waitedMs, snapshot };
    const now = missing.join('; ');
    if (now !== told) changed(missing);
    told = now;
    await sleep(Math.min(LOOK_EVERY_MS, forMs - waitedMs), undefined, { signal }).catch(() => undefined);
  }
}

/** As one of the things that are missing. @throws what is another error. */
export function whyAway(error: unknown): string {
  if (!isA(error, RedisUnavailableError)) throw error;
  return complaint(error).replace(/\.$/, '');
}
