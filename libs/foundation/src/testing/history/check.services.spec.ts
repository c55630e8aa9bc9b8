import { describe, expect, it } from '@jest/globals';
import { servicesOfMembers } from './check.services.js';
import type { HistoryEvent } from './history.js';

const event = (name: string, payload: object, bootId = 'boot a'): HistoryEvent => ({
  ...{ at: 1, node: 'a', bootId, pid: 1, event: name },
  payload: { ...payload },
});
const joined = event('cluster.node_joined', { node: 'b', bootId: 'boot b' });
const left = event('cluster.node_left', { node: 'b', bootId: 'boot b' });
const found = (bootId?: string): HistoryEvent =>
  event('test.found', { service: 'shop', instances: [{ bootId: 'boot b', instanceId: '1' }] }, bootId);

describe('I7', () => {
  it('holds while the node is a member, and where another one sees it as one', () => {
    expect(servicesOfMembers([joined, found(), left, joined, found()])).toEqual([]);
    expect(servicesOfMembers([joined, left, found('boot c')])).toEqual([]);
  });

  it('is broken by a service of a node that has left', () => {
    expect(servicesOfMembers([joined, left, found()])).toMatchObject([{ invariant: 'I7', events: [left, found()] }]);
  });
});
