/**
 * Pure: how numbers are distributed, in buckets that are 2 % wide: percentiles are right within 1 %, and histograms of
 * several nodes add up. That of `perf_hooks` takes whole numbers above 0, and its buckets cannot leave the process.
 */
import { amount, isObject, whole } from '../../wire/decode.js';

/** What is known of many numbers. Percentiles are right within 1 %; the other figures are exact. */
export interface Distribution {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
}

/** A histogram as JSON: pairs of bucket and count, the lowest bucket first. */
export interface HistogramRecord {
  count: number;
  sum: number;
  min: number;
  max: number;
  buckets: number[];
}

/** The most buckets; beyond it the lowest two become one. So many span eight powers of ten. */
export const MAX_BUCKETS = 1000;
const LOG_WIDTH = Math.log(1.02);
/** Numbers of smaller magnitude count as 0. Buckets below 0 mirror those above. */
const SMALLEST = 1e-9;
const OFFSET = 20_000;

/** See the file header. */
export class Histogram {
  readonly #buckets = new Map<number, number>();
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = -Infinity;

  get count(): number {
    return this.#count;
  }

  /** A number that is finite. */
  add(value: number): void {
    this.#extend(value, value, value, 1);
    this.#increase(bucketOf(value), 1);
  }

  /** Everything that another one has. */
  merge({ count, sum, min, max, buckets }: HistogramRecord): void {
    this.#extend(sum, min, max, count);
    for (let at = 0; at + 1 < buckets.length; at += 2) this.#increase(buckets[at]!, buckets[at + 1]!);
  }

  /** The smallest number that `share` of all are not above, within 1 %; 0 where there is none. */
  percentile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (const [bucket, count] of this.#sorted()) {
      if ((seen += count) >= rank) return Math.min(this.#max, Math.max(this.#min, middleOf(bucket)));
    }
    return this.#count === 0 ? 0 : this.#max;
  }

  summary(): Distribution {
    const [p50, p90, p95, p99] = [0.5, 0.9, 0.95, 0.99].map((share) => this.percentile(share)) as Four;
    const [count, sum, isEmpty] = [this.#count, this.#sum, this.#count === 0];
    const [min, max] = isEmpty ? [0, 0] : [this.#min, this.#max];
    return { count, sum, min, max, mean: isEmpty ? 0 : sum / count, p50, p90, p95, p99 };
  }

  record(): HistogramRecord {
    const { min, max } = this.summary();
    return { count: this.#count, sum: this.#sum, min, max, buckets: this.#sorted().flat() };
  }

  #extend(sum: number, min: number, max: number, count: number): void {
    this.#count += count;
    this.#sum += sum;
    this.#min = Math.min(this.#min, min);
    this.#max = Math.max(this.#max, max);
  }

  #increase(bucket: number, count: number): void {
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + count);
    if (this.#buckets.size <= MAX_BUCKETS) return;
    const [[lowest, few], [next, more]] = this.#sorted() as [[number, number], [number, number]];
    this.#buckets.delete(lowest);
    this.#buckets.set(next, few + more);
  }

  #sorted(): [bucket: number, count: number][] {
    return [...this.#buckets].sort(([a], [b]) => a - b);
  }
}

type Four = [number, number, number, number];

/** Of a record that another node sent; `undefined` for what is none. */
export function readHistogram(value: unknown): HistogramRecord | undefined {
  if (!isObject(value)) return undefined;
  const { count, sum, min, max, buckets } = value;
  const isFigure = (each: unknown): each is number => amount(Number.MAX_VALUE, -Number.MAX_VALUE)(each) !== undefined;
  if (whole(undefined, 1)(count) === undefined || ![sum, min, max].every(isFigure)) return undefined;
  if (!Array.isArray(buckets) || buckets.length > 2 * MAX_BUCKETS || buckets.length % 2 !== 0) return undefined;
  const [bucket, most] = [whole(2 * OFFSET), whole(undefined, 1)];
  const isRight = buckets.every((each: unknown, at) => (at % 2 === 0 ? bucket(each) : most(each)) !== undefined);
  return isRight ? (value as unknown as HistogramRecord) : undefined;
}

/** From 0 up to twice the offset: negative numbers, 0 at the offset, positive numbers. */
function bucketOf(value: number): number {
  const magnitude = Math.abs(value);
  if (magnitude < SMALLEST) return OFFSET;
  const level = Math.min(OFFSET, 1 + Math.floor(Math.log(magnitude / SMALLEST) / LOG_WIDTH));
  return value < 0 ? OFFSET - level : OFFSET + level;
}

function middleOf(bucket: number): number {
  const level = Math.abs(bucket - OFFSET);
  if (level === 0) return 0;
  return Math.sign(bucket - OFFSET) * SMALLEST * Math.exp((level - 0.5) * LOG_WIDTH);
}
