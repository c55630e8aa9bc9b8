/**
 * The context of nobody: what is handled is not part of the request, the call or the job that happened to open the
 * connection on which it came, or that sent it on this very node.
 */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

/** As it was when the package was loaded: no storage has a store. */
const outermost = AsyncLocalStorage.snapshot();

/**
 * Runs a function of a user in a context of its own, in which no `AsyncLocalStorage` has a store. What it enters with
 * `enterWith()` ends with it.
 *
 * Underneath: `AsyncLocalStorage.snapshot()`, and an `AsyncResource` for each, since what is entered stays with the one
 * it was entered in.
 */
export function afresh<A extends unknown[], T>(work: (...args: A) => T, ...args: A): T {
  return outermost(isolated<A, T>, work, ...args);
}

/**
 * Runs work of ours, such as setting a timer that serves many callers, so that it keeps no store of the one that
 * happened to need it first.
 */
export function ofNobody<T>(work: () => T): T {
  return outermost(work);
}

/** Nothing listens for its end. */
const OPTIONS = { requireManualDestroy: true };

/** The same as {@link afresh} within {@link ofNobody}, for half of what it costs. */
export function isolated<A extends unknown[], T>(work: (...args: A) => T, ...args: A): T {
  return new AsyncResource('FoundationHandler', OPTIONS).runInAsyncScope(work, undefined, ...args);
}
