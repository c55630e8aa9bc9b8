/**
 * Holds publishers back while too much waits for one node, but not for one that has turned out to be slow; and a node
 * that leaves, until the other one has everything.
 */

/**
 * A publisher waits while more than this many bytes wait for a node, but only this many milliseconds, and only once.
 */
const ROOM_BYTES = 1024 * 1024;
const ROOM_MS = 1000;

/** See the file header. */
export class SendRoom {
  #slow = false;
  #waiting: Promise<void> | undefined;
  #hasRoom: (() => void) | undefined;
  readonly #idleWanted = new Set<() => void>();

  /** Resolves when there is room for more, or the node has turned out to be slow; `undefined` when there is. */
  wanted(queued: number, isClosed: boolean): Promise<void> | undefined {
    if (queued <= ROOM_BYTES) this.#slow = false;
    else if (!this.#slow && !isClosed) this.#waiting ??= this.#wait();
    return this.#waiting;
  }

  /** Some of what waited is on its way. */
  sent(queued: number): void {
    if (queued <= ROOM_BYTES) this.free();
  }

  /** Releases those that wait. */
  free(): void {
    this.#hasRoom?.();
  }

  untilIdle(): Promise<void> {
    return new Promise((resolve) => this.#idleWanted.add(resolve));
  }

  /** Nothing waits for the node any longer. */
  idle(): void {
    for (const wanted of this.#idleWanted) wanted();
    this.#idleWanted.clear();
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#hasRoom = () => {
        clearTimeout(timer);
        this.#waiting = this.#hasRoom = undefined;
        resolve();
      };
      const timer = setTimeout(() => {
        this.#slow = true;
        this.#hasRoom?.();
      }, ROOM_MS);
    });
  }
}
