import { describe, expect, it } from '@jest/globals';
import { methodsOf } from './remote.methods.js';

class Sum {
  add(a: number, b: number): number {
    return a + b;
  }
}

describe('methods that are one function', () => {
  const called: unknown[] = [];
  const sum = methodsOf<Sum>((method, args) => {
    called.push([method, args]);
    return Promise.resolve(7);
  });

  it('pass on their names and arguments', async () => {
    expect(await sum.add(1, 2)).toBe(7);
    expect(sum.add).toBe(sum.add);
    expect(called).toEqual([['add', [1, 2]]]);
  });

  it('are none where a promise, a test or a logger looks', async () => {
    called.length = 0;
    expect(await Promise.resolve(sum)).toBe(sum);
    expect(sum).not.toEqual({ add: 1 });
    expect(`${String(JSON.stringify(sum))}`).toBe('{}');
    expect(called).toEqual([]);
  });
});
