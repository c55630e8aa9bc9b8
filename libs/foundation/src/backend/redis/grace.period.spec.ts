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

  it('is never shorter than that of this node', () => {
    const grace = new Grace(1517, () => 0);
    grace.hear(500, 60_000);
    expect([grace.ms, grace.text]).toEqual([1517, '1517']);
    grace.hear(1517, 60_000);
    expect([grace.ms, grace.text]).toEqual([1517, '1517']);
  });

  it.each([
    [0, 1],
    [-1, 1],
    [NaN, 1],
    [5000, 0],
    [5000, -1],
    [5000, NaN],
  ])('takes no nonsense, which does not forget what was heard: %d ms for %d ms', (ms, kept) => {
    const grace = new Grace(1517, () => 0);
    grace.hear(ms, kept);
    expect([grace.ms, grace.text]).toEqual([1517, '1517']);
    grace.hear(10_102, 60_000);
    grace.hear(ms, kept);
    expect([grace.ms, grace.text]).toEqual([10_102, '1517 10102 60000']);
  });
});
