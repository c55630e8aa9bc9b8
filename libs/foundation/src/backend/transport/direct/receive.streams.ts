/** The streams from peers, former ones too, so that nothing of them is taken twice. */
import { ReceiveStream } from './stream/receive.stream.js';

/** How many streams of former peers are remembered, so that nothing of them is taken twice. */
const MAX_STREAMS = 4096;

/** See the file header. */
export class ReceiveStreams {
  readonly #streams = new Map<string, ReceiveStream>();

  constructor(
    private readonly maxBytes: number,
    private readonly isPeer: (bootId: string) => boolean,
  ) {}

  /** The stream from a node that is a peer from now on. */
  of(bootId: string): ReceiveStream {
    const stream = this.#streams.get(bootId) ?? new ReceiveStream(this.maxBytes);
    this.#streams.delete(bootId);
    this.#streams.set(bootId, stream);
    if (this.#streams.size > MAX_STREAMS) {
      const oldest = [...this.#streams.keys()].find((each) => !this.isPeer(each) && each !== bootId);
      if (oldest !== undefined) this.#streams.delete(oldest);
    }
    return stream;
  }
}
