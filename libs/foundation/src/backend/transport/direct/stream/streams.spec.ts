import { describe, expect, it } from '@jest/globals';
import type { Lane } from '../../../../wire/lane.js';
import { decodePart, encodeAck, FRAME, FrameReader, MAX_PART, MAX_PAYLOAD, type Part } from './frames.js';
import { ReceiveStream } from './receive.stream.js';
import { MAX_CHANGES, SendStream, WINDOW } from './send.stream.js';
import { decodeState } from './stream.state.js';

const parts = (buffers: readonly Buffer[]): Part[] =>
  [...new FrameReader(MAX_PAYLOAD).push(Buffer.concat(buffers))]
    .filter(({ type }) => type === FRAME.data)
    .map(({ payload }) => decodePart(payload));
const text = (name: string, size = 0): Buffer => Buffer.from(name.padEnd(size, '.'));
const nameOf = (body: Buffer): string => body.toString().replace(/\.+$/, '');

function incoming(maxBytes = 10 * 1024 * 1024): ReceiveStream {
  const each = new ReceiveStream(maxBytes);
  each.begin(1, 1);
  return each;
}

describe('Outgoing and Incoming', () => {
  it('brings messages of any size in the order of their lane', () => {
    const [out, back] = [new SendStream(1), incoming()];
    const names = ['a', 'b', 'c', 'd'];
    names.forEach((name, index) => out.add('normal', 'text', text(name, index * MAX_PART + index)));
    out.add('normal', 'text', Buffer.alloc(0));
    const arrived: string[] = [];
    for (let taken = out.take(1000); taken.length > 0; taken = out.take(1000)) {
      for (const each of parts(taken)) {
        const arrival = back.accept(each);
        if (arrival !== undefined) arrived.push(nameOf(arrival.body));
      }
      out.acknowledge(back.received);
    }
    expect(arrived).toEqual([...names, '']);
    expect([out.isIdle, out.queued, out.isAwaiting]).toEqual([true, 0, false]);
  });

  it('lets the high lane pass between the parts of a large text, and the normal one before the low one', () => {
    const [out, back] = [new SendStream(1), incoming()];
    out.add('low', 'text', text('low'));
    out.add('normal', 'text', text('large', 3 * MAX_PART));
    const arrived: string[] = [];
    const read = (buffers: readonly Buffer[]): void => {
      for (const each of parts(buffers)) {
        const arrival = back.accept(each);
        if (arrival !== undefined) arrived.push(nameOf(arrival.body));
      }
    };
    read(out.take(1));
    out.add('high', 'text', text('high'));
    read(out.take(Infinity));
    expect(arrived).toEqual(['high', 'large', 'low']);
  });

  it('stops the lower lanes at the window, never the high one, and goes on with each acknowledgement', () => {
    const out = new SendStream(1, 64 * 1024 * 1024);
    for (let count = 0; count < 100; count += 1) out.add('low', 'text', text('x', MAX_PART));
    const first = parts(out.take(Infinity));
    const underway = first.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(underway).toBeGreaterThanOrEqual(WINDOW - MAX_PART);
    expect(underway).toBeLessThanOrEqual(WINDOW + MAX_PART);
    expect([out.take(Infinity), out.isReady]).toEqual([[], false]);
    out.add('high', 'text', text('urgent'));
    expect(out.isReady).toBe(true);
    expect(parts(out.take(Infinity)).map(({ lane }) => lane)).toEqual(['high']);
    out.acknowledge(first[3]!.seq);
    expect(parts(out.take(Infinity)).length).toBeGreaterThanOrEqual(3);
  });

  it('hands over what was not acknowledged to the next carrier, in order, and nothing else', () => {
    const out = new SendStream(1);
    for (const name of ['a', 'b', 'c']) out.add('normal', 'text', text(name));
    out.take(Infinity);
    out.acknowledge(1);
    expect(out.take(Infinity)).toEqual([]);
    expect(out.base).toBe(2);
    out.rewind();
    out.add('high', 'text', text('h'));
    expect(parts(out.take(Infinity)).map(({ seq, bytes }) => [seq, bytes.toString()])).toEqual([
      [2, 'b'],
      [3, 'c'],
      [4, 'h'],
    ]);
    out.acknowledge(99);
    expect(out.isAwaiting).toBe(true);
    out.acknowledge(4);
    expect([out.isIdle, out.base]).toEqual([true, 5]);
  });

  it('says when a message has arrived, once it has all of it', () => {
    const out = new SendStream(1);
    let arrived = 0;
    out.add('high', 'topics', text('x', 2 * MAX_PART), () => (arrived += 1));
    out.take(Infinity);
    out.acknowledge(1);
    expect(arrived).toBe(0);
    out.acknowledge(2);
    expect(arrived).toBe(1);
  });
});

