/**
 * The port for time: what a node reads, and what it is woken by. The machine's clock is one adapter; the other one is
 * the manual clock of `nestjs-foundation/testing`. What waits for Redis or for a socket does not ask it: no test can
 * move that.
 */
import { Deadlines } from './deadlines.js';
import { monotonicNow } from './monotonic.clock.js';
import type { WheelTimer } from './timer.wheel.js';
import { type WakeUp, wakeUps } from './wake.ups.js';

/** A timer that was set; that of Node is one. */
export interface Timer {
  /** As with the timers of Node: for this one alone the process does not stay. */
  unref(): this;
}

/** Deadlines of which nearly all are taken back before they are due. */
export interface Expiries {
  readonly size: number;
  /** `timer.expired()` is called once, not before `ms` milliseconds, unless it is removed before. */
  add(timer: WheelTimer, ms: number): void;
  remove(timer: WheelTimer): void;
}

/** See the file header. */
export interface Clock {
  /** Milliseconds for how long something takes; never goes back. */
  readonly now: () => number;
  /** The one that leases live by, in milliseconds: it counts the time that a suspended machine slept, too. */
  readonly monotonic: () => number;
  /** Milliseconds since 1970. */
  readonly wall: () => number;
  /** Whether it may be set: who waits for a time of day then looks at it now and then. */
  readonly mayBeSet: boolean;
  /** 0 to 1: how long a pause is that may be shorter or longer; always the longest in a test. */
  readonly random: () => number;
  /** Calls `work` once, after `ms` milliseconds. */
  setTimeout(work: () => void, ms: number): Timer;
  clearTimeout(timer: Timer | undefined): void;
  /** See {@link WakeUps.within}. */
  readonly within: (earliest: number, latest: number, work: () => void) => WakeUp;
  /** See {@link WakeUps.every}. */
  readonly every: (earliest: number, latest: number, work: () => void) => Pick<WakeUp, 'cancel'>;
  /** Deadlines that share one timer; `outside` calls what sets it in no context of a caller. */
  expiries(outside: <T>(work: () => T) => T): Expiries;
  /** Work of users that time has brought about; the clock of a test waits for it before it goes on. */
  underWay(work: PromiseLike<unknown>): void;
}

/** That of the machine. The timers are looked up with each call, so that a test can replace them. */
export const machineClock: Clock = {
  now: () => performance.now(),
  monotonic: monotonicNow,
  wall: () => Date.now(),
  mayBeSet: true,
  random: () => Math.random(),
  setTimeout: (work, ms) => setTimeout(work, ms),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  within: (earliest, latest, work) => wakeUps.within(earliest, latest, work),
  every: (earliest, latest, work) => wakeUps.every(earliest, latest, work),
  expiries: (outside) =>
    new Deadlines({ now: () => performance.now(), wake: (work, ms) => outside(() => setTimeout(work, ms)) }),
  underWay: () => undefined,
};

/** The clock of what has one, such as the backend; that of the machine else. */
export function clockOf({ clock = machineClock }: { readonly clock?: Clock | undefined }): Clock {
  return clock;
}

/** Resolves after `ms` milliseconds, or as soon as the signal aborts. */
export function pauseFor(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = (): void => {
      clock.clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setTimeout(end, ms);
    signal?.addEventListener('abort', end, { once: true });
  });
}
