/**
 * Counts wrong tokens by address, so that no client can try many of them.
 */

/** So many wrong tokens from one address in {@link WINDOW_MS}; then it has to wait. */
export const MAX_ATTEMPTS = 10;
/** Milliseconds. */
export const WINDOW_MS = 60_000;
const MAX_ADDRESSES = 1000;

/** See the file header. */
export class LoginAttempts {
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
    if (this.#failed.size <= MAX_ADDRESSES) return;
    // Who has to wait is not forgotten for others that come; of the rest, and of them, the one that failed longest ago
    // is first.
    const oldest = [...this.#failed].find(([each, { count }]) => each !== address && count < MAX_ATTEMPTS) ?? [
      this.#failed.keys().next().value!,
    ];
    this.#failed.delete(oldest[0]);
  }
}

/**
 * An IPv6 address without what a host chooses by itself: its network of 64 bits counts as one, as an IPv4 address does.
 */
export function networkOf(address: string): string {
  const plain = address.replace(/%.*$/, '').toLowerCase();
  const v4 = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1];
  if (v4 !== undefined || !plain.includes(':')) return v4 ?? plain;
  const [head = '', tail] = plain.split('::');
  const [before, after] = [head, tail ?? ''].map((part) => (part === '' ? [] : part.split(':'))) as [
    string[],
    string[],
  ];
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array<string>(zeros).fill('0'), ...after].slice(0, 4).join(':');
}
