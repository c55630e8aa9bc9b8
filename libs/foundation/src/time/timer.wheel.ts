/**
 * Pure: many timers of which nearly all are taken back before they fire, in a ring of coarse slots. To add one and to
 * take it back costs the same however many there are: scheme 6 of G. Varghese and T. Lauck, "Hashed and Hierarchical
 * Timing Wheels" (SOSP 1987). Never fires early, and by itself late by less than a slot.
 */

/** Milliseconds of one slot. */
export const SLOT_MS = 20;
/** A ring of about ten seconds: a timer that is farther away is passed over once for each time round. */
const SLOTS = 512;

/** One timer; it is in one wheel at most. */
export abstract class WheelTimer {
  /** When it may fire, in slots since the zero of the clock; 0 while it is in no wheel. */
  slot = 0;
  /** The neighbours in its slot of the ring. */
  before: WheelTimer | undefined;
  after: WheelTimer | undefined;

  /** Its time is over. Does not throw. */
  abstract expired(): void;
}

/** See the file header. */
export class TimerWheel {
  /** The first timer of each slot. */
  readonly #ring = Array.from({ length: SLOTS }, (): WheelTimer | undefined => undefined);
  /** All slots up to this one have fired. */
  #fired = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Fires `ms` milliseconds after `now`, at the next look. Returns the time from which a look finds it. */
  add(timer: WheelTimer, ms: number, now: number): number {
    if (this.#size === 0) this.#fired = Math.floor(now / SLOT_MS);
    const slot = Math.max(Math.ceil((now + ms) / SLOT_MS), this.#fired + 1);
    const index = slot % SLOTS;
    const first = this.#ring[index];
    timer.slot = slot;
    timer.after = first;
    if (first !== undefined) first.before = timer;
    this.#ring[index] = timer;
    this.#size += 1;
    return slot * SLOT_MS;
  }

  /** Nothing happens to one that is in no wheel. */
  remove(timer: WheelTimer): void {
    const { slot, before, after } = timer;
    if (slot === 0) return;
    if (before === undefined) this.#ring[slot % SLOTS] = after;
    else before.after = after;
    if (after !== undefined) after.before = before;
    timer.slot = 0;
    timer.before = timer.after = undefined;
    this.#size -= 1;
  }

  /** Takes out those whose time is over, the earliest slot first. */
  due(now: number): WheelTimer[] {
    const last = Math.floor(now / SLOT_MS);
    const due: WheelTimer[] = [];
    // Once round is enough, however long nobody looked.
    for (let slot = Math.max(this.#fired + 1, last - SLOTS + 1); slot <= last && this.#size > 0; slot++) {
      for (let timer = this.#ring[slot % SLOTS]; timer !== undefined;) {
        const { after } = timer;
        if (timer.slot <= last) {
          due.push(timer);
          this.remove(timer);
        }
        timer = after;
      }
    }
    this.#fired = Math.max(this.#fired, last);
    return due;
  }

  /** When to look next; `undefined` while there is none. Too soon where all are more than once round away. */
  next(): number | undefined {
    if (this.#size === 0) return undefined;
    let slot = this.#fired + 1;
    while (this.#ring[slot % SLOTS] === undefined) slot += 1;
    return slot * SLOT_MS;
  }
}