describe('a queue that is full', () => {
  const fill = (out: SendStream, lane: Lane, ...names: string[]): unknown[] =>
    names.flatMap((name) => out.add(lane, 'text', text(name, 100)));
  const left = (out: SendStream): string[] =>
    parts(out.take(Infinity)).map(({ kind, lane, bytes }) => (kind === 'lost' ? `lost ${lane}` : nameOf(bytes)));

  it('drops the oldest of the lowest lane first, then the normal one, then what comes', () => {
    const out = new SendStream(1, 400);
    expect(fill(out, 'low', 'l1', 'l2')).toEqual([]);
    expect(fill(out, 'normal', 'n1', 'n2')).toEqual([]);
    expect(fill(out, 'normal', 'n3')).toEqual([{ lane: 'low', bytes: 100 }]);
    expect(fill(out, 'high', 'h1')).toEqual([{ lane: 'low', bytes: 100 }]);
    expect(fill(out, 'high', 'h2')).toEqual([{ lane: 'normal', bytes: 100 }]);
    expect(fill(out, 'low', 'l3')).toEqual([{ lane: 'low', bytes: 100 }]);
    expect(left(out)).toEqual(['h1', 'h2', 'lost normal', 'n2', 'n3', 'lost low']);
  });

  it('drops a high one only when nothing else is left', () => {
    const out = new SendStream(1, 200);
    expect(fill(out, 'high', 'h1', 'h2', 'h3')).toEqual([{ lane: 'high', bytes: 100 }]);
    expect(left(out)).toEqual(['lost high', 'h1', 'h2']);
  });

  it('finishes a text that has begun to leave', () => {
    const out = new SendStream(1, 3 * MAX_PART);
    out.add('normal', 'text', text('large', 3 * MAX_PART));
    out.take(1);
    expect(out.add('normal', 'text', text('next', 2 * MAX_PART))).toEqual([{ lane: 'normal', bytes: 2 * MAX_PART }]);
    const back = incoming();
    out.rewind();
    const arrivals = parts(out.take(Infinity)).flatMap((each) => back.accept(each) ?? []);
    expect(arrivals.map(({ kind }) => kind)).toEqual(['text', 'lost']);
  });

  it('never drops what this node listens to', () => {
    const out = new SendStream(1, 100);
    fill(out, 'high', 'h1');
    expect(out.add('high', 'topics', text('topics', 100))).toEqual([]);
    expect(out.add('high', 'text', text('h2', 100))).toEqual([{ lane: 'high', bytes: 100 }]);
    expect(left(out)).toEqual(['lost high', 'h1', 'topics']);
  });

  it('says all that this node listens to in place of very many changes, and each of them has arrived with it', () => {
    const out = new SendStream(1, 100);
    const arrived: number[] = [];
    const change = (index: number): void =>
      out.change(
        text(`change ${index}`),
        () => text('all'),
        () => arrived.push(index),
      );
    for (let index = 0; index < MAX_CHANGES; index += 1) change(index);
    fill(out, 'high', 'h1');
    change(MAX_CHANGES);
    change(MAX_CHANGES + 1);
    expect(left(out)).toEqual(['lost high', 'all', `change ${MAX_CHANGES + 1}`]);
    out.acknowledge(Infinity);
    expect(arrived).toEqual([]);
    out.acknowledge(3);
    expect(arrived).toHaveLength(MAX_CHANGES + 2);
    expect(out.queued).toBe(0);
  });
});

