import { describe, expect, it } from '@jest/globals';
import { peersIn, redisIn } from './consul.catalog.js';

const entry = (service: object, statuses: string[] = ['passing'], node: object = { Address: '10.0.0.1' }) => ({
  Node: node,
  Service: { ID: 'shop-a', ...service },
  Checks: statuses.map((Status) => ({ Status })),
});
const meta = { 'foundation-node': 'a', 'foundation-host': 'h' };

describe('peersIn', () => {
  it('takes nodes, by their own address or that of their agent', () => {
    expect(peersIn([entry({ Meta: meta, Address: '10.0.0.2', Port: 7000 })])).toEqual([
      { id: 'shop-a', node: 'a', host: 'h', state: 'ready', address: '10.0.0.2:7000' },
    ]);
    expect(peersIn([entry({ Meta: meta, Address: '', Port: 0 })])[0]).toMatchObject({ address: '10.0.0.1' });
    expect(peersIn([entry({ Meta: meta, Address: 'fd00::1', Port: 7 })])[0]).toMatchObject({ address: '[fd00::1]:7' });
  });

  it.each([
    [['passing', 'passing'], 'ready'],
    [['passing', 'critical'], 'not-ready'],
    [['warning'], 'not-ready'],
    [[], 'ready'],
  ])('with the checks %j a node is %s, and never terminated', (statuses, state) => {
    expect(peersIn([entry({ Meta: meta }, statuses)])[0]?.state).toBe(state);
  });

  it('passes over what is no node, and over addresses that are none', () => {
    const bad = [
      null,
      5,
      {},
      { Service: null },
      entry({}),
      entry({ Meta: { 'foundation-node': '' } }),
      entry({ Meta: meta, ID: 5 }),
    ];
    expect(peersIn(bad)).toEqual([]);
    for (const Address of ['a b', 'x/y', 'user@host', 5]) {
      expect(peersIn([entry({ Meta: meta, Address, Port: 7 })])[0]).not.toHaveProperty('address');
    }
    expect(peersIn([entry({ Meta: meta, Address: 'a', Port: 70_000 })])[0]).toMatchObject({ address: 'a' });
  });

  it.each([null, undefined, {}, 'x'])('refuses %j', (answer) => expect(() => peersIn(answer)).toThrow(/no list/));
});

describe('redisIn', () => {
  const at = (Address: string, Port: number) => entry({ Address, Port });

  it('takes the one that there is', () => {
    expect(redisIn([at('10.0.0.5', 6379)])).toBe('redis://10.0.0.5:6379');
    expect(redisIn([at('10.0.0.5', 6379), at('10.0.0.5', 6379)])).toBe('redis://10.0.0.5:6379');
  });

  it('does not choose among several, of which another node could choose another one', () => {
    expect(redisIn([at('10.0.0.5', 6379), at('10.0.0.6', 6379)])).toBeUndefined();
  });

  it.each([[[]], [[entry({ Address: '10.0.0.5' })]], [[entry({ Address: 'a b', Port: 7 })]]])(
    'finds none in %j',
    (answer) => {
      expect(redisIn(answer)).toBeUndefined();
    },
  );
});
