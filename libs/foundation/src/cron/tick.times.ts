/**
 * Pure: the times of a cron expression, after a time and between two.
 * Called by the runner of jobs. Underneath `CronTime.getNextDateFrom` of the package `cron`.
 */
import { isLongTurn, nextTurn } from '../time/turn.budget.js';

/** What is used of `CronTime`. */
export interface NextDates {
  getNextDateFrom(start: Date, timeZone?: string): { toMillis(): number };
}

/** So many missed times are counted; beyond that there are "at least so many". */
export const MAX_COUNTED = 100;
/** Looked for the last time before now, from short to long: with a second in the expression there are many. */
const LOOK_BACK_MS = [60_000, 3_600_000, 86_400_000, 32 * 86_400_000, 367 * 86_400_000, 8 * 367 * 86_400_000];

/** Times that have passed. */
export interface DueTicks {
  /** At most {@link MAX_COUNTED}. */
  count: number;
  first: number;
  /** Always the last of all, however many there are. */
  latest: number;
  /** The one before the latest; `undefined` for a single one. */
  before: number | undefined;
}

/** See the file header. Times are milliseconds since 1970. */
export class TickTimes {
  constructor(
    private readonly dates: NextDates,
    private readonly timeZone: string,
  ) {}

  /** The next time that is later than `after`. */
  next(after: number): number {
    // Where clocks are set back the package may name the first of two equal times, which has passed.
    for (let from = after; ; from += 60_000) {
      const next = this.dates.getNextDateFrom(new Date(from), this.timeZone).toMillis();
      if (next > after) return next;
    }
  }

  /** The times that are later than `after` and not later than `now`; `undefined` for none. */
  async due(after: number, now: number): Promise<DueTicks | undefined> {
    const first = this.next(after);
    if (first > now) return undefined;
    const due: DueTicks = { count: 1, first, latest: first, before: undefined };
    for (let next = this.next(first); next <= now; next = this.next(next)) {
      if (due.count === MAX_COUNTED) return { ...due, ...this.#last(due, now) };
      Object.assign(due, { count: due.count + 1, latest: next, before: due.latest });
      if (isLongTurn()) await nextTurn();
    }
    return due;
  }

  /** The last two times before now. */
  #last(known: DueTicks, now: number): Pick<DueTicks, 'latest' | 'before'> {
    for (const span of LOOK_BACK_MS) {
      let before = this.next(Math.max(known.first, now - span));
      let latest = this.next(before);
      if (latest > now) continue;
      for (let next = this.next(latest); next <= now; next = this.next(next)) [before, latest] = [latest, next];
      return { latest, before };
    }
    return known;
  }
}