describe('Incoming', () => {
  const part = (seq: number, more: Partial<Part> = {}): Part => ({
    ...{ seq, lane: 'normal', kind: 'text', first: true, last: true, bytes: Buffer.from(String(seq)) },
    ...more,
  });
  const take = (each: ReceiveStream, ...seqs: number[]): string[] =>
    seqs.flatMap((seq) => each.accept(part(seq))?.body.toString() ?? []);

  it('takes each number once and in order, whichever carrier brings it', () => {
    const each = incoming();
    expect(take(each, 1, 2, 2, 1, 4, 3, 3, 4, 6, 5)).toEqual(['1', '2', '3', '4', '5']);
    expect(each.received).toBe(5);
  });

  it('goes on with a stream it knows, and reports what is missing of one it does not', () => {
    const each = new ReceiveStream(100);
    expect(each.begin(5, 1)).toBeUndefined();
    take(each, 1, 2, 3);
    expect(each.begin(5, 2)).toBeUndefined();
    expect(each.received).toBe(3);
    expect(each.begin(5, 9)).toBe('lost');
    expect(take(each, 4, 9)).toEqual(['9']);
    expect(each.begin(6, 1)).toBe('lost');
    expect(take(each, 1)).toEqual(['1']);
    expect(each.begin(5, 2)).toBe('stale');
    expect([each.stream, each.received]).toEqual([6, 1]);
    expect(new ReceiveStream(100).begin(5, 3)).toBe('lost');
  });

  it('passes over a message that is too large, and says so', () => {
    const each = incoming(10);
    expect(each.accept(part(1, { bytes: Buffer.alloc(11) }))?.kind).toBe('lost');
    expect(each.accept(part(2, { last: false, bytes: Buffer.alloc(6) }))).toBeUndefined();
    expect(each.accept(part(3, { first: false, last: false, bytes: Buffer.alloc(6) }))?.kind).toBe('lost');
    expect(each.accept(part(4, { first: false, bytes: Buffer.alloc(6) }))).toBeUndefined();
    expect(take(each, 5)).toEqual(['5']);
  });

  it('reports a message of a kind that it does not know as lost, and takes the next', () => {
    const each = incoming();
    expect(each.accept(part(1, { kind: undefined }))?.kind).toBe('lost');
    expect(take(each, 2)).toEqual(['2']);
  });

  it('keeps the lanes of unfinished messages apart, and forgets them on request', () => {
    const each = incoming();
    each.accept(part(1, { last: false, bytes: Buffer.from('n') }));
    each.accept(part(2, { lane: 'low', last: false, bytes: Buffer.from('l') }));
    expect(each.accept(part(3, { first: false, bytes: Buffer.from('N') }))?.body.toString()).toBe('nN');
    each.forgetParts();
    expect(each.accept(part(4, { lane: 'low', first: false }))).toBeUndefined();
  });
});

it('reads no number that could not be written again', () => {
  const most = 2 ** 48 - 1;
  expect(decodeState(`[1,${most},1,${most}]`)).toEqual({ stream: 1, base: most, otherStream: 1, received: most });
  expect(encodeAck(most)).toHaveLength(11);
  for (const text of [
    `[1,${most + 1},0,0]`,
    `[1,1,0,${2 ** 52}]`,
    '[1,1,0,-1]',
    '[1,1,0,1e999]',
    '[1,"1",0,0]',
    '[1,1,0,0.5]',
  ])
    expect(decodeState(text)).toBeUndefined();
});

describe('over carriers that lose, repeat and switch', () => {
  it.each(Array.from({ length: 30 }, (_, index) => index + 1))(
    'nothing is missing, twice or out of order (%i)',
    (seed) => {
      let state = seed * 7919;
      const random = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32;
      const [out, back] = [new SendStream(1, Infinity), incoming()];
      const lanes: Lane[] = ['high', 'normal', 'low'];
      const sent: Record<Lane, string[]> = { high: [], normal: [], low: [] };
      const arrived: Record<Lane, string[]> = { high: [], normal: [], low: [] };
      let late: Part[] = [];
      for (let step = 0; step < 400 || !out.isIdle; step += 1) {
        if (step < 300) {
          const lane = lanes[Math.floor(random() * 3)]!;
          const name = `${lane}-${step}`;
          sent[lane].push(name);
          out.add(lane, 'text', text(name, random() < 0.2 ? Math.floor(random() * 4 * MAX_PART) : 0));
        }
        const carried = parts(out.take(random() * 200_000));
        // What the last carrier still held comes in the middle of what the next one brings.
        const all = random() < 0.5 ? [...late, ...carried] : [...carried, ...late];
        late = random() < 0.3 ? carried : [];
        for (const each of step < 350 && random() < 0.2 ? all.slice(0, Math.floor(random() * all.length)) : all) {
          const arrival = back.accept(each);
          if (arrival !== undefined) arrived[each.lane].push(nameOf(arrival.body));
        }
        if (random() < 0.5) out.acknowledge(back.received);
        if (random() < 0.2) out.rewind();
        if (step > 5000) throw new Error('It never ends');
      }
      expect(arrived).toEqual(sent);
    },
  );
});
