/**
 * What the checker of a history knows besides the events, and what it answers.
 */
import type { RestartPolicyName } from '../../config/options.js';
import type { HistoryEvent } from './history.js';
import type { OwnershipViolations } from './ownership.js';

/** What the checker cannot read from the events; times are microseconds of CLOCK_MONOTONIC, see `historyNow`. */
export interface HistoryFacts extends OwnershipViolations {
  /** Nodes that were cut off from Redis. */
  cut?: readonly { node: string; from: number; until?: number }[];
  /** With `cut`: how long before the next owner the cut-off one must have fenced itself. Default 0. */
  fenceGapMs?: number;
  /** Ends of processes. `injected`: the test asked for it. */
  exits?: readonly { node: string; pid: number; at: number; how: string; injected: boolean }[];
  /** Names that must be owned again within a time after a fault. */
  wanted?: readonly { name: string; at: number; withinMs: number; because: string }[];
  /** Restart intensity by name. */
  limits?: Readonly<Record<string, { maxRestarts: number; maxSeconds: number }>>;
  /** Restart policy by name, or by its beginning (`job-*`); names that are not here are not held to one. */
  policies?: Readonly<Record<string, RestartPolicyName>>;
  /** How long Redis keeps a lease that is not renewed. Default 1500. */
  leaseTtlMs?: number;
  /** When Redis was frozen: what was sent to it meanwhile, renewals included, it does when it goes on. */
  redisFrozen?: readonly { from: number; until?: number }[];
  /** When Redis went back to what it was at `from`, and was away until `until`: what was written meanwhile is lost. */
  rewound?: readonly { from: number; until?: number }[];
  /** When Redis lost all that it had, or, where it was away with it, was back without. */
  dataLost?: readonly { at: number }[];
  /** How much later than its timeout a call may end. Default 3000. */
  callSlackMs?: number;
  /** How long before the end a message may be lost without being reported yet. Default 15000. */
  toldWithinMs?: number;
  /** When nothing was broken any more and the cluster was seen to be whole. */
  settledAt?: number;
}

/** A broken invariant. */
export interface Violation {
  /** Its number in `invariants.ts`. */
  invariant: string;
  sentence: string;
  events: readonly HistoryEvent[];
}
