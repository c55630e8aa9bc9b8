/**
 * The plain topics in Redis, on which a direct node reaches nodes that use the Redis transport.
 */
import { fromJson, ifRight, record, text } from '../../../wire/decode.js';
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
    private readonly redis: Transport<string>,
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

  subscribe(topic: string, deliver: (text: string) => void): Promise<() => Promise<void>> {
    return this.redis.subscribe(topic, (text) => {
      if (text.startsWith(MARK)) return;
      // Any client of Redis can write there: a node with a link, or an address, sends over its stream.
      if (sendersOf(text).some((bootId) => this.isProvable(bootId))) return this.refused();
      // The sender may be a member that the view does not have yet, and must be reached the same way.
      this.#heardAt = performance.now();
      deliver(text);
    });
  }
}

const readSender = record<{ boot?: string; from?: string }>({
  boot: ifRight(text(Infinity, 0)),
  from: ifRight(text(Infinity, 0)),
});
const read = fromJson((value) => (Array.isArray(value) ? (value as unknown[]) : [value]).map(readSender));

/** The boot ids in whose name a text speaks: a head's and a node message's `boot`, the `from` of a call. */
function sendersOf(json: string): string[] {
  return (read(json) ?? []).flatMap((said) => [said?.boot, said?.from].filter((bootId) => bootId !== undefined));
}
