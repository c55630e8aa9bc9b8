import { describe, expect, it } from '@jest/globals';
import { type Metric, MetricStore } from './metric.store.js';

const store = () => new MetricStore({ retentionMs: 300_000, everyMs: 60_000 });

const onlyIn = (metrics: MetricStore): Metric => metrics.list([], 0)[0]![1];

describe('MetricStore', () => {
  it('keeps 10 measurements of a metric, and no names that are none', () => {
    const metrics = store();
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`m${at}`, at]));
    metrics.add(['a'], JSON.parse('{"__proto__":5}') as Record<string, number>, {}, 0);
    metrics.add(['a'], { ['x'.repeat(1_000_000)]: 1 }, {}, 0);
    metrics.add(['a'], many, {}, 0);
    const metric = onlyIn(metrics);
    expect(Object.keys(metric.measurements)).toEqual(Object.keys(many).slice(0, 10));
  });

  it('cuts metadata above 10 KB and texts above 1,000 characters', () => {
    const metrics = store();
    metrics.add(['a'], { state: 'x'.repeat(5000) }, { body: 'x'.repeat(50_000) }, 0);
    const metric = onlyIn(metrics);
    expect(String(metric.measurements['state']).length).toBeLessThanOrEqual(1000);
    expect(metric.metadata).toEqual(expect.objectContaining({ truncated: true, originalSize: 50_011 }));
  });

  it('keeps what is no number at all out of the figures', () => {
    const metrics = store();
    for (const size of [1, NaN, Infinity, 3]) metrics.add(['a'], { size }, {}, 0);
    const { distributions } = onlyIn(metrics);
    expect(distributions).toEqual({ size: expect.objectContaining({ count: 2, sum: 4 }) });
  });
});
