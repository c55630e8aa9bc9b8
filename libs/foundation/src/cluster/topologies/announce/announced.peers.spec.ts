import { describe, expect, it } from '@jest/globals';
import { Heard } from './announced.peers.js';
import type { Announcement } from './announcement.js';

const told = (boot: string, more: Partial<Announcement> = {}): Announcement => ({
  ...{ app: 'shop', node: `n-${boot}`, boot },
  ...more,
});
const names = (heard: Heard) => heard.peers().map(({ node, state }) => `${node} ${state}`);

describe('Heard', () => {
  it('has those that have told of themselves lately', () => {
    const heard = new Heard(100);
    expect(heard.note(told('a'), 0)).toBe('new');
    expect(heard.note(told('b', { host: 'box', address: 'x:1' }), 50)).toBe('new');
    expect(heard.note(told('a'), 60)).toBe('same');
    expect(heard.note(told('a', { leaving: true }), 70)).toBe('changed');
    expect(heard.peers()).toEqual([
      { id: 'b', node: 'n-b', host: 'box', address: 'x:1', state: 'ready' },
      { id: 'a', node: 'n-a', state: 'leaving' },
    ]);
    expect(heard.expire(149)).toBe(false);
    expect(heard.expire(150)).toBe(true);
    expect(names(heard)).toEqual(['n-a leaving']);
    expect(heard.expire(170)).toBe(true);
    expect(heard.peers()).toEqual([]);
  });

  it('has a node that was started again once, as it is now', () => {
    const heard = new Heard(100);
    heard.note(told('old', { node: 'n', leaving: true }), 0);
    heard.note(told('new', { node: 'n' }), 1);
    expect(heard.peers()).toEqual([{ id: 'new', node: 'n', state: 'ready' }]);
  });

  it('takes no more than it may', () => {
    const heard = new Heard(100, 2);
    expect(['a', 'b', 'c', 'a'].map((boot) => heard.note(told(boot), 0))).toEqual(['new', 'new', 'full', 'same']);
    heard.expire(100);
    expect(heard.note(told('c'), 100)).toBe('new');
  });

  it('knows a Redis only where all agree', () => {
    const heard = new Heard(100);
    expect(heard.redis()).toBeUndefined();
    heard.note(told('a'), 0);
    heard.note(told('b', { redis: 'redis://r:1/0' }), 0);
    heard.note(told('c', { redis: 'redis://r:1/0' }), 0);
    expect(heard.redis()).toBe('redis://r:1/0');
    heard.note(told('d', { redis: 'redis://r:2/0' }), 0);
    expect(heard.redis()).toBeUndefined();
  });
});
