/**
 * A limit on how long something is waited for; the work itself goes on.
 * Called wherever a tool or user code may never answer.
 */
import { type Clock, machineClock } from './clock.js';

/**
 * Resolves or rejects as the work does, and rejects with an error of the text `late` when it takes longer than `ms`.
 */
export function within<T>(ms: number, work: Promise<T>, late: string, clock: Clock = machineClock): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(new Error(late)), ms);
    work.then(resolve, reject).finally(() => clock.clearTimeout(timer));
  });
}

/** What the work gives, or `undefined` when it takes longer than `ms`; rejects as the work does. */
export function valueWithin<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * True as soon as the work is done, false when it takes longer than `ms`; rejects as the work does. The timer keeps no
 * process alive.
 */
export function endsWithin(ms: number, work: Promise<unknown>, clock: Clock = machineClock): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => resolve(false), ms).unref();
    work.then(() => resolve(true), reject).finally(() => clock.clearTimeout(timer));
  });
}
