import { describe, expect, it } from '@jest/globals';
import type { Packing } from '../../backend/transport/outbox.bundle.js';
import type { Outbox } from '../../backend/transport/outbox.js';
import type { Lane } from '../../wire/lane.js';
import type { Heads } from '../envelope.js';
import { Sequencer } from './sequencer.js';

/** An outbox that asks for the head at once, as with the first message of a turn. */
function setUp() {
  const sent: { topic: string; lane?: Lane; head: unknown; read?: unknown }[] = [];
  let beforePacked: () => void = () => undefined;
  const outbox = {
    packs: true,
    packedSize: 7,
    add: (topic: string, _entry: string, lane: Lane, head: () => string) => {
      sent.push({ topic, lane, head: head() });
      return Promise.resolve(1);
    },
    pack: (topic: string, entry: { b?: unknown }, packing: Packing, read?: unknown) => {
      beforePacked();
      if (entry.b === 'unpackable') throw new Error('too large');
      sent.push({ topic, lane: packing.lane, head: packing.head?.(), read });
      return Promise.resolve(1);
    },
  };
  const heads: Heads = {
    prefix: '',
    head: (lane, seq, at) => `${lane} ${seq} ${at > 1_700_000_000_000}`,
    value: (lane, seq, at) => ({ lane, seq, at }),
  };
  const sequencer = new Sequencer(
    outbox as unknown as Outbox,
    heads,
    (channel) => `topic of ${channel}`,
    (channel) => ({ most: channel === 'small' ? 10 : undefined }),
  );
  return { sequencer, sent, before: (work: () => void) => (beforePacked = work) };
}

describe('Sequencer', () => {
  it('numbers the messages of each channel and lane from one on, by themselves', () => {
    const { sequencer, sent } = setUp();
    for (const [channel, lane] of [
      ['a', 'normal'],
      ['a', 'normal'],
      ['a', 'high'],
      ['b', 'normal'],
      ['a', 'normal'],
    ] as const)
      void sequencer.add(sequencer.line(channel, lane), '1');
    expect(sent).toEqual([
      { topic: 'topic of a', lane: 'normal', head: 'normal 1 true' },
      { topic: 'topic of a', lane: 'normal', head: 'normal 2 true' },
      { topic: 'topic of a', lane: 'high', head: 'high 1 true' },
      { topic: 'topic of b', lane: 'normal', head: 'normal 1 true' },
      { topic: 'topic of a', lane: 'normal', head: 'normal 3 true' },
    ]);
  });

  it('numbers values that are packed in the same sequence, and notes when', () => {
    const { sequencer, sent } = setUp();
    const line = sequencer.line('a', 'low');
    void sequencer.add(line, '1');
    const read = (): void => undefined;
    void sequencer.pack(line, { n: 2 }, undefined, read);
    expect(sent[1]).toEqual({ topic: 'topic of a', lane: 'low', head: { lane: 'low', seq: 2, at: line.at }, read });
    expect(line.at).toBeGreaterThan(1_700_000_000_000);
    expect(line.seq).toBe(2);
  });

  it('gives no number to what cannot be packed, and the next one to what was sent while it was', () => {
    const { sequencer, sent, before } = setUp();
    const line = sequencer.line('a', 'normal');
    expect(() => sequencer.pack(line, 'unpackable')).toThrow('too large');
    before(() => {
      before(() => undefined);
      void sequencer.add(line, '"by the message itself"');
    });
    void sequencer.pack(line, 'one');
    expect(sent.map(({ head }) => head)).toEqual(['normal 1 true', expect.objectContaining({ seq: 2 })]);
    expect(line.seq).toBe(2);
  });

  it('has one line for each, which says both names and how it is packed', () => {
    const { sequencer } = setUp();
    expect(sequencer.line('small', 'high')).toBe(sequencer.line('small', 'high'));
    expect(sequencer.line('small', 'high')).toMatchObject({
      ...{ channel: 'small', lane: 'high', key: 'high small', seq: 0, passing: undefined },
      packing: { most: 10, lane: 'high' },
    });
    expect([sequencer.packs, sequencer.packedSize]).toEqual([true, 7]);
  });

  it('says how many it has sent, and the last numbers where there are any', () => {
    const { sequencer } = setUp();
    void sequencer.add(sequencer.line('a', 'normal'), '1');
    void sequencer.add(sequencer.line('a', 'normal'), '1');
    void sequencer.add(sequencer.line('b', 'high'), '1');
    sequencer.line('c', 'low');
    expect([...sequencer.sent].sort()).toEqual([
      ['a', 2],
      ['b', 1],
      ['c', 0],
    ]);
    expect(sequencer.lasts(['a', 'b', 'c', 'none'])).toEqual({ a: { normal: 2 }, b: { high: 1 }, c: {}, none: {} });
  });
});
