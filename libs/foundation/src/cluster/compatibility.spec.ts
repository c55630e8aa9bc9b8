import { describe, expect, it } from '@jest/globals';
import { describeDifference, differencesOf, isAgreed, refusalOf, type Terms } from './compatibility.js';

const terms = (name: string, more: Partial<Terms> = {}): Terms => ({
  ...{ name, version: '0.1.0', leaseServers: 1, leaseTtl: 1500, beatEvery: 1000, ttl: 3000 },
  ...{ protocol: { newest: 1, oldest: 1 }, declares: {} },
  ...more,
});
const before = (name: string): Terms => ({ name, version: '0.0.9', leaseServers: 1 });

describe('refusalOf', () => {
  it('lets nodes in that agree, that differ in what is settled, and that do not say', () => {
    const others = [terms('b', { leaseTtl: 10_000, ttl: 15_000, address: 'b:1' }), before('c')];
    expect(refusalOf(terms('a'), others)).toBeUndefined();
  });

  it('refuses another number of lease servers', () => {
    expect(refusalOf(terms('a'), [terms('b'), terms('c', { leaseServers: 3 })])).toMatchObject({
      ...{ setting: 'redis.quorum', node: 'c', mine: 'leases on 1 Redis servers', theirs: 'has them on 3' },
    });
  });

  it.each([
    [{ newest: 2, oldest: 2 }, false],
    [{ newest: 2, oldest: 1 }, true],
    [{ newest: 1, oldest: 1 }, true],
    [{ newest: 0, oldest: 0 }, false],
  ])('a node that understands %j: %s', (protocol, isIn) => {
    const refusal = refusalOf(terms('a'), [terms('b', { protocol, version: '0.9.0' })]);
    if (isIn) return expect(refusal).toBeUndefined();
    expect(refusal).toMatchObject({ setting: 'version', mine: 'Foundation 0.1.0 with protocol 1' });
    expect(refusal?.theirs).toContain('Foundation 0.9.0 with protocol');
  });
});

describe('differencesOf', () => {
  it('says nothing where all agree, nor of what a node does not say', () => {
    expect(differencesOf([terms('a'), terms('b')])).toEqual([]);
    expect(differencesOf([terms('a', { version: '0.0.9' }), before('b')])).toEqual([]);
  });

  it('names each setting with both values, their nodes, and what counts', () => {
    const nodes = [terms('b', { leaseTtl: 10_000 }), terms('a'), terms('c'), terms('d'), terms('e')];
    const [difference, ...others] = differencesOf(nodes);
    expect(others).toEqual([]);
    expect(describeDifference(difference!)).toBe(
      'lease.ttl: 10000 ms (b) and 1500 ms (a, c, d and 1 more); each owner keeps its own, and after a loss of data new owners ' +
        'wait for the longest',
    );
  });

  it('says that a quorum of as many servers may be one of others, which nobody can know from names', () => {
    const nodes = [
      terms('a', { leaseServers: 3, leaseNames: 'b:1, c:1' }),
      terms('b', { leaseServers: 3, leaseNames: 'b:1, c:1' }),
      terms('c', { leaseServers: 3, leaseNames: 'b:1, d:1' }),
      { ...before('d'), leaseServers: 3 },
    ];
    expect(refusalOf(nodes[0]!, nodes.slice(1))).toBeUndefined();
    expect(differencesOf(nodes.slice(0, 2))).toEqual([]);
    expect(differencesOf(nodes).map(describeDifference)).toContainEqual(
      expect.stringMatching(/^servers of redis.quorum: b:1, c:1 \(a, b\) and b:1, d:1 \(c\); unless/),
    );
  });

  it('compares what is declared among those that declare it', () => {
    const nodes = [
      terms('a', { declares: { carts: 'partitioned 4 11', feed: 'singleton 1 22' } }),
      terms('b', { declares: { carts: 'partitioned 8 33' } }),
    ];
    expect(differencesOf(nodes).map(({ setting }) => setting)).toEqual(['process carts']);
  });

  it('names those of thousands that are disputed, in their order', () => {
    const all = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`p${index}`, 'singleton 1 22']));
    const nodes = [
      terms('a', { declares: all }),
      terms('b', { declares: { ...all, p9: 'singleton 1 33' } }),
      terms('c', { declares: { ...all, p10: 'singleton 1 33' } }),
    ];
    expect(differencesOf(nodes).map(({ setting, values }) => [setting, values.length])).toEqual([
      ['process p10', 2],
      ['process p9', 2],
    ]);
  });
});

describe('isAgreed', () => {
  const node = (classes: string[], declares?: Record<string, string>) => ({
    ...before('n'),
    classes,
    ...(declares === undefined ? {} : { declares }),
  });

  it('asks those that declare it, and waits for those that have the class and do not say', () => {
    expect(isAgreed('carts', 'Carts', 'x', [node(['Carts'], { carts: 'x' }), node([], {}), node(['Other'])])).toBe(
      true,
    );
    expect(isAgreed('carts', 'Carts', 'x', [node(['Carts'], { carts: 'y' })])).toBe(false);
    expect(isAgreed('carts', 'Carts', 'x', [node(['Carts'])])).toBe(false);
  });
});
