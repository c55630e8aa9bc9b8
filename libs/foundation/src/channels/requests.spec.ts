import { describe, expect, it, jest } from '@jest/globals';
import type { Transport } from '../backend/transport/transport.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import type { MembershipListener } from '../cluster/member.js';
import type { RequestError } from '../errors/message.errors.js';
import type { NodeMessageListener, NodeMessages } from './node.messages.js';
import { Requests } from './requests.js';
import type { Audience } from './sending/audience.js';

function setUp() {
  const hear = new Map<string, NodeMessageListener>();
  const send = jest.fn<NodeMessages['send']>().mockResolvedValue(1);
  let listener!: MembershipListener;
  let interrupted!: () => void;
  const state = { target: 'b' as string | undefined, here: ['b'] };
  const nodeMessages = { on: (kind: string, given: NodeMessageListener) => void hear.set(kind, given), send };
  const audience = {
    pick: () => (state.target === undefined ? {} : { any: state.target }),
    add: () => () => undefined,
  };
  const membership = {
    self: { name: 'me', bootId: 'me' },
    members: () => state.here.map((bootId) => ({ bootId })),
    listen: (given: MembershipListener) => ((listener = given), () => undefined),
  };
  const transport = { onInterrupted: (given: () => void) => ((interrupted = given), () => undefined) };
  const requests = new Requests(
    audience as unknown as Audience,
    nodeMessages as unknown as NodeMessages,
    membership as unknown as ClusterView,
    transport as unknown as Transport,
  );
  const ask = (wait = 60_000) => {
    const answers: unknown[] = [];
    const errors: RequestError[] = [];
    const end = requests.request(
      'sum',
      [1],
      { answer: (answer) => answers.push(answer), fail: (e) => errors.push(e) },
      wait,
    );
    return { answers, errors, end };
  };
  const say = (kind: string, body: unknown, from = 'b') => hear.get(kind)!(body, { name: from, bootId: from });
  return { requests, send, state, ask, say, change: () => listener.changed!(), cut: () => interrupted() };
}

describe('Requests', () => {
  it('accepts any number of answers, and only of the queried node', () => {
    const { ask, say, send } = setUp();
    const { answers, end } = ask();
    expect(send.mock.calls).toEqual([['b', 'request', { id: 1, pattern: 'sum', packet: [1] }]]);
    say('reply', { id: 1, answer: 'x' });
    say('reply', { id: 1, answer: 'forged' }, 'c');
    say('reply', { id: 1, answer: 'y' });
    end();
    say('reply', { id: 1, answer: 'late' });
    expect(answers).toEqual(['x', 'y']);
  });

  it('waits for a node that answers', async () => {
    const { ask, state, send, change } = setUp();
    state.target = undefined;
    const { errors } = ask();
    expect(send).not.toHaveBeenCalled();
    state.target = 'b';
    change();
    expect(send).toHaveBeenCalledTimes(1);
    state.target = undefined;
    const { errors: late } = ask(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(late).toMatchObject([{ mayBeDone: false }]);
    expect(errors).toEqual([]);
  });

  it.each<[string, (given: ReturnType<typeof setUp>) => void, boolean]>([
    ['the node leaves', ({ state, change }) => ((state.here = []), change()), true],
    ['the connection is cut', ({ cut }) => cut(), true],
    ['the node answers no more', ({ say }) => say('reply', { id: 1 }), false],
  ])('fails when %s', (_what, happen, mayBeDone) => {
    const given = setUp();
    const { errors } = given.ask();
    happen(given);
    expect(errors).toMatchObject([{ pattern: 'sum', mayBeDone }]);
  });

  it.each([
    ['reaches nobody', () => Promise.resolve(0)],
    ['cannot be sent', () => Promise.reject(new Error('Connection is closed.'))],
  ])('fails when the node message %s', async (_what, sent) => {
    const { ask, send } = setUp();
    send.mockImplementationOnce(sent);
    const { errors } = ask();
    await new Promise((resolve) => setImmediate(resolve));
    expect(errors).toMatchObject([{ mayBeDone: false }]);
  });

  it('reaches the answerer, which replies to the sender', async () => {
    const { requests, send, say } = setUp();
    const end = requests.answer('sum', (packet, reply) => reply({ response: packet }));
    say('request', { id: 5, pattern: 'sum', packet: 'p' }, 'a');
    end();
    say('request', { id: 6, pattern: 'sum', packet: 'p' }, 'a');
    await Promise.resolve();
    expect(send.mock.calls).toEqual([
      ['a', 'reply', { id: 5, answer: { response: 'p' } }],
      ['a', 'reply', { id: 6 }],
    ]);
  });

  it('reaches the one that is left when another one of its pattern has ended', () => {
    const { requests, send, say } = setUp();
    const reached: string[] = [];
    const ends = ['first', 'second'].map((name) =>
      requests.answer('sum', () => Promise.resolve(void reached.push(name))),
    );
    ends[1]!();
    say('request', { id: 5, pattern: 'sum', packet: 'p' }, 'a');
    expect(reached).toEqual(['first']);
    ends[0]!();
    say('request', { id: 6, pattern: 'sum', packet: 'p' }, 'a');
    expect(send.mock.calls).toEqual([['a', 'reply', { id: 6 }]]);
  });

  it.each([null, 5, 'x', {}, { id: '1' }, { id: 1 }, { id: 1, pattern: 5 }])('ignores %j', (body) => {
    const { say, send } = setUp();
    say('request', body);
    say('reply', body);
    expect(send).not.toHaveBeenCalled();
  });
});
