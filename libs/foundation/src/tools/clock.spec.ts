import { describe, expect, it, jest } from '@jest/globals';
import { monotonicNow } from './clock.js';

describe('monotonicNow', () => {
  it('never goes back', () => {
    let last = monotonicNow();
    for (let look = 0; look < 10_000; look++) {
      const now = monotonicNow();
      expect(now >= last).toBe(true);
      last = now;
    }
  });

  it('does not look at the wall clock', () => {
    const before = monotonicNow();
    const spy = jest.spyOn(Date, 'now').mockReturnValue(0);
    const after = monotonicNow();
    spy.mockRestore();
    expect(after - before).toBeGreaterThanOrEqual(0);
    expect(after - before).toBeLessThan(1000);
  });
});
