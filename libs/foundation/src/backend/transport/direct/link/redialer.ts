/**
 * Dials one node until it succeeds or is stopped, ever less often.
 */
import { exponential, jittered } from '../../../../time/backoff.js';

const FIRST_MS = 50;
const LONGEST_MS = 2000;

/** See the file header. */
export class Redialer {
  /** Failures in a row. */
  failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #giveUp: (() => void) | undefined;
  #stopped = false;

  /** `begin` tries once and returns how to give up; it reports with `succeeded` or `failed`. */
  constructor(private readonly begin: () => () => void) {}

  /** Does nothing while it is at it already. */
  start(): void {
    if (this.#stopped || this.#timer !== undefined || this.#giveUp !== undefined) return;
    this.#giveUp = this.begin();
  }

  succeeded(): void {
    this.failures = 0;
  }

  /** The attempt has failed, or the link that came of it is down. */
  failed(): void {
    this.#giveUp = undefined;
    if (this.#stopped) return;
    // Jitter: when one node comes back, not all other nodes dial it at the same moment.
    const delay = jittered(exponential(FIRST_MS, LONGEST_MS, this.failures), 0.5, 1);
    this.failures += 1;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.start();
    }, delay).unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#giveUp?.();
  }
}
