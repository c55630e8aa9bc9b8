/**
 * What is remembered of a job in Redis: its last run, what waits, and what could not be run.
 * Written by its owner alone, see `Ticks`; read by the next owner, and for people. Any client may have written it.
 */
import { BELIEVED_AHEAD_MS, HIGHEST_REVISION } from '../backend/leases/ticks.js';
import { plain } from '../errors/describe.js';
import type { CronCause } from '../telemetry/events.js';
import { flag, fromJson, ifRight, oneOf, or, record, text, whole } from '../wire/decode.js';

/**
 * `interrupted`: its owner ended before it could say how it ended, so it is not known how far it came; it is not
 * repeated.
 */
export type RunOutcome = 'done' | 'failed' | 'interrupted';

/** A run of a job. Times are milliseconds since 1970, by the clock of the node that ran it. */
export interface JobRun {
  /** The time that it ran for. */
  scheduled: number;
  cause: CronCause;
  started: number;
  ended?: number;
  node: string;
  epoch: number;
  /** Absent while it runs. */
  outcome?: RunOutcome;
  /** What it threw, cut. */
  error?: string;
}

/** Times that passed and were not run, since the record began. */
export interface JobCounts {
  fired: number;
  failed: number;
  missed: number;
  skipped: number;
  interrupted: number;
}

/** Times that no node could run. */
export interface MissedSpan {
  /** At most 100 are counted, however many there were. */
  count: number;
  first: number;
  last: number;
}

/** See the file header. */
export interface JobRecord {
  /** Rises with each write. */
  rev: number;
  /** Expression and time zone. */
  schedule: string;
  /** Times up to here are no times of this schedule: the job was not there yet, or had another one. */
  since: number;
  /**
   * What became of each time up to here is in this record. Less than the claimed time where a claim arrived that its
   * owner had given up, and the record after it, which did not know of that, was written over its own.
   */
  until?: number;
  /** The next time, as its owner saw it last. */
  next?: number;
  /** The run that has begun and has not ended. */
  run?: JobRun;
  /** The last one that has ended. */
  last?: JobRun;
  /** A time that waits for the run before. */
  waiting?: number;
  missed?: MissedSpan;
  /** Until `missed` is reported: whether the last of them was to be run. */
  untold?: boolean;
  counts: JobCounts;
}

/** A text and a few numbers. */
const MAX_RECORD = 16_384;
/** Of an error; the log has all of it. */
const MAX_ERROR = 300;

const time = whole();
const count = or(whole(), 0);

const readRun = record<JobRun>({
  scheduled: time,
  cause: oneOf('tick', 'catch-up', 'queued', 'manual'),
  started: time,
  ended: ifRight(time),
  node: text(400),
  epoch: time,
  outcome: ifRight(oneOf('done', 'failed', 'interrupted')),
  error: ifRight((value) => (typeof value === 'string' ? plain(value, MAX_ERROR) : undefined)),
});

const readAll = fromJson(
  record<JobRecord>({
    rev: or(whole(HIGHEST_REVISION), 0),
    schedule: text(2000, 0),
    since: time,
    until: ifRight(time),
    next: ifRight(time),
    run: ifRight(readRun),
    last: ifRight(readRun),
    waiting: ifRight(time),
    missed: ifRight(record<MissedSpan>({ count: time, first: time, last: time })),
    untold: ifRight(flag),
    counts: record<JobCounts>({ fired: count, failed: count, missed: count, skipped: count, interrupted: count }),
  }),
  MAX_RECORD,
);

/** The latest time that a `Date` can have. */
const LAST_TIME = 8.64e15;

/**
 * Reads what anybody may have written; `undefined` for what is no record. A time that no clock said is as good as none:
 * one that has passed by now is at most a day ahead of `now`, clocks may be wrong; the next one is any that a `Date`
 * can have.
 *
 * @param doubt called with each part that was passed over.
 */
export function readRecord(
  value: string,
  now: number,
  doubt: (part: string) => void = () => undefined,
): JobRecord | undefined {
  if (value === '') return undefined;
  const read = readAll(value);
  if (read === undefined) doubt('all');
  if (read === undefined) return undefined;
  const isTime = (at = 0): boolean => at <= now + BELIEVED_AHEAD_MS;
  const isRun = ({ scheduled, started, ended }: JobRun): boolean => [scheduled, started, ended].every(isTime);
  const believed = <T>(part: string, is: (value: T) => boolean, value: T | undefined): T | undefined => {
    if (value === undefined || is(value)) return value;
    doubt(part);
    return undefined;
  };
  const { since, until, next, run, last, waiting, missed, ...rest } = read;
  return {
    ...rest,
    since: believed('since', isTime, since) ?? now,
    ...ifThere('until', believed('until', isTime, until)),
    ...ifThere(
      'next',
      believed('next', (at) => at <= LAST_TIME, next),
    ),
    ...ifThere('run', believed('run', isRun, run)),
    ...ifThere('last', believed('last', isRun, last)),
    ...ifThere('waiting', believed('waiting', isTime, waiting)),
    ...ifThere(
      'missed',
      believed('missed', (span) => isTime(span.first) && isTime(span.last), missed),
    ),
  };
}

function ifThere<K extends string, T>(name: K, value: T | undefined): { [P in K]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]?: T });
}

/**
 * The text of a record, with the epoch of the owner that writes it; that and its revision come first, where they are
 * found without reading it all.
 */
export function writeRecord({ rev, ...rest }: JobRecord, by: number): string {
  return JSON.stringify({ rev, by, ...rest });
}

/** A record of a job that was never there before. */
export function emptyRecord(schedule: string, since: number): JobRecord {
  return { rev: 0, schedule, since, counts: { fired: 0, failed: 0, missed: 0, skipped: 0, interrupted: 0 } };
}

/** The text of an error, as long as a record may have it. */
export function errorText(words: string): string {
  return plain(words, MAX_ERROR);
}
