import { describe, expect, it, jest } from '@jest/globals';
import { createClock, monotonicNow } from './monotonic.clock.js';

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

describe('createClock', () => {
  let at = 0;
  let slept = 0;
  let set = 0;
  const wall = () => 1_700_000_000_000 + at + slept + set;
  const run = (sinceBoot: () => number | undefined) => createClock({ now: () => at, sinceBoot, wall });
  const boot = () => 1_234_567 + at + slept;

  it('counts a suspension, but for the step of the uptime', () => {
    [at, slept] = [0, 0];
    const now = run(() => Math.floor(boot() / 10) * 10);
    at = 100;
    expect(now()).toBe(100);
    slept = 5000;
    at = 110;
    expect(now()).toBeGreaterThanOrEqual(5110 - 40);
    expect(now()).toBeLessThanOrEqual(5110);
  });

  it('looks at the uptime when the wall clock jumps, and every 20 ms', () => {
    [at, slept, set] = [0, 0, 0];
    const sinceBoot = jest.fn(() => boot() + 0.5);
    const now = run(sinceBoot);
    sinceBoot.mockClear();
    for (; at < 1000; at += 0.25) now();
    expect(sinceBoot.mock.calls.length).toBeLessThanOrEqual(50);
    expect(sinceBoot.mock.calls.length).toBeGreaterThanOrEqual(49);
    slept = 5000;
    at += 1;
    expect(now() - at).toBeGreaterThanOrEqual(4980);
  });

  it('is not moved by a wall clock that is set', () => {
    [at, slept, set] = [0, 0, 0];
    const now = run(() => boot() + 0.5);
    for (const jump of [3_600_000, -3_600_000, 10, -10, -7_200_000]) {
      set += jump;
      at += 5;
      expect(now()).toBe(at);
    }
  });

  it('sees within 20 ms a suspension that the wall clock hides', () => {
    [at, slept, set] = [0, 0, 0];
    const now = run(() => boot() + 0.5);
    [slept, set] = [5000, -5000];
    at = 20;
    expect(now() - at).toBeGreaterThanOrEqual(4980);
  });

  it('is not moved by an uptime in whole seconds', () => {
    [at, slept] = [0, 0];
    const now = run(() => Math.floor(boot() / 1000) * 1000);
    for (at = 0; at < 5000; at += 7) expect(now()).toBe(at);
    slept = 60_000;
    at += 10;
    expect(now() - at).toBeGreaterThanOrEqual(58_000);
  });

  it('never goes back when the uptime does, fails or is not there', () => {
    [at, slept] = [0, 0];
    let uptime: () => number | undefined = () => boot() + 0.5;
    const now = run(() => uptime());
    slept = 1000;
    at = 10;
    const after = now();
    uptime = () => undefined;
    at = 20;
    expect(now()).toBe(after + 10);
    uptime = () => 0.5;
    at = 30;
    expect(now()).toBe(after + 20);
    const without = run(() => undefined);
    at = 40;
    expect(without()).toBe(10);
  });
});
