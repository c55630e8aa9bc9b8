import { describe, expect, it } from '@jest/globals';
import { Expected } from './expected.owners.js';

describe('what is expected of a node', () => {
  it('counts on top of what it said, until it says so itself', () => {
    const expected = new Expected();
    for (const name of ['x', 'y', 'z']) expected.expect(name, 'a', 1, 0);
    expect(expected.loadOf('a', 1)).toBe(4);
    expect(expected.loadOf('a', 3)).toBe(4);
    expect(expected.loadOf('b', 1)).toBe(1);
    expected.forget('y');
    expect(expected.loadOf('a', 1)).toBe(3);
    expected.expire(1000);
    expect(expected.loadOf('a', 3)).toBe(3);
  });

  it('counts for the node that a name was expected of last, and once', () => {
    const expected = new Expected();
    expected.expect('x', 'a', 1, 0);
    expected.expect('x', 'b', 2, 0);
    expected.expect('x', 'b', 2, 0);
    expect([expected.loadOf('a', 1), expected.loadOf('b', 2)]).toEqual([1, 3]);
    expected.forget('x');
    expected.forget('unknown');
    expect([expected.loadOf('b', 2), expected.queueMs('b')]).toEqual([2, 0]);
  });

  it('does not add up where names come steadily and end at once', () => {
    const expected = new Expected();
    for (let now = 0; now < 60_000; now += 100) {
      expected.expire(now);
      expected.expect(`job-${now}`, 'a', 0, now);
    }
    expect(expected.loadOf('a', 0)).toBeLessThanOrEqual(6);
  });

  it('counts until the node has had the time to take it, however much is before it', () => {
    const expected = new Expected();
    expect(expected.queueMs('a')).toBe(0);
    for (let index = 0; index < 3000; index++) expected.expect(`x-${index}`, 'a', 0, 0);
    expect(expected.queueMs('a')).toBe(6000);
    expected.expire(3000);
    // Half a second is for what is known late.
    expect(expected.loadOf('a', 1250)).toBe(1749);
    expect(expected.queueMs('a')).toBe(3498);
    expected.expire(7000);
    expect([expected.loadOf('a', 3000), expected.queueMs('a')]).toEqual([3000, 0]);
    for (let index = 0; index < 50_000; index++) expected.expect(`x-${index}`, 'a', 0, 0);
    expect(expected.queueMs('a')).toBe(10_000);
  });
});
