/**
 * Counts wrong tokens by address, so that nobody can try many of them.
 * Called by the guard and by the login.
 */

/** So many wrong tokens from one address in {@link WINDOW_MS}; then it has to wait. */
export const MAX_ATTEMPTS = 10;
/** Milliseconds. */
export const WINDOW_MS = 60_000;
const MAX_ADDRESSES = 1000;

/** See the file header. */
export class Attempts {
  readonly #failed = new Map<string, { count: number; until: number }>();

  /** For how many seconds the address has to wait; 0 = not at all. */
  waitFor(address: string, now: number): number {
    const failed = this.#failed.get(address);
    if (failed === undefined || failed.until <= now || failed.count < MAX_ATTEMPTS) return 0;
    return Math.ceil((failed.until - now) / 1000);
  }

  /** A wrong token came. */
  fail(address: string, now: number): void {
    const failed = this.#failed.get(address);
    const isOver = failed === undefined || failed.until <= now;
    this.#failed.delete(address);
    this.#failed.set(address, isOver ? { count: 1, until: now + WINDOW_MS } : { ...failed, count: failed.count + 1 });
    // The one that failed longest ago is forgotten first.
    const oldest = this.#failed.size > MAX_ADDRESSES ? this.#failed.keys().next().value : undefined;
    if (oldest !== undefined) this.#failed.delete(oldest);
  }
}
