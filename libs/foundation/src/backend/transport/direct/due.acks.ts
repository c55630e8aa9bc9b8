/** When what has arrived from a peer is acknowledged: many bytes at once, few after a moment. */

/** What arrived is acknowledged after this many bytes, or this many milliseconds. */
const ACK_BYTES = 64 * 1024;
const ACK_MS = 20;

/** See the file header. */
export class DueAcks {
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param acknowledge writes what is due, and calls {@link written}. */
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
    else this.#timer ??= setTimeout(this.acknowledge, ACK_MS).unref();
  }

  /** Nothing is due any more. */
  written(): void {
    this.#bytes = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
