// Sending and waiting: each pending call is settled once, by its answer or by what makes an answer impossible.
import { getEventListeners } from 'node:events';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { hostileValues } from '../../../../test/support/hostile.js';
import type { Transport } from '../backend/transport/transport.js';
import type { Member, MembershipListener, NodeState } from '../cluster/member.js';
import { resolve } from '../config/resolve.js';
import { CallInterruptedError, CallTimeoutError } from '../errors/call.errors.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { eventually } from '../testing/eventually.js';
import { CallClient, UNDELIVERED } from './call.client.js';
import { type CallId, type CallReply, type CallRequest, decodeCalls, encodeCall } from './call.codec.js';
import type { CallServer } from './call.server.js';
import { type CallTarget } from './call.target.js';

const config = resolve({ nodeName: 'n1', channels: { maxMessageBytes: 2048 } }, {}, { host: 'h', pid: 1 });
const target = (node: string): CallTarget => ({ name: 'feed', node, bootId: `boot-${node}`, epoch: 5 });
const value = (id: CallId, result: unknown): CallReply => ({ kind: 'reply', id, outcome: 'value', value: result });

const publish = jest.fn<(topic: string, text: string) => Promise<number | undefined>>();
const handle = jest.fn<(...given: Parameters<CallServer['handle']>) => Promise<string>>();
let telemetry: Telemetry;
let client: CallClient;
let receive: (text: string) => void;
let interrupt: () => void;
let members: string[];
let state: NodeState;
let membership: MembershipListener;

beforeEach(async () => {
  publish.mockReset().mockResolvedValue(1);
  handle.mockReset();
  telemetry = new Telemetry();
  members = ['n1', 'n2'];
  state = 'up';
  const transport: Transport = {
    publish,
    subscribe: async (_topic, listener) => {
      receive = listener;
      return () => Promise.resolve();
    },
    onInterrupted: (listener) => {
      interrupt = listener;
      return () => undefined;
    },
  };
  client = new CallClient({
    config,
    node: { bootId: 'boot-n1' },
    backend: { transport },
    membership: {
      get state() {
        return state;
      },
      members: () => members.map((name) => ({ name, bootId: `boot-${name}` }) as Member),
      listen: (listener) => {
        membership = listener;
        return () => undefined;
      },
    },
    server: { handle },
    telemetry,
  });
  await client.open();
});

/** What was published to a node so far. */
const sentTo = (node: string): (CallRequest | CallReply)[] =>
  publish.mock.calls
    .filter(([topic]) => topic.endsWith(`boot-${node}`))
    .flatMap(([, text]): unknown[] => [decodeCalls(text)].flat())
    .filter((message): message is CallRequest | CallReply => typeof message === 'object');

const request = (node: string, index = 0): Promise<CallRequest> =>
  eventually(() => sentTo(node)[index] as CallRequest | undefined, { what: 'The call to be sent' });

