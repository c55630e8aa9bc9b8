import { describe, expect, it } from '@jest/globals';
import { isIsolated, stateOf } from './failure.detector.js';

describe('stateOf', () => {
  it.each([
    ['up', false, 'up'],
    ['up', true, 'suspect'],
    ['draining', false, 'draining'],
    ['draining', true, 'draining'],
  ] as const)('%s, late %s: %s', (recorded, late, state) => {
    expect(stateOf(recorded, late)).toBe(state);
  });
});

describe('isIsolated', () => {
  it('is so from the deadline on, and not before', () => {
    expect(isIsolated(1000, 1000, 1233)).toBe(false);
    expect(isIsolated(1000, 2232, 1233)).toBe(false);
    expect(isIsolated(1000, 2233, 1233)).toBe(true);
    expect(isIsolated(1000, 9999, 1233)).toBe(true);
  });
});
