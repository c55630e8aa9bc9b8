import { describe, expect, it } from '@jest/globals';
import { KeyedSequence } from './keyed.sequence.js';

describe('KeyedSequence', () => {
  it('runs the work of each key in order, also after a failure', async () => {
    const turns = new KeyedSequence();
    const order: string[] = [];
    let go!: () => void;
    const first = turns.take('a', () =>
      new Promise<void>((resolve) => (go = resolve)).then(() => void order.push('1')),
    );
    const second = turns.take('a', () => Promise.reject(new Error('second')));
    const third = turns.take('a', () => void order.push('3'));
    await turns.take('b', () => void order.push('other'));
    expect(turns.busy('a')).toBe(true);
    expect(turns.waiting).toBe(3);
    go();
    await first;
    await expect(second).rejects.toThrow('second');
    await third;
    expect(order).toEqual(['other', '1', '3']);
    await Promise.resolve();
    expect([turns.busy('a'), turns.busy('b'), turns.waiting]).toEqual([false, false, 0]);
  });

  it('is busy until the last work of the key is done', async () => {
    const turns = new KeyedSequence();
    const order: string[] = [];
    let go!: () => void;
    const first = turns.take('a', () => void order.push('1'));
    const second = turns.take('a', () =>
      new Promise<void>((resolve) => (go = resolve)).then(() => void order.push('2')),
    );
    await first;
    expect(turns.busy('a')).toBe(true);
    const third = turns.take('a', () => void order.push('3'));
    go();
    await Promise.all([second, third]);
    expect(order).toEqual(['1', '2', '3']);
  });
});
