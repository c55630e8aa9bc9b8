/**
 * The facade over the clock of a test. Provided by `FoundationTestingModule`; underneath `ManualTimers`.
 */
import { Injectable } from '@nestjs/common';
import { ArgumentError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import { givenTime } from '../../foreign/given.options.js';
import type { Duration } from '../../time/duration.js';
import type { ManualTimers } from './manual.timers.js';

const YEAR_MS = 366 * 86_400_000;
/** The package `cron` looks eight years ahead of the machine's clock. */
const LATEST_MS = 7 * YEAR_MS;

/**
 * Injectable. The time of Foundation in a test: it stands still until the test moves it.
 *
 * It times what Foundation times: heartbeats, leases, restarts with their backoff, `@ClusterCron`, `@Cron`,
 * `@Interval` and
 * `@Timeout` of processes, starts and stops, timeouts of calls and messages, redelivery of durable channels, checks
 * of
 * services. Timers of your own, and `Date.now()`, go by the machine.
 */
@Injectable()
export class ManualClock {
  readonly #timers: ManualTimers;

  /** @internal Made by `FoundationTestingModule`. */
  constructor(timers: ManualTimers) {
    this.#timers = timers;
  }

  /** What it says. */
  get now(): Date {
    return new Date(this.#timers.wall());
  }

  /**
   * Moves by a time, milliseconds or a text such as `'1m'`, and awaits what becomes due on the way, in order: after
   * each
   * moment it waits until Foundation has nothing more to do, and for the jobs, schedules, starts and stops of yours
   * that have begun. One that takes longer than `patience` goes on beside the test; await what you need with
   * `eventually()`.
   *
   * Underneath: no timer of the machine; turns of the event loop.
   *
   * @throws ArgumentError for what is no time from 0 to 366 days; ManualClockError during another `advance`, such
   * as in a
   * job that it has begun, and once the application is closed.
   */
  async advance(by: Duration): Promise<void> {
    const ms = givenTime('ManualClock.advance', 'by', by, { least: 0, most: YEAR_MS });
    this.#requireNear(ms, by, 'by');
    await this.#timers.advance(Math.round(ms));
  }

  /**
   * Moves to a time, as {@link advance} does: a `Date`, milliseconds since 1970, or a text that `Date` reads.
   *
   * @throws ArgumentError for what is no such time, lies before {@link now}, or is farther away than 366 days;
   * ManualClockError as `advance` does.
   */
  async advanceTo(time: Date | number | string): Promise<void> {
    const ms = timeOf(time) - this.#timers.wall();
    if (!(ms >= 0 && ms <= YEAR_MS)) {
      const expected = `a time from ${this.now.toISOString()} on, at most 366 days later`;
      throw new ArgumentError('ManualClock.advanceTo', 'time', show(time), expected);
    }
    this.#requireNear(ms, time, 'time');
    await this.#timers.advance(ms);
  }

  /**
   * Awaits what is due now, without moving: a process that is starting, a message that is on its way.
   *
   * @throws ManualClockError as {@link advance} does.
   */
  async settle(): Promise<void> {
    await this.#timers.settle();
  }

  #requireNear(ms: number, given: unknown, argument: string): void {
    if (isNear(this.#timers.wall() + ms)) return;
    const expected = 'a time that is at most seven years ahead of the clock of the machine';
    throw new ArgumentError(
      argument === 'by' ? 'ManualClock.advance' : 'ManualClock.advanceTo',
      argument,
      show(given),
      expected,
    );
  }
}

/** The milliseconds since 1970 of a time that a test names; NaN for what is none. */
export function timeOf(time: unknown): number {
  if (typeof time === 'number') return Math.floor(time);
  return time instanceof Date || typeof time === 'string' ? new Date(time).getTime() : Number.NaN;
}

/** Also where a test fakes `Date`. */
const realNow = performance.now.bind(performance);

/** True for a time at which cron expressions have a next one. */
export function isNear(ms: number): boolean {
  return ms >= 0 && ms <= performance.timeOrigin + realNow() + LATEST_MS;
}
