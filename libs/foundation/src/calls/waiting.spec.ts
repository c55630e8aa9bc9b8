import { describe, expect, it } from '@jest/globals';
import type { OwnerRecord } from '../backend/leases/leases.js';
import { CircularWaitError } from '../errors/call.errors.js';
import { MAX_CHAIN } from './call.codec.js';
import { CircularWaits } from './circular.waits.js';
import { asPartOf, chain, onBehalfOf, outside, Wait, type Waiter, waiters } from './waiting.js';

const waiter = (name: string): Waiter => ({ spec: { name }, waitsFor: new Map() });
const names = (): string[] => waiters().map(({ spec }) => spec.name);
const unchecked = (): Promise<void> => Promise.resolve();

describe('waiters', () => {
  it('are those that the code belongs to, until it is over', async () => {
    let release = (): void => undefined;
    let later: Promise<string[]> | undefined;
    expect(names()).toEqual([]);
    await asPartOf(waiter('a'), async () => {
      await asPartOf(waiter('b'), () => {
        expect(names()).toEqual(['b', 'a']);
        later = new Promise<void>((resolve) => (release = resolve)).then(names);
        expect(outside(names)).toEqual([]);
      });
      expect(names()).toEqual(['a']);
    });
    release();
    // What the call left behind is waited for by nobody.
    expect(await later).toEqual([]);
  });

  it('are not kept by a chain of work of which each is begun by the one before', async () => {
    let depth = 0;
    const next = (left: number): Promise<void> =>
      asPartOf(waiter(`p${left}`), async () => {
        depth = Math.max(depth, waiters().length);
        if (left > 0) setImmediate(() => void next(left - 1));
        else done();
      });
    let done = (): void => undefined;
    const all = new Promise<void>((resolve) => (done = resolve));
    await next(1000);
    await all;
    expect(depth).toBe(1);
  });

  it('are left by what throws', async () => {
    await expect(
      asPartOf(waiter('a'), () => {
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(names()).toEqual([]);
  });
});

describe('the chain that travels with a call', () => {
  it('has each name once, nearest first, and not more than eight', async () => {
    expect(chain()).toBeUndefined();
    const enter = (names: readonly string[]): Promise<string[]> => {
      const [name, ...others] = names;
      return name === undefined ? Promise.resolve(chain() ?? []) : asPartOf(waiter(name), () => enter(others));
    };
    expect(await enter(['a', 'b', 'a'])).toEqual(['a', 'b']);
    const many = await enter(Array.from({ length: 20 }, (_, index) => `p${index}`));
    expect(many).toHaveLength(MAX_CHAIN);
    expect(many[0]).toBe('p19');
  });

  it('is entered on the other node, in the same order, by names alone, and left', async () => {
    await asPartOf(waiter('here'), async () => {
      await onBehalfOf(['b', 'a'], async () => {
        expect(names()).toEqual(['b', 'a']);
        expect(waiters().every(({ isElsewhere }) => isElsewhere === true)).toBe(true);
        await asPartOf(waiter('c'), () => expect(chain()).toEqual(['c', 'b', 'a']));
      });
      await onBehalfOf([], async () => expect(names()).toEqual([]));
      expect(names()).toEqual(['here']);
    });
    await expect(onBehalfOf(['a'], () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(names()).toEqual([]);
  });
});

describe('a wait', () => {
  it('is known as long as it lasts, and once for each', async () => {
    const a = waiter('a');
    await asPartOf(a, async () => {
      const [one, two] = [new Wait(unchecked), new Wait(unchecked)];
      await one.goesOn('b');
      await one.goesOn('b');
      await two.goesOn('b');
      expect([...a.waitsFor]).toEqual([['b', 2]]);
      two.end();
      expect([...a.waitsFor]).toEqual([['b', 1]]);
      await one.goesOn('c');
      expect([...a.waitsFor]).toEqual([['c', 1]]);
      one.end();
      one.end();
      expect(a.waitsFor.size).toBe(0);
    });
  });

  it('is not checked outside of processes', async () => {
    const wait = new Wait(() => Promise.reject(new Error('looked')));
    await wait.goesOn('b');
    await expect(
      asPartOf(waiter('a'), () => new Wait(() => Promise.reject(new Error('looked'))).goesOn('b')),
    ).rejects.toThrow('looked');
  });
});

describe('CircularWaits', () => {
  const circles = (waits: Record<string, string[]>, failing = false) =>
    new CircularWaits({
      owner: async (name) => (name in waits ? ({ name } as OwnerRecord) : undefined),
      waitsOf: async ({ name }) => {
        if (failing) throw new Error('not callable');
        return waits[name]!;
      },
    });
  const check = (from: string, to: string, waits: Record<string, string[]>, failing = false): Promise<void> =>
    asPartOf(waiter(from), () => circles(waits, failing).check(to));

  it.each([
    ['a', 'a', {}, '"a" waits for itself'],
    ['a', 'b', { b: ['a'] }, '"a" waits for "b", which waits for "a"'],
    [
      'a',
      'b',
      { b: ['x', 'c'], c: ['d'], d: ['a'] },
      '"a" waits for "b", which waits for "c", which waits for "d", which',
    ],
  ] as const)('tells that %s waits for %s in vain', async (from, to, waits, words) => {
    await expect(check(from, to, waits as unknown as Record<string, string[]>)).rejects.toThrow(CircularWaitError);
    await expect(check(from, to, waits as unknown as Record<string, string[]>)).rejects.toThrow(words);
  });

  it.each([
    ['nobody owns it', 'a', 'b', {}],
    ['it waits for nothing', 'a', 'b', { b: [] }],
    ['it waits for others, which wait for each other', 'a', 'b', { b: ['c'], c: ['d'], d: ['c'] }],
    [
      'the way is very long',
      'a',
      'p0',
      Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`p${n}`, [`p${n + 1}`]])),
    ],
  ])('says nothing where %s', async (_what, from, to, waits: Record<string, string[]>) => {
    await expect(check(from, to, waits)).resolves.toBeUndefined();
  });

  it('says nothing where the node does not say what waits there, and outside of processes', async () => {
    await expect(check('a', 'b', { b: ['a'] }, true)).resolves.toBeUndefined();
    await expect(circles({ b: ['b'] }).check('b')).resolves.toBeUndefined();
  });
});
