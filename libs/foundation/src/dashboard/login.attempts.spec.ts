import { describe, expect, it } from '@jest/globals';
import { LoginAttempts, MAX_ATTEMPTS, networkOf, WINDOW_MS } from './login.attempts.js';

const NOW = 1_760_000_000_000;

describe('Attempts', () => {
  it('makes an address wait after too many, and no other', () => {
    const attempts = new LoginAttempts();
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

  it('forgets the oldest of very many addresses, and not one that has to wait', () => {
    const attempts = new LoginAttempts();
    for (let count = 0; count < MAX_ATTEMPTS; count += 1) attempts.fail('a', NOW);
    for (let count = 0; count < 5000; count += 1) attempts.fail(`${count}`, NOW);
    expect(attempts.waitFor('a', NOW)).toBeGreaterThan(0);
    // Until it is one of very many that have to.
    for (let each = 0; each < 1000; each += 1)
      for (let count = 0; count < MAX_ATTEMPTS; count += 1) attempts.fail(`other ${each}`, NOW);
    expect(attempts.waitFor('a', NOW)).toBe(0);
  });

  it('takes an IPv6 network for one address', () => {
    const same = ['2001:db8::1', '2001:db8:0:0:ffff:1:2:3', '2001:DB8::9%eth0'].map(networkOf);
    expect(new Set(same)).toEqual(new Set(['2001:db8:0:0']));
    expect(networkOf('2001:db8:0:1::1')).toBe('2001:db8:0:1');
    expect(['10.1.2.3', '::ffff:10.1.2.3', '::1', ''].map(networkOf)).toEqual(['10.1.2.3', '10.1.2.3', '0:0:0:0', '']);
  });
});
