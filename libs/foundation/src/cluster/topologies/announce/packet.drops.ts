/**
 * Counts what a strategy sends, hears and drops, and warns of drops: the first at once, the next of its kind a minute
 * later. Used by `gossip` and `mdns`.
 */
import { ThrottledLog } from '../../../logging/throttled.log.js';

const WARN_EVERY_MS = 60_000;
/** Begins the names of the counters of what was dropped. */
export const DROPPED = 'dropped.';

/** See the file header. */
export class PacketDrops {
  readonly #log = new ThrottledLog(WARN_EVERY_MS);
  readonly #counters: Record<string, number>;

  constructor(
    private readonly strategy: string,
    { counted, dropped }: { counted: readonly string[]; dropped: readonly string[] },
  ) {
    // What never happened shows as 0.
    const names = [...counted, ...dropped.map((name) => `${DROPPED}${name}`)];
    this.#counters = Object.fromEntries(names.map((name) => [name, 0]));
  }

  get counters(): Readonly<Record<string, number>> {
    return this.#counters;
  }

  count(name: string): void {
    this.#counters[name] = (this.#counters[name] ?? 0) + 1;
  }

  /**
   * @param from the address that the system says it came from; anybody can forge it.
   * @param meaning what it may come from, for people; nothing of the packet.
   */
  drop(name: string, from: string, meaning: string): void {
    const counter = `${DROPPED}${name}`;
    this.count(counter);
    const details = { strategy: this.strategy, reason: name, from, dropped: this.#counters[counter] };
    this.#log.warn(`A packet was dropped: ${meaning}`, details);
  }
}
