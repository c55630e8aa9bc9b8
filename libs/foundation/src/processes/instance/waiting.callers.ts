/**
 * Who waits for the calls under way in one instance, and until when: an instance that ends answers nothing any more.
 * Made by the instance; the call server waits.
 */
import type { Clock, Timer } from '../../time/clock.js';

/**
 * So long callers wait for the calls of an instance that crashed: what they wait for may have been what crashed, and
 * one whose method is idempotent has time left for the next owner.
 */
const AFTER_CRASH_MS = 1000;

/** See the file header. */
export class WaitingCallers {
  readonly #waiting = new Set<() => void>();
  #timer: Timer | undefined;

  constructor(private readonly clock: Clock) {}

  /** See `Callee.onGivenUp`. */
  add(heard: () => void): () => void {
    this.#waiting.add(heard);
    return () => void this.#waiting.delete(heard);
  }

  /** The instance has crashed, and its calls may still settle. */
  giveUpSoon(): void {
    this.#timer = this.clock.setTimeout(() => this.giveUp(), AFTER_CRASH_MS).unref();
  }

  /** What comes of the calls counts for nobody any more. */
  giveUp(): void {
    this.settled();
    for (const heard of this.#waiting) heard();
    this.#waiting.clear();
  }

  /** The calls have settled, and the last answers are on their way. */
  settled(): void {
    this.clock.clearTimeout(this.#timer);
  }
}
