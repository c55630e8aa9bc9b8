/**
 * One timer of Node for many deadlines that are mostly met: a `TimerWheel` with a clock. As with a timer of its own for
 * each, the process stays alive as long as there is one. Used by the calls, which have a deadline each.
 */
import { TimerWheel, type WheelTimer } from './timer.wheel.js';

/** What tells the time, and wakes. */
export interface WheelClock {
  /** Milliseconds; never goes back. */
  now(): number;
  /** Calls `work` once after `ms` milliseconds. */
  wake(work: () => void, ms: number): Pick<NodeJS.Timeout, 'ref' | 'unref' | 'close'>;
}

/** See the file header. */
export class Deadlines {
  readonly #wheel = new TimerWheel();
  readonly #fire = (): void => this.#look();
  #timer: ReturnType<WheelClock['wake']> | undefined;
  /** When the timer of Node fires. */
  #wakesAt = Infinity;
  #isIdle = true;

  constructor(private readonly clock: WheelClock) {}

  get size(): number {
    return this.#wheel.size;
  }

  /** `timer.expired()` is called once, not before `ms` milliseconds, unless it is removed before. */
  add(timer: WheelTimer, ms: number): void {
    const now = this.clock.now();
    this.#wakeAt(this.#wheel.add(timer, ms, now), now);
  }

  remove(timer: WheelTimer): void {
    this.#wheel.remove(timer);
    if (this.#wheel.size > 0 || this.#isIdle) return;
    // It stays, because the next one comes soon; it only keeps the process no longer.
    this.#isIdle = true;
    this.#timer?.unref();
  }

  #wakeAt(at: number, now: number): void {
    if (at < this.#wakesAt) {
      this.#timer?.close();
      this.#wakesAt = at;
      this.#timer = this.clock.wake(this.#fire, Math.max(1, Math.ceil(at - now)));
    } else if (this.#isIdle) this.#timer?.ref();
    this.#isIdle = false;
  }

  #look(): void {
    this.#timer = undefined;
    this.#wakesAt = Infinity;
    this.#isIdle = true;
    const now = this.clock.now();
    const due = this.#wheel.due(now);
    const next = this.#wheel.next();
    if (next !== undefined) this.#wakeAt(next, now);
    for (const each of due) each.expired();
  }
}
