/**
 * Pure: a text that waits. The garbage collector copies a string that lives on, twice, and the bytes of a buffer never:
 * with a backlog of large messages that was 15 % of what reading them costs. Used by `unpacker.ts`.
 */
import type { Bundle } from './bundle.js';

/** In characters: shorter ones are moved faster than a buffer is made. */
const WORTH_A_BUFFER = 4096;

/** What waits, so that it costs little. */
export function hold<T extends Bundle>(bundle: T): T | HeldText {
  return typeof bundle === 'string' && bundle.length >= WORTH_A_BUFFER ? new HeldText(bundle) : bundle;
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
