/**
 * Pure: keeps packets from being taken twice, or long after they were sent. Called by `gossip.ts`.
 *
 * A packet has the time of its sender, which rises with each one. That is both halves of the check: no packet older
 * than 30 seconds is taken, not even by a node that has just started and remembers nothing, and none that is not newer
 * than the last one of its sender. A counter alone would let the packets of a dead node be played to a new one; a
 * memory of nonces would grow with traffic. What remains: a node that starts may be shown, once, what was said in the
 * last 30 seconds.
 */

/** How far clocks may differ, in milliseconds. */
export const WINDOW_MS = 30_000;
/** Each was sealed with the secret, so no stranger can fill it. */
const MAX_SENDERS = 10_000;

/**
 * The time for the next packet of a sender, whose clock says `now`: it rises with each, unless the clock was so far
 * ahead for a while that nobody has taken what was sent then.
 */
export function nextTime(last: number, now: number): number {
  return last > now + WINDOW_MS ? now : Math.max(last + 1, now);
}

/** See the file header. */
export class GossipReplayWindow {
  /** The time of the last packet by boot id. */
  readonly #last = new Map<string, number>();

  constructor(private readonly max = MAX_SENDERS) {}

  /** @param now of the clock that senders use, `Date.now()`. */
  check(boot: string, at: number, now: number): 'fresh' | 'replayed' | 'untimely' | 'full' {
    if (!(Math.abs(now - at) <= WINDOW_MS)) return 'untimely';
    if (at <= (this.#last.get(boot) ?? -Infinity)) return 'replayed';
    if (this.#last.size >= this.max) this.#forget(now);
    if (this.#last.size >= this.max && !this.#last.has(boot)) return 'full';
    this.#last.set(boot, at);
    return 'fresh';
  }

  /** What is too old to be taken by its time needs no memory. */
  #forget(now: number): void {
    for (const [boot, at] of this.#last) if (now - at > WINDOW_MS) this.#last.delete(boot);
  }
}
