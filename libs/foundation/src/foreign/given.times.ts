/** Times that a caller passes to a method; those of the options are read by `config/`. */
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { type Duration, LONGEST_TIMER_MS, parseDuration } from '../time/duration.js';

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
