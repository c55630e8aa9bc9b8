import { describe, expect, it } from '@jest/globals';
import { Attempts, MAX_ATTEMPTS, WINDOW_MS } from './attempts.js';

const NOW = 1_760_000_000_000;

describe('Attempts', () => {
  it('makes an address wait after too many, and no other', () => {
    const attempts = new Attempts();
    for (let count = 0; count < MAX_ATTEMPTS; count += 1) {
      expect(attempts.waitFor('a', NOW)).toBe(0);
      attempts.fail('a', NOW);
    }
    expect(attempts.waitFor('a', NOW)).toBe(WINDOW_MS / 1000);
    expect(attempts.waitFor('b', NOW)).toBe(0);
    expect(attempts.waitFor('a', NOW + WINDOW_MS)).toBe(0);
    attempts.fail('a', NOW + WINDOW_MS);
    expect(attempts.waitFor('a', NOW + WINDOW_MS)).toBe(0);
  });

  it('forgets the oldest of very many addresses, and not one that is at it', () => {
    const attempts = new Attempts();
    for (let count = 0; count < MAX_ATTEMPTS; count += 1) attempts.fail('a', NOW);
    for (let count = 0; count < 999; count += 1) attempts.fail(`${count}`, NOW);
    expect(attempts.waitFor('a', NOW)).toBeGreaterThan(0);
    attempts.fail('one more', NOW);
    expect(attempts.waitFor('a', NOW)).toBe(0);
  });
});
