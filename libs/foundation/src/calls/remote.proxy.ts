/**
 * Turns calls by name into objects with methods.
 * Used by the refs of processes and by `@InjectProcess`; underneath a Proxy over `CallRouter`.
 */
import type { Observable } from 'rxjs';
import { checkSignal, givenOptions } from '../foreign/given.options.js';
import type { CalledProcess, CallRouter } from './call.router.js';
import type { CallOptions } from './call.target.js';

/** What is assumed of a process whose class the caller does not name: any method, checked by its owner. */
export type AnyProcess = Record<string, (...args: unknown[]) => unknown>;

/** The hooks that only Foundation calls. */
type Hook = 'onProcessStart' | 'onProcessStop' | 'onHandoff';

/** Names of the methods of `T`, without the hooks. */
export type MethodNames<T> = {
  [K in keyof T]: T[K] extends (...args: never[]) => unknown ? (K extends Hook ? never : K) : never;
}[keyof T] &
  string;

/** What a caller gets of a method that returns `R`: of an Observable the last value. */
export type AnswerOf<R> = Awaited<R> extends Observable<infer V> ? V : Awaited<R>;

/** The methods of `T` as a caller on any node has them: asynchronous. What is not marked `@Callable()` refuses. */
export type Remote<T> = {
  readonly [K in MethodNames<T>]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<AnswerOf<R>>
    : never;
};

/** The ways to call a process. */
export interface RemoteCalls<T = AnyProcess> {
  /**
   * Calls a `@Callable()` method on the node that owns the process, and resolves with its result.
   *
   * Underneath: PUBLISH to the owner's `…:inbox:<bootId>`, the answer comes back to this node's; nothing leaves the
   * process when this node is the owner. While no node owns it, it waits for an owner until the timeout (default 5000
   * ms).
   *
   * @throws RemoteError with what the method threw; `CallRefusedError` when it was not carried out; `CallTimeoutError`
   * and `CallInterruptedError` when the outcome is unknown.
   */
  call<K extends MethodNames<T>>(
    method: K,
    ...args: T[K] extends (...args: infer A) => unknown ? A : never
  ): Promise<T[K] extends (...args: never[]) => infer R ? AnswerOf<R> : never>;
  /** The same without waiting for the method; what it throws is logged by its node. */
  cast<K extends MethodNames<T>>(
    method: K,
    ...args: T[K] extends (...args: infer A) => unknown ? A : never
  ): Promise<void>;
  /** The same as methods: `await ref.remote.lastPrice('ABC')`. */
  readonly remote: Remote<T>;
  /** The same calls with a timeout or a signal of their own. @throws ArgumentError */
  with(options: CallOptions): RemoteCalls<T>;
}

/** The ways to call one process. */
export function remoteCalls<T>(calls: CallRouter, callee: CalledProcess, options: CallOptions = {}): RemoteCalls<T> {
  const ways = {
    call: (method: string, ...args: unknown[]) => calls.call(callee, method, args, options),
    cast: (method: string, ...args: unknown[]) => calls.cast(callee, method, args),
    remote: remote<T>(calls, callee, options),
    with: (more: CallOptions) => {
      // Before it is spread: a text would become an object with a name for each of its characters.
      const call = `${callee.name}.with`;
      const given = givenOptions<CallOptions>(call, more, ['timeout', 'signal']);
      checkSignal(call, given.signal);
      return remoteCalls<T>(calls, callee, { ...options, ...given });
    },
  };
  return ways as unknown as RemoteCalls<T>;
}

/** An object whose every method is a call. */
export function remote<T>(calls: CallRouter, callee: CalledProcess, options: CallOptions = {}): Remote<T> {
  const methods = new Map<string, (...args: unknown[]) => Promise<unknown>>();
  return new Proxy(Object.freeze(Object.create(null) as object), {
    get(_target, method) {
      // Promises ask for `then`, and loggers, Jest and Nest for symbols and hooks; none of them means a call.
      if (typeof method !== 'string' || NOT_METHODS.test(method) || method in Object.prototype) return undefined;
      // So that what looks at the object, such as the difference that a test prints, asks nothing of the owner.
      if (callee.type !== undefined && !(method in (callee.type.prototype as object))) return undefined;
      const known = methods.get(method) ?? ((...args: unknown[]) => calls.call(callee, method, args, options));
      methods.set(method, known);
      return known;
    },
  }) as Remote<T>;
}

const NOT_METHODS =
  /^(?:then|catch|finally|toJSON|toString|toLocaleString|valueOf|constructor|prototype|__proto__|asymmetricMatch|inspect|on(?:Module|Application)\w+|beforeApplicationShutdown)$/;
