/**
 * The plain topics in Redis, on which a direct node reaches nodes that use the Redis transport.
 */
import { type Bundle, unbundled } from '../../../wire/bundle.js';
import { ifRight, record, text } from '../../../wire/decode.js';
import type { Transport } from '../transport.js';

/**
 * Begins each text that a direct node publishes on a plain topic. Direct nodes, which have it from the stream, drop it
 * by this; JSON takes it for white space, so that all others read it.
 */
const MARK = '\n';
/** How long a node that the membership does not have (yet) is kept in mind, in milliseconds. */
export const UNKNOWN_MS = 10_000;

/** See the file header. */
export class PlainTopics {
  #hasMembers = false;
  #heardAt = -Infinity;

  constructor(
    private readonly redis: Transport,
    /** True for a node that has a link or an address, and so says what it says over its stream. */
    private readonly isProvable: (bootId: string) => boolean,
    /** A text in the name of such a node was refused. */
    private readonly refused: () => void,
  ) {}

  /** Whether there are members without an address. */
  meet(hasMembers: boolean): void {
    this.#hasMembers = hasMembers;
  }

  /** True when some nodes are only reached by plain topics. */
  get areNeeded(): boolean {
    return this.#hasMembers || performance.now() - this.#heardAt < UNKNOWN_MS;
  }

  publish(topic: string, text: string): Promise<number | undefined> {
    return this.redis.publish(topic, MARK + text);
  }

  subscribe(topic: string, deliver: (bundle: Bundle) => void): Promise<() => Promise<void>> {
    return this.redis.subscribe(topic, (bundle) => {
      if (typeof bundle === 'string' && bundle.startsWith(MARK)) return;
      // Any client of Redis can write there: a node with a link, or an address, sends over its stream.
      if (sendersOf(bundle).some((bootId) => this.isProvable(bootId))) return this.refused();
      // The sender may be a member that the view does not have yet, and must be reached the same way.
      this.#heardAt = performance.now();
      deliver(bundle);
    });
  }
}

const readSender = record<{ boot?: string; from?: string }>({
  boot: ifRight(text(Infinity, 0)),
  from: ifRight(text(Infinity, 0)),
});

/** The boot ids in whose name a bundle speaks: a head's and a node message's `boot`, the `from` of a call. */
function sendersOf(bundle: Bundle): string[] {
  const values = unbundled(bundle);
  // What cannot be read is dropped, and counted, by who listens.
  if (typeof values === 'string') return [];
  return values.flatMap((value) => {
    const said = readSender(value);
    return [said?.boot, said?.from].filter((bootId) => bootId !== undefined);
  });
}
