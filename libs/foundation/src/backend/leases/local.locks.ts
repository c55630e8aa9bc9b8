/**
 * Locks inside one process, for as long as that lives.
 */
import type { Clock } from '../../time/clock.js';
import type { Locks } from './locks.js';

interface Held {
  owner: string;
  until: number;
}

/** So many more than were held last are kept before those whose time is over are removed. */
const SWEEP_AFTER = 1000;

/** See {@link Locks}. */
export class LocalLocks implements Locks {
  readonly #held = new Map<string, Held>();
  #sweepAt = SWEEP_AFTER;
  #token = 0;

  constructor(private readonly clock: Pick<Clock, 'wall' | 'monotonic'>) {}

  acquire(key: string, owner: string, ttl: number): Promise<number | undefined> {
    if (this.#holder(key) !== undefined) return Promise.resolve(undefined);
    if (this.#held.size >= this.#sweepAt) this.#sweep();
    this.#held.set(key, { owner, until: this.clock.monotonic() + ttl });
    this.#token = Math.max(this.#token + 1, this.clock.wall() * 1000);
    return Promise.resolve(this.#token);
  }

  renew(key: string, owner: string, ttl: number): Promise<boolean> {
    const isOwner = this.#holder(key) === owner;
    if (isOwner) this.#held.set(key, { owner, until: this.clock.monotonic() + ttl });
    return Promise.resolve(isOwner);
  }

  release(key: string, owner: string): Promise<boolean> {
    return Promise.resolve(this.#holder(key) === owner && this.#held.delete(key));
  }

  #holder(key: string): string | undefined {
    const held = this.#held.get(key);
    return held !== undefined && this.clock.monotonic() < held.until ? held.owner : undefined;
  }

  #sweep(): void {
    for (const key of [...this.#held.keys()]) if (this.#holder(key) === undefined) this.#held.delete(key);
    this.#sweepAt = this.#held.size + SWEEP_AFTER;
  }
}
