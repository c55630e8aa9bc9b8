// The clock of specs in which `fc.scheduler` decides what comes next: time passes where the scheduler says so, from one
// timer to the next, so that every answer may come before or after every timeout.
import type { Clock } from '../../../libs/foundation/src/time/clock.js';
import { Deadlines } from '../../../libs/foundation/src/time/deadlines.js';
import { recurring, type WakeUp } from '../../../libs/foundation/src/time/wake.ups.js';

interface ManualTimer {
  at: number;
  work: () => void;
  unref(): this;
}

/** See the file header. */
export class OrdersClock implements Clock {
  time = 1_700_000_000_000;
  readonly mayBeSet = false;
  readonly #timers = new Set<ManualTimer>();

  readonly now = (): number => this.time;
  readonly monotonic = (): number => this.time;
  readonly wall = (): number => this.time;
  readonly random = (): number => 0.5;

  setTimeout(work: () => void, ms: number): ManualTimer {
    const timer: ManualTimer = { at: this.time + Math.max(0, ms), work, unref: () => timer };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: ManualTimer | undefined): void {
    if (timer !== undefined) this.#timers.delete(timer);
  }

  readonly within = (_earliest: number, latest: number, work: () => void): WakeUp => {
    const timer = this.setTimeout(work, latest);
    const wakeUp: WakeUp = { cancel: () => this.clearTimeout(timer), unref: () => wakeUp };
    return wakeUp;
  };

  readonly every = (earliest: number, latest: number, work: () => void): Pick<WakeUp, 'cancel'> =>
    recurring(this, earliest, latest, work);

  expiries(): Deadlines {
    return new Deadlines({ now: this.now, wake: (work, ms) => this.setTimeout(work, ms) as unknown as NodeJS.Timeout });
  }

  underWay(): void {
    // The scheduler waits for nothing.
  }

  /** Moves to the next timer and fires it, but by no more than `most` milliseconds. */
  pass(most = Infinity): void {
    const next = [...this.#timers].sort((one, other) => one.at - other.at)[0];
    if (next === undefined || next.at > this.time + most) {
      if (most !== Infinity) this.time += most;
      return;
    }
    this.time = Math.max(this.time, next.at);
    this.#timers.delete(next);
    next.work();
  }

  get isIdle(): boolean {
    return this.#timers.size === 0;
  }
}

/** How many orders each property is held to: `FOUNDATION_ORDERS=100000 npm test -- unit -- orders` tries more. */
export const ORDERS = Number(process.env['FOUNDATION_ORDERS'] ?? 1000);

/** Lets all that follows from what has just come happen. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
