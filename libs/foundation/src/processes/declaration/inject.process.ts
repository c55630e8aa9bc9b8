/**
 * Lets Nest inject processes as objects whose methods are calls.
 * The module makes a provider for each, with `remote()`.
 */
import { Inject, type Type } from '@nestjs/common';
import { ArgumentError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import { nameOf } from './process.target.js';
import { lateTokenOf, tokenOf } from './process.tokens.js';

/** A class, or a function that returns it, for files that import each other. */
export type InjectedProcess = Type<unknown> | (() => Type<unknown>);

/**
 * Injects a process as `Remote<T>`: its methods can be called from every node, wherever it runs.
 *
 * ```ts
 * constructor(@InjectProcess(PriceFeed) private readonly feed: Remote<PriceFeed>) {}
 * ```
 *
 * Of two files that import each other one is loaded before the class of the other is there: there it is
 * `@InjectProcess(() => PriceFeed)`.
 *
 * Underneath: `@Inject` of {@link getProcessToken}, for which `FoundationModule` makes a provider when Nest scans the
 * modules. A file that is loaded later, with a lazy module, injects only what is known by then.
 *
 * @throws ArgumentError for what is no class.
 */
export function InjectProcess(type: InjectedProcess): ParameterDecorator & PropertyDecorator {
  return Inject(isLate(type) ? lateTokenOf(type) : getProcessToken(type));
}

/** The same as {@link InjectProcess}, named after what is most often injected. */
export const InjectSingleton = InjectProcess;

/**
 * The token under which the calls to a process are injected, as `Remote<T>`: for `inject` of a factory, for
 * `app.get(getProcessToken(PriceFeed))`, and for tests that override what is injected.
 *
 * Underneath: a symbol that the class carries as metadata.
 *
 * @throws ArgumentError for what is no class.
 */
export function getProcessToken(type: Type<unknown>): symbol {
  if (typeof type !== 'function') {
    const expected = 'a class; where files import each other, a function that returns it: @InjectSingleton(() => Feed)';
    throw new ArgumentError('getProcessToken', 'type', show(type), expected);
  }
  nameOf(type);
  return tokenOf(type);
}

/** Only arrow functions have no prototype: a class has one, however it is compiled. */
function isLate(type: InjectedProcess): type is () => Type<unknown> {
  return typeof type === 'function' && (type as { prototype?: unknown }).prototype === undefined;
}
