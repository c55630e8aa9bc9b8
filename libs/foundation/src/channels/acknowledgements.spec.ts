import { describe, expect, it, jest } from '@jest/globals';
import type { Membership, MembershipListener } from '../cluster/membership.js';
import { AcknowledgementError } from '../errors.js';
import { Acknowledgements } from './acknowledgements.js';
import type { Correspondent, LetterListener, Letters } from './letters.js';

const node = (name: string): Correspondent => ({ name, bootId: `boot ${name}` });
const LONG = 60_000;

function setUp() {
  let hear!: LetterListener;
  let listener!: MembershipListener;
  let members = [node('a'), node('b')];
  const send = jest.fn<Letters['send']>().mockResolvedValue(1);
  const letters = { on: (_kind: string, given: LetterListener) => void (hear = given), send } as unknown as Letters;
  const membership = {
    self: node('me'),
    members: () => members,
    listen: (given: MembershipListener) => ((listener = given), () => undefined),
  } as unknown as Membership;
  const acknowledgements = new Acknowledgements(membership, letters);
  const leave = (name: string) => {
    members = members.filter((member) => member.name !== name);
    listener.changed!();
  };
  return { acknowledgements, send, leave, hear: (body: unknown, name: string) => hear(body, node(name)) };
}

describe('Acknowledgements', () => {
  it('resolves once all have answered, this node included', async () => {
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

  it('resolves at once where nobody listens', async () => {
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

  it('rejects with what went wrong, as soon as nobody is left to answer', async () => {
    const { acknowledgements, hear } = setUp();
    const { id, acknowledged } = acknowledgements.expect('events', ['a', 'b'].map(node), LONG);
    hear([id, 'a handler failed: x'], 'a');
    hear([id], 'b');
    await expect(acknowledged).rejects.toMatchObject({ missing: [{ node: 'a', reason: 'a handler failed: x' }] });
  });

  it('does not wait for a node that has left', async () => {
    const { acknowledgements, hear, leave } = setUp();
    const { id, acknowledged } = acknowledgements.expect('events', ['a', 'b'].map(node), LONG);
    hear([id], 'b');
    leave('a');
    await acknowledged;
  });

  it.each([[null], ['x'], [[]], [['1']], [[{}]], [[1, 5]], [[99]], [[1.5]]])('makes nothing of %j', async (body) => {
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

  it('tells the sender, and does not fail when it cannot', async () => {
    const { acknowledgements, send } = setUp();
    send.mockRejectedValueOnce(new Error('Connection is closed.'));
    acknowledgements.tell('boot a', 7);
    acknowledgements.tell('boot a', 8, 'dropped');
    expect(send.mock.calls).toEqual([
      ['boot a', 'ack', [7], 'high'],
      ['boot a', 'ack', [8, 'dropped'], 'high'],
    ]);
    await Promise.resolve();
  });
});
