/**
 * Pure: who will own what was ranked a moment ago, until the nodes say so themselves.
 * Used by the supervisor: names that become free together are spread by it, though loads are a beat old.
 */

/** A load is published 50 ms after it changed, and a slow Redis takes its time. */
const KNOWN_AFTER_MS = 500;

/** See the file header. */
export class Expected {
  /** The oldest first. */
  readonly #names = new Map<string, { node: string; until: number }>();
  /** By node: the names that are expected of it, the oldest first, and what the node said at that time. */
  readonly #nodes = new Map<string, Map<string, number>>();

  /** From now on the name counts for the node, which says that it owns `load`. */
  expect(name: string, node: string, load: number, now: number): void {
    this.forget(name);
    this.#names.set(name, { node, until: now + KNOWN_AFTER_MS });
    const expected = this.#nodes.get(node) ?? new Map<string, number>();
    this.#nodes.set(node, expected.set(name, load));
  }

  /** The name is ranked anew. */
  forget(name: string): void {
    const known = this.#names.get(name);
    if (known === undefined) return;
    this.#names.delete(name);
    const expected = this.#nodes.get(known.node);
    expected?.delete(name);
    if (expected?.size === 0) this.#nodes.delete(known.node);
  }

  /** What was expected long enough ago is in what the nodes say, or did not come true. */
  expire(now: number): void {
    for (const [name, { until }] of this.#names) {
      if (until > now) return;
      this.forget(name);
    }
  }

  /**
   * What a node that says that it owns `load` will own: what it said when the oldest of the names was expected of it, and these
   * names. INVARIANT: nothing older counts, so a steady stream of names that end at once never adds up.
   */
  loadOf(node: string, load: number): number {
    const expected = this.#nodes.get(node);
    const [said] = expected?.values() ?? [];
    return expected === undefined || said === undefined ? load : Math.max(load, said + expected.size);
  }
}
