/**
 * Lets Nest inject processes as objects whose methods are calls.
 * The module makes a provider for each, with `remote()`.
 */
import { Inject, type Type } from '@nestjs/common';
import { nameOf } from './process.target.js';

/**
 * The classes that are to be injected; the module makes a provider for each. Tokens only, no state of an
 * application.
 */
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
 * Underneath: `@Inject` of a token for which `FoundationModule` makes a provider when Nest scans the modules. A file
 * that is loaded later, with a lazy module, injects only what another file has injected before.
 */
export function InjectProcess(type: Type<unknown>): ParameterDecorator & PropertyDecorator {
  const token = Symbol.for(`foundation:remote:${nameOf(type)}`);
  injected.set(token, type);
  return Inject(token);
}

/** The same as {@link InjectProcess}, named after what is most often injected. */
export const InjectSingleton = InjectProcess;
