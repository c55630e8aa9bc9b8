/**
 * Pauses between attempts: ever longer up to a limit, and spread, so that nodes that failed together do not try again
 * together. For a plain pause take `setTimeout` of `node:timers/promises`.
 */

/** Doubling stops here whatever the limit; a larger power says nothing any more. */
const MAX_DOUBLINGS = 30;

/** `first` milliseconds, twice as many after each failure in a row, `longest` at most. */
export function exponential(first: number, longest: number, failures: number): number {
  return Math.min(longest, first * 2 ** Math.min(MAX_DOUBLINGS, Math.max(0, failures)));
}

/** Somewhere between `least` and `most` times as long; by default a quarter shorter or longer. */
export function jittered(ms: number, least = 0.75, most = 1.25, random = Math.random()): number {
  return ms * (least + random * (most - least));
}
