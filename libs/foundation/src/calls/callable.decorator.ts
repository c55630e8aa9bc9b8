/**
 * Marks a method that other nodes may call. Sets metadata and nothing else; the calls read it.
 */
import type { Duration } from '../time/duration.js';

/** Metadata key; `Symbol.for`, so that two copies of the package see each other's marks. */
export const CALLABLE_METADATA = Symbol.for('foundation:callable');

/** Options of {@link Callable}. */
export interface CallableOptions {
  /** True: running it twice does no harm, so a call whose outcome is unknown is sent once more. Default false. */
  idempotent?: boolean;
  /** How long a call of this method may take; a call may say otherwise. Default `calls.timeout`. */
  timeout?: Duration;
}

/**
 * Lets callers on every node call the method: `ref.call('method', …)`, `ref.remote.method(…)`.
 *
 * Underneath: JSON over PUBLISH to the owner's inbox; arguments and result must survive JSON. A method without this
 * mark cannot be called from outside.
 *
 * The stop of the process waits for calls under way, for `stopTimeout` at most; so a method must not wait for the stop,
 * restart or move of its own process.
 */
export function Callable(options: CallableOptions = {}): MethodDecorator {
  return (_target, _key, descriptor) => {
    Reflect.defineMetadata(CALLABLE_METADATA, options, descriptor.value as object);
  };
}

/** The mark of a method; `undefined` when it is not callable, inherited from `Object` or not a method at all. */
export function callableOf(prototype: unknown, method: string): CallableOptions | undefined {
  const target = methodOf(prototype, method);
  return typeof target === 'function'
    ? (Reflect.getMetadata(CALLABLE_METADATA, target) as CallableOptions | undefined)
    : undefined;
}

/** A method by its name, inherited ones included, without running a getter that somebody names from afar. */
function methodOf(prototype: unknown, method: string): unknown {
  for (let each = prototype; typeof each === 'object' && each !== null; each = Object.getPrototypeOf(each)) {
    const descriptor = Object.getOwnPropertyDescriptor(each, method);
    if (descriptor !== undefined) return descriptor.value;
  }
  return undefined;
}
