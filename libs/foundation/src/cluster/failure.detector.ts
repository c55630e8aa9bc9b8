/**
 * Pure: what a missing beat means. Redis is the arbiter, so there is no vote and no gossip about it.
 * Called by the membership.
 */

/** The state of a member as others see it. */
export type MemberState = 'up' | 'suspect' | 'draining';

/**
 * A member that Redis still lists is up, or suspect once it has missed beats; one that is draining says so itself.
 *
 * A member whose ttl has run out is no longer listed (`down`), so it needs no state here.
 */
export function stateOf(recorded: 'up' | 'draining', late: boolean): MemberState {
  if (recorded === 'draining') return 'draining';
  return late ? 'suspect' : 'up';
}

/**
 * True when this node must call itself isolated: it has had no answer from Redis for as long as a lease may be relied
 * on, so every lease it held has been fenced by then.
 */
export function isIsolated(lastAnswerAt: number, now: number, deadlineMs: number): boolean {
  return now - lastAnswerAt >= deadlineMs;
}
