// What a node keeps for others is bounded: each queue is filled beyond its limit here, and says so in the way that is
// documented.
import { describe, expect, it, jest } from '@jest/globals';
import { Outbox } from '../../libs/foundation/src/backend/transport/outbox.js';
import type { Transport } from '../../libs/foundation/src/backend/transport/transport.js';
import { CallClient, MAX_PENDING_CALLS } from '../../libs/foundation/src/calls/call.client.js';
import { MAX_QUESTIONS, RemoteStatistics } from '../../libs/foundation/src/channels/channel.statistics.js';
import { headsOf } from '../../libs/foundation/src/channels/envelope.js';
import { MessageDrops } from '../../libs/foundation/src/channels/message.drops.js';
import type { NodeMessageListener, NodeMessages } from '../../libs/foundation/src/channels/node.messages.js';
import type { Dispatcher } from '../../libs/foundation/src/channels/receiving/dispatcher.js';
import { MAX_REQUESTS, type RequestListener, Requests } from '../../libs/foundation/src/channels/requests.js';
import { Acknowledgements, MAX_AWAITED } from '../../libs/foundation/src/channels/sending/acknowledgements.js';
import type { Audience } from '../../libs/foundation/src/channels/sending/audience.js';
import { MAX_DEFLATING, Sender } from '../../libs/foundation/src/channels/sending/sender.js';
import { Sequencer } from '../../libs/foundation/src/channels/sending/sequencer.js';
import type { ClusterView } from '../../libs/foundation/src/cluster/cluster.view.js';
import type { LocalNode } from '../../libs/foundation/src/cluster/local.node.js';
import { resolve } from '../../libs/foundation/src/config/resolve.js';
import { OverloadedError } from '../../libs/foundation/src/errors/limit.errors.js';
import { RequestError } from '../../libs/foundation/src/errors/message.errors.js';
import { Telemetry } from '../../libs/foundation/src/telemetry/telemetry.js';

/** Takes everything and confirms nothing. */
const HUNG: Transport = {
  publish: () => new Promise(() => undefined),
  subscribe: () => Promise.resolve(() => Promise.resolve()),
  onInterrupted: () => () => undefined,
};
const SELF = { name: 'n1', bootId: 'b1' };
const MEMBERSHIP = {
  self: SELF,
  members: () => [{ ...SELF, name: 'n2', bootId: 'b2' }],
  listen: () => () => undefined,
} as unknown as ClusterView;

function lettersOf() {
  const kinds = new Map<string, NodeMessageListener>();
  const send = jest.fn<NodeMessages['send']>().mockResolvedValue(1);
  const letters = { on: (kind: string, listener: NodeMessageListener) => kinds.set(kind, listener), send };
  return { letters: letters as unknown as NodeMessages, kinds, send };
}

describe('a node whose transport hangs', () => {
  it('refuses calls once too many wait for their answers', async () => {
    jest.useFakeTimers();
    const config = resolve({ nodeName: 'n1' }, {}, { host: 'h', pid: 1 });
    const server = { handle: () => Promise.resolve('') };
    const client = new CallClient({
      config,
      node: SELF,
      backend: { transport: HUNG },
      membership: MEMBERSHIP,
      server,
      telemetry: new Telemetry(),
    });
    const target = { name: 'feed', node: 'n2', bootId: 'b2', epoch: 1 };
    const call = () => client.call(target, 'price', [], { timeout: 1000 });
    const waiting = Array.from({ length: MAX_PENDING_CALLS }, () => call().catch((error: unknown) => error));
    await expect(call()).rejects.toThrow(OverloadedError);
    jest.advanceTimersByTime(1000);
    await Promise.all(waiting);
    const next = call().catch((error: unknown) => error);
    jest.advanceTimersByTime(1000);
    expect(await next).not.toBeInstanceOf(OverloadedError);
    jest.useRealTimers();
  });

  it('refuses broadcasts that wait for acknowledgements', () => {
    jest.useFakeTimers();
    const acknowledgements = new Acknowledgements(MEMBERSHIP, lettersOf().letters, new Telemetry());
    const expectOne = () => acknowledgements.expect('events', [{ name: 'n2', bootId: 'b2' }], 1000);
    const receipts = Array.from({ length: MAX_AWAITED }, expectOne);
    expect(expectOne).toThrow(OverloadedError);
    receipts[0]!.cancel();
    expect(expectOne).not.toThrow();
    jest.advanceTimersByTime(1000);
    jest.useRealTimers();
  });

  it('refuses what is to be deflated', async () => {
    const telemetry = new Telemetry();
    const dropped = jest.fn();
    telemetry.attach('message.dropped', (_event, { reason }) => void dropped(reason));
    const sender = new Sender({
      ...{ node: SELF as unknown as LocalNode, telemetry, endpoint: 'redis', maxMessageBytes: 2 ** 30 },
      dispatcher: { has: () => false } as unknown as Dispatcher,
      outgoing: new Sequencer(new Outbox(HUNG), headsOf('n1', 'b1'), (channel) => channel),
      audience: { pick: () => undefined } as unknown as Audience,
      acknowledgements: {} as Acknowledgements,
      drops: new MessageDrops(telemetry),
    });
    const send = (body: string) => sender.send('data', { body, size: body.length }, { compression: true });
    const large = 'x'.repeat(MAX_DEFLATING.characters);
    // What is under way when the test ends is nobody's business.
    void send(large).catch(() => undefined);
    await expect(send('y'.repeat(5000))).rejects.toThrow(/1 messages of \d+ characters wait to be deflated/);
    expect(dropped).toHaveBeenCalledWith('outbox-full');
  });

  it('gives up requests of Nest clients, and answers so many at a time', async () => {
    const { letters, kinds, send } = lettersOf();
    const audience = { pick: () => ({ any: 'b2' }), add: () => () => undefined } as unknown as Audience;
    const requests = new Requests(audience, letters, MEMBERSHIP, HUNG);
    const failed = jest.fn<RequestListener['fail']>();
    const ask = () => requests.request('sum', {}, { answer: () => undefined, fail: failed }, 1000);
    for (let index = 0; index < MAX_REQUESTS; index++) ask();
    expect(failed).not.toHaveBeenCalled();
    ask();
    await Promise.resolve();
    expect(failed).toHaveBeenCalledWith(expect.any(RequestError));
    requests.answer('sum', () => new Promise(() => undefined));
    const request = (id: number) =>
      kinds.get('request')!({ id, pattern: 'sum', packet: 1 }, { name: 'n2', bootId: 'b2' });
    for (let id = 0; id < MAX_REQUESTS; id++) request(id);
    send.mockClear();
    request(MAX_REQUESTS);
    expect(send).toHaveBeenCalledWith('b2', 'reply', { id: MAX_REQUESTS });
  });

  it('asks only so many questions about channels', async () => {
    jest.useFakeTimers();
    const figures = new RemoteStatistics(lettersOf().letters, () => ({}));
    const asked = Array.from({ length: MAX_QUESTIONS }, () => figures.query('b2', 1000));
    expect(await figures.query('b2', 1000)).toBeUndefined();
    jest.advanceTimersByTime(1000);
    await Promise.all(asked);
    jest.useRealTimers();
  });
});
