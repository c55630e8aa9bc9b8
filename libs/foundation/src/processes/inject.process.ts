/**
 * Turns calls by name into objects with methods, and lets Nest inject them.
 * Called by the manager and the module; underneath a Proxy over `ProcessCalls`.
 */
import { Inject, type Type } from '@nestjs/common';
import type { CallOptions } from '../calls/call.client.js';
import type { Callee, ProcessCalls } from '../calls/call.router.js';
import { nameOf } from './process.target.js';
import type { Remote, RemoteCalls } from './process.ref.js';

/** The ways to call one process. */
export function remoteCalls<T>(calls: ProcessCalls, callee: Callee, options: CallOptions = {}): RemoteCalls<T> {
  const ways = {
    call: (method: string, ...args: unknown[]) => calls.call(callee, method, args, options),
    cast: (method: string, ...args: unknown[]) => calls.cast(callee, method, args),
    remote: remote<T>(calls, callee, options),
    with: (more: CallOptions) => remoteCalls<T>(calls, callee, { ...options, ...more }),
  };
  return ways as unknown as RemoteCalls<T>;
}

/** An object whose every method is a call. */
export function remote<T>(calls: ProcessCalls, callee: Callee, options: CallOptions = {}): Remote<T> {
  const methods = new Map<string, (...args: unknown[]) => Promise<unknown>>();
  return new Proxy(Object.freeze(Object.create(null) as object), {
    get(_target, method) {
      // Promises ask for `then`, and loggers, Jest and Nest for symbols and hooks; none of them means a call.
      if (typeof method !== 'string' || NOT_METHODS.test(method)) return undefined;
      const known = methods.get(method) ?? ((...args: unknown[]) => calls.call(callee, method, args, options));
      methods.set(method, known);
      return known;
    },
  }) as Remote<T>;
}

const NOT_METHODS =
  /^(?:then|catch|finally|toJSON|toString|toLocaleString|valueOf|constructor|prototype|__proto__|asymmetricMatch|inspect|on(?:Module|Application)\w+|beforeApplicationShutdown)$/;

/** The classes that somebody wants injected; the module makes a provider for each. Tokens only, no state of an application. */
const injected = new Map<symbol, Type<unknown>>();

/** The providers for every `@InjectSingleton` and `@InjectProcess` that has been evaluated so far. */
export function injectedProcesses(): ReadonlyMap<symbol, Type<unknown>> {
  return injected;
}

/**
 * Injects a process as `Remote<T>`: its methods can be called from every node, wherever it runs.
 *
 * ```ts
 * constructor(@InjectProcess(PriceFeed) private readonly feed: Remote<PriceFeed>) {}
 * ```
 *
 * Underneath: `@Inject` of a token for which `FoundationModule.forRoot` makes a provider. Files that use it must be imported
 * before `forRoot` is called, as they are when the application's module imports them.
 */
export function InjectProcess(type: Type<unknown>): ParameterDecorator & PropertyDecorator {
  const token = Symbol.for(`foundation:remote:${nameOf(type)}`);
  injected.set(token, type);
  return Inject(token);
}

/** The same as {@link InjectProcess}, named after what is most often injected. */
export const InjectSingleton = InjectProcess;
