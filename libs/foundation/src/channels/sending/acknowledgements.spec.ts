import { describe, expect, it, jest } from '@jest/globals';
import type { Gathering } from '../../calls/gathering.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import { OverloadedError } from '../../errors/limit.errors.js';
import { AcknowledgementError } from '../../errors/message.errors.js';
import type { LeaveReason } from '../../telemetry/events.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import type { NodeAddress, NodeMessageListener, NodeMessages } from '../node.messages.js';
import { Acknowledgements, MAX_AWAITED } from './acknowledgements.js';

const node = (name: string): NodeAddress => ({ name, bootId: `boot ${name}` });
const LONG = 60_000;

function setUp() {
  const telemetry = new Telemetry();
  let hear!: NodeMessageListener;
  let left!: () => void;
  let seen!: () => void;
  const send = jest.fn<NodeMessages['send']>().mockResolvedValue(1);
  const nodeMessages = {
    on: (_kind: string, given: NodeMessageListener) => void (hear = given),
    send,
  } as unknown as NodeMessages;
  const membership = {
    self: node('me'),
    state: 'up',
    listen: ({ changed }: { changed: () => void }) => {
      left = () => {
        (membership as { state: string }).state = 'left';
        changed();
      };
      seen = changed;
      return () => undefined;
    },
  } as unknown as ClusterView;
  const acknowledgements = new Acknowledgements(membership, nodeMessages, telemetry);
  const leave = (name: string, reason: LeaveReason) =>
    telemetry.emit('cluster.node_left', { node: name, bootId: `boot ${name}`, reason });
  return {
    acknowledgements,
    send,
    leave,
    left: () => left(),
    seen: () => seen(),
    hear: (body: unknown, name: string) => hear(body, node(name)),
  };
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

  it('leaves no timer behind', async () => {
    const { acknowledgements, hear } = setUp();
    const [set, clear] = [jest.spyOn(globalThis, 'setTimeout'), jest.spyOn(globalThis, 'clearTimeout')];
    const { id, acknowledged } = acknowledgements.expect('events', [node('a')], LONG);
    hear([id], 'a');
    await acknowledged;
    expect(clear.mock.calls.map(([timer]) => timer)).toEqual([set.mock.results[0]!.value]);
    jest.restoreAllMocks();
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
    expect(send.mock.calls).toStrictEqual([
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

  it('ends what waits when this node has left, and nothing while it is a member', async () => {
    const { acknowledgements, hear, left, seen } = setUp();
    const { id, acknowledged } = acknowledgements.expect('events', ['a', 'b', 'c'].map(node), LONG);
    hear([id, 'a handler failed'], 'a');
    hear([id], 'b');
    let isOver = false;
    acknowledged.catch(() => (isOver = true));
    seen();
    await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    left();
    await expect(acknowledged).rejects.toMatchObject({
      missing: [
        { node: 'a', reason: 'a handler failed' },
        { node: 'c', reason: 'the sender left the cluster before it answered' },
      ],
    });
  });

  it('waits for a bounded number of messages, and refuses the next', () => {
    const { acknowledgements } = setUp();
    const waits = Array.from({ length: MAX_AWAITED }, () => acknowledgements.expect('events', [node('a')], LONG));
    expect(() => acknowledgements.expect('events', [node('a')], LONG)).toThrow(OverloadedError);
    waits[0]!.cancel();
    waits.push(acknowledgements.expect('events', [node('a')], LONG));
    for (const { cancel } of waits) cancel();
  });

  it('keeps 500 characters of why a node has failed', async () => {
    const { acknowledgements, hear } = setUp();
    const { id, acknowledged } = acknowledgements.expect('events', [node('a')], LONG);
    hear([id, 'x'.repeat(501)], 'a');
    await expect(acknowledged).rejects.toMatchObject({ missing: [{ reason: 'x'.repeat(500) }] });
  });

  it('leaves no promise that is rejected and that nobody has', async () => {
    const { acknowledgements } = setUp();
    const unheard = jest.fn();
    process.once('unhandledRejection', unheard);
    acknowledgements.expect('events', [node('a')], 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', unheard);
    expect(unheard).not.toHaveBeenCalled();
  });
});

describe('The answers of a gather', () => {
  function gathering() {
    const taken: unknown[][] = [];
    let end: () => void = () => undefined;
    const fake = {
      answer: (bootId: string, values: unknown[]) => taken.push([bootId, 'answers', ...values]),
      miss: (bootId: string, reason: string) => taken.push([bootId, reason]),
      end: (reason: string) => taken.push(['all', reason]),
      onEnd: (given: () => void) => (end = given),
    };
    return { fake: fake as unknown as Gathering, taken, end: () => end() };
  }

  it('go to it until it ends, those of this node as well', () => {
    const { acknowledgements, hear } = setUp();
    const { fake, taken, end } = gathering();
    const { id, answer } = acknowledgements.gather(fake);
    hear([id, null, ['1', '2']], 'a');
    answer!({ values: ['3'] });
    end();
    hear([id, null, ['4']], 'b');
    expect(taken).toEqual([
      ['boot a', 'answers', 1, 2],
      ['boot me', 'answers', 3],
    ]);
  });

  it('are not awaited after it was cancelled, which disturbs no other', () => {
    const { acknowledgements, hear } = setUp();
    const [one, other] = [gathering(), gathering()];
    const [first, second] = [acknowledgements.gather(one.fake), acknowledgements.gather(other.fake)];
    first.cancel();
    hear([first.id, null, ['1']], 'a');
    hear([second.id, null, ['2']], 'a');
    expect([one.taken, other.taken]).toEqual([[], [['boot a', 'answers', 2]]]);
  });

  it('are missing of a node that has left, however it did, and of all when this one has', () => {
    const { acknowledgements, leave, left } = setUp();
    const { fake, taken } = gathering();
    acknowledgements.gather(fake);
    leave('a', 'shutdown');
    leave('b', 'timeout');
    left();
    expect(taken).toEqual([
      ['boot a', 'left'],
      ['boot b', 'left'],
      ['all', 'closing'],
    ]);
  });

  it('go before what waits when they are small', () => {
    const { acknowledgements, send } = setUp();
    acknowledgements.answer('boot a', 7, { values: ['x'.repeat(4096), '1'] });
    acknowledgements.answer('boot a', 8, { values: ['1', 'x'.repeat(4097)] });
    acknowledgements.answer('boot a', 9, { values: [], failure: { reason: 'failed', message: 'no' } });
    expect(send.mock.calls.map(([to, kind, body, lane]) => [to, kind, (body as unknown[])[0], lane])).toEqual([
      ['boot a', 'ack', 7, 'high'],
      ['boot a', 'ack', 8, 'normal'],
      ['boot a', 'ack', 9, 'high'],
    ]);
    expect(send.mock.calls[2]![2]).toEqual([9, null, [], 'failed', 'no']);
  });

  it('are not refused while this node leaves, unless there is something to say', () => {
    const { acknowledgements, send } = setUp();
    const unsubscribed = { reason: 'unsubscribed' as const, message: 'gone' };
    acknowledgements.answer('boot a', 1, { values: [], failure: unsubscribed });
    acknowledgements.leave();
    acknowledgements.answer('boot a', 2, { values: [], failure: unsubscribed });
    acknowledgements.answer('boot a', 3, { values: ['1'], failure: unsubscribed });
    acknowledgements.answer('boot a', 4, { values: [], failure: { reason: 'failed', message: 'no' } });
    acknowledgements.answer('boot a', 5, { values: [] });
    expect(send.mock.calls.map(([, , body]) => (body as unknown[])[0])).toEqual([1, 3, 4, 5]);
  });
});
