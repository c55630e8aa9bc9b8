/**
 * How long a node waits, in heartbeats, for what the others restore after Redis has lost its data.
 */

/** Within this many, with their jitter, every node that was in touch has restored what it knows. */
export const RESTORED_BEATS = 1.5;
/** And within this many those that were out of touch for long, which let the others go first. */
export const ALL_RESTORED_BEATS = 2 * RESTORED_BEATS;
