/**
 * Pure: the figures of one node as they travel, how they are read, and those of several nodes as one.
 * Written by `work.figures.ts`; read by whoever shows them.
 */
import { amount, list, listOfAll, oneOf, type Reader, record, text, whole } from '../wire/decode.js';
import { added, BUCKETS, countOf, quantileOf, type Sparse } from './duration.buckets.js';
import { type Counted, MAX_SERIES, MAX_SERIES_NAME, MAX_SLOTS, SLOT_MS } from './work.series.js';

/** A `@Callable` method, the handler of a channel, a cron job. */
export type WorkKind = 'call' | 'handler' | 'job';

/** What a series is of. */
export interface SeriesName {
  kind: WorkKind;
  /** The process or the service; the channel; the job. */
  of: string;
  /** The method; the handler, empty for a function without a name; empty for a job. */
  work: string;
}

/** What one node says of a series. */
export type SeriesFigures = SeriesName & Counted;

/** What one node says. */
export interface NodeFigures {
  /** Within how many milliseconds that ran. */
  spanMs: number;
  series: SeriesFigures[];
}

/** What ran in one slot; `ago` = 0 for the one that goes on. */
export interface SlotFigures extends Counted {
  ago: number;
}

/** What one node says of the last hour of a series. */
export interface NodeHistory {
  /** How long the slot that goes on has gone on. */
  elapsedMs: number;
  slots: SlotFigures[];
}

/** How often something runs on all nodes together, and how long it takes, in milliseconds. */
export interface Rated {
  perSecond: number;
  failedPerSecond: number;
  /** Without them nothing ran. */
  p50?: number;
  p95?: number;
  p99?: number;
}

/** A series of all nodes together. */
export interface WorkSeen extends SeriesName, Rated {
  /** On how many nodes it ran. */
  nodes: number;
}

/** A point of a chart. */
export interface WorkPoint extends Rated {
  /** Milliseconds before now; the middle of its slot. */
  agoMs: number;
}

/** With one for the rest of each kind. */
const ALL_SERIES = MAX_SERIES + 3;
const figure = amount(Number.MAX_SAFE_INTEGER);
const durations = listOfAll(whole(), 2 * BUCKETS);
const counts: Reader<Sparse> = (value) => {
  const read = durations(value);
  return read?.every((each, index) => index % 2 === 1 || each < BUCKETS) === true ? read : undefined;
};
const counted = { failed: figure, sumMs: figure, durations: counts };

const named = { kind: oneOf('call', 'handler', 'job'), of: text(MAX_SERIES_NAME), work: text(MAX_SERIES_NAME, 0) };

/** A name that a caller gives. */
export const readSeriesName: Reader<SeriesName> = record<SeriesName>(named);

/** What another node said. */
export const readNodeFigures = record<NodeFigures>({
  spanMs: amount(Number.MAX_SAFE_INTEGER, 1),
  series: list(record<SeriesFigures>({ ...named, ...counted }), ALL_SERIES),
});

/** What another node said of a series. */
export const readNodeHistory = record<NodeHistory>({
  elapsedMs: amount(SLOT_MS),
  slots: list(record<SlotFigures>({ ago: whole(MAX_SLOTS), ...counted }), MAX_SLOTS + 1),
});

/** The same text for the same series, whatever else is beside its name. */
export function keyOf({ kind, of, work }: SeriesName): string {
  return JSON.stringify([kind, of, work]);
}

/** What ran within so many milliseconds. */
type Spanned = Counted & { spanMs: number };

/** The series of all nodes, those that run most often first. */
export function mergedFigures(reports: readonly NodeFigures[]): WorkSeen[] {
  const groups = new Map<string, { name: SeriesName; parts: Spanned[] }>();
  for (const { spanMs, series } of reports) {
    for (const { kind, of, work, ...rest } of series) {
      const name = { kind, of, work };
      const key = keyOf(name);
      const group = groups.get(key) ?? { name, parts: [] };
      groups.set(key, group);
      group.parts.push({ spanMs, ...rest });
    }
  }
  return [...groups.values()]
    .map(({ name, parts }) => ({ ...name, ...rated(parts), nodes: parts.length }))
    .sort((a, b) => b.perSecond - a.perSecond || (a.of + a.work < b.of + b.work ? -1 : 1));
}

/** The last hour of a series on all nodes, a point for each slot, oldest first; none before the first that ran. */
export function mergedHistory(reports: readonly NodeHistory[]): WorkPoint[] {
  const bySlot = new Map<number, Spanned[]>();
  for (const { elapsedMs, slots } of reports) {
    for (const { ago, ...rest } of slots) {
      const spanMs = ago === 0 ? Math.max(1, elapsedMs) : SLOT_MS;
      bySlot.set(ago, [...(bySlot.get(ago) ?? []), { ...rest, spanMs }]);
    }
  }
  if (bySlot.size === 0) return [];
  const elapsed = reports[0]!.elapsedMs;
  return Array.from({ length: Math.max(...bySlot.keys()) + 1 }, (_, index) => index)
    .reverse()
    .map((ago) => ({
      agoMs: ago === 0 ? elapsed / 2 : elapsed + (ago - 0.5) * SLOT_MS,
      ...rated(bySlot.get(ago) ?? []),
    }));
}

function rated(parts: readonly Spanned[]): Rated {
  let [perSecond, failedPerSecond] = [0, 0];
  for (const { spanMs, failed, durations: each } of parts) {
    perSecond += countOf(each) / (spanMs / 1000);
    failedPerSecond += failed / (spanMs / 1000);
  }
  const all = added(parts.map(({ durations: each }) => each));
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => quantileOf(all, share));
  return p50 === undefined || p95 === undefined || p99 === undefined
    ? { perSecond, failedPerSecond }
    : { perSecond, failedPerSecond, p50, p95, p99 };
}
