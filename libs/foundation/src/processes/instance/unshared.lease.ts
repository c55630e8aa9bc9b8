/**
 * The lease of something that every node has one of: no other node wants it, so it needs no Redis and is never lost.
 * Used by the supervisor for processes that run on each node.
 */
import type { Lease } from '../../backend/leases/leases.js';

/** See the file header. Its epoch rises with each start on this node and says nothing about other nodes. */
export class UnsharedLease implements Lease {
  /** Never aborted. */
  readonly signal: AbortSignal = new AbortController().signal;
  #held = true;

  constructor(
    readonly name: string,
    readonly epoch: number,
    private readonly announced: () => void,
  ) {}

  isHeld(): boolean {
    return this.#held;
  }

  /** Nothing is minted for it in Redis, so any epoch of this life of the data is as good. */
  refresh(above: number): Promise<number> {
    return Promise.resolve(Math.max(this.epoch, above));
  }

  announce(): Promise<void> {
    this.announced();
    return Promise.resolve();
  }

  leave(): Promise<void> {
    return Promise.resolve();
  }

  inherit(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  release(): Promise<void> {
    this.#held = false;
    return Promise.resolve();
  }

  abandon(): void {
    this.#held = false;
  }
}
