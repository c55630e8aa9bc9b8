import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { FoundationEvents } from '../../telemetry/events.js';
import { Telemetry } from '../../telemetry/telemetry.js';
import { eventually } from '../../testing/eventually.js';
import { PackedWriter } from '../../wire/packed.writer.js';
import type { Gap } from '../channel.js';
import { deflate } from '../compression.js';
import { encode, entryOf, headsOf } from '../envelope.js';
import { MessageDrops } from '../message.drops.js';
import { GapDetector } from './gap.detector.js';
import { type Sink, Unpacker } from './unpacker.js';

const heads = headsOf('n2', 'other');
const packedOf = (from: typeof heads, seq: number, ...bodies: unknown[]): Buffer => {
  const writer = new PackedWriter();
  writer.add(from.value('normal', seq, 1));
  for (const body of bodies) writer.add(entryOf(body));
  return writer.finish();
};
const textOf = (seq: number, ...bodies: string[]) =>
  `[${[heads.head('normal', seq, 1), ...bodies.map((body) => encode(body))].join(',')}]`;

describe('Unpacker', () => {
  const seen: unknown[] = [];
  const sizes: unknown[] = [];
  const zips: unknown[] = [];
  const gaps: Gap[] = [];
  const told: unknown[] = [];
  const dropped: FoundationEvents['message.dropped'][] = [];
  let incoming: Unpacker;
  let listening: object | undefined;
  let isLong: boolean;
  const warn = jest.fn();

  beforeEach(() => {
    for (const list of [seen, sizes, zips, gaps, dropped, told]) list.length = 0;
    warn.mockReset();
    Logger.overrideLogger({ log: jest.fn(), error: jest.fn(), warn });
    const telemetry = new Telemetry();
    telemetry.attach('message.dropped', (_event, payload) => void dropped.push(payload));
    listening = {};
    isLong = false;
    const sink: Sink = {
      listening: () => listening,
      deliver: ({ message, size, zip, settle }) => {
        seen.push(message);
        sizes.push(size);
        zips.push(zip);
        settle?.('done');
      },
      gap: (gap) => gaps.push(gap),
      acknowledge: (...words) => told.push(words),
      answer: (...words) => told.push(words),
    };
    incoming = new Unpacker({
      own: { prefix: headsOf('n1', 'own').prefix, bootId: 'own' },
      sequences: new GapDetector(() => 'before'),
      drops: new MessageDrops(telemetry),
      maxMessageBytes: 1024,
      sink,
      isLong: () => isLong,
    });
  });

  it('delivers in order', () => {
    incoming.receive('events', textOf(1, '1', '2'));
    incoming.receive('events', textOf(3, '3'));
    expect(seen).toEqual([1, 2, 3]);
    expect([...gaps, ...dropped]).toEqual([]);
  });

  describe('when the turn has been long', () => {
    beforeEach(() => {
      isLong = true;
      for (let seq = 1; seq <= 20; seq++) incoming.receive('data', textOf(seq, String(seq)));
    });
    const inOrder = Array.from({ length: 20 }, (_, index) => index + 1);

    it('reads high priority at once and the rest in later turns, in order', async () => {
      incoming.receive('control', `[${heads.head('high', 1, 1)},${encode('"urgent"')}]`);
      incoming.receive('data', textOf(21, '21'));
      expect(seen).toEqual(['urgent']);
      let readAfter: unknown[] = [];
      incoming.after(() => (readAfter = [...seen]));
      await new Promise((resolve) => setImmediate(resolve));
      expect(seen.length).toBeLessThan(20);
      await eventually(() => seen.length === 22);
      expect(seen).toEqual(['urgent', ...inOrder, 21]);
      expect(readAfter).toEqual(seen);
      expect([...gaps, ...dropped]).toEqual([]);
    });

    it('skips the backlog of a channel without subscriptions', async () => {
      listening = {};
      await new Promise<void>((resolve) => incoming.after(resolve));
      expect(seen).toEqual([]);
    });

    it('does not keep more than some megabytes', () => {
      const large = JSON.stringify('x'.repeat(1024 * 1024));
      for (let seq = 21; seq <= 60; seq++) incoming.receive('data', textOf(seq, large));
      expect(seen).toHaveLength(29);
    });

    it('keeps what is packed behind it, in memory of its own', async () => {
      const room = Buffer.alloc(64 * 1024);
      const bundle = packedOf(heads, 21, 21, 'x');
      bundle.copy(room, 100);
      incoming.receive('data', room.subarray(100, 100 + bundle.length));
      room.fill(0xff);
      await eventually(() => seen.length === 22);
      expect(seen).toEqual([...inOrder, 21, 'x']);
      expect([...gaps, ...dropped]).toEqual([]);
    });

    it('keeps a large text as it is', async () => {
      const large = `é😀 ${'x'.repeat(10_000)}\u2028 "\\`;
      incoming.receive('data', textOf(21, JSON.stringify(large)));
      await eventually(() => seen.length === 21);
      expect(seen).toEqual([...inOrder, large]);
    });
  });

  it('ignores envelopes of this node, which were delivered when sent', () => {
    incoming.receive('events', `[${headsOf('n1', 'own').head('normal', 1, 1)},${encode('1')}]`);
    incoming.receive('events', packedOf(headsOf('n1', 'own'), 2, 2));
    expect([...seen, ...gaps, ...dropped]).toEqual([]);
  });

  it('reports a gap, and continues', () => {
    incoming.receive('events', textOf(1, '1'));
    incoming.receive('events', textOf(4, '4'));
    expect(seen).toEqual([1, 4]);
    expect(gaps).toEqual([
      { channel: 'events', from: 'n2', bootId: 'other', priority: 'normal', missing: { first: 2, last: 3 } },
    ]);
  });

  it('drops and counts duplicates', () => {
    incoming.receive('events', textOf(1, '1', '2'));
    incoming.receive('events', textOf(2, '2', '3'));
    incoming.receive('events', textOf(1, '1', '2'));
    expect(seen).toEqual([1, 2, 3]);
    expect(dropped).toEqual([1, 2].map((count) => ({ channel: 'events', reason: 'duplicate', count })));
  });

  it('counts malformed messages by reason, once for an envelope, without a gap', () => {
    incoming.receive('events', `[${heads.head('normal', 1, 1)},1,${encode('2')},null]`);
    incoming.receive('events', textOf(4, '4'));
    expect(seen).toEqual([2, 4]);
    expect(gaps).toEqual([]);
    expect(dropped).toEqual([{ channel: 'events', reason: 'malformed-message', count: 2 }]);
  });

  it('drops and counts envelopes of another version, and logs them now and then', () => {
    for (let count = 0; count < 5; count++) incoming.receive('events', '[{"v":9},{"b":1}]');
    expect(dropped).toEqual(Array(5).fill({ channel: 'events', reason: 'unknown-version', count: 1 }));
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it('acknowledges to the sender, with its number', () => {
    incoming.receive('events', `[${heads.head('normal', 1, 1)},${encode('1', { ack: 7 })}]`);
    expect(told).toEqual([['other', 7, 'done']]);
  });

  describe('deflated messages', () => {
    const zipped = async (seq: number, message: unknown, lane: 'normal' | 'low' = 'normal') =>
      `[${heads.head(lane, seq, 1)},${encode((await deflate(JSON.stringify(message)))!, { zip: true, type: 't' })}]`;
    const large = 'x'.repeat(1000);

    it('inflates them, and keeps later messages behind them', async () => {
      const [first, third] = [await zipped(1, large), await zipped(3, large)];
      for (const text of [first, textOf(2, '2'), third, textOf(4, '4')]) incoming.receive('events', text);
      expect(seen).toEqual([]);
      await eventually(() => seen.length === 4);
      expect(seen).toEqual([large, 2, large, 4]);
      incoming.receive('events', textOf(5, '5'));
      expect(seen.at(-1)).toBe(5);
    });

    it('counts them by their inflated size, and keeps no deflated copy', async () => {
      const bodies = await Promise.all([1, 2, 3].map(async () => (await deflate(JSON.stringify(large)))!));
      const all = [heads.head('normal', 1, 1), ...bodies.map((body) => encode(body, { zip: true })), encode('4')];
      incoming.receive('events', `[${all.join(',')}]`);
      await eventually(() => seen.length === 4);
      expect(sizes.slice(0, 3)).toEqual([1002, 1002, 1002]);
      expect(zips).toEqual([undefined, undefined, undefined, undefined]);
    });

    it('does not hold up other channels and priorities', async () => {
      incoming.receive('events', await zipped(1, large, 'low'));
      incoming.receive('events', textOf(1, '1'));
      incoming.receive('data', textOf(1, '2'));
      expect(seen).toEqual([1, 2]);
      await eventually(() => seen.length === 3);
    });

    it.each([
      ['a bomb', async () => zipped(1, 'x'.repeat(100_000)), 'too-large-inflated'],
      ['no base64', async () => `[${heads.head('normal', 1, 1)},{"z":"%%%"}]`, 'not-inflatable'],
      ['nothing', async () => `[${heads.head('normal', 1, 1)},{"z":""}]`, 'not-inflatable'],
      [
        'no JSON within',
        async () => `[${heads.head('normal', 1, 1)},{"z":"${(await deflate('x'.repeat(500)))!}"}]`,
        'not-inflatable',
      ],
      ['no text', async () => `[${heads.head('normal', 1, 1)},{"z":5}]`, 'malformed-message'],
    ])('drops and counts one that is %s, and delivers the next', async (_what, text, reason) => {
      const bad = await text();
      for (const each of [bad, textOf(2, '2')]) incoming.receive('events', each);
      await eventually(() => seen.length === 1);
      expect(seen).toEqual([2]);
      expect(dropped).toEqual([{ channel: 'events', reason, count: 1 }]);
    });
  });
});
