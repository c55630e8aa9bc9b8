/**
 * When frames that were relayed through Redis are relayed again, because their peer has not acknowledged them. Called
 * by the peer.
 */
import { exponential } from '../../../time/backoff.js';

/**
 * What was relayed through Redis and not acknowledged is sent again after this many milliseconds, then twice as many, …
 */
const RESEND_MS = 1000;
const LONGEST_RESEND_MS = 16_000;

/** See the file header. */
export class RelayPatience {
  /** When the first frame that waits for an answer was relayed. */
  #since: number | undefined;
  /** How often frames were relayed again without an answer. */
  #unanswered = 0;

  /** The peer gives no sign of life. */
  get isSilent(): boolean {
    return this.#unanswered > 0;
  }

  relayed(): void {
    this.#since ??= performance.now();
  }

  /** All is sent again, from now on. */
  restart(): void {
    this.#since = undefined;
  }

  /** The peer has answered; `isAwaiting` when it has not acknowledged all that was relayed. */
  answered(isAwaiting: boolean): void {
    this.#unanswered = 0;
    this.#since = isAwaiting ? performance.now() : undefined;
  }

  /** True when it is time to relay again, which counts as unanswered. */
  hasEnded(now: number): boolean {
    const patience = exponential(RESEND_MS, LONGEST_RESEND_MS, this.#unanswered);
    if (this.#since === undefined || now - this.#since <= patience) return false;
    this.#unanswered += 1;
    return true;
  }
}
