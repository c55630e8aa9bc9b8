/** Ends leases whose time has run without an acknowledged renewal, at the moment it has. */
import type { HeldLease } from './held.lease.js';
import type { StallWatchdog } from './stall.watchdog.js';

/** See the file header. */
export class LeaseDeadlines {
  #timer: NodeJS.Timeout | undefined;
  /** When it fires. */
  #firesAt = Infinity;

  constructor(
    private readonly held: ReadonlyMap<string, HeldLease>,
    private readonly now: () => number,
    private readonly watchdog: StallWatchdog | undefined,
  ) {}

  /** Watches a lease, too, that was just added. */
  include(lease: HeldLease): void {
    if (this.now() + lease.left() < this.#firesAt) this.watch();
  }

  /** Sets the timer for the lease that ends first. */
  watch(): void {
    clearTimeout(this.#timer);
    this.#firesAt = Infinity;
    if (this.held.size === 0) return this.watchdog?.expectWithin(undefined);
    const now = this.now();
    let soonest = Infinity;
    for (const lease of this.held.values()) soonest = Math.min(soonest, lease.left(now));
    this.#firesAt = now + soonest;
    this.watchdog?.expectWithin(soonest);
    this.#timer = setTimeout(
      () => {
        this.fenceOverdue();
        this.watch();
      },
      Math.max(1, soonest),
    );
  }

  fenceOverdue(): void {
    const now = this.now();
    for (const lease of [...this.held.values()]) {
      if (!lease.isHeld(now)) lease.lose('deadline');
    }
  }
}
