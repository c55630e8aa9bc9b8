import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Transport } from '../backend/transport/transport.js';
import type { LocalNode } from '../cluster/local.node.js';
import { eventually } from '../testing/eventually.js';
import type { Bundle } from '../wire/bundle.js';
import { type NodeMessageListener, NodeMessages } from './node.messages.js';

/** Topics in memory, shared by the nodes of a test. */
function post() {
  const listeners = new Map<string, (text: Bundle) => void>();
  const transport: Transport = {
    publish: async (topic, text) => {
      listeners.get(topic)?.(text);
      return listeners.has(topic) ? 1 : 0;
    },
    subscribe: async (topic, listener) => {
      listeners.set(topic, listener);
      return () => Promise.resolve();
    },
    onInterrupted: () => () => undefined,
  };
  const node = async (name: string) => {
    const nodeMessages = new NodeMessages({ name, bootId: name } as LocalNode, transport, (bootId) => `to ${bootId}`);
    await nodeMessages.open();
    return nodeMessages;
  };
  return { node, transport };
}

describe('NodeMessages', () => {
  const error = jest.fn();
  beforeEach(() => {
    error.mockReset();
    Logger.overrideLogger({ log: jest.fn(), warn: jest.fn(), error });
  });

  it('delivers to the listener of the kind, in order, with the sender', async () => {
    const { node } = post();
    const [a, b] = [await node('a'), await node('b')];
    const [one, two] = [jest.fn<NodeMessageListener>(), jest.fn<NodeMessageListener>()];
    b.on('one', one);
    b.on('two', two);
    const sent = [a.send('b', 'one', 1), a.send('b', 'two', { x: 2 }), a.send('b', 'one', 3), a.send('b', 'nobody', 4)];
    expect(await Promise.all(sent)).toEqual([1, 1, 1, 1]);
    expect(one.mock.calls).toEqual([1, 3].map((body) => [body, { name: 'a', bootId: 'a' }]));
    expect(two.mock.calls).toEqual([[{ x: 2 }, { name: 'a', bootId: 'a' }]]);
  });

  it('drops, counts and logs messages of another version, with their sender', async () => {
    const { transport } = post();
    const refused = jest.fn<(reason: string) => void>();
    const warn = jest.fn();
    Logger.overrideLogger({ log: jest.fn(), warn, error });
    const nodeMessages = new NodeMessages(
      { name: 'a', bootId: 'a' } as LocalNode,
      transport,
      (to) => `to ${to}`,
      refused,
    );
    await nodeMessages.open();
    const listener = jest.fn<NodeMessageListener>();
    nodeMessages.on('k', listener);
    await transport.publish('to a', JSON.stringify({ v: 2, from: 'b', boot: 'b', k: 'k', b: 1 }));
    await transport.publish('to a', JSON.stringify({ v: 1, from: 'b', boot: 'b', k: 'k', b: 2 }));
    expect(listener.mock.calls).toEqual([[2, { name: 'b', bootId: 'b' }]]);
    expect(refused.mock.calls).toEqual([['unknown-version']]);
    await transport.publish('to a', 'no JSON');
    await transport.publish('to a', `[${'1,'.repeat(10_000)}1]`);
    expect(refused.mock.calls.slice(1)).toEqual([['not-json'], ['too-many-messages']]);
    const said = { from: '"b" (string)', version: '2 (number)', known: 1 };
    expect(warn.mock.calls).toEqual([[expect.stringContaining('another version'), said, 'Foundation']]);
  });

  it('delivers to this node without the transport', async () => {
    const { node } = post();
    const a = await node('a');
    const listener = jest.fn<NodeMessageListener>();
    a.on('k', listener);
    expect(await a.send('a', 'k', 1)).toBe(1);
    await eventually(() => listener.mock.calls.length === 1);
  });

  it('lets timers fire during an endless exchange with this node', async () => {
    const { node } = post();
    const a = await node('a');
    let isOver = false;
    a.on('k', () => void (isOver || a.send('a', 'k', 1)));
    await a.send('a', 'k', 1);
    await new Promise((resolve) => setTimeout(resolve, 1));
    isOver = true;
  });

  it('reports that no node received a message to a node that is gone', async () => {
    const { node } = post();
    expect(await (await node('a')).send('gone', 'k', 1)).toBe(0);
  });

  it.each([
    'no JSON',
    'null',
    '[1,null,[]]',
    '[{"v":2,"from":"a","boot":"a","k":"k","b":1}]',
    '[{"v":1,"from":5,"boot":"a","k":"k","b":1}]',
    '[{"v":1,"from":"a","boot":null,"k":"k","b":1}]',
    '[{"v":1,"from":"a","boot":"a","k":{},"b":1}]',
  ])('drops malformed text: %s', async (text) => {
    const { node, transport } = post();
    const listener = jest.fn<NodeMessageListener>();
    (await node('b')).on('k', listener);
    await expect(transport.publish('to b', text)).resolves.toBe(1);
    expect(listener).not.toHaveBeenCalled();
  });

  it('handles later messages after a listener threw', async () => {
    const { node } = post();
    const [a, b] = [await node('a'), await node('b')];
    const good = jest.fn<NodeMessageListener>();
    b.on('bad', () => {
      throw new Error('bad node message');
    });
    b.on('good', good);
    await Promise.all([a.send('b', 'bad', 1), a.send('b', 'good', 1)]);
    expect(good).toHaveBeenCalledTimes(1);
    expect(error).toHaveBeenCalledTimes(1);
  });
});
