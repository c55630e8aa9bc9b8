/**
 * Pure: times as people write them. The one parser of all options, with the units and the notation of the package `ms`,
 * whose last release that is not a preview is of 2020, and without what only that one takes: words, signs, years.
 */

/** A number of milliseconds, or a number with a unit: `'500ms'`, `'1.5s'`, `'30s'`, `'5m'`, `'1h'`, `'1d'`. */
export type Duration = number | `${number}${DurationUnit}`;

/** Milliseconds, seconds, minutes, hours, days. */
export type DurationUnit = 'ms' | 's' | 'm' | 'h' | 'd';

/** The longest time that a timer of Node takes, about 24 days; a longer one would fire at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

const UNITS: Readonly<Record<DurationUnit, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The milliseconds that it stands for; `undefined` for what is no duration. A number is not looked at. */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || value.length > 20) return undefined;
  const [, count, unit] = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)$/.exec(value) ?? [];
  if (count === undefined) return undefined;
  // 0.1 s is 100 ms, and not 100.00000000000001.
  return Number((Number(count) * UNITS[unit as DurationUnit]).toFixed(3));
}

/** The milliseconds of an option that has been checked; `undefined` where it was not given. */
export function millisecondsOf(duration: Duration): number;
export function millisecondsOf(duration: Duration | undefined | null): number | undefined;
export function millisecondsOf(duration: Duration | undefined | null): number | undefined {
  return parseDuration(duration);
}
