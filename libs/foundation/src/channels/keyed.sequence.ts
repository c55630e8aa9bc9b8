/**
 * Pure: runs asynchronous work one after the other for each key, so that a message that is deflated or inflated keeps
 * its place.
 */

/** See the file header. */
export class KeyedSequence {
  readonly #last = new Map<string, Promise<unknown>>();
  #waiting = 0;

  /** False where work may start at once. */
  busy(key: string): boolean {
    return this.#last.has(key);
  }

  /** The backlog of all keys. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Does the work once all earlier work of the key is done. */
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
