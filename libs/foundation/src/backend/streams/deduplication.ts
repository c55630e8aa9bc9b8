/**
 * Pure: keeps a message of a stream from being handled a second time under another id. Anybody who may write to Redis
 * can copy an entry with its signature, so a message belongs to one entry: by the time that it is signed with, and by
 * its number. Used by `redis.streams.ts` and by replays.
 */
import type { Origin, StreamEntry } from './streams.js';

/**
 * By how much the id of an entry, which has the clock of Redis, may differ from the time that its message is signed
 * with, in milliseconds: the five minutes of `replay.guard.ts`.
 */
export const MAX_APART_MS = 300_000;
/** Messages are remembered by spans of this many milliseconds, which are forgotten as a whole. */
export const SPAN_MS = 600_000;
/** How many spans are remembered here: more than can be written into while the time of a stream goes on. */
const MAX_SPANS = 8;
/**
 * How many runs of one sender's numbers are remembered; then the lowest is forgotten.
 *
 * INVARIANT (I24): a gap is never filled. A number that was not handled must not pass for one that was, which would
 * lose a message that is redelivered; that one could be copied that was forgotten is the lesser evil.
 */
export const MAX_RUNS = 200;

/** Why an entry is not handled: its message `again`, or the entry is not where the message was signed for. */
export type Unplayable = 'again' | 'elsewhere';

/** Which span a message belongs to: by what is signed, so that a copy belongs to the same. */
export function spanOf({ at }: Origin): number {
  return Math.floor(at / SPAN_MS);
}

/** The milliseconds of an id; NaN for what is not an id. */
export function timeOf(id: string): number {
  return /^\d{1,15}-\d{1,20}$/.test(id) ? Number(id.slice(0, id.indexOf('-'))) : NaN;
}

/**
 * INVARIANT (I24): with its signature a message is worth something only in entries whose id is of about the time that
 * it was signed for.
 */
export function isApart(id: string, at: number): boolean {
  return !(Math.abs(timeOf(id) - at) <= MAX_APART_MS);
}

/** Numbers that were handled, as runs in rising order. */
type Run = [first: number, last: number];

/** Adds a number to the runs. */
export function addTo(runs: Run[], number: number): void {
  let at = runs.length;
  // What is handled is nearly always at the end.
  while (at > 0 && runs[at - 1]![0] > number) at -= 1;
  const [before, after] = [runs[at - 1], runs[at]];
  if (before !== undefined && number <= before[1]) return;
  const joins = before !== undefined && before[1] === number - 1;
  if (after !== undefined && after[0] === number + 1) {
    if (joins) before[1] = after[1];
    else after[0] = number;
    if (joins) runs.splice(at, 1);
  } else if (joins) before[1] = number;
  else runs.splice(at, 0, [number, number]);
  if (runs.length > MAX_RUNS) runs.shift();
}

interface Span {
  /** `<sender> <number>` → the id of the entry that was delivered and is not handled yet. */
  pending: Map<string, string>;
  /** By sender. */
  handled: Map<string, Run[]>;
}

/** What one group, or one replay, was given of one stream. */
export class Played {
  readonly #spans = new Map<number, Span>();

  /** False when the message was delivered with another id before, or is handled already. */
  claim(origin: Origin, id: string): boolean {
    const { pending, handled } = this.#span(origin);
    const message = `${origin.sender} ${origin.number}`;
    const was = pending.get(message);
    if (was !== undefined) return was === id;
    const isHandled = handled
      .get(origin.sender)
      ?.some(([first, last]) => first <= origin.number && origin.number <= last);
    if (isHandled === true) return false;
    pending.set(message, id);
    return true;
  }

  /** The message is handled, or put aside for good. */
  settle(origin: Origin): void {
    const { pending, handled } = this.#span(origin);
    pending.delete(`${origin.sender} ${origin.number}`);
    const runs = handled.get(origin.sender) ?? [];
    handled.set(origin.sender, runs);
    addTo(runs, origin.number);
  }

  #span(origin: Origin): Span {
    const key = spanOf(origin);
    const span = this.#spans.get(key) ?? { pending: new Map<string, string>(), handled: new Map<string, Run[]>() };
    this.#spans.set(key, span);
    if (this.#spans.size > MAX_SPANS) this.#spans.delete(this.#spans.keys().next().value!);
    return span;
  }
}

/** Why an entry of a replay is passed over, if it is: one replay gives each message once. */
export function replayed(
  played: Played,
  { id, text }: StreamEntry,
  origin: Origin | undefined,
): Unplayable | undefined {
  if (origin === undefined || text === '') return undefined;
  if (isApart(id, origin.at)) return 'elsewhere';
  if (!played.claim(origin, id)) return 'again';
  played.settle(origin);
  return undefined;
}
