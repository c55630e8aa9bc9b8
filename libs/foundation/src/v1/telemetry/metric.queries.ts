/**
 * The metrics of all nodes, added up: answers queries of other nodes from the store of this one, and asks them.
 */
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { listOfAll, map, optional, type Reader, record, whole } from '../../wire/decode.js';
import { type ClusterAnswer, ClusterQueries, type ClusterQueryOptions } from '../cluster/cluster.queries.js';
import { ok, type Result } from '../v1.result.js';
import { type Distribution, Histogram, readHistogram } from './distribution.js';
import { type EventName, isPart, keyOf, MAX_MEASUREMENTS, MAX_PARTS, type MetricRecord } from './metric.store.js';
import { nested } from './metric.tree.js';

const TYPE = 'metrics';

/** One metric of all nodes. */
export interface ClusterMetric {
  /** How many events there were, on all nodes. */
  readonly count: number;
  /**
   * `counter` and `gauge`: the values of the nodes, so `sum` is that of the cluster. Other numbers: all that were
   * measured, on whatever node, with the percentiles of all of them.
   */
  readonly measurements: Readonly<Record<string, Distribution>>;
}

/** The metrics of several nodes, nested by the parts of their names. */
export interface ClusterMetrics extends ClusterAnswer {
  readonly metrics: Readonly<Record<string, unknown>>;
}

const figure: Reader<number> = (value) => (Number.isFinite(value) ? (value as number) : undefined);
const part: Reader<string> = (value) => (isPart(value) ? value : undefined);
const readPrefix = listOfAll(part, MAX_PARTS);
const readRecord = record<MetricRecord>({
  name: (value) => nonEmpty(readPrefix(value)),
  count: whole(),
  counter: optional(figure),
  gauge: optional(figure),
  histograms: map(readHistogram, MAX_MEASUREMENTS, part),
});

/** See the file header. */
@Injectable()
export class MetricQueries implements OnModuleInit {
  /** The metrics of this node; `Telemetry` sets it. */
  find: (prefix: EventName) => readonly MetricRecord[] = () => [];

  constructor(@Inject(ClusterQueries) private readonly queries: ClusterQueries) {}

  async onModuleInit(): Promise<void> {
    await this.queries.answer(TYPE, (prefix) => {
      const parts = readPrefix(prefix);
      return parts === undefined ? [] : this.find(parts);
    });
  }

  async all(prefix: EventName, options: ClusterQueryOptions): Promise<Result<ClusterMetrics>> {
    const asked = await this.queries.ask(TYPE, prefix, readRecord, options);
    if (!asked.ok) return asked;
    const { entries, ...answer } = asked.value;
    return ok({ metrics: nested(sums(entries)), ...answer });
  }
}

function nonEmpty(name: string[] | undefined): string[] | undefined {
  return name === undefined || name.length === 0 ? undefined : name;
}

interface Sum {
  name: EventName;
  count: number;
  histograms: Map<string, Histogram>;
}

function sums(records: readonly MetricRecord[]): (readonly [EventName, ClusterMetric])[] {
  const all = new Map<string, Sum>();
  for (const { name, count, counter, gauge, histograms } of records) {
    const sum = all.get(keyOf(name)) ?? { name, count: 0, histograms: new Map<string, Histogram>() };
    all.set(keyOf(name), sum);
    sum.count += count;
    if (counter !== undefined) within(sum, 'counter').add(counter);
    if (gauge !== undefined) within(sum, 'gauge').add(gauge);
    for (const [what, histogram] of Object.entries(histograms)) within(sum, what).merge(histogram);
  }
  return [...all.values()].map(({ name, count, histograms }) => {
    const measurements = Object.fromEntries([...histograms].map(([what, each]) => [what, each.summary()]));
    return [name, { count, measurements }] as const;
  });
}

function within({ histograms }: Sum, what: string): Histogram {
  const histogram = histograms.get(what) ?? new Histogram();
  histograms.set(what, histogram);
  return histogram;
}
