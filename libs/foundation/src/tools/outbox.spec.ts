import { describe, expect, it } from '@jest/globals';
import { Outbox } from './outbox.js';
import type { Transport } from './transport.js';

function setUp(publish?: (topic: string, text: string) => Promise<number | undefined>) {
  const sent: { topic: string; messages: unknown[] }[] = [];
  const transport: Transport = {
    publish: async (topic, text) => {
      sent.push({ topic, messages: JSON.parse(text) as unknown[] });
      return publish?.(topic, text);
    },
    subscribe: () => Promise.reject(new Error('not used')),
    onInterrupted: () => () => undefined,
  };
  return { outbox: new Outbox(transport), sent };
}

describe('Outbox', () => {
  it('sends what one turn adds as one text for each topic, in order', async () => {
    const { outbox, sent } = setUp();
    const all = [outbox.add('a', '1'), outbox.add('b', '2'), outbox.add('a', '3')];
    expect(sent).toEqual([]);
    await Promise.all(all);
    expect(sent).toEqual([
      { topic: 'a', messages: [1, 3] },
      { topic: 'b', messages: [2] },
    ]);
  });

  it('sends what a later turn adds as another text', async () => {
    const { outbox, sent } = setUp();
    await outbox.add('a', '1');
    await outbox.add('a', '2');
    expect(sent.map(({ messages }) => messages)).toEqual([[1], [2]]);
  });

  it('cuts a bundle that grows too large, at once and in order', async () => {
    const { outbox, sent } = setUp();
    const large = JSON.stringify('x'.repeat(100 * 1024));
    const all = Array.from({ length: 7 }, () => outbox.add('a', large));
    expect(sent.map(({ messages }) => messages.length)).toEqual([3, 3]);
    await Promise.all(all);
    expect(sent.map(({ messages }) => messages.length)).toEqual([3, 3, 1]);
  });

  it('sends one message that is larger than a bundle may be', async () => {
    const { outbox, sent } = setUp();
    await outbox.add('a', JSON.stringify('x'.repeat(1024 * 1024)));
    expect(sent).toHaveLength(1);
  });

  it('tells everyone whose message was in a bundle that failed, and nobody else', async () => {
    const error = new Error('Connection is closed.');
    let failing = true;
    const { outbox } = setUp(() => (failing ? Promise.reject(error) : Promise.resolve(undefined)));
    const results = await Promise.allSettled([outbox.add('a', '1'), outbox.add('a', '2')]);
    expect(results).toEqual(Array(2).fill({ status: 'rejected', reason: error }));
    failing = false;
    await expect(outbox.add('a', '3')).resolves.toBeUndefined();
  });

  it('resolves only once the transport has taken the text', async () => {
    let taken!: () => void;
    const { outbox } = setUp(() => new Promise((resolve) => (taken = () => resolve(undefined))));
    let done = false;
    const sent = outbox.add('a', '1').then(() => (done = true));
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.resolve();
    expect(done).toBe(false);
    taken();
    await sent;
  });

  it('tells everyone in a bundle how many nodes it went to', async () => {
    const { outbox } = setUp((topic) => Promise.resolve(topic === 'a' ? 3 : 0));
    await expect(Promise.all([outbox.add('a', '1'), outbox.add('b', '2'), outbox.add('a', '3')])).resolves.toEqual([
      3, 0, 3,
    ]);
  });

  it('flushes at once, waits for it, and does not send twice', async () => {
    const { outbox, sent } = setUp();
    const all = [outbox.add('a', '1'), outbox.add('b', '2')];
    const flushed = outbox.flush();
    expect(sent).toHaveLength(2);
    await flushed;
    await Promise.all(all);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toHaveLength(2);
  });

  it('does not reject from flush, and has nothing to do without messages', async () => {
    const { outbox } = setUp(() => Promise.reject(new Error('gone')));
    const added = outbox.add('a', '1');
    added.catch(() => undefined);
    await expect(outbox.flush()).resolves.toBeUndefined();
    await expect(outbox.flush()).resolves.toBeUndefined();
    await expect(added).rejects.toThrow('gone');
  });
});
