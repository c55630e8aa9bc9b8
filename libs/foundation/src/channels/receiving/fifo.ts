/**
 * Pure: first in, first out, without moving what is in it. `Array.shift` moves everything once an array is large.
 */

const COMPACT_AT = 1024;

/** See the file header. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** The oldest one stays in. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  /** Takes the oldest one out. */
  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes the newest one out. */
  pop(): T | undefined {
    return this.size === 0 ? undefined : this.#items.pop();
  }
}
