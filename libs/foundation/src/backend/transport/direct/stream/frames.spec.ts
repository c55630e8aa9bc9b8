import { describe, expect, it } from '@jest/globals';
import {
  decodeAck,
  decodePart,
  encodeAck,
  encodeFrame,
  encodePartHead,
  FRAME,
  type Frame,
  FrameReader,
  HEAD,
  MalformedFrame,
  MAX_PART,
  MAX_PAYLOAD,
  type Part,
} from './frames.js';

/** The same numbers in every run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function bytesFrom(random: (below: number) => number, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, () => random(256)));
}

function readAll(reader: FrameReader, chunks: readonly Buffer[]): { type: number; payload: string }[] {
  return chunks.flatMap((chunk) =>
    [...reader.push(chunk)].map(({ type, payload }) => ({ type, payload: payload.toString('hex') })),
  );
}

function split(bytes: Buffer, random: (below: number) => number, most: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + 1 + random(most));
    chunks.push(bytes.subarray(at, end));
    at = end;
  }
  return chunks;
}

const part = (more: Partial<Part> = {}): Part & { kind: 'text' } => ({
  ...{ seq: 7, lane: 'normal', kind: 'text', first: true, last: true, bytes: Buffer.from('x'), ...more },
  kind: 'text',
});

describe('FrameReader', () => {
  it.each([1, 2, 7, 100, 5000])('reads the same frames however the bytes are cut, pieces up to %i', (most) => {
    const random = randomFrom(most);
    const frames = Array.from({ length: 200 }, (_, index) => ({
      type: index % 256,
      payload: bytesFrom(random, random(index % 20 === 0 ? 3000 : 40)),
    }));
    const bytes = Buffer.concat(frames.map(({ type, payload }) => encodeFrame(type, payload)));
    expect(readAll(new FrameReader(MAX_PAYLOAD), split(bytes, random, most))).toEqual(
      frames.map(({ type, payload }) => ({ type, payload: payload.toString('hex') })),
    );
  });

  it('takes a frame of the limit, and refuses a larger one by its first bytes alone', () => {
    expect(readAll(new FrameReader(10), [encodeFrame(1, Buffer.alloc(10))])).toHaveLength(1);
    const head = encodeFrame(1, Buffer.alloc(11)).subarray(0, HEAD);
    expect(() => readAll(new FrameReader(10), [head])).toThrow(MalformedFrame);
    expect(() => readAll(new FrameReader(MAX_PAYLOAD), [Buffer.from('ffffffff01', 'hex')])).toThrow(/4294967295 bytes/);
  });

  it('applies a limit that is raised between two frames of one chunk', () => {
    const reader = new FrameReader(10);
    const sizes: number[] = [];
    for (const { payload } of reader.push(
      Buffer.concat([encodeFrame(1, Buffer.alloc(1)), encodeFrame(2, Buffer.alloc(99))]),
    )) {
      sizes.push(payload.length);
      reader.limit = 100;
    }
    expect(sizes).toEqual([1, 99]);
  });

  it('survives random bytes: frames, or one error, and nothing else', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = randomFrom(seed);
      const reader = new FrameReader(MAX_PAYLOAD);
      try {
        for (const chunk of split(bytesFrom(random, 400), random, 50)) {
          for (const frame of reader.push(chunk)) interpret(frame);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedFrame);
      }
    }
  });

  it('survives well-formed frames of random content', () => {
    const random = randomFrom(99);
    for (let count = 0; count < 2000; count += 1) {
      try {
        interpret({ type: random(10), payload: bytesFrom(random, random(20)) });
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedFrame);
      }
    }
  });
});

function interpret({ type, payload }: Frame): void {
  if (type === FRAME.data) decodePart(payload);
  if (type === FRAME.ack) decodeAck(payload);
}

describe('a part', () => {
  const roundTrip = (each: Part & { kind: 'text' | 'topics' | 'lost' }): Part => {
    const [frame] = [...new FrameReader(MAX_PAYLOAD).push(Buffer.concat([encodePartHead(each), each.bytes]))];
    return decodePart(frame!.payload);
  };

  it('comes out as it went in', () => {
    for (const lane of ['high', 'normal', 'low'] as const) {
      for (const [first, last] of [
        [true, true],
        [true, false],
        [false, true],
        [false, false],
      ] as const) {
        for (const kind of ['text', 'topics', 'lost'] as const) {
          const each = { ...part({ lane, first, last, seq: 2 ** 47 + 3 }), kind };
          expect(roundTrip(each)).toEqual(each);
        }
      }
    }
    expect(roundTrip(part({ bytes: Buffer.alloc(MAX_PART) })).bytes).toHaveLength(MAX_PART);
    expect(roundTrip(part({ bytes: Buffer.alloc(0) })).bytes).toHaveLength(0);
  });

  it('of an unknown kind keeps its number, so that what follows is not taken for a gap', () => {
    const payload = Buffer.concat([encodePartHead(part()), Buffer.from('x')]).subarray(HEAD);
    payload.writeUInt8(0xf0 | payload.readUInt8(0), 0);
    expect(decodePart(payload)).toMatchObject({ seq: 7, kind: undefined });
  });

  it('is malformed when it is too short, or has no lane', () => {
    expect(() => decodePart(Buffer.alloc(6))).toThrow(MalformedFrame);
    expect(() => decodePart(Buffer.from('03000000000001', 'hex'))).toThrow(MalformedFrame);
  });
});

describe('an ack', () => {
  it('comes out as it went in, and has one size', () => {
    expect(decodeAck(encodeAck(2 ** 47 + 1).subarray(HEAD))).toBe(2 ** 47 + 1);
    expect(() => decodeAck(Buffer.alloc(5))).toThrow(MalformedFrame);
    expect(() => decodeAck(Buffer.alloc(7))).toThrow(MalformedFrame);
  });
});