describe('a call to another node', () => {
  it('is settled by its answer, whichever comes first', async () => {
    const calls = ['a', 'b'].map((text) => client.call(target('n2'), 'price', [text], { timeout: 5000 }));
    const [first, second] = [await request('n2'), await request('n2', 1)];
    expect(first).toMatchObject({ from: 'boot-n1', process: 'feed', epoch: 5, method: 'price', args: ['a'] });
    // The first leaves at once, the rest of the turn after it.
    expect(publish).toHaveBeenCalledTimes(2);
    receive(`[${encodeCall(value(second.id, 2))},${encodeCall(value(first.id, 1))}]`);
    expect(await Promise.all(calls)).toEqual([value(first.id, 1), value(second.id, 2)]);
  });

  it('ends with its timeout, and ignores answers that are late, repeated or unrequested', async () => {
    const call = client.call(target('n2'), 'price', [], { timeout: 30 });
    const { id } = await request('n2');
    await expect(call).rejects.toThrow(CallTimeoutError);
    receive(encodeCall(value(id, 1)));
    const other = client.call(target('n2'), 'price', [], { timeout: 5000 });
    const next = await request('n2', 1);
    for (const result of [1, 2]) receive(encodeCall(value(next.id, result)));
    expect(await other).toEqual(value(next.id, 1));
    receive(encodeCall(value('nobody.1', 1)));
  });

  it('is not settled by an answer that names another number, whatever it looks like', async () => {
    const call = client.call(target('n2'), 'price', [], { timeout: 5000 });
    const { id } = await request('n2');
    for (const other of [`0${id}`, ` ${id}`, `boot-n1.${id}`, Number(id) + 1]) receive(encodeCall(value(other, 'no')));
    receive(encodeCall(value(Number(id), 1)));
    expect(await call).toMatchObject({ value: 1 });
  });

  it('gets its own answer where writing its arguments makes another call', async () => {
    let inner: Promise<CallReply> | undefined;
    const asking = {
      toJSON: () => {
        inner ??= client.call(target('n2'), 'price', ['inner'], { timeout: 5000 });
        return 'outer';
      },
    };
    const outer = client.call(target('n2'), 'price', [asking], { timeout: 5000 });
    for (const index of [0, 1]) {
      const { id, args } = await request('n2', index);
      receive(encodeCall(value(id, args[0])));
    }
    expect([await outer, await inner]).toMatchObject([{ value: 'outer' }, { value: 'inner' }]);
  });

  it('ends with the reason of a signal that is aborted while its arguments are written', async () => {
    const abort = new AbortController();
    const { signal } = abort;
    const argument = { toJSON: () => abort.abort('mine') };
    await expect(client.call(target('n2'), 'price', [argument], { timeout: 5000, signal })).rejects.toBe('mine');
  });

  it('is undelivered when that node does not listen', async () => {
    publish.mockResolvedValue(0);
    expect(await client.call(target('n2'), 'price', [], { timeout: 5000 })).toEqual(UNDELIVERED);
    expect(await client.cast(target('n2'), 'price', [])).toBe(false);
  });

  it('is undelivered at once when its node has left, also where nobody counts who listens', async () => {
    publish.mockResolvedValue(undefined);
    membership.changed?.();
    members = ['n1'];
    membership.changed?.();
    expect(await client.call(target('n2'), 'price', [], { timeout: 60_000 })).toEqual(UNDELIVERED);
    expect(await client.cast(target('n2'), 'price', [])).toBe(false);
    members = ['n1', 'n2'];
    membership.changed?.();
    const call = client.call(target('n2'), 'price', [], { timeout: 60_000 });
    const { id } = await request('n2');
    receive(encodeCall(value(id, 1)));
    expect(await call).toMatchObject({ value: 1 });
  });

  it('is interrupted when Redis does not confirm it, because it may have arrived', async () => {
    publish.mockRejectedValue(new Error('Command timed out'));
    const call = client.call(target('n2'), 'price', [], { timeout: 5000 });
    await expect(call).rejects.toThrow(CallInterruptedError);
    await expect(client.cast(target('n2'), 'price', [])).rejects.toThrow('Command timed out');
  });

  it('is interrupted when this node has left the cluster, also one to itself', async () => {
    handle.mockReturnValue(new Promise(() => undefined));
    const calls = ['n1', 'n2'].map((node) => client.call(target(node), 'price', [], { timeout: 60_000 }));
    await request('n2');
    state = 'left';
    membership.changed?.();
    for (const each of calls) await expect(each).rejects.toThrow('was interrupted (this node left the cluster)');
  });

  it('is interrupted when the connection for answers is cut, and when its node is no longer a member', async () => {
    const cut = client.call(target('n2'), 'price', [], { timeout: 5000 });
    await request('n2');
    interrupt();
    await expect(cut).rejects.toThrow(CallInterruptedError);
    const gone = client.call(target('n2'), 'price', [], { timeout: 5000 });
    await request('n2', 1);
    membership.changed?.();
    members = ['n1'];
    membership.changed?.();
    await expect(gone).rejects.toThrow('the node left the cluster');
  });

  it('ends with the reason of its signal, before it is sent and after', async () => {
    const abort = new AbortController();
    const call = client.call(target('n2'), 'price', [], { timeout: 5000, signal: abort.signal });
    await request('n2');
    abort.abort(new Error('changed my mind'));
    await expect(call).rejects.toThrow('changed my mind');
    const late = client.call(target('n2'), 'price', [], { timeout: 5000, signal: abort.signal });
    await expect(late).rejects.toThrow('changed my mind');
    expect(sentTo('n2')).toHaveLength(1);
  });

  it.each(Object.keys(hostileValues))('ends with exactly the reason of its signal: %s', async (name) => {
    const abort = new AbortController();
    const call = client.call(target('n2'), 'price', [], { timeout: 5000, signal: abort.signal });
    await request('n2');
    abort.abort(hostileValues[name]!());
    const outcome = await call.then(
      () => 'resolved',
      (reason: unknown) => ({ reason }),
    );
    // Not by `toEqual`, which would look into it.
    expect(typeof outcome === 'object' && Object.is(outcome.reason, abort.signal.reason)).toBe(true);
  });

  it('does not make Node warn of a leak, however many calls have one signal', async () => {
    const warned = jest.fn();
    process.on('warning', warned);
    const { signal } = new AbortController();
    const all = Array.from({ length: 50 }, () => client.call(target('n2'), 'price', [], { timeout: 5000, signal }));
    await request('n2', 49);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    for (const message of sentTo('n2')) receive(encodeCall(value(message.id, 1)));
    await Promise.all(all);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    await new Promise((done) => setImmediate(done));
    process.off('warning', warned);
    expect(warned).not.toHaveBeenCalled();
  });

  it('is refused here when it cannot be written or is too large', async () => {
    for (const argument of [1n, 'x'.repeat(3000)]) {
      const call = client.call(target('n2'), 'price', [argument], { timeout: 5000 });
      await expect(call).rejects.toMatchObject({ code: 'FOUNDATION_ARGUMENT' });
    }
    expect(publish).not.toHaveBeenCalled();
  });
});

