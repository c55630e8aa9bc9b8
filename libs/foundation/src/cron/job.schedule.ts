/**
 * When a job runs, and what becomes of times that cannot be met: as its decorator says it, and as a row has it.
 * Made by the explorer and the runner. Underneath `CronTime`.
 */
import { describe } from '../errors/describe.js';
import type { ClusterCronOptions, MissedTicks, OverlappingTicks } from './cron.decorator.js';
import type { CronPackage } from './cron.package.js';
import { TickTimes } from './tick.times.js';

/** See the file header. */
export interface JobSchedule {
  /** Expression and time zone: another text is another schedule. */
  text: string;
  times: TickTimes;
  missed: MissedTicks;
  overlap: OverlappingTicks;
}

/** Of an expression; the longest that means something has all seconds, minutes and days in it. */
export const MAX_EXPRESSION = 1000;
const MAX_ZONE = 100;

/** As it is in the row of the process: all nodes have to agree about it. */
export type ScheduleArgs = readonly [
  expression: string,
  timeZone: string,
  missed: MissedTicks,
  overlap: OverlappingTicks,
];

/** With what is left out; the time zone of the node is named, so that nodes in different ones are seen. */
export function scheduleArgs(expression: string, options: ClusterCronOptions): ScheduleArgs {
  const { timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone, missed = 'skip', overlap = 'skip' } = options;
  return [expression, timeZone, missed, overlap];
}

/** Reads it; a text that says what is wrong where it is none. `now` is where the first time is looked for. */
export function readSchedule(
  [expression, timeZone, missed, overlap]: readonly unknown[],
  { CronTime }: Pick<CronPackage, 'CronTime'>,
  now: number,
): JobSchedule | string {
  if (typeof expression !== 'string' || expression.length > MAX_EXPRESSION) return 'it has no cron expression';
  if (typeof timeZone !== 'string' || timeZone === '' || timeZone.length > MAX_ZONE) return 'it has no time zone';
  if (missed !== 'skip' && missed !== 'run-once') return `"missed" is neither 'skip' nor 'run-once'`;
  if (overlap !== 'skip' && overlap !== 'queue') return `"overlap" is neither 'skip' nor 'queue'`;
  try {
    Intl.DateTimeFormat('en', { timeZone });
  } catch {
    return `"${timeZone}" is no time zone`;
  }
  try {
    const times = new TickTimes(new CronTime(expression, timeZone), timeZone);
    times.next(now);
    return { text: `${expression} ${timeZone}`, times, missed, overlap };
  } catch (error) {
    // What the package says of an expression without a time is four lines long.
    const [why = ''] = describe(error).split(/[\n\t]/);
    return `"${expression}" is no cron expression (${why.trim()})`;
  }
}
