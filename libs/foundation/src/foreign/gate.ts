/**
 * The one gate through which functions of users are called: what throws, rejects or answers with a broken promise is
 * caught, logged once in a while and counted, and harms no other code. Called by every room that has a callback; words
 * are in `describe.ts`.
 */
import { types } from 'node:util';
import { isObservable, lastValueFrom } from 'rxjs';
import { describe } from '../errors/describe.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import { within } from '../time/timeout.js';

/** What counts the failures: `Telemetry`. */
export interface Counts {
  emit(event: 'callback.failed', payload: { callback: string; error: string }): void;
}

/** See the file header. */
export class Gate {
  readonly #log = new ThrottledLog();

  /** Without `counts` failures are logged only. */
  constructor(private readonly counts?: Counts) {}

  /**
   * Notifies a listener; its answer is not awaited.
   *
   * `callback` says to the user which of his functions it is, as he handed it in: `onGap`, `Telemetry.attach`.
   */
  tell<A extends readonly unknown[]>(callback: string, listener: (...args: A) => unknown, ...args: A): void {
    try {
      const answer = listener(...args);
      if (mayBePromise(answer)) adopted(answer).catch((error: unknown) => this.failed(callback, error));
    } catch (error) {
      this.failed(callback, error);
    }
  }

  /**
   * Asks a function that has to answer at once; one that throws counts as having said `fallback`. So does one that
   * answers with a promise, which cannot be awaited here.
   */
  ask<A extends readonly unknown[], T>(
    callback: string,
    fallback: T,
    question: (...args: A) => T,
    ...args: A
  ): T | undefined {
    try {
      const answer = question(...args);
      if (!isThenable(answer)) return answer;
      adopted(answer).catch(() => undefined);
      this.failed(callback, new TypeError('it answered with a promise, and has to answer at once'));
    } catch (error) {
      this.failed(callback, error);
    }
    return fallback;
  }

  /**
   * Calls a hook and waits for it, but no longer than `limitMs`: one that throws, rejects or takes longer counts as
   * having said `fallback`.
   */
  async wait<T>(callback: string, limitMs: number, fallback: T, hook: () => unknown): Promise<T> {
    try {
      return (await within(limitMs, called(hook), `no answer in ${limitMs} ms`)) as T;
    } catch (error) {
      this.failed(callback, error);
      return fallback;
    }
  }

  /** For a failure that was caught elsewhere. */
  failed(callback: string, error: unknown): void {
    const words = describe(error);
    const message = 'A function of yours failed, {callback}; Foundation went on without it';
    this.#log.error(message, { callback, error: words }, callback, 1, error);
    this.counts?.emit('callback.failed', { callback, error: words });
  }
}

const unattendedLog = new ThrottledLog();

/**
 * For work of ours that is not awaited: it is not expected to reject; where it does all the same the process lives
 * on, and the log says so. The lint rules let no other promise go unattended.
 */
export function unattended(what: string, work: PromiseLike<unknown> | undefined): void {
  adopted(work).catch((error: unknown) => {
    const message = 'Work of Foundation in the background failed, {what}; please report it';
    unattendedLog.error(message, { what, error: describe(error) }, what, 1, error);
  });
}

/** Calls a function of the user's: a promise for what it answers, whatever it does. */
export async function called(work: () => unknown): Promise<unknown> {
  return await work();
}

/** A promise of ours for an answer of others: what is broken about it rejects. */
export function adopted(answer: unknown): Promise<unknown> {
  return new Promise((resolve) => resolve(answer));
}

function mayBePromise(answer: unknown): answer is object {
  return (typeof answer === 'object' && answer !== null) || typeof answer === 'function';
}

/** Reads `then`, so it may throw. */
export function isThenable(answer: unknown): boolean {
  return mayBePromise(answer) && typeof (answer as { then?: unknown }).then === 'function';
}

/**
 * What a method or a handler of the user's answers, to be awaited: an Observable is subscribed, as Nest does it, and
 * its last value is the answer, `undefined` where it has none. Also one for which there is a promise.
 *
 * @throws TypeError for a generator: none of its code would run.
 */
export function awaitable(answer: unknown): unknown {
  // Mostly it is nothing, or a plain value.
  if (!mayBePromise(answer)) return answer;
  return isThenable(answer) ? afterwards(answer) : subscribed(answer);
}

async function afterwards(answer: unknown): Promise<unknown> {
  return subscribed(await answer);
}

function subscribed(answer: unknown): unknown {
  if (!mayBePromise(answer)) return answer;
  if (isObservable(answer)) return lastValueFrom(answer, { defaultValue: undefined });
  if (types.isGeneratorObject(answer)) throw new TypeError(GENERATOR);
  return answer;
}

const GENERATOR =
  'The method or handler returned a generator, and Foundation iterates none, so none of its code has run. ' +
  'Return a value, a promise or an Observable.';
