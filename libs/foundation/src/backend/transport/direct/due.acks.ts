/** When what has arrived from a peer is acknowledged: many bytes at once, few after a moment. */
import { encodeAck } from './stream/frames.js';

/** What arrived is acknowledged after this many bytes, or this many milliseconds. */
const ACK_BYTES = 64 * 1024;
const ACK_MS = 20;

/** See the file header. */
export class DueAcks {
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param acknowledge writes what is due, and calls {@link take} or {@link written}. */
  constructor(private readonly acknowledge: () => void) {}

  get areDue(): boolean {
    return this.#bytes > 0;
  }

  /** This many bytes have arrived. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** What has arrived is to be acknowledged at once. */
  hurry(): void {
    this.#bytes += ACK_BYTES;
  }

  /** All that came in one piece has arrived. */
  write(): void {
    if (this.#bytes === 0) return;
    if (this.#bytes >= ACK_BYTES) this.acknowledge();
    else this.#timer ??= setTimeout(() => this.#fire(), ACK_MS).unref();
  }

  /** The frame that acknowledges all up to `received`; nothing is due after it. */
  take(received: number): Buffer {
    this.written();
    return encodeAck(received);
  }

  /** Nothing is due any longer. The timer runs on, and comes too soon for what arrives meanwhile: one for many. */
  written(): void {
    this.#bytes = 0;
  }

  close(): void {
    this.#bytes = 0;
    clearTimeout(this.#timer);
  }

  #fire(): void {
    this.#timer = undefined;
    if (this.#bytes > 0) this.acknowledge();
  }
}
