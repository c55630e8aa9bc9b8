import { describe, expect, it } from '@jest/globals';
import { ServiceIndex } from './service.index.js';
import type { ServiceInfo } from './service.js';

const service = (instanceId: string, more: Partial<ServiceInfo> = {}): ServiceInfo => ({
  ...{ name: 'till', instanceId, node: 'n', bootId: 'b', capabilities: ['charge'], metadata: {} },
  ...{ registeredAt: 1, status: 'healthy' },
  ...more,
});
const ids = (services: readonly ServiceInfo[]) => services.map(({ instanceId }) => instanceId);
const filled = (...services: ServiceInfo[]) => {
  const index = new ServiceIndex();
  for (const each of services) index.set(each);
  return index;
};

describe('ServiceIndex', () => {
  it('finds by id, by name and by capability, and nothing where there is nothing', () => {
    const a = service('b.1', { capabilities: ['charge', 'refund'] });
    const b = service('b.2', { name: 'printer', capabilities: [] });
    const index = filled(a, b);
    expect([index.get('b.1'), index.get('b.3')]).toEqual([a, undefined]);
    expect(index.all()).toEqual([a, b]);
    expect([index.named('till'), index.named('nobody')]).toEqual([[a], []]);
    expect([index.capable('refund'), index.capable('nothing')]).toEqual([[a], []]);
  });

  it('returns what was there before, and forgets it in every respect', () => {
    const before = service('b.1', { capabilities: ['charge', 'refund'] });
    const after = service('b.1', { name: 'printer', capabilities: ['print', 'charge'] });
    const index = filled(before);
    expect(index.set(after)).toBe(before);
    expect([index.named('till'), index.capable('refund')]).toEqual([[], []]);
    expect([index.named('printer'), index.capable('print'), index.capable('charge')]).toEqual([
      [after],
      [after],
      [after],
    ]);
    expect([index.delete('b.1'), index.delete('b.1')]).toEqual([after, undefined]);
    expect([index.all(), index.named('printer'), index.capable('print')]).toEqual([[], [], []]);
  });

  it('is in the order of registration, in whatever order it heard of them', () => {
    const early = service('z.1', { registeredAt: 1 });
    const late = service('a.1', { registeredAt: 2 });
    const [ninth, tenth] = [service('m.9', { registeredAt: 3 }), service('m.10', { registeredAt: 3 })];
    for (const index of [filled(early, late, ninth, tenth), filled(tenth, ninth, late, early)]) {
      for (const list of [index.all(), index.named('till'), index.capable('charge')]) {
        expect(ids(list)).toEqual(['z.1', 'a.1', 'm.9', 'm.10']);
      }
    }
  });

  it('keeps the place of one that changes', () => {
    const index = filled(service('b.1'), service('b.2'), service('b.3'));
    index.set(service('b.1', { status: 'unhealthy' }));
    for (const list of [index.all(), index.named('till'), index.capable('charge')]) {
      expect(ids(list)).toEqual(['b.1', 'b.2', 'b.3']);
    }
  });

  it('returns lists that cannot be changed, not even by itself', () => {
    const index = filled(service('b.1'));
    const lists = [index.all(), index.named('till'), index.capable('charge')];
    index.set(service('b.2'));
    index.delete('b.1');
    for (const list of lists) {
      expect(ids(list)).toEqual(['b.1']);
      expect(Object.isFrozen(list)).toBe(true);
    }
    expect(Object.isFrozen(index.named('nobody'))).toBe(true);
  });
});
