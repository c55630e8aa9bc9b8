import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { callableOf } from '../calls/callable.decorator.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { NodeState } from '../cluster/member.js';
import { ArgumentError } from '../errors/config.errors.js';
import { ProcessTimeoutError } from '../errors/process.errors.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { askNode, NODE_CONTROL, NodeControl } from './node.control.js';

function control(drain: () => Promise<void> = () => Promise.resolve()) {
  const calls: string[] = [];
  const membership = {
    drain: async () => void calls.push('membership'),
    undrain: async () => void calls.push('membership'),
  };
  const undrain = () => void calls.push('undrained');
  const hosted = [{ name: 'feed', epoch: 1, running: true }];
  const takes = (name: string, limit: number | undefined) => (calls.push(`${name} ${String(limit)}`), limit !== 0);
  const waitsOf = (name: string) => (name === 'feed' ? Array.from({ length: 150 }, (_, index) => `p${index}`) : []);
  const supervisor = {
    drain: () => (calls.push('supervisor'), drain()),
    hosted: () => hosted,
    takes,
    waitsOf,
    undrain,
    running: () => undefined,
  };
  const view = { state: 'draining' as NodeState, isLeaving: false, self: { name: 'a', bootId: 'a1' } };
  const offered = { quote: () => 4, inspect: () => ({ quotes: 1 }) };
  const call = async <T>(work: () => T | Promise<T>): Promise<T> => work();
  const services = {
    running: (name: string) =>
      name === 'service:a1.1' ? { target: offered, lease: { epoch: 1, isHeld: () => true }, call } : undefined,
  };
  const parts = { config: { shutdownTimeout: 50 }, membership, view, supervisor, services };
  return { calls, view, node: new NodeControl({ ...parts, telemetry: new Telemetry() }) };
}

describe('NodeControl', () => {
  it('tells the others first, then lets go of everything', async () => {
    const { node, calls } = control();
    await node.drain();
    expect(calls).toEqual(['membership', 'supervisor']);
  });

  it('takes work again, the others told first, unless its application shuts down', async () => {
    const { node, calls, view } = control();
    await node.undrain();
    expect(calls).toEqual(['membership', 'undrained']);
    view.isLeaving = true;
    await expect(node.undrain()).rejects.toThrow(ArgumentError);
    await expect(node.undrain()).rejects.toThrow('"a" (its application shuts down)');
    expect(calls).toHaveLength(2);
  });

  it('looks into what it offers as a service', async () => {
    const { node } = control();
    expect(await node.inspect('service:a1.1')).toEqual({ methods: [], state: '{\n  "quotes": 1\n}' });
    expect(await node.inspect('service:a1.2')).toMatchObject({ methods: [], problem: expect.any(String) });
    await expect(node.inspect({})).rejects.toThrow(ArgumentError);
  });

  it('says what a process of it waits for, some of it', () => {
    const { node } = control();
    expect(node.waitsOf('feed')).toHaveLength(100);
    expect(node.waitsOf('other')).toEqual([]);
    expect(node.waitsOf(5)).toEqual([]);
  });

  it('says what has not stopped in time', async () => {
    const { node } = control(() => new Promise(() => undefined));
    await expect(node.drain(20)).rejects.toBeInstanceOf(ProcessTimeoutError);
    await expect(node.drain()).rejects.toThrow(/feed.*did not stop within 50 ms/);
  });

  it('keeps a place for what another node moves here, when it has one, and asks others for theirs', async () => {
    const { node, calls } = control();
    expect([node.takes('feed', 3, 'a'), node.takes('feed', 0, 'a'), node.takes('part/1', null, 'a')]).toEqual([
      true,
      false,
      true,
    ]);
    expect(calls).toEqual(['feed 3', 'feed 0', 'part/1 undefined']);
    for (const [name, limit] of [
      [1, null],
      ['feed', 'x'],
      ['feed', undefined],
      ['feed', NaN],
    ]) {
      expect(() => node.takes(name, limit, 'a')).toThrow(ArgumentError);
    }
    const asked: unknown[] = [];
    const callAt = async (...call: unknown[]) => asked.push(call) > 0;
    const members = [{ name: 'b', bootId: 'boot-b' }] as unknown as ReturnType<ClusterView['members']>;
    const ask = askNode({ members: () => members, self: { name: 'a', bootId: 'boot-a' } }, { callAt });
    expect([await ask('b', 'feed', undefined), await ask('gone', 'feed', 1)]).toEqual([true, false]);
    expect(asked).toEqual([
      [
        { name: NODE_CONTROL, node: 'b', bootId: 'boot-b', epoch: 1, isInternal: true },
        'takes',
        ['feed', null, 'a'],
        expect.anything(),
      ],
    ]);
  });

  it.each([0, -1, NaN, '100', null, {}])(
    'does nothing for the timeout %p, which may come from anywhere',
    async (timeout) => {
      const { node, calls } = control();
      await expect(node.drain(timeout)).rejects.toBeInstanceOf(ArgumentError);
      expect(calls).toEqual([]);
    },
  );

  it('is reached by calls under its own name, and by drain alone', async () => {
    const { node } = control();
    expect(node.running('feed')).toBeUndefined();
    const reached = node.running(NODE_CONTROL)!;
    expect(reached).toMatchObject({ target: node, lease: { epoch: 1 } });
    expect(reached.lease.isHeld()).toBe(true);
    expect(await reached.call(() => 7)).toBe(7);
    const callable = ['drain', 'running', 'constructor', 'toString'].filter((name) =>
      callableOf(NodeControl.prototype, name),
    );
    expect(callable).toEqual(['drain']);
  });
});
