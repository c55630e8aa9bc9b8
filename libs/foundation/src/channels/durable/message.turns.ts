/**
 * Begins messages in order, so many at a time, whatever batch they came with. Used by `durable.subscription.ts`.
 */
import type { StreamEntry } from '../../backend/streams/streams.js';
import { unattended } from '../../foreign/gate.js';

/** A message, those of its batch that were not handled, and who waits for it. */
interface Turn {
  entry: StreamEntry;
  unhandled: StreamEntry[];
  done: () => void;
}

/** See the file header. */
export class MessageTurns {
  readonly #left: Turn[] = [];
  readonly #roomWanted: (() => void)[] = [];
  #running = 0;

  /** @param handle resolves with false for a message that was not handled, and does not count. */
  constructor(
    private readonly concurrency: number,
    private readonly handle: (entry: StreamEntry) => Promise<boolean>,
  ) {}

  /** Resolves when all of them had their turn, with those that were not handled. */
  async take(entries: readonly StreamEntry[]): Promise<StreamEntry[]> {
    const unhandled: StreamEntry[] = [];
    const turns = entries.map((entry) => new Promise<void>((done) => this.#left.push({ entry, unhandled, done })));
    this.#begin();
    await Promise.all(turns);
    return unhandled;
  }

  /** What has not begun never will, and is returned; its batch waits for it no longer. */
  drop(): StreamEntry[] {
    return this.#left.splice(0).map(({ entry, done }) => {
      done();
      return entry;
    });
  }

  /** Resolves when one more would begin at once. */
  room(): Promise<void> {
    return new Promise((resolve) => {
      this.#roomWanted.push(resolve);
      this.#begin();
    });
  }

  #begin(): void {
    while (this.#running < this.concurrency && this.#left.length > 0) {
      this.#running += 1;
      unattended('handling messages', this.#work());
    }
    if (this.#running < this.concurrency) for (const resolve of this.#roomWanted.splice(0)) resolve();
  }

  async #work(): Promise<void> {
    try {
      for (let next = this.#left.shift(); next !== undefined; next = this.#left.shift()) {
        const { entry, unhandled, done } = next;
        try {
          if (!(await this.handle(entry))) unhandled.push(entry);
        } finally {
          done();
        }
      }
    } finally {
      this.#running -= 1;
      this.#begin();
    }
  }
}
