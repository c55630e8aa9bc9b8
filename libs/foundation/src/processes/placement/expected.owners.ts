/**
 * Pure: who will own what was ranked a moment ago, until the nodes say so themselves.
 * Used by the supervisor: names that become free together are spread by it, though loads are a beat old.
 */

/** A load is published 50 ms after it changed, and a slow Redis takes its time. */
const KNOWN_AFTER_MS = 500;
/**
 * How long a node needs for each of many names that it takes one after the other, in milliseconds: sixteen at a time,
 * each with two or three round trips and a start; measured with thousands on two busy cores.
 */
const PACE_MS = 2;
/** No node waits longer for one that may hang. */
const LONGEST_QUEUE_MS = 10_000;

/** See the file header. */
export class Expected {
  /** Name → the node of which it is expected. */
  readonly #names = new Map<string, string>();
  /**
   * By node: the names that are expected of it, the oldest first; what the node said at that time, and until when they
   * count.
   */
  readonly #nodes = new Map<string, Map<string, { said: number; until: number }>>();

  /** From now on the name counts for the node, which says that it owns `load`, until it has had the time to take it. */
  expect(name: string, node: string, load: number, now: number): void {
    this.forget(name);
    this.#names.set(name, node);
    const expected = this.#nodes.get(node) ?? new Map<string, { said: number; until: number }>();
    this.#nodes.set(node, expected);
    expected.set(name, { said: load, until: now + KNOWN_AFTER_MS + this.queueMs(node) });
  }

  /** The name is ranked again. */
  forget(name: string): void {
    const node = this.#names.get(name);
    if (node === undefined) return;
    this.#names.delete(name);
    const expected = this.#nodes.get(node);
    expected?.delete(name);
    if (expected?.size === 0) this.#nodes.delete(node);
  }

  /** What was expected long enough ago is in what the nodes say, or did not come true. */
  expire(now: number): void {
    for (const expected of this.#nodes.values()) {
      for (const [name, { until }] of expected) {
        if (until > now) break;
        this.forget(name);
      }
    }
  }

  /**
   * How long the node needs for what is expected of it. The next in turn waits for as long, else all nodes would
   * reach for each of ten thousand names, and the quickest would have most of them.
   */
  queueMs(node: string): number {
    return Math.min((this.#nodes.get(node)?.size ?? 0) * PACE_MS, LONGEST_QUEUE_MS);
  }

  /**
   * What a node that says that it owns `load` will own: what it said when the oldest of the names was expected of it,
   * and these names. INVARIANT (I23): nothing older counts, so a steady stream of names that end at once never adds up.
   */
  loadOf(node: string, load: number): number {
    const expected = this.#nodes.get(node);
    const [oldest] = expected?.values() ?? [];
    return expected === undefined || oldest === undefined ? load : Math.max(load, oldest.said + expected.size);
  }
}
