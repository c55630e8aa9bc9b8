import { describe, expect, it } from '@jest/globals';
import { added, bucketOf, BUCKETS, countBelow, countOf, quantileOf, startOf } from './duration.buckets.js';

describe('duration buckets', () => {
  it('follow each other without a hole, each at most a quarter wider than it begins', () => {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const [start, end] = [startOf(bucket), startOf(bucket + 1)];
      expect(bucketOf(start)).toBe(bucket);
      expect(bucketOf((start + end) / 2)).toBe(bucket);
      expect(bucketOf(end)).toBe(Math.min(bucket + 1, BUCKETS - 1));
      if (bucket >= 4) expect(end / start).toBeLessThanOrEqual(1.25);
    }
  });

  it.each([
    [-5, 0],
    [NaN, 0],
    [0, 0],
    [1e-9, 0],
    [Infinity, BUCKETS - 1],
    [Number.MAX_VALUE, BUCKETS - 1],
    [34_000_000, BUCKETS - 1],
  ])('have one for %d', (ms, bucket) => expect(bucketOf(ms)).toBe(bucket));

  it('give quantiles that are off by an eighth at most', () => {
    const counts = new Map<number, number>();
    for (let ms = 1; ms <= 1000; ms++) counts.set(bucketOf(ms), (counts.get(bucketOf(ms)) ?? 0) + 1);
    const sparse = [...counts].sort(([a], [b]) => a - b).flat();
    expect(countOf(sparse)).toBe(1000);
    for (const share of [0.01, 0.5, 0.95, 0.99, 1]) {
      expect(Math.abs(quantileOf(sparse, share)! / (share * 1000) - 1)).toBeLessThan(0.13);
    }
    expect(quantileOf([], 0.5)).toBeUndefined();
    expect(quantileOf([bucketOf(8), 0], 0.5)).toBeDefined();
  });

  it('are added one by one, and counted below a power of two', () => {
    const sum = added([[bucketOf(1), 2, bucketOf(4), 1], [bucketOf(0.1), 1, bucketOf(4), 3], []]);
    expect(sum).toEqual([bucketOf(0.1), 1, bucketOf(1), 2, bucketOf(4), 4]);
    expect([0.25, 1, 2, 4, 8].map((ms) => countBelow(sum, ms))).toEqual([1, 1, 3, 3, 7]);
  });
});
