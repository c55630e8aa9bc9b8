// Many timers in one ring: none fires early, none later than a slot, and what is taken back does not fire.
import { describe, expect, it } from '@jest/globals';
import { Deadlines } from './deadlines.js';
import { SLOT_MS, TimerWheel, WheelTimer } from './timer.wheel.js';

class Timer extends WheelTimer {
  firedAt: number | undefined;
  constructor(private readonly now: () => number) {
    super();
  }
  expired(): void {
    this.firedAt = this.now();
  }
}

describe('TimerWheel', () => {
  it('fires none early, and each at the first look a slot later, whatever is added when', () => {
    // The generator of Lehmer (1951), so that each run is the same.
    let seed = 1;
    const random = (most: number): number => ((seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647) * most;
    for (let run = 0; run < 20; run++) {
      let now = random(1e9);
      const wheel = new TimerWheel();
      const waiting = new Map<WheelTimer, number>();
      const look = (): void => {
        for (const timer of wheel.due(now)) {
          expect(now).toBeGreaterThanOrEqual(waiting.get(timer)!);
          waiting.delete(timer);
        }
        for (const at of waiting.values()) expect(now - at).toBeLessThan(SLOT_MS);
      };
      for (let adds = 0; adds < 30; adds++) {
        now += random(50);
        look();
        const timer = new Timer(() => now);
        const ms = 1 + random(adds % 3 === 0 ? 40_000 : 300);
        waiting.set(timer, now + ms);
        expect(wheel.add(timer, ms, now)).toBeGreaterThanOrEqual(now + ms);
      }
      for (let next = wheel.next(); next !== undefined; next = wheel.next()) {
        expect(next).toBeGreaterThan(now);
        now = next;
        look();
      }
      expect([waiting.size, wheel.size]).toEqual([0, 0]);
    }
  });

  it('forgets those that are taken back, wherever they are in their slot', () => {
    for (const index of [0, 1, 2]) {
      const wheel = new TimerWheel();
      const timers = Array.from({ length: 3 }, () => new Timer(() => 0));
      for (const timer of timers) wheel.add(timer, 100, 7);
      wheel.remove(timers[index]!);
      wheel.remove(timers[index]!);
      expect(wheel.size).toBe(2);
      expect(wheel.due(99)).toEqual([]);
      const due = wheel.due(200);
      expect(due).toHaveLength(2);
      expect(due).not.toContain(timers[index]);
      expect(wheel.next()).toBeUndefined();
    }
  });

  it('finds all after it was not looked at for long', () => {
    const wheel = new TimerWheel();
    for (const ms of [10, 5000, 30_000, 60_000]) wheel.add(new Timer(() => 0), ms, 0);
    expect(wheel.due(40_000)).toHaveLength(3);
    expect(wheel.due(100_000)).toHaveLength(1);
    // One that is added after a long time without any is not late.
    wheel.add(new Timer(() => 0), 100, 1e9);
    expect(wheel.next()).toBeLessThanOrEqual(1e9 + 100 + SLOT_MS);
  });
});

describe('Deadlines', () => {
  const setUp = () => {
    let now = 1000;
    const wakes: { work: () => void; at: number; isRef: boolean; closed: boolean }[] = [];
    const deadlines = new Deadlines({
      now: () => now,
      wake: (work, ms) => {
        const wake = { work, at: now + ms, isRef: true, closed: false };
        wakes.push(wake);
        const timer = {
          ref: () => ((wake.isRef = true), timer as never),
          unref: () => ((wake.isRef = false), timer as never),
          close: () => ((wake.closed = true), timer as never),
        };
        return timer;
      },
    });
    const open = () => wakes.filter(({ closed }) => !closed);
    const pass = (ms: number): void => {
      now += ms;
      for (const wake of open().filter(({ at }) => at <= now)) {
        wake.closed = true;
        wake.work();
      }
    };
    return { deadlines, wakes, open, pass, timer: () => new Timer(() => now), at: () => now };
  };

  it('has one timer of Node for all, and another one only for what is sooner', () => {
    const { deadlines, wakes, open, pass, timer } = setUp();
    const timers = Array.from({ length: 100 }, timer);
    for (const each of timers) deadlines.add(each, 5000);
    expect(wakes).toHaveLength(1);
    const soon = timer();
    deadlines.add(soon, 30);
    expect([wakes.length, open().length]).toEqual([2, 1]);
    pass(30 + SLOT_MS);
    expect(soon.firedAt).toBe(1000 + 30 + SLOT_MS);
    expect(open()).toHaveLength(1);
    pass(5000 + SLOT_MS);
    expect(timers.every(({ firedAt }) => firedAt !== undefined)).toBe(true);
    expect([open().length, deadlines.size]).toEqual([0, 0]);
  });

  it('keeps the process as long as there is one, and makes no timer anew for those that come and go', () => {
    const { deadlines, wakes, pass, timer } = setUp();
    for (let index = 0; index < 100; index++) {
      const one = timer();
      deadlines.add(one, 5000);
      expect(wakes[0]!.isRef).toBe(true);
      deadlines.remove(one);
      expect(wakes[0]!.isRef).toBe(false);
      pass(10);
    }
    expect(wakes).toHaveLength(1);
    // It wakes once more, for nothing, and not again.
    pass(5000);
    expect([wakes.length, wakes[0]!.closed]).toEqual([1, true]);
  });

  it('waits on when Node wakes it too early', () => {
    const { deadlines, wakes, pass, timer } = setUp();
    const one = timer();
    deadlines.add(one, 100);
    wakes[0]!.closed = true;
    wakes[0]!.work();
    expect(one.firedAt).toBeUndefined();
    pass(100 + SLOT_MS);
    expect(one.firedAt).toBeDefined();
  });
});
