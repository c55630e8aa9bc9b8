/**
 * Listeners that are called one after the other through the gate, so that one that throws keeps nothing from the
 * others.
 */
import { Gate } from './gate.js';

/** See the file header. */
export class Listeners<A extends readonly unknown[]> {
  readonly #listeners = new Set<(...args: A) => unknown>();

  constructor(
    /** What they are, for the log: `a listener to interruptions`, or the user's word for it. */
    private readonly what: string,
    private readonly gate = new Gate(),
  ) {}

  get size(): number {
    return this.#listeners.size;
  }

  /** Returns the function that removes it. */
  add(listener: (...args: A) => unknown): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  has(listener: (...args: A) => unknown): boolean {
    return this.#listeners.has(listener);
  }

  /** False when it was not, or is no longer, one of them. */
  delete(listener: (...args: A) => unknown): boolean {
    return this.#listeners.delete(listener);
  }

  clear(): void {
    this.#listeners.clear();
  }

  /** Calls all that are there now, but none that is removed meanwhile. */
  tell(...args: A): void {
    for (const listener of [...this.#listeners]) {
      if (this.#listeners.has(listener)) this.gate.tell(this.what, listener, ...args);
    }
  }
}
