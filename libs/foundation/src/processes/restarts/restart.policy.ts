/**
 * Pure: what happens after an instance has ended.
 * Called by the supervisor; the crash count comes from Redis.
 */
import type { Resolved } from '../../config/config.js';
import type { BackoffOptions, RestartPolicyName } from '../../config/options.js';
import { exponential, jittered } from '../../time/backoff.js';

/** How an instance ended of its own accord. */
export type Ending = 'crash' | 'complete';

/** What to do. */
export type Decision = { action: 'restart'; delayMs: number } | { action: 'escalate' } | { action: 'leave' };

/** What the decision rests on. */
export interface EndingFacts {
  policy: RestartPolicyName;
  ending: Ending;
  /** Ends in the window, this one included. */
  crashes: number;
  maxRestarts: number;
  backoff: Resolved<BackoffOptions>;
  /** 0 to 1. */
  random: number;
}

/** True for an end that nothing follows, however many there were before. */
export function isLast(policy: RestartPolicyName, ending: Ending): boolean {
  return policy === 'temporary' || (policy === 'transient' && ending === 'complete');
}

/**
 * OTP's rules: `permanent` restarts always, `transient` after a crash, `temporary` never; more than `maxRestarts` in
 * the window escalates. The delay doubles with each crash up to the cap, and its second half is random, so that
 * processes that crashed together do not come back together.
 */
export function decide({ policy, ending, crashes, maxRestarts, backoff, random }: EndingFacts): Decision {
  if (isLast(policy, ending)) return { action: 'leave' };
  if (crashes > maxRestarts) return { action: 'escalate' };
  const longest = exponential(backoff.base, backoff.cap, crashes - 1);
  return { action: 'restart', delayMs: Math.round(jittered(longest, 0.5, 1, random)) };
}

/** How exactly a node knows the clock of Redis, generously. */
const INACCURACY_MS = 2000;

/** True for the time of a restart that no delay leads to: it was written before the clock of Redis was set back. */
export function isBeyond(retryAt: number, cap: number, now: number): boolean {
  return retryAt - now > cap + INACCURACY_MS;
}
