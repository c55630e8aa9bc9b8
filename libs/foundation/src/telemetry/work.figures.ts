/**
 * The figures of all methods, handlers and jobs of this node, a series for each. Kept by what runs them: the call
 * server, the subscriptions, the cron jobs; read by the control of the node, and by the metrics.
 */
import { plain } from '../errors/describe.js';
import { added } from './duration.buckets.js';
import { keyOf, type NodeFigures, type NodeHistory, type SeriesName, type WorkKind } from './figures.report.js';
import { type Counted, MAX_SERIES, MAX_SERIES_NAME, SLOT_MS, WorkSeries } from './work.series.js';

const OTHER = 'other';

/** See the file header. */
export class WorkFigures {
  readonly #series = new Map<string, { name: SeriesName; series: WorkSeries }>();
  /** The channels of Foundation itself, whose handlers have no figures. */
  readonly leftOut = new Set<string>();
  readonly #began: number;

  /** @param now milliseconds of a clock that is never set. */
  constructor(readonly now: () => number = () => performance.now()) {
    this.#began = now();
  }

  /** Where to record; keep it, since the look-up costs more than the recording. */
  series(kind: WorkKind, of: string, work = ''): WorkSeries {
    const name = { kind, of: plain(of, MAX_SERIES_NAME), work: plain(work, MAX_SERIES_NAME) };
    const hasRoom = this.#series.size < MAX_SERIES || this.#series.has(keyOf(name));
    return this.#at(hasRoom ? name : { kind, of: OTHER, work: '' });
  }

  /** The same for the handler of a channel; nothing for one that is left out. */
  handler(channel: string, name: string): WorkSeries | undefined {
    return this.leftOut.has(channel) ? undefined : this.series('handler', channel, name);
  }

  /** A run of a cron job has ended. */
  job(name: string, tookMs: number, hasFailed: boolean): void {
    this.series('job', name).record(tookMs, hasFailed, this.now());
  }

  #at(name: SeriesName): WorkSeries {
    const known = this.#series.get(keyOf(name));
    if (known !== undefined) return known.series;
    const series = new WorkSeries();
    this.#series.set(keyOf(name), { name, series });
    return series;
  }

  /** What ran in the last `slots` slots and the one that goes on; of those in which something ran within the hour. */
  report(slots: number): NodeFigures {
    const now = this.now();
    const elapsedMs = now % SLOT_MS;
    const spanMs = Math.max(1, Math.min(now - this.#began, slots * SLOT_MS + elapsedMs));
    const all = [...this.#series.values()].flatMap(({ name, series }) => {
      const recent = series.recent(Infinity, now);
      return recent.length === 0 ? [] : [{ ...name, ...sumOf(recent.filter(({ ago }) => ago <= slots)) }];
    });
    return { spanMs, series: all };
  }

  /** The slots of one series, oldest first; none for one that is not known here. */
  history(name: SeriesName): NodeHistory {
    const now = this.now();
    const known = this.#series.get(keyOf(name));
    return { elapsedMs: now % SLOT_MS, slots: known?.series.recent(Infinity, now) ?? [] };
  }

  /** Everything since this node began. */
  totals(kind: WorkKind): (SeriesName & Counted)[] {
    return [...this.#series.values()]
      .filter(({ name }) => name.kind === kind)
      .map(({ name, series }) => ({ ...name, ...series.total }));
  }
}

/** `Telemetry`. Its published type leaves this field out, so a `Pick` of it would not compile in an application. */
export interface HasFigures {
  readonly figures: WorkFigures;
}

/** Of a caller: minutes → slots; a minute for what is not 1 to 60. */
export function slotsOf(minutes: unknown): number {
  const isRight = typeof minutes === 'number' && minutes >= 1 && minutes <= 60;
  return Math.round(((isRight ? minutes : 1) * 60_000) / SLOT_MS);
}

function sumOf(slots: readonly Counted[]): Counted {
  let [failed, sumMs] = [0, 0];
  for (const slot of slots) [failed, sumMs] = [failed + slot.failed, sumMs + slot.sumMs];
  return { failed, sumMs, durations: added(slots.map(({ durations }) => durations)) };
}
