import { describe, expect, it } from '@jest/globals';
import { Fifo } from './fifo.js';

describe('Fifo', () => {
  it('takes the oldest item at one end and the newest at the other', () => {
    const fifo = new Fifo<number>();
    for (const item of [1, 2, 3]) fifo.push(item);
    expect([fifo.size, fifo.peek(), fifo.shift(), fifo.pop(), fifo.shift()]).toEqual([3, 1, 1, 3, 2]);
    expect([fifo.size, fifo.peek(), fifo.shift(), fifo.pop()]).toEqual([0, undefined, undefined, undefined]);
  });

  it('stays correct over many items', () => {
    const fifo = new Fifo<number>();
    let next = 0;
    for (let item = 0; item < 20_000; item++) {
      fifo.push(item);
      if (item % 3 > 0) expect(fifo.shift()).toBe(next++);
    }
    expect(fifo.size).toBe(20_000 - next);
    while (fifo.size > 0) expect(fifo.shift()).toBe(next++);
    expect(next).toBe(20_000);
  });
});
