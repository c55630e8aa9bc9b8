import { describe, expect, it } from '@jest/globals';
import type { Member, MembershipListener } from '../cluster/member.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { DepartedNodes, SHOWN_MS } from './departed.nodes.js';

const member = (name: string, bootId = `boot of ${name}`): Member =>
  ({ name, bootId, host: 'h', pid: 1, version: '1', self: name === 'self' }) as Member;

function watched() {
  const telemetry = new Telemetry();
  const world = { now: 1_000_000, members: [member('self'), member('a'), member('b')] };
  const listeners: MembershipListener[] = [];
  const nodes = new DepartedNodes(
    {
      members: () => world.members,
      clusterNow: () => world.now,
      listen: (listener) => (listeners.push(listener), () => void listeners.splice(listeners.indexOf(listener), 1)),
    },
    telemetry,
  );
  nodes.onModuleInit();
  const become = (...members: Member[]): void => {
    world.members = members;
    for (const listener of listeners) listener.changed?.();
  };
  return { telemetry, world, nodes, become, listeners };
}

describe('DepartedNodes', () => {
  it('shows a node that died as it was, for a while', () => {
    const { nodes, world, become } = watched();
    expect(nodes.list()).toEqual([]);
    become(member('self'), member('b'));
    world.now += 5000;
    expect(nodes.list()).toEqual([
      { name: 'a', host: 'h', pid: 1, version: '1', state: 'down', since: world.now - 5000 },
    ]);
    world.now += SHOWN_MS.down;
    expect(nodes.list()).toEqual([]);
  });

  it('shows one that left in order for less long, whichever it hears first', () => {
    const { nodes, world, become, telemetry } = watched();
    become(member('self'), member('b'));
    telemetry.emit('cluster.node_left', { node: 'a', bootId: 'boot of a', reason: 'shutdown' });
    telemetry.emit('cluster.node_left', { node: 'b', bootId: 'boot of b', reason: 'timeout' });
    become(member('self'));
    expect(nodes.list().map(({ name, state }) => [name, state])).toEqual([
      ['b', 'down'],
      ['a', 'left'],
    ]);
    world.now += SHOWN_MS.left;
    expect(nodes.list().map(({ name }) => name)).toEqual(['b']);
  });

  it('shows none that is back under its name, and never this node', () => {
    const { nodes, become } = watched();
    become(member('b'));
    expect(nodes.list().map(({ name }) => name)).toEqual(['a']);
    become(member('self'), member('a', 'another life'), member('b'));
    expect(nodes.list()).toEqual([]);
  });

  it('keeps so many, and listens no longer than its module is there', () => {
    const { nodes, become, listeners } = watched();
    become(member('self'), ...Array.from({ length: 200 }, (_, index) => member(`n${index}`)));
    become(member('self'));
    expect(nodes.list()).toHaveLength(50);
    nodes.onModuleDestroy();
    expect(listeners).toEqual([]);
  });
});
