import { describe, expect, it, jest } from '@jest/globals';
import type { ClusterView } from '../../cluster/cluster.view.js';
import { AcknowledgementError } from '../../errors/message.errors.js';
import type { LeaveReason } from '../../telemetry/events.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import type { NodeAddress, NodeMessageListener, NodeMessages } from '../node.messages.js';
import { Acknowledgements } from './acknowledgements.js';

const node = (name: string): NodeAddress => ({ name, bootId: `boot ${name}` });
const LONG = 60_000;

function setUp() {
  const telemetry = new Telemetry();
  let hear!: NodeMessageListener;
  const send = jest.fn<NodeMessages['send']>().mockResolvedValue(1);
  const nodeMessages = {
    on: (_kind: string, given: NodeMessageListener) => void (hear = given),
    send,
  } as unknown as NodeMessages;
  const membership = {
    self: node('me'),
    listen: () => () => undefined,
  } as unknown as ClusterView;
  const acknowledgements = new Acknowledgements(membership, nodeMessages, telemetry);
  const leave = (name: string, reason: LeaveReason) =>
    telemetry.emit('cluster.node_left', { node: name, bootId: `boot ${name}`, reason });
  return { acknowledgements, send, leave, hear: (body: unknown, name: string) => hear(body, node(name)) };
}

describe('Acknowledgements', () => {
  it('resolves once all nodes have acknowledged, this one included', async () => {
    const { acknowledgements, hear } = setUp();
    const { id, acknowledged, settle } = acknowledgements.expect('events', ['a', 'b', 'me'].map(node), LONG);
    let done = false;
    void acknowledged.then(() => (done = true));
    hear([id], 'a');
    hear([id], 'a');
    settle();
    await Promise.resolve();
    expect(done).toBe(false);
    hear([id], 'b');
    await acknowledged;
  });

  it('resolves at once if no node listens', async () => {
    await setUp().acknowledgements.expect('events', [], LONG).acknowledged;
  });

  it('rejects with the nodes that are missing', async () => {
    const { acknowledgements, hear } = setUp();
    const { id, acknowledged } = acknowledgements.expect('events', ['a', 'b'].map(node), 20);
    hear([id], 'a');
    const error = await acknowledged.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AcknowledgementError);
    expect(error).toMatchObject({ channel: 'events', timeoutMs: 20, missing: [{ node: 'b', reason: 'no answer' }] });
  });

  it('rejects with the failures as soon as no node is left to answer', async () => {
    const { acknowledgements, hear } = setUp();
    const { id, acknowledged } = acknowledgements.expect('events', ['a', 'b'].map(node), LONG);
    hear([id, 'a handler failed: x'], 'a');
    hear([id], 'b');
    await expect(acknowledged).rejects.toMatchObject({ missing: [{ node: 'a', reason: 'a handler failed: x' }] });
  });

  it('does not wait for a node that announced that it leaves', async () => {
    const { acknowledgements, hear, leave } = setUp();
    const { id, acknowledged } = acknowledgements.expect('events', ['a', 'b'].map(node), LONG);
    hear([id], 'b');
    leave('a', 'shutdown');
    await acknowledged;
  });

  it('waits for a node that disappeared: it may have handled nothing, or be alive', async () => {
    const { acknowledgements, hear, leave } = setUp();
    const died = acknowledgements.expect('events', [node('a')], 20);
    const there = acknowledgements.expect('events', [node('b')], LONG);
    leave('a', 'timeout');
    leave('b', 'timeout');
    hear([there.id], 'b');
    await there.acknowledged;
    await expect(died.acknowledged).rejects.toMatchObject({ missing: [{ node: 'a', reason: 'no answer' }] });
  });

  it.each([[null], ['x'], [[]], [['1']], [[{}]], [[1, 5]], [[99]], [[1.5]]])('ignores %j', async (body) => {
    const { acknowledgements, hear } = setUp();
    const { acknowledged, cancel } = acknowledgements.expect('events', [node('a')], LONG);
    hear(body, 'a');
    hear([1], 'somebody else');
    const first = await Promise.race([
      acknowledged.then(() => 'done'),
      new Promise((resolve) => setImmediate(resolve, 'waits')),
    ]);
    expect(first).toBe('waits');
    cancel();
  });

  it('acknowledges to the sender, and ignores a failure of that', async () => {
    const { acknowledgements, send } = setUp();
    send.mockRejectedValueOnce(new Error('Connection is closed.'));
    acknowledgements.acknowledge('boot a', 7);
    acknowledgements.acknowledge('boot a', 8, 'dropped');
    expect(send.mock.calls).toEqual([
      ['boot a', 'ack', [7], 'high'],
      ['boot a', 'ack', [8, 'dropped'], 'high'],
    ]);
    await Promise.resolve();
  });

  it('rejects nothing while this node leaves, so that no rejection overtakes its announcement', () => {
    const { acknowledgements, send } = setUp();
    acknowledgements.acknowledge('boot a', 7, 'unsubscribed');
    acknowledgements.leave();
    acknowledgements.acknowledge('boot a', 8, 'unsubscribed');
    acknowledgements.acknowledge('boot a', 9, 'a handler failed: Error: no');
    acknowledgements.acknowledge('boot a', 10);
    expect(send.mock.calls.map(([, , body]) => body)).toEqual([
      [7, 'unsubscribed'],
      [9, 'a handler failed: Error: no'],
      [10],
    ]);
  });
});
