import { describe, expect, it } from '@jest/globals';
import { ClusterClock } from './cluster.clock.js';

/** Redis is this much ahead. */
const AHEAD = 5000;

describe('ClusterClock', () => {
  it('is the clock of this node until there was a heartbeat', () => {
    expect(new ClusterClock().at(7)).toBe(7);
  });

  it('takes the answer that came soonest, whatever came before and after it', () => {
    const clock = new ClusterClock();
    clock.heard(1040 + AHEAD, 1000, 1042); // a busy node: 40 ms until Redis had it
    expect(Math.abs(clock.at(0) - AHEAD)).toBeGreaterThan(10);
    clock.heard(2000.4 + AHEAD, 2000, 2001);
    clock.heard(3060 + AHEAD, 3000, 3061);
    expect(Math.abs(clock.at(0) - AHEAD)).toBeLessThanOrEqual(0.5);
  });

  it('follows a clock that was set', () => {
    const clock = new ClusterClock();
    clock.heard(1000, 1000, 1001);
    clock.heard(2000 + AHEAD, 2000, 2020);
    expect(Math.abs(clock.at(0) - AHEAD)).toBeLessThanOrEqual(10);
    clock.heard(3000 - AHEAD, 3000, 3020);
    expect(Math.abs(clock.at(0) + AHEAD)).toBeLessThanOrEqual(10);
  });

  it('follows a clock that drifts', () => {
    const clock = new ClusterClock();
    let ahead = 0;
    for (let beat = 1; beat <= 1000; beat++) {
      clock.heard(beat * 1000 + 1 + ahead, beat * 1000, beat * 1000 + 2);
      ahead += 0.05; // 50 parts in a million
    }
    expect(Math.abs(clock.at(0) - ahead)).toBeLessThan(3);
  });
});
