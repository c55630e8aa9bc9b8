/** Options and times that a caller passes to a method; those of the module are read by `config/`. */
import { ArgumentError } from '../errors/config.errors.js';
import { read, show } from '../errors/describe.js';
import { type Duration, LONGEST_TIMER_MS, parseDuration } from '../time/duration.js';
import { isObject } from '../wire/decode.js';

/** As `Object.prototype.toString` has an object literal of any realm, what a class has made, and an imported module. */
const PLAIN: ReadonlySet<string> = new Set(['[object Object]', '[object Module]']);

/**
 * Whether it may be options. What is of a kind of its own (a `Map`, a `Promise`, an `AbortSignal`) has no fields that
 * a call knows, and would be the defaults in silence.
 */
export function isOptions(value: unknown): value is Record<string, unknown> {
  try {
    return isObject(value) && PLAIN.has(Object.prototype.toString.call(value)) && !isPromise(value);
  } catch {
    // A revoked proxy, or a trap or a tag that throws.
    return false;
  }
}

/** What a forgotten `await` leaves. */
export function isPromise(value: unknown): boolean {
  return typeof read(value, 'then') === 'function';
}

/** A promise in the place of its value is an empty object to JSON. @throws ArgumentError */
export function checkAwaited(call: string, argument: string, value: unknown): void {
  if (isPromise(value)) throw new ArgumentError(call, argument, 'a promise', 'its value: await it');
}

/** @throws ArgumentError for what is no object of options, also for one of which a field cannot be read. */
export function checkOptions(
  call: string,
  options: unknown,
  argument = 'options',
  known: readonly string[] = [],
): asserts options is Record<string, unknown> {
  if (!isOptions(options)) {
    if (isPromise(options)) throw new ArgumentError(call, argument, 'a promise', 'an object: await it');
    const isAlone = known.includes('signal') && isSignal(options);
    throw new ArgumentError(call, argument, show(options), isAlone ? 'an object: { signal }' : 'an object');
  }
  try {
    for (const name of [...Object.keys(options), ...known]) void options[name];
  } catch (error) {
    throw new ArgumentError(call, argument, 'what cannot be read', 'an object whose fields can be read', error);
  }
}

/**
 * The options of a call: an object in which nothing is set that the call does not know. A word that is spelt wrong
 * would be a default in silence: a drain of this node in place of another one.
 *
 * @param known the names of the options, as the error lists them.
 * @param argument what they are called themselves.
 * @param path begins the names in errors, for options in an option.
 * @throws ArgumentError
 */
export function givenOptions<T extends object>(
  call: string,
  options: unknown,
  known: readonly (keyof T & string)[],
  argument = 'options',
  path = '',
): T {
  checkOptions(call, options, argument, known);
  for (const name of Object.keys(options)) {
    if (options[name] === undefined || (known as readonly string[]).includes(name)) continue;
    const expected = `no such option (known here: ${known.join(', ')})`;
    throw new ArgumentError(call, `${path}${name}`, show(options[name]), expected);
  }
  return options as T;
}

/** The milliseconds of a time that is an argument. */
export function givenTime(
  call: string,
  option: string,
  given: Duration,
  { least = 1, most = LONGEST_TIMER_MS }: { least?: number; most?: number } = {},
): number {
  const ms = parseDuration(given) ?? Number.NaN;
  if (ms >= least && ms <= most) return ms;
  throw new ArgumentError(call, option, show(given), `${least} to ${most} milliseconds, or a text such as '30s'`);
}

/** Also those of jsdom and of other realms. */
export function isSignal(value: unknown): value is AbortSignal {
  const has = (method: string): boolean => typeof read(value, method) === 'function';
  return has('addEventListener') && has('removeEventListener') && typeof read(value, 'aborted') === 'boolean';
}

/** @throws ArgumentError for what is no signal, where there is one. */
export function checkSignal(call: string, signal: unknown): void {
  if (signal === undefined || isSignal(signal)) return;
  throw new ArgumentError(call, 'signal', show(signal), 'an AbortSignal');
}

/** What Nest's `forRootAsync` knows. */
const ASYNC = ['imports', 'inject', 'useFactory', 'useClass', 'useExisting', 'provideInjectionTokensFrom'] as const;

/**
 * What a module's `forRootAsync` takes: Nest passes over words that it does not know, and names an undefined dependency
 * where nothing says where the options come from.
 *
 * @throws ArgumentError
 */
export function givenAsyncOptions<T extends object>(module: string, options: T, more: readonly string[] = []): T {
  const call = `${module}.forRootAsync`;
  const given = givenOptions<Record<string, unknown>>(call, options, [...ASYNC, ...more]);
  if (typeof given['useFactory'] === 'function') return options;
  const way = ['useFactory', 'useClass', 'useExisting'].find((each) => given[each] !== undefined);
  if (way === undefined)
    throw new ArgumentError(call, 'useFactory', 'undefined', 'a function, or useClass or useExisting');
  if (way === 'useFactory') throw new ArgumentError(call, way, show(given[way]), 'a function');
  return options;
}
