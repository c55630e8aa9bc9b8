/**
 * Pure: a bundle that waits. The garbage collector copies a string that lives on, twice, and the bytes of a buffer
 * never: with a backlog of large messages that was 15 % of what reading them costs. Used by `unpacker.ts`.
 */
import type { Bundle } from './bundle.js';

/** In characters: shorter ones are moved faster than a buffer is made. */
const WORTH_A_BUFFER = 4096;
/** What is cut out of a buffer keeps all of it, such as the 64 KiB that a socket read: so many times its size. */
const PINNED = 4;

/** What waits, so that it costs little. */
export function hold(bundle: Bundle): Bundle | HeldText {
  if (typeof bundle === 'string') return bundle.length >= WORTH_A_BUFFER ? new HeldText(bundle) : bundle;
  return bundle.buffer.byteLength > PINNED * bundle.length ? Buffer.from(bundle) : bundle;
}

/** See the file header. */
export class HeldText {
  /** In characters. */
  readonly length: number;
  readonly #bytes: Buffer;

  constructor(text: string) {
    this.length = text.length;
    this.#bytes = Buffer.from(text);
  }

  get text(): string {
    return this.#bytes.toString();
  }
}
