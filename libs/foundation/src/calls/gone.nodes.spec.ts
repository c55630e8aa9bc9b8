import { describe, expect, it } from '@jest/globals';
import { GoneNodes } from './gone.nodes.js';

describe('GoneNodes', () => {
  it('knows who was a member and is none, until that one is back', () => {
    const gone = new GoneNodes();
    gone.note(new Set(['a', 'b']));
    gone.note(new Set(['a']));
    expect(['a', 'b', 'never'].map((bootId) => gone.has(bootId))).toEqual([false, true, false]);
    gone.note(new Set(['a', 'b']));
    expect(gone.has('b')).toBe(false);
  });

  it('forgets the oldest of more than a thousand', () => {
    const gone = new GoneNodes();
    for (let node = 0; node <= 1001; node++) gone.note(new Set([`${node}`]));
    expect([gone.has('0'), gone.has('1'), gone.has('1000')]).toEqual([false, true, true]);
  });
});
