/**
 * Pure: one after the other for each key, although some of the work takes time: what is inflated keeps its place.
 * Called by the facade for what it sends, and by `unpacker.ts` for what arrives.
 */

/** See the file header. */
export class KeyedSequence {
  readonly #last = new Map<string, Promise<unknown>>();
  #waiting = 0;

  /** False where work may be done at once. */
  busy(key: string): boolean {
    return this.#last.has(key);
  }

  /** How much waits for its turn, of all keys. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Does the work once all work of the key that was given before is done. */
  async take<T>(key: string, work: () => Promise<T> | T): Promise<T> {
    this.#waiting += 1;
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(work).finally(() => {
      this.#waiting -= 1;
      if (this.#last.get(key) === settled) this.#last.delete(key);
    });
    const settled = turn.catch(() => undefined);
    this.#last.set(key, settled);
    return turn;
  }
}
