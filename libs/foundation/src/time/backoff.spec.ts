import { describe, expect, it } from '@jest/globals';
import { exponential, jittered } from './backoff.js';
import { endsWithin } from './timeout.js';

describe('exponential', () => {
  it('doubles with each failure, up to the longest', () => {
    const pauses = [-1, 0, 1, 2, 3, 4, 100, Infinity].map((failures) => exponential(50, 400, failures));
    expect(pauses).toEqual([50, 50, 100, 200, 400, 400, 400, 400]);
    expect(exponential(0, 400, 1000)).toBe(0);
  });
});

describe('jittered', () => {
  it('stays within its limits, and reaches both', () => {
    expect([jittered(100, 0.75, 1.25, 0), jittered(100, 0.75, 1.25, 1)]).toEqual([75, 125]);
    expect([jittered(100, 0.5, 1, 0), jittered(100, 0.5, 1, 0.5)]).toEqual([50, 75]);
    for (let round = 0; round < 100; round++) {
      const pause = jittered(100);
      expect(pause >= 75 && pause < 125).toBe(true);
    }
  });
});

describe('endsWithin', () => {
  it('says whether the work was done in time, and fails as it does', async () => {
    expect(await endsWithin(60_000, Promise.resolve('x'))).toBe(true);
    expect(await endsWithin(5, new Promise(() => setTimeout(() => undefined, 200).unref()))).toBe(false);
    await expect(endsWithin(60_000, Promise.reject(new Error('it failed')))).rejects.toThrow('it failed');
  });
});
