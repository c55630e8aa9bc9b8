/**
 * Pure: an object whose every method is one function.
 */
import type { Remote } from '../../calls/remote.proxy.js';

/** Promises ask for `then`, and runners of tests for symbols and these; none of them means a call. */
const NOT_METHODS = /^(?:then|catch|finally|toJSON|asymmetricMatch|nodeType|tagName|constructor|prototype|__proto__)$/;

/** Turns `methodsOf(work).add(1, 2)` into `work('add', [1, 2])`. */
export function methodsOf<T>(work: (method: string, args: unknown[]) => Promise<unknown>): Remote<T> {
  const methods = new Map<string, unknown>();
  return new Proxy(Object.freeze(Object.create(null) as object), {
    get(_target, method) {
      if (typeof method !== 'string' || NOT_METHODS.test(method) || method in Object.prototype) return undefined;
      const known = methods.get(method) ?? ((...args: unknown[]) => work(method, args));
      methods.set(method, known);
      return known;
    },
  }) as Remote<T>;
}
