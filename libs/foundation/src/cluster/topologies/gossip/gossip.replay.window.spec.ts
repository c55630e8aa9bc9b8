import { describe, expect, it } from '@jest/globals';
import { GossipReplayWindow, nextTime, WINDOW_MS } from './gossip.replay.window.js';

const NOW = 1_700_000_000_000;

describe('The replay window', () => {
  it('takes each packet once, and none that is older than the last one of its sender', () => {
    const window = new GossipReplayWindow();
    const check = (boot: string, at: number) => window.check(boot, NOW + at, NOW);
    expect([check('a', 0), check('a', 0), check('a', 2), check('a', 1), check('b', 0)]).toEqual([
      ...['fresh', 'replayed', 'fresh', 'replayed', 'fresh'],
    ]);
  });

  it('takes none whose time is too far away, in either direction', () => {
    const window = new GossipReplayWindow();
    expect(window.check('a', NOW - WINDOW_MS, NOW)).toBe('fresh');
    expect(window.check('a', NOW + WINDOW_MS + 1, NOW)).toBe('untimely');
    expect(window.check('b', NOW - WINDOW_MS - 1, NOW)).toBe('untimely');
    expect(window.check('c', Number.NaN, NOW)).toBe('untimely');
  });

  it('takes nothing twice, however long after', () => {
    const window = new GossipReplayWindow(3);
    const at = NOW;
    expect(window.check('a', at, NOW)).toBe('fresh');
    for (let now = NOW; now <= NOW + 3 * WINDOW_MS; now += 1000) {
      window.check(`other-${now}`, now, now);
      expect(window.check('a', at, now)).not.toBe('fresh');
    }
  });

  it('remembers no more senders than it may, and makes room in time', () => {
    const window = new GossipReplayWindow(2);
    expect(['a', 'b', 'c'].map((boot) => window.check(boot, NOW, NOW))).toEqual(['fresh', 'fresh', 'full']);
    expect(window.check('a', NOW + 1, NOW)).toBe('fresh');
    const later = NOW + WINDOW_MS + 1;
    expect(window.check('c', later, later)).toBe('fresh');
  });
});

describe('The time of a packet', () => {
  it('rises while the clock stands still or goes back a little, and follows it back from far ahead', () => {
    expect([nextTime(0, NOW), nextTime(NOW, NOW), nextTime(NOW, NOW - WINDOW_MS)]).toEqual([NOW, NOW + 1, NOW + 1]);
    expect(nextTime(NOW + 3_600_000, NOW)).toBe(NOW);
    expect(new GossipReplayWindow().check('a', nextTime(NOW + 3_600_000, NOW), NOW)).toBe('fresh');
  });
});
