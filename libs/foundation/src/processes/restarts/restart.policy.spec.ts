import { describe, expect, it } from '@jest/globals';
import { decide, type EndingFacts, isBeyond } from './restart.policy.js';

const facts = (more: Partial<EndingFacts>): EndingFacts => ({
  policy: 'permanent',
  ending: 'crash',
  crashes: 1,
  maxRestarts: 3,
  backoff: { base: 100, cap: 1000 },
  random: 1,
  ...more,
});

describe('decide', () => {
  it.each([
    ['permanent', 'crash', 1, 'restart'],
    ['permanent', 'complete', 1, 'restart'],
    ['permanent', 'crash', 3, 'restart'],
    ['permanent', 'crash', 4, 'escalate'],
    ['permanent', 'complete', 4, 'escalate'],
    ['transient', 'crash', 1, 'restart'],
    ['transient', 'complete', 1, 'leave'],
    ['transient', 'crash', 4, 'escalate'],
    ['transient', 'complete', 4, 'leave'],
    ['temporary', 'crash', 1, 'leave'],
    ['temporary', 'complete', 1, 'leave'],
    ['temporary', 'crash', 4, 'leave'],
  ] as const)('%s after %s number %i: %s', (policy, ending, crashes, action) => {
    expect(decide(facts({ policy, ending, crashes })).action).toBe(action);
  });

  it.each([
    [0, 100],
    [1, 100],
    [2, 200],
    [3, 400],
    [4, 800],
    [5, 1000],
    [50, 1000],
    [5000, 1000],
  ])('doubles the delay up to the cap: crash %i waits %i ms at most and half of it at least', (crashes, longest) => {
    const most = decide(facts({ crashes, maxRestarts: 10_000, random: 1 }));
    const least = decide(facts({ crashes, maxRestarts: 10_000, random: 0 }));
    expect(most).toEqual({ action: 'restart', delayMs: longest });
    expect(least).toEqual({ action: 'restart', delayMs: longest / 2 });
  });

  it('allows no restart at all with maxRestarts 0', () => {
    expect(decide(facts({ maxRestarts: 0 }))).toEqual({ action: 'escalate' });
  });

  it('waits not at all with a base of 0', () => {
    expect(decide(facts({ crashes: 3, backoff: { base: 0, cap: 0 } }))).toEqual({ action: 'restart', delayMs: 0 });
  });

  it('gives whole milliseconds', () => {
    const decision = decide(facts({ random: 0.3337 }));
    expect(decision).toEqual({ action: 'restart', delayMs: 67 });
  });
});

describe('isBeyond', () => {
  it('is true for a time that no delay leads to, as after the clock of Redis was set back', () => {
    expect([isBeyond(900, 1000, 1000), isBeyond(2000, 1000, 1000), isBeyond(4000, 1000, 1000)]).toEqual([
      false,
      false,
      false,
    ]);
    expect([isBeyond(4001, 1000, 1000), isBeyond(3_600_000, 1000, 1000)]).toEqual([true, true]);
  });
});
