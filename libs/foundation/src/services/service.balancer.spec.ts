import { describe, expect, it } from '@jest/globals';
import { ArgumentError } from '../errors/config.errors.js';
import { Balancer } from './service.balancer.js';
import type { BalancerStrategy, ServiceInfo } from './service.js';

const service = (instanceId: string, node: string): ServiceInfo => ({
  ...{ name: 's', instanceId, node, bootId: node, capabilities: [], metadata: {}, registeredAt: 1, status: 'healthy' },
});
const all = [service('1', 'a'), service('2', 'b'), service('3', 'c')];
const loads = new Map(Object.entries({ a: 5, b: 1, c: 1 }));
const make = (random = 0) => new Balancer({ self: 'c', loads: () => loads, random: () => random });
const take = (count: number, strategy?: BalancerStrategy, services = all, balancer = make()) =>
  Array.from({ length: count }, () => balancer.choose('s', services, strategy)?.instanceId);

describe('Balancer', () => {
  it('takes turns by default, for each name on its own', () => {
    const balancer = make();
    expect(take(4, undefined, all, balancer)).toEqual(['1', '2', '3', '1']);
    expect(balancer.choose('other', all)?.instanceId).toBe('1');
    expect(take(2, 'round-robin', all.slice(0, 2), balancer)).toEqual(['1', '2']);
  });

  it('takes any by chance', () => {
    expect([0, 0.34, 0.99].map((random) => take(1, 'random', all, make(random))[0])).toEqual(['1', '2', '3']);
  });

  it('takes turns among the least loaded', () => {
    expect(take(4, 'least-loaded')).toEqual(['2', '3', '2', '3']);
    expect(take(1, 'least-loaded', [service('9', 'unknown'), service('1', 'a')])).toEqual(['1']);
  });

  it('asks for the loads once for each choice', () => {
    let asked = 0;
    const count = () => ((asked += 1), loads);
    new Balancer({ self: 'c', loads: count, random: () => 0 }).choose('s', all, 'least-loaded');
    expect(asked).toBe(1);
  });

  it('knows the turn of the names that were used last, and none of a name without services', () => {
    const balancer = make();
    take(1, undefined, all, balancer);
    for (let index = 0; index < 20_000; index++) balancer.choose(`nobody-${index}`, []);
    expect(take(1, undefined, all, balancer)).toEqual(['2']);
    for (let index = 0; index < 10_000; index++) balancer.choose(`name-${index}`, all);
    expect(take(1, undefined, all, balancer)).toEqual(['1']);
  });

  it('takes its own node first, and any other one without it', () => {
    expect(take(3, 'local-first')).toEqual(['3', '3', '3']);
    expect(take(3, 'local-first', all.slice(0, 2))).toEqual(['1', '2', '1']);
  });

  it('takes the same one for the same key, and moves only the keys of one that goes', () => {
    const keys = Array.from({ length: 300 }, (_, index) => `key-${index}`);
    const chosen = (services: ServiceInfo[]) => keys.map((hash) => take(1, { hash }, services)[0]);
    const before = chosen(all);
    expect(new Set(before).size).toBe(3);
    const after = chosen(all.slice(0, 2));
    expect(before.every((id, index) => id === '3' || id === after[index])).toBe(true);
  });

  it.each<BalancerStrategy>(['round-robin', 'random', 'least-loaded', 'local-first', { hash: 'k' }])(
    'has nothing to choose among none (%j)',
    (strategy) => expect(take(1, strategy, [])).toEqual([undefined]),
  );

  it.each(['fastest', null, 7, {}, { hash: 7 }])('refuses the strategy %j', (strategy) => {
    expect(() => take(1, strategy as BalancerStrategy)).toThrow(ArgumentError);
  });
});
