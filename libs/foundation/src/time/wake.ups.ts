/**
 * Timers that share wake-ups: each says from when on it may fire and by when it must, and all that may fire do so as
 * soon as one of them has to. Without it an idle node wakes for each of its timers, which costs more than their work.
 * For what recurs: heartbeats, renewals, looks, pings. Underneath: one `setTimeout` for all of them.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { LONGEST_TIMER_MS } from './duration.js';

/** A timer that has been set. */
export interface WakeUp {
  /** Does nothing once it has fired. */
  cancel(): void;
  /** As with the timers of Node: for this one alone the process does not stay. */
  unref(): WakeUp;
}

interface Due {
  from: number;
  until: number;
  work: () => void;
  keepsProcess: boolean;
}

/** A timer of Node may fire so much too soon, in milliseconds, because it counts whole ones. */
const ROUNDING_MS = 1;

/** See {@link WakeUps.every}; for whatever has timers of this kind. */
export function recurring(
  timers: Pick<WakeUps, 'within'>,
  earliest: number,
  latest: number,
  work: () => void,
): Pick<WakeUp, 'cancel'> {
  let next: WakeUp;
  const begin = (): void => {
    next = timers
      .within(earliest, latest, () => {
        begin();
        work();
      })
      .unref();
  };
  begin();
  return { cancel: () => next.cancel() };
}

/** See the file header. */
export class WakeUps {
  readonly #due = new Set<Due>();
  /** The work of one must not run in the context in which another one was set. */
  readonly #outside = AsyncLocalStorage.snapshot() as (set: () => void) => void;
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Infinity;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /**
   * Calls `work` once, in `earliest` to `latest` milliseconds; as late as `setTimeout` may be, and no later. What a
   * work sets waits for another wake-up.
   */
  within(earliest: number, latest: number, work: () => void): WakeUp {
    const now = this.now();
    const due: Due = {
      from: now + Math.min(earliest, latest),
      until: now + Math.max(0, latest),
      work,
      keepsProcess: true,
    };
    this.#due.add(due);
    this.#wakeBy(due.until, now);
    this.#keepProcess();
    const wakeUp = {
      cancel: () => {
        if (!this.#due.delete(due)) return;
        if (this.#due.size === 0) this.#sleep();
        this.#keepProcess();
      },
      unref: () => {
        due.keepsProcess = false;
        this.#keepProcess();
        return wakeUp;
      },
    };
    return wakeUp;
  }

  /**
   * Does the same each time, in `earliest` to `latest` milliseconds after the time before, until it is cancelled. It
   * does not keep the process.
   */
  every(earliest: number, latest: number, work: () => void): Pick<WakeUp, 'cancel'> {
    return recurring(this, earliest, latest, work);
  }

  #keepProcess(): void {
    for (const { keepsProcess } of this.#due) if (keepsProcess) return void this.#timer?.ref();
    this.#timer?.unref();
  }

  #wakeBy(until: number, now: number): void {
    // One that should have fired by now is set anew: the timers of a test may have been replaced meanwhile.
    if (this.#firesAt <= until && this.#firesAt > now) return;
    const firesAt = Math.min(until, this.#firesAt);
    // One that is overdue is never put off. In a busy event loop it would be in each turn that sets another.
    if (this.#firesAt > now) this.#sleep();
    this.#firesAt = firesAt;
    this.#outside(
      () => (this.#timer = setTimeout(() => this.#wake(), Math.min(Math.max(0, firesAt - now), LONGEST_TIMER_MS))),
    );
  }

  #sleep(): void {
    clearTimeout(this.#timer);
    this.#firesAt = Infinity;
  }

  #wake(): void {
    this.#firesAt = Infinity;
    const now = this.now() + ROUNDING_MS;
    try {
      for (const due of [...this.#due]) {
        // One that another work has just cancelled is not there any more.
        if (due.from <= now && this.#due.delete(due)) due.work();
      }
    } finally {
      let next = Infinity;
      for (const { until } of this.#due) next = Math.min(next, until);
      if (next !== Infinity) this.#wakeBy(next, this.now());
      this.#keepProcess();
    }
  }
}

/** Those of this process. */
export const wakeUps = new WakeUps();
