import { describe, expect, it } from '@jest/globals';
import { type Bundle, unbundled } from '../../wire/bundle.js';
import { releaseBytes, takeBytes } from '../../wire/packed.bytes.js';
import type { OutboxLimits, Packing } from './outbox.bundle.js';
import { Outbox } from './outbox.js';
import type { Transport } from './transport.js';

function setUp(limits: Partial<OutboxLimits> = {}) {
  const sent: { topic: string; messages: unknown }[] = [];
  const transport: Transport = {
    packs: true,
    publish: async (topic: string, bundle: Bundle) => {
      expect(bundle).toBeInstanceOf(Buffer);
      sent.push({ topic, messages: unbundled(bundle) });
      return 1;
    },
    subscribe: () => Promise.reject(new Error('not used')),
    onInterrupted: () => () => undefined,
  };
  return { outbox: new Outbox(transport, limits), sent };
}

/** Numbers messages as a channel does: the head says the number of the first. */
function line(outbox: Outbox) {
  let seq = 0;
  const packing: Packing = { head: () => ({ seq: seq + 1 }) };
  const add = (message: object): Promise<unknown> => {
    const adding = outbox.pack('t', message, packing);
    seq += 1;
    return adding;
  };
  return { add, numbers: (sent: { messages: unknown }[]) => sent.map(({ messages }) => numbered(messages)) };
}

function numbered(messages: unknown): Record<number, unknown> {
  const [{ seq }, ...rest] = messages as [{ seq: number }, ...unknown[]];
  return Object.fromEntries(rest.map((each, index) => [seq + index, each]));
}

describe('an Outbox that packs', () => {
  it('sends values as they were when they were added, in order, one bundle for each topic', async () => {
    const { outbox, sent } = setUp();
    const value = { n: 1 };
    const all = [outbox.pack('a', value, {}), outbox.pack('b', value, {})];
    value.n = 2;
    all.push(outbox.pack('a', value, {}), outbox.send('a', { n: 3 }));
    await Promise.all(all);
    expect(sent).toEqual([
      { topic: 'a', messages: [{ n: 1 }, { n: 2 }, { n: 3 }] },
      { topic: 'b', messages: [{ n: 1 }] },
    ]);
  });

  it('gives a copy of a value, and its size, to who asks', async () => {
    const { outbox } = setUp();
    const value = { n: [1] };
    let copy: unknown;
    const sent = outbox.pack('a', value, {}, (read) => (copy = read));
    expect(copy).toEqual(value);
    expect((copy as typeof value).n).not.toBe(value.n);
    expect(outbox.packedSize).toBeGreaterThan(3);
    await sent;
  });

  it('cuts a bundle that grows too large', async () => {
    const { outbox, sent } = setUp({ packed: 1000 });
    await Promise.all(Array.from({ length: 30 }, (_, n) => outbox.pack('a', { n, text: 'x'.repeat(90) }, {})));
    expect(sent.map(({ messages }) => (messages as unknown[]).length)).toEqual([11, 11, 8]);
    expect(sent.flatMap(({ messages }) => messages as { n: number }[]).map(({ n }) => n)).toEqual([
      ...Array(30).keys(),
    ]);
  });

  it('sends nothing of a value that cannot be written, and all that was added before and after', async () => {
    const { outbox, sent } = setUp();
    const { add, numbers } = line(outbox);
    const sending = [add({ n: 1 })];
    expect(() => add({ a: { b: 1, c: [1n] } })).toThrow(TypeError);
    sending.push(add({ n: 2, a: { b: 1, c: [1] } }));
    await Promise.all(sending);
    expect(numbers(sent)).toEqual([{ 1: { n: 1 } }, { 2: { n: 2, a: { b: 1, c: [1] } } }]);
  });

  it('sends no bundle with nothing but a head', async () => {
    const { outbox, sent } = setUp();
    const { add } = line(outbox);
    expect(() => add({ a: 1n })).toThrow(TypeError);
    await outbox.flush();
    expect(sent).toEqual([]);
  });

  it('asks about a value whose JSON may be too long, and sends it or not', async () => {
    const { outbox, sent } = setUp();
    const asked: unknown[] = [];
    const tooLarge = (copy: unknown): Error | undefined => {
      asked.push(copy);
      return (copy as { n: number }).n > 1 ? new Error('mine') : undefined;
    };
    const packing = { most: 100, tooLarge };
    const sending = [outbox.pack('a', { n: 1, text: 'x'.repeat(50) }, packing), outbox.pack('a', { n: 0 }, packing)];
    expect(() => outbox.pack('a', { n: 2, text: 'x'.repeat(50) }, packing)).toThrow('mine');
    await Promise.all([...sending, outbox.pack('a', { n: 3 }, packing)]);
    expect(asked).toHaveLength(2);
    expect(sent.flatMap(({ messages }) => messages as { n: number }[]).map(({ n }) => n)).toEqual([1, 0, 3]);
  });

  it.each([0, 3])('sends what a getter sends on the same topic, behind what was sent before (%d)', async (before) => {
    const { outbox, sent } = setUp();
    const { add, numbers } = line(outbox);
    const sending = Array.from({ length: before }, (_, n) => add({ n }));
    let times = 0;
    const nested = {
      a: { b: 1 },
      get c() {
        times += 1;
        sending.push(add({ nested: { b: 1 } }), outbox.pack('other', { nested: { b: 1 } }, {}));
        return { b: times };
      },
    };
    sending.push(add(nested), add({ last: { b: 1 } }));
    await Promise.all(sending);
    await outbox.flush();
    const merged = Object.assign({}, ...numbers(sent.filter(({ topic }) => topic === 't'))) as Record<number, unknown>;
    const first = Object.fromEntries(Array.from({ length: before }, (_, n) => [n + 1, { n }]));
    expect(merged).toEqual({
      ...first,
      [before + 1]: { nested: { b: 1 } },
      [before + 2]: { a: { b: 1 }, c: { b: 1 } },
      [before + 3]: { last: { b: 1 } },
    });
  });

  it('keeps what waits for the transport apart from what is packed meanwhile', async () => {
    const { sent, outbox } = setUp({ inFlight: 1, packed: 100 });
    const texts = Array.from({ length: 50 }, (_, n) => `${n}`.repeat(60));
    await Promise.all(texts.map((text) => outbox.pack('a', { text }, {})));
    expect(sent.flatMap(({ messages }) => messages as { text: string }[]).map(({ text }) => text)).toEqual(texts);
  });

  it('uses its rooms again, whatever becomes of what was packed in them', async () => {
    const { outbox } = setUp({ inFlight: 1, waiting: 200, packed: 100 });
    const text = 'x'.repeat(60);
    for (let round = 0; round < 30; round++) {
      const sending: Promise<unknown>[] = [];
      const send = (message: object): void => void sending.push(outbox.pack('a', message, {}));
      expect(() => send({ bad: 1n })).toThrow(TypeError);
      send({ text });
      expect(() => send({ text, bad: 1n })).toThrow(TypeError);
      send({
        get text() {
          send({ text });
          return text;
        },
      });
      // More than may wait: some are refused.
      for (let index = 0; index < 20; index++) send({ text });
      const outcomes = await Promise.allSettled(sending);
      expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true);
    }
    const bytes = takeBytes(0);
    expect(bytes.isRoom).toBe(true);
    releaseBytes(bytes);
  });
});
