/**
 * Pure: frames as they travel on a link, and relayed through Redis. Length (4 bytes), type (1), payload.
 * What a text is, and what is packed, is in `topic.messages.ts`.
 */
import type { Lane } from '../../../../wire/lane.js';

/** What a frame is. A receiver drops, and counts, a type that it does not know. */
export const FRAME = { hello: 1, challenge: 2, proof: 3, proved: 4, state: 5, data: 6, ack: 7, alive: 8 } as const;

/** The bytes before the payload. */
export const HEAD = 5;
/** The largest payload of a link that has proven itself. */
export const MAX_PAYLOAD = 64 * 1024;
/** The bytes of a data payload before its part of the message: flags (1) and sequence number (6). */
const DATA_HEAD = 7;
/** The most bytes of a message that one frame carries: small, so that urgent texts get in between. */
export const MAX_PART = 32 * 1024;

/** One frame; the payload is a view on the bytes that were received. */
export interface Frame {
  type: number;
  payload: Buffer;
}

/** The largest sequence number: it travels in six bytes. */
export const MAX_SEQ = 2 ** 48 - 1;

/**
 * What the bytes of a message are: a text, a change of the topics a node listens to, that texts were lost before it, or
 * packed messages, for a node that has said in the handshake that it reads them.
 */
export type Kind = 'text' | 'topics' | 'lost' | 'packed';

/** The kinds that carry a bundle. */
export type BundleKind = Extract<Kind, 'text' | 'packed'>;

const LANES = ['high', 'normal', 'low'] as const satisfies readonly Lane[];
const KINDS = ['text', 'topics', 'lost', 'packed'] as const satisfies readonly Kind[];

/** One part of a message. */
export interface Part {
  seq: number;
  lane: Lane;
  /** `undefined` for a kind that this version does not know. */
  kind: Kind | undefined;
  first: boolean;
  last: boolean;
  bytes: Buffer;
}

/** The peer does not follow the format; nothing that it sends after that can be understood. */
export class MalformedFrame extends Error {}

/** A whole frame. */
export function encodeFrame(type: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(HEAD + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  frame.writeUInt8(type, 4);
  payload.copy(frame, HEAD);
  return frame;
}

/** A whole frame around a small JSON value. */
export function encodeJson(type: number, value: object): Buffer {
  return encodeFrame(type, Buffer.from(JSON.stringify(value)));
}

/** Everything of a data frame but its bytes, which several peers share. */
export function encodePartHead({ seq, lane, kind, first, last, bytes }: Part & { kind: Kind }): Buffer {
  const head = Buffer.allocUnsafe(HEAD + DATA_HEAD);
  head.writeUInt32BE(DATA_HEAD + bytes.length, 0);
  head.writeUInt8(FRAME.data, 4);
  head.writeUInt8(LANES.indexOf(lane) | (first ? 4 : 0) | (last ? 8 : 0) | (KINDS.indexOf(kind) << 4), HEAD);
  head.writeUIntBE(seq, HEAD + 1, 6);
  return head;
}

/** Reads the payload of a data frame. */
export function decodePart(payload: Buffer): Part {
  const flags = payload.length < DATA_HEAD ? 3 : payload.readUInt8(0);
  const lane = LANES[flags & 3];
  if (lane === undefined) throw new MalformedFrame('a data frame without a lane');
  return {
    seq: payload.readUIntBE(1, 6),
    lane,
    kind: KINDS[flags >> 4],
    first: (flags & 4) !== 0,
    last: (flags & 8) !== 0,
    bytes: payload.subarray(DATA_HEAD),
  };
}

/** "I have everything up to this sequence number." */
export function encodeAck(received: number): Buffer {
  const payload = Buffer.allocUnsafe(6);
  payload.writeUIntBE(received, 0, 6);
  return encodeFrame(FRAME.ack, payload);
}

/** Reads the payload of an ack. */
export function decodeAck(payload: Buffer): number {
  if (payload.length !== 6) throw new MalformedFrame('an ack of the wrong size');
  return payload.readUIntBE(0, 6);
}

/** Cuts a stream of bytes into frames. A length is checked before anything is kept for it. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #size = 0;
  #needed = HEAD;

  /** `limit`: the largest payload that is accepted; it may be raised between two frames. */
  constructor(public limit: number) {}

  /**
   * Yields the frames that are complete with this chunk.
   *
   * @throws MalformedFrame for a length above the limit.
   */
  *push(chunk: Buffer): Generator<Frame, void> {
    this.#pieces.push(chunk);
    this.#size += chunk.length;
    // Pieces are joined once there is enough of them, so that a frame that drips in byte by byte is copied once.
    if (this.#size < this.#needed) return;
    let bytes = this.#pieces.length === 1 ? chunk : Buffer.concat(this.#pieces, this.#size);
    this.#pieces = [];
    this.#needed = HEAD;
    while (bytes.length >= HEAD) {
      const length = bytes.readUInt32BE(0);
      if (length > this.limit) throw new MalformedFrame(`a frame of ${length} bytes, more than ${this.limit}`);
      this.#needed = HEAD + length;
      if (bytes.length < this.#needed) break;
      const frame = { type: bytes.readUInt8(4), payload: bytes.subarray(HEAD, this.#needed) };
      bytes = bytes.subarray(this.#needed);
      this.#needed = HEAD;
      yield frame;
    }
    this.#size = bytes.length;
    if (bytes.length > 0) this.#pieces.push(bytes);
  }
}
