/**
 * Pure: how long things took, counted in buckets: four for each doubling, so that a quantile is off by an eighth at
 * most. Counts of several nodes and times are added bucket by bucket, which no quantile could be.
 */

/** From 1/64 of a millisecond to nine hours; what took longer is in the last one. */
export const BUCKETS = 120;
/** Of a millisecond. */
const UNITS = 64;
const LAST_UNIT = 0x7fffffff;

/** Counts by bucket, without those that are 0: bucket, count, bucket, count, in rising order of the buckets. */
export type Sparse = readonly number[];

/** The bucket of a duration in milliseconds; of a negative one, and what is not a number, the first. */
export function bucketOf(ms: number): number {
  const units = ms * UNITS >= LAST_UNIT ? LAST_UNIT : (ms * UNITS) | 0;
  if (units < 4) return units < 0 ? 0 : units;
  const doublings = 31 - Math.clz32(units);
  return (doublings - 1) * 4 + ((units >>> (doublings - 2)) & 3);
}

/** Where a bucket begins, in milliseconds; it ends where the next one begins. */
export function startOf(bucket: number): number {
  if (bucket < 4) return bucket / UNITS;
  return ((4 + (bucket & 3)) * 2 ** ((bucket >> 2) - 1)) / UNITS;
}

/** The duration in milliseconds that `share` of all do not exceed, such as 0.99; `undefined` of none. */
export function quantileOf(counts: Sparse, share: number): number | undefined {
  let left = share * countOf(counts);
  for (let index = 0; index + 1 < counts.length; index += 2) {
    const [bucket, count] = [counts[index]!, counts[index + 1]!];
    if (left <= count) {
      const [start, end] = [startOf(bucket), startOf(bucket + 1)];
      return start + (end - start) * (count === 0 ? 0 : left / count);
    }
    left -= count;
  }
  const last = counts.at(-2);
  return last === undefined ? undefined : startOf(last + 1);
}

/** All of them. */
export function countOf(counts: Sparse): number {
  let sum = 0;
  for (let index = 1; index < counts.length; index += 2) sum += counts[index]!;
  return sum;
}

/** Those that took no longer than `ms`, which has to be where a bucket begins: a power of two is. */
export function countBelow(counts: Sparse, ms: number): number {
  const end = bucketOf(ms);
  return countOf(counts.filter((_, index) => counts[index - (index % 2)]! < end));
}

/** The sum, bucket by bucket. */
export function added(all: readonly Sparse[]): number[] {
  const sums = new Map<number, number>();
  for (const counts of all) {
    for (let index = 0; index + 1 < counts.length; index += 2) {
      sums.set(counts[index]!, (sums.get(counts[index]!) ?? 0) + counts[index + 1]!);
    }
  }
  return [...sums].sort(([a], [b]) => a - b).flat();
}
