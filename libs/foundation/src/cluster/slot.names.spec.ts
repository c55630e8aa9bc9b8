import { describe, expect, it } from '@jest/globals';
import {
  indexOf,
  isSlotOf,
  looksLikeSlot,
  partitionOf,
  type ProcessCount,
  type ProcessKind,
  processOf,
  runsEverywhere,
  slotNames,
  type Slotted,
} from './slot.names.js';

const of = (kind: ProcessKind, count: ProcessCount, name = 'feed'): Slotted => ({ name, kind, count });
const single = of('singleton', 1);
const replicas = of('replicated', 3);
const everywhere = of('replicated', 'all');
const partitions = of('partitioned', 3);

describe('slotNames', () => {
  it.each<[string, Slotted, string[]]>([
    ['a singleton', single, ['feed']],
    ['replicas', replicas, ['feed#0', 'feed#1', 'feed#2']],
    ['one on every node', everywhere, ['feed@node-1']],
    ['partitions', partitions, ['feed/0', 'feed/1', 'feed/2']],
    ['one partition', of('partitioned', 1), ['feed/0']],
  ])('of %s', (_what, subject, names) => {
    expect(slotNames(subject, 'node-1')).toEqual(names);
  });

  it('are the same on every node, but for what runs on all of them', () => {
    for (const subject of [single, replicas, partitions]) {
      expect(slotNames(subject, 'a')).toEqual(slotNames(subject, 'b'));
    }
    expect(slotNames(everywhere, 'a')).not.toEqual(slotNames(everywhere, 'b'));
  });

  it('are as many as the largest count, and all different', () => {
    expect(new Set(slotNames(of('partitioned', 4096), 'n')).size).toBe(4096);
  });
});

describe('processOf, indexOf and isSlotOf', () => {
  it.each(['feed', 'price-feed', 'a/b', 'a#b', 'me and you', 'käse:{x}', 'node-1.example', 'x'.repeat(200)])(
    'lead back from the slots of %j',
    (name) => {
      for (const [kind, count] of [
        ['replicated', 12],
        ['partitioned', 12],
      ] as const) {
        const subject = of(kind, count, name);
        slotNames(subject, 'n').forEach((slot, index) => {
          expect(processOf(slot)).toBe(name);
          expect(indexOf(slot)).toBe(index);
          expect(isSlotOf(subject, slot)).toBe(true);
          expect(looksLikeSlot(slot)).toBe(true);
        });
      }
      for (const node of ['n', 'host.local-4711', 'a_b', '1']) {
        const [slot] = slotNames(of('replicated', 'all', name), node);
        expect(processOf(slot!)).toBe(name);
        expect(isSlotOf(of('replicated', 'all', name), slot!)).toBe(true);
      }
      expect(processOf(name)).toBe(name);
      expect(looksLikeSlot(name)).toBe(false);
      expect(isSlotOf(of('singleton', 1, name), name)).toBe(true);
    },
  );

  it.each<[string, Slotted, string[]]>([
    ['a singleton', single, ['feed#0', 'feed/0', 'feed@n', 'feed ', 'fee', '']],
    [
      'replicas',
      replicas,
      ['feed', 'feed#3', 'feed#-1', 'feed#01', 'feed#', 'feed/0', 'feed@n', 'xfeed#0', 'feed#0#0'],
    ],
    ['partitions', partitions, ['feed', 'feed/3', 'feed/00', 'feed/1.5', 'feed#0', 'feed/0/0', 'fee/0', 'feed/9e9']],
    ['one on every node', everywhere, ['feed', 'feed#0', 'feed/0', 'feeds@n', 'fee@d']],
  ])('take nothing else for a slot of %s', (_what, subject, others) => {
    expect(others.filter((slot) => isSlotOf(subject, slot))).toEqual([]);
  });

  it.each([
    ['feed', undefined],
    ['feed#0', 0],
    ['feed/63', 63],
    ['feed/0#12', 12],
    ['feed@node-1', undefined],
    ['feed#x', undefined],
    ['5', undefined],
  ])('the index of %s is %p', (slot, index) => {
    expect(indexOf(slot)).toBe(index);
  });

  it('says which process has one instance on each node', () => {
    expect([single, replicas, everywhere, partitions].map(runsEverywhere)).toEqual([false, false, true, false]);
    expect(runsEverywhere(of('partitioned', 'all'))).toBe(false);
  });
});

describe('partitionOf', () => {
  const keys = Array.from({ length: 20_000 }, (_, index) => `customer-${index}`);

  it('is a whole number below the count, and always the same', () => {
    for (const key of ['', ' ', 'é', '😀', '\ud800', '\u0000', 'x'.repeat(10_000), ...keys.slice(0, 500)]) {
      const partition = partitionOf(key, 64);
      expect(Number.isInteger(partition) && partition >= 0 && partition < 64).toBe(true);
      expect(partitionOf(key, 64)).toBe(partition);
      expect(partitionOf(key, 1)).toBe(0);
    }
  });

  it('stays what it was: keys must not move with a new version', () => {
    expect(['', 'a', 'customer-1', 'é', '😀'].map((key) => partitionOf(key, 64))).toMatchInlineSnapshot(`
      [
        16,
        63,
        26,
        57,
        6,
      ]
    `);
  });

  it.each([2, 7, 64])('spreads keys evenly over %i partitions', (count) => {
    const sizes = Array<number>(count).fill(0);
    for (const key of keys) sizes[partitionOf(key, count)]! += 1;
    const share = keys.length / count;
    // Pearson's statistic against its 99.9 % quantile for count − 1 degrees of freedom (Wilson-Hilferty).
    const chi2 = sizes.reduce((sum, size) => sum + (size - share) ** 2 / share, 0);
    const freedom = count - 1;
    expect(chi2).toBeLessThan(freedom * (1 - 2 / (9 * freedom) + 3.09 * Math.sqrt(2 / (9 * freedom))) ** 3);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1.6 * share);
  });
});
