/**
 * Pure: what one other node sends to this one. Parts are taken in the order of their numbers and only once, whichever
 * carrier brings them, so nothing can overtake and nothing arrives twice, without a barrier between carriers.
 */
import type { Lane } from '../../../../wire/lane.js';
import type { Kind, Part } from './frames.js';

/** A message that is complete, or the news that some are missing. */
export interface Arrival {
  kind: Kind;
  body: Buffer;
}

interface Unfinished {
  parts: Buffer[];
  size: number;
}

const LOST: Arrival = { kind: 'lost', body: Buffer.alloc(0) };

/** One direction between two nodes; see the file header. */
export class ReceiveStream {
  #stream = 0;
  #received = 0;
  #unfinished: Partial<Record<Lane, Unfinished>> = {};

  constructor(
    /** The largest message in bytes; a longer one is passed over. */
    private readonly maxBytes: number,
  ) {}

  get stream(): number {
    return this.#stream;
  }

  /** Everything up to this number has arrived. */
  get received(): number {
    return this.#received;
  }

  /**
   * The other node sends this stream, of which it can send `base` and everything after it. Returns `stale` for a stream
   * that ended, and `lost` when messages are missing between what came before and this.
   */
  begin(stream: number, base: number): 'stale' | 'lost' | undefined {
    if (stream < this.#stream) return 'stale';
    if (stream === this.#stream && base <= this.#received + 1) return undefined;
    const isFirst = this.#stream === 0 && base === 1;
    this.#stream = stream;
    this.#received = base - 1;
    this.#unfinished = {};
    return isFirst ? undefined : 'lost';
  }

  /** Takes the part when it is the next one; returns the message that it completes. */
  accept({ seq, lane, kind, first, last, bytes }: Part): Arrival | undefined {
    // What is missing before a later one is sent again by the other node.
    if (seq !== this.#received + 1) return undefined;
    this.#received = seq;
    if (first && last) {
      delete this.#unfinished[lane];
      return kind === undefined || bytes.length > this.maxBytes ? LOST : { kind, body: bytes };
    }
    if (first) this.#unfinished[lane] = { parts: [], size: 0 };
    const unfinished = this.#unfinished[lane];
    // Its beginning was lost, which has been said, or was too large.
    if (unfinished === undefined) return undefined;
    unfinished.size += bytes.length;
    if (unfinished.size > this.maxBytes) {
      delete this.#unfinished[lane];
      return LOST;
    }
    // A copy: the part is a view on the bytes of the socket, which would all be kept with it.
    unfinished.parts.push(Buffer.from(bytes));
    if (!last) return undefined;
    delete this.#unfinished[lane];
    return kind === undefined ? LOST : { kind, body: Buffer.concat(unfinished.parts, unfinished.size) };
  }

  /** Lets go of memory; a message of which only a part had come is lost. */
  forgetParts(): void {
    this.#unfinished = {};
  }
}