describe('a call to this node', () => {
  it('is carried out here with copied arguments, and is not interrupted by the network', async () => {
    const argument = { deep: [1] };
    let finish!: (reply: string) => void;
    handle.mockReturnValue(new Promise((done) => (finish = done)));
    const call = client.call(target('n1'), 'price', [argument], { timeout: 5000 });
    const [asked] = await eventually(() => handle.mock.calls[0]);
    interrupt();
    expect(asked.args).toEqual([argument]);
    expect(asked.args[0]).not.toBe(argument);
    finish(encodeCall(value(asked.id, 3)));
    expect(await call).toEqual(value(asked.id, 3));
    expect(publish).not.toHaveBeenCalled();
  });
});

describe('the inbox', () => {
  const call = (from: string): string =>
    encodeCall({
      ...{ kind: 'call', id: 'x', from, process: 'feed', epoch: 5 },
      method: 'price',
      args: [],
      timeout: 99,
    });

  it('answers the caller of a call, and no one for a cast', async () => {
    handle.mockResolvedValue(encodeCall(value('x', 1)));
    receive(call(''));
    receive(call('boot-n3'));
    expect(await eventually(() => sentTo('n3')[0])).toEqual(value('x', 1));
    expect(handle).toHaveBeenCalledTimes(2);
    expect(publish).toHaveBeenCalledTimes(1);
  });

  it('outlives an answer that cannot be sent', async () => {
    publish.mockRejectedValueOnce(new Error('gone'));
    handle.mockResolvedValue(encodeCall(value('x', 1)));
    receive(call('boot-n3'));
    await eventually(() => publish.mock.calls.length === 1);
    receive(call('boot-n3'));
    await eventually(() => publish.mock.calls.length === 2);
  });

  it('drops and counts what is no call, and goes on with what is', async () => {
    let dropped = 0;
    telemetry.attach('message.dropped', (_event, { count }) => (dropped += count));
    handle.mockResolvedValue(encodeCall(value('x', 1)));
    for (const text of ['', '{', '[1,null]', '{"v":1,"kind":"call","id":"x"}', '{"__proto__":{"a":1}}']) receive(text);
    expect(dropped).toBe(6);
    receive(`[7,${call('boot-n3')}]`);
    expect(await eventually(() => sentTo('n3')[0])).toEqual(value('x', 1));
    expect(dropped).toBe(7);
    receive(`[${'7,'.repeat(10_000)}7]`);
    expect(dropped).toBe(8);
  });
});
