/**
 * How long a new owner waits after Redis lost its data: for the longest lease that any node may still count on, not
 * only for one of this node. Used by the leases and the directory; underneath a key beside the incarnation, see
 * `GRACE`.
 */
import { monotonicNow } from '../../time/monotonic.clock.js';

/** What this node knows of it. */
export class Grace {
  #heard = 0;
  #until = -Infinity;

  /** @param own that of this node's own leases, in milliseconds. */
  constructor(
    readonly own: number,
    private readonly now: () => number = monotonicNow,
  ) {}

  /**
   * The longest that Redis has, and for how long it keeps it: until a minute after the last node with such leases was
   * heard. Remembered, because Redis may lose it with everything else.
   */
  hear(ms: number, keptForMs: number): void {
    if (!(ms > 0 && keptForMs > 0)) return;
    this.#heard = ms;
    this.#until = this.now() + keptForMs;
  }

  /** In milliseconds. */
  get ms(): number {
    return Math.max(this.own, this.now() < this.#until ? this.#heard : 0);
  }

  /**
   * As the scripts take it: `own`, and where it is longer what was heard and for how long that counts:
   * `1517 10102 59000`.
   */
  get text(): string {
    const left = Math.round(this.#until - this.now());
    return left > 0 && this.#heard > this.own ? `${this.own} ${this.#heard} ${left}` : String(this.own);
  }
}
