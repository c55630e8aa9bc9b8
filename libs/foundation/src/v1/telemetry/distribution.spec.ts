import { describe, expect, it } from '@jest/globals';
import { Histogram, MAX_BUCKETS, readHistogram } from './distribution.js';

const of = (values: readonly number[]): Histogram => {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram;
};
/** As the definition says: the smallest value that so many are not above. */
const exact = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1]!;
};
/** The same numbers in every run. */
const numbers = (count: number, seed: number): number[] => {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return Math.exp((state / 2_147_483_647) * 10) - 3;
  });
};

describe('Histogram', () => {
  it.each([0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1])('has percentile %p within 1 %%', (share) => {
    const values = numbers(5000, 7);
    const expected = exact(values, share);
    expect(Math.abs(of(values).percentile(share) - expected)).toBeLessThanOrEqual(Math.abs(expected) * 0.0101);
  });

  it('takes what is negative, zero, tiny and huge', () => {
    const values = [-5, -1e-12, 0, 1e-12, 3, 1e300, -1e300];
    const { count, min, max, p50 } = of(values).summary();
    expect({ count, min, max, p50 }).toEqual({ count: 7, min: -1e300, max: 1e300, p50: 0 });
  });

  it('gives of the histograms of several nodes what one of all numbers gives', () => {
    const parts = [numbers(1000, 1), numbers(10, 2), numbers(3000, 3)];
    const merged = new Histogram();
    for (const part of parts) merged.merge(readHistogram(JSON.parse(JSON.stringify(of(part).record())))!);
    const [actual, expected] = [merged.summary(), of(parts.flat()).summary()];
    expect({ ...actual, sum: 0, mean: 0 }).toEqual({ ...expected, sum: 0, mean: 0 });
    expect(actual.sum).toBeCloseTo(expected.sum, 4);
  });

  it(`has ${MAX_BUCKETS} buckets at most, and the upper percentiles still right`, () => {
    const values = Array.from({ length: 4000 }, (_, at) => 1e-9 * 1.011 ** at);
    const histogram = of(values);
    expect(histogram.record().buckets.length).toBe(2 * MAX_BUCKETS);
    expect(histogram.percentile(0.99) / exact(values, 0.99)).toBeCloseTo(1, 1);
    expect(histogram.count).toBe(4000);
  });

  it('says nothing of nothing', () => {
    expect(of([]).summary()).toEqual({ count: 0, sum: 0, min: 0, max: 0, mean: 0, p50: 0, p90: 0, p95: 0, p99: 0 });
  });
});

describe('readHistogram', () => {
  const good = of([1, 2]).record();

  it('takes what record() gives', () => expect(readHistogram(good)).toEqual(good));

  it.each([
    null,
    'x',
    {},
    { ...good, count: -1 },
    { ...good, count: 1.5 },
    { ...good, sum: 'x' },
    { ...good, min: null },
    { ...good, buckets: 'x' },
    { ...good, buckets: [1] },
    { ...good, buckets: [1, 0] },
    { ...good, buckets: [-1, 1] },
    { ...good, buckets: [1e9, 1] },
    { ...good, buckets: ['__proto__', 1] },
    { ...good, buckets: Array<number>(2 * MAX_BUCKETS + 2).fill(1) },
  ])('takes no %j', (value) => expect(readHistogram(value)).toBeUndefined());
});
