import { describe, expect, it } from '@jest/globals';
import { Grace } from './grace.period.js';

describe('Grace', () => {
  it('is that of this node until a longer one is known, and again when that no longer counts', () => {
    let now = 1000;
    const grace = new Grace(1517, () => now);
    expect([grace.ms, grace.text]).toEqual([1517, '1517']);
    grace.hear(10_102, 60_000);
    expect([grace.ms, grace.text]).toEqual([10_102, '1517 10102 60000']);
    now += 59_000;
    expect([grace.ms, grace.text]).toEqual([10_102, '1517 10102 1000']);
    now += 1000;
    expect([grace.ms, grace.text]).toEqual([1517, '1517']);
  });

  it('is never shorter than that of this node, and takes no nonsense', () => {
    const grace = new Grace(1517, () => 0);
    grace.hear(500, 60_000);
    expect([grace.ms, grace.text]).toEqual([1517, '1517']);
    for (const [ms, kept] of [
      [0, 1],
      [NaN, 1],
      [5000, 0],
      [5000, NaN],
    ] as const)
      grace.hear(ms, kept);
    expect(grace.ms).toBe(1517);
  });
});
