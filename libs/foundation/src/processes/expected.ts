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
  /** What the node said when the first name was expected of it, and how many are. */
  readonly #nodes = new Map<string, { said: number; count: number }>();

  /** From now on the name counts for the node, which says that it owns `load`. */
  expect(name: string, node: string, load: number, now: number): void {
    this.forget(name);
    this.#names.set(name, { node, until: now + KNOWN_AFTER_MS });
    const expected = this.#nodes.get(node);
    if (expected === undefined) this.#nodes.set(node, { said: load, count: 1 });
    else expected.count += 1;
  }

  /** The name is ranked anew. */
  forget(name: string): void {
    const known = this.#names.get(name);
    if (known === undefined) return;
    this.#names.delete(name);
    this.#drop(known.node, 0);
  }

  /** What was expected long enough ago is in what the nodes say, or did not come true. */
  expire(now: number): void {
    for (const [name, { node, until }] of this.#names) {
      if (until > now) return;
      this.#names.delete(name);
      this.#drop(node, 1);
    }
  }

  /** What a node that says that it owns `load` will own. */
  loadOf(node: string, load: number): number {
    const expected = this.#nodes.get(node);
    return expected === undefined ? load : Math.max(load, expected.said + expected.count);
  }

  #drop(node: string, came: number): void {
    const expected = this.#nodes.get(node);
    if (expected === undefined) return;
    expected.count -= 1;
    expected.said += came;
    if (expected.count <= 0) this.#nodes.delete(node);
  }
}
