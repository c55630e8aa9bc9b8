import { describe, expect, it } from '@jest/globals';
import type { Member } from '../cluster/membership.js';
import { rankMembers, rankOf, rendezvous, type Placeable } from './placement.js';

const member = (name: string, more: Partial<Member> = {}): Member => ({
  name,
  bootId: `boot-${name}`,
  host: 'h',
  pid: 1,
  state: 'up',
  load: 0,
  classes: ['Feed'],
  joinedAt: 0,
  self: false,
  ...more,
});

const feed = (more: Partial<Placeable> = {}): Placeable => ({
  name: 'feed',
  type: 'Feed',
  declared: true,
  placement: 'spread',
  ...more,
});

const names = (subject: Placeable, members: Member[]) => rankMembers(subject, members).map(({ name }) => name);
const nodes = (count: number) => Array.from({ length: count }, (_, index) => member(`node-${index}`));
const keys = (count: number) => Array.from({ length: count }, (_, index) => `process-${index}`);

describe('rankMembers', () => {
  it('puts the least loaded first with spread', () => {
    const members = [member('a', { load: 3 }), member('b', { load: 0 }), member('c', { load: 1 })];
    expect(names(feed(), members)).toEqual(['b', 'c', 'a']);
  });

  it('does not look at the load with hash', () => {
    const members = [member('a', { load: 9 }), member('b'), member('c')];
    const before = names(feed({ placement: 'hash' }), members);
    const after = names(feed({ placement: 'hash' }), [member('a'), member('b', { load: 9 }), member('c')]);
    expect(after).toEqual(before);
  });

  it('breaks ties by rendezvous: the same everywhere, whatever the order of the members, and not by name', () => {
    const firsts = new Set(
      keys(50).map((name) => {
        const forth = names(feed({ name }), nodes(5));
        const back = names(feed({ name }), nodes(5).reverse());
        expect(back).toEqual(forth);
        return forth[0];
      }),
    );
    expect(firsts.size).toBe(5);
  });

  it('leaves out who drains, and who does not have the class', () => {
    const members = [member('a', { state: 'draining' }), member('b', { classes: ['Other'] }), member('c', { load: 5 })];
    expect(names(feed(), members)).toEqual(['c']);
    expect(names(feed(), members.slice(0, 2))).toEqual([]);
  });

  it('asks for no class when a call started it', () => {
    const members = [member('a', { classes: [] }), member('b', { classes: ['Other'], load: 1 })];
    expect(names(feed({ declared: false }), members)).toEqual(['a', 'b']);
  });

  it('puts suspects after everyone who is up, and the avoided one after them', () => {
    const members = [member('a', { state: 'suspect' }), member('b', { load: 50 }), member('c')];
    expect(names(feed({ avoid: 'c' }), members)).toEqual(['b', 'a', 'c']);
    expect(names(feed({ avoid: 'c', placement: 'hash' }), members)).toEqual(['b', 'a', 'c']);
  });

  it('still gives the avoided one when there is nobody else', () => {
    expect(names(feed({ avoid: 'a' }), [member('a')])).toEqual(['a']);
  });

  it('does not change the members', () => {
    const members = Object.freeze(nodes(3)) as Member[];
    expect(names(feed(), members)).toHaveLength(3);
  });
});

describe('rankOf', () => {
  it('is the place in the order, and after everyone for a node that is not in it', () => {
    const members = [member('a', { load: 1 }), member('b'), member('c', { state: 'draining' })];
    expect(rankOf(feed(), members, 'b')).toBe(0);
    expect(rankOf(feed(), members, 'a')).toBe(1);
    expect(rankOf(feed(), members, 'c')).toBe(2);
    expect(rankOf(feed(), [], 'a')).toBe(0);
  });
});

describe('rendezvous', () => {
  it('is a whole number from 0 to 2^32 − 1 and always the same', () => {
    for (const name of keys(500)) {
      const weight = rendezvous(name, 'node');
      expect(Number.isInteger(weight) && weight >= 0 && weight < 2 ** 32).toBe(true);
      expect(rendezvous(name, 'node')).toBe(weight);
    }
    // Written down, because nodes of two versions must agree.
    expect([rendezvous('price-feed', 'node-1'), rendezvous('é', '😀')]).toMatchInlineSnapshot(`
      [
        3536128360,
        3221628845,
      ]
    `);
  });

  it('keeps name and node apart', () => {
    expect(rendezvous('ab', 'c')).not.toBe(rendezvous('a', 'bc'));
  });

  it.each([3, 4, 5, 6, 7, 8, 9, 10])('spreads evenly over %i nodes', (count) => {
    const total = 10_000;
    const won = new Map<string, number>();
    for (const name of keys(total)) {
      const [first] = names(feed({ name, placement: 'hash' }), nodes(count));
      won.set(first!, (won.get(first!) ?? 0) + 1);
    }
    expect(won.size).toBe(count);
    const share = total / count;
    // Pearson's statistic against its 99.9 % quantile for count − 1 degrees of freedom (Wilson-Hilferty).
    const chi2 = [...won.values()].reduce((sum, wins) => sum + (wins - share) ** 2 / share, 0);
    const freedom = count - 1;
    const limit = freedom * (1 - 2 / (9 * freedom) + 3.09 * Math.sqrt(2 / (9 * freedom))) ** 3;
    expect(chi2).toBeLessThan(limit);
  });

  it.each([3, 5, 10])('moves only what it must when one of %i nodes goes or comes', (count) => {
    const firsts = (members: Member[]) =>
      keys(5000).map((name) => names(feed({ name, placement: 'hash' }), members)[0]!);
    const all = firsts(nodes(count));
    const fewer = firsts(nodes(count).slice(0, -1));
    const gone = `node-${count - 1}`;
    // Nothing moves that was not on the node that went, and the part that was is about its share.
    expect(all.filter((node, index) => node !== gone && fewer[index] !== node)).toEqual([]);
    const moved = all.filter((node, index) => fewer[index] !== node).length / all.length;
    expect(moved).toBeGreaterThan(0.8 / count);
    expect(moved).toBeLessThan(1.2 / count);
  });
});
