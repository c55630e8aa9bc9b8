/** Options and times that a caller passes to a method; those of the module are read by `config/`. */
import { ArgumentError } from '../errors/config.errors.js';
import { read, show } from '../errors/describe.js';
import { type Duration, LONGEST_TIMER_MS, parseDuration } from '../time/duration.js';
import { isObject } from '../wire/decode.js';

/**
 * The options of a call: an object in which nothing is set that the call does not know. A word that is spelt wrong
 * would be a default in silence: a drain of this node in place of another one.
 *
 * @param known the names of the options, as the error lists them.
 * @param argument what they are called themselves.
 * @throws ArgumentError
 */
export function givenOptions<T extends object>(
  call: string,
  options: unknown,
  known: readonly (keyof T & string)[],
  argument = 'options',
): T {
  if (!isObject(options)) throw new ArgumentError(call, argument, show(options), 'an object');
  for (const name of Object.keys(options)) {
    if (options[name] === undefined || (known as readonly string[]).includes(name)) continue;
    const expected = `no such option (known here: ${known.join(', ')})`;
    throw new ArgumentError(call, name, show(options[name]), expected);
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

/** @throws ArgumentError for what is no signal, where there is one; those of jsdom and of other realms are. */
export function checkSignal(call: string, signal: unknown): void {
  if (signal === undefined) return;
  const has = (method: string): boolean => typeof read(signal, method) === 'function';
  if (has('addEventListener') && has('removeEventListener') && typeof read(signal, 'aborted') === 'boolean') return;
  throw new ArgumentError(call, 'signal', show(signal), 'an AbortSignal');
}
