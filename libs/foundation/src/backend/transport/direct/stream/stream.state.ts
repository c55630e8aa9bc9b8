/**
 * Pure: where the two streams between two nodes stand, as each node says when a carrier takes over.
 */
import { anything, fromJson, whole } from '../../../../wire/decode.js';
import { MAX_SEQ } from './frames.js';

/** What one node says of its own stream, and of its peer's. */
export interface StreamState {
  /** Which stream the sender is at. */
  stream: number;
  /** The lowest number of it that it can still send. */
  base: number;
  /** Which stream of the other node it knows; 0 = none. */
  otherStream: number;
  /** Up to which number it has that one. */
  received: number;
}

/** As JSON. */
export function encodeState({ stream, base, otherStream, received }: StreamState): string {
  return JSON.stringify([stream, base, otherStream, received]);
}

const parsed = fromJson(anything);
const number = whole();

/** Reads what came from another node; `undefined` for anything else. */
export function decodeState(text: string): StreamState | undefined {
  const value = parsed(text);
  if (!Array.isArray(value) || value.length !== 4) return undefined;
  // INVARIANT (I10): what is taken in here can be written again: a number beyond six bytes would throw out of the timer
  // of an ack.
  const [stream, base, otherStream, received] = value.map(number);
  if (stream === undefined || base === undefined || otherStream === undefined || received === undefined)
    return undefined;
  if (base > MAX_SEQ || received > MAX_SEQ) return undefined;
  return stream === 0 || base === 0 ? undefined : { stream, base, otherStream, received };
}
