/**
 * The metrics of a node by the names of their events. Pure: the caller brings the time.
 */
import { shown } from '../../errors/describe.js';
import { isSafeName } from '../../settings/config.path.js';
import { isName } from '../../wire/names.js';
import { captured } from '../events/v1.event.js';
import { type Distribution, Histogram, type HistogramRecord } from './distribution.js';

/** The most metrics; an event of another name is not measured. */
const MAX_METRICS = 2000;
/** The most measurements of one. */
export const MAX_MEASUREMENTS = 10;
/** The most parts of a name. */
export const MAX_PARTS = 20;
/** The longest text of a measurement that is no number, in characters. */
const MAX_TEXT = 1000;

export type EventName = readonly string[];

/** What 1.x says of a metric, and how its numbers are distributed, which 1.x does not know. */
export interface Metric {
  /** Milliseconds since 1970 of the last event. */
  readonly timestamp: number;
  /** `counter`: the sum. `gauge`: the last. Other numbers: their mean. What is no number: the last. */
  readonly measurements: Readonly<Record<string, unknown>>;
  /** Of the first event; cut above 10 KB. */
  readonly metadata: unknown;
  /** How many events there were. */
  readonly count: number;
  readonly distributions: Readonly<Record<string, Distribution>>;
}

/** A metric as it travels. */
export interface MetricRecord {
  name: EventName;
  count: number;
  counter?: number;
  gauge?: number;
  histograms: Record<string, HistogramRecord>;
}

/** What is known of one name. */
interface Entry {
  name: EventName;
  at: number;
  metadata: unknown;
  count: number;
  counter?: number;
  gauge?: number;
  histograms: Map<string, Histogram>;
  others: Map<string, unknown>;
}

/** See the file header. */
export class MetricStore {
  readonly #entries = new Map<string, Entry>();
  #prunedAt = 0;

  constructor(private readonly retention: { readonly retentionMs: number; readonly everyMs: number }) {}

  get size(): number {
    return this.#entries.size;
  }

  clear(): void {
    this.#entries.clear();
  }

  /** False when there are too many names. */
  add(name: EventName, measurements: Readonly<Record<string, unknown>>, metadata: unknown, now: number): boolean {
    this.#forgetOld(now);
    const key = keyOf(name);
    const entry = this.#entries.get(key) ?? this.#begin(key, name, metadata, now);
    if (entry === undefined) return false;
    entry.at = now;
    entry.count += 1;
    for (const [what, value] of Object.entries(measurements)) measure(entry, what, value);
    return true;
  }

  /** All that begin with a prefix, with their names; `wallOf` says which time a tick is. */
  list(prefix: EventName, now: number, wallOf = (ticks: number): number => ticks): (readonly [EventName, Metric])[] {
    return this.#under(prefix, now).map((entry) => [entry.name, metricOf(entry, wallOf)] as const);
  }

  records(prefix: EventName, now: number): MetricRecord[] {
    return this.#under(prefix, now).map(({ name, count, counter, gauge, histograms }) => ({
      name,
      count,
      ...(counter === undefined ? {} : { counter }),
      ...(gauge === undefined ? {} : { gauge }),
      histograms: Object.fromEntries([...histograms].map(([what, histogram]) => [what, histogram.record()])),
    }));
  }

  #under(prefix: EventName, now: number): Entry[] {
    this.#forgetOld(now);
    return [...this.#entries.values()].filter(({ name }) => prefix.every((part, at) => name[at] === part));
  }

  #begin(key: string, name: EventName, metadata: unknown, now: number): Entry | undefined {
    if (this.#entries.size >= MAX_METRICS) return undefined;
    const first = captured(metadata, new Date());
    const entry: Entry = {
      ...{ name: Object.freeze([...name]), at: now, metadata: first, count: 0 },
      ...{ histograms: new Map(), others: new Map() },
    };
    this.#entries.set(key, entry);
    return entry;
  }

  #forgetOld(now: number): void {
    if (now - this.#prunedAt < this.retention.everyMs) return;
    this.#prunedAt = now;
    for (const [key, { at }] of this.#entries) {
      if (at < now - this.retention.retentionMs) this.#entries.delete(key);
    }
  }
}

/** Whether it can be a part of a name. */
export function isPart(part: unknown): part is string {
  return isName(part) && isSafeName(part);
}

/** Names of lists that are equal are equal. */
export function keyOf(name: EventName): string {
  return JSON.stringify(name);
}

function measure(entry: Entry, what: string, value: unknown): void {
  if (!isPart(what)) return;
  const isNumber = typeof value === 'number' && Number.isFinite(value);
  if (what === 'counter' && isNumber) entry.counter = (entry.counter ?? 0) + value;
  else if (what === 'gauge' && isNumber) entry.gauge = value;
  else {
    const known = isNumber ? entry.histograms.has(what) : entry.others.has(what);
    if (!known && entry.histograms.size + entry.others.size >= MAX_MEASUREMENTS) return;
    if (!isNumber) return void entry.others.set(what, typeof value === 'boolean' ? value : shown(value, MAX_TEXT));
    const histogram = entry.histograms.get(what) ?? new Histogram();
    entry.histograms.set(what, histogram);
    histogram.add(value);
  }
}

function metricOf(entry: Entry, wallOf: (ticks: number) => number): Metric {
  const { metadata, count, counter, gauge, histograms, others } = entry;
  const distributions = Object.fromEntries([...histograms].map(([what, each]) => [what, each.summary()]));
  const means = Object.fromEntries(Object.entries(distributions).map(([what, { mean }]) => [what, mean]));
  const single = { ...(counter === undefined ? {} : { counter }), ...(gauge === undefined ? {} : { gauge }) };
  const measurements = { ...Object.fromEntries(others), ...means, ...single };
  return { timestamp: wallOf(entry.at), measurements, metadata, count, distributions };
}
