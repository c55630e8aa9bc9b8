/**
 * How often one method or handler ran on this node, how often it failed, and how long it took: since the node began,
 * and in each quarter of a minute of the last hour. Recording adds to three numbers and allocates nothing.
 */
import { bucketOf, BUCKETS, type Sparse } from './duration.buckets.js';

/** How long a slot is, in milliseconds. */
export const SLOT_MS = 15_000;
/** How many are kept: an hour. */
export const MAX_SLOTS = 240;
/** Of one node; what comes later counts as `other`, one for each kind. */
export const MAX_SERIES = 200;
/** Of one name, in characters. */
export const MAX_SERIES_NAME = 200;

/** What ran within some time. */
export interface Counted {
  /** How many of them threw or rejected. */
  failed: number;
  /** How long all of them took together, in milliseconds. */
  sumMs: number;
  durations: Sparse;
}

interface Slot extends Counted {
  slot: number;
}

/** Behind the counts by bucket. */
const FAILED = BUCKETS;
const SUM = BUCKETS + 1;

/** See the file header. Times are milliseconds of one clock that is never set. */
export class WorkSeries {
  readonly #totals = new Float64Array(BUCKETS + 2);
  /** As they were when the slot began. */
  readonly #before = new Float64Array(BUCKETS + 2);
  #slot = 0;
  readonly #past: Slot[] = [];

  /** Something that took this long is over. */
  record(tookMs: number, failed: boolean, now: number): void {
    const slot = Math.floor(now / SLOT_MS);
    if (slot !== this.#slot) this.#begin(slot);
    const totals = this.#totals;
    totals[bucketOf(tookMs)]! += 1;
    if (failed) totals[FAILED]! += 1;
    if (tookMs > 0) totals[SUM]! += tookMs;
  }

  /** Everything since the node began. */
  get total(): Counted {
    return counted(this.#totals);
  }

  /** The last slots that are over, and the one that is not; oldest first, without those in which nothing ran. */
  recent(slots: number, now: number): (Counted & { ago: number })[] {
    const current = Math.floor(now / SLOT_MS);
    if (current !== this.#slot) this.#begin(current);
    const going = { slot: current, ...counted(this.#totals, this.#before) };
    return [...this.#past, ...(going.durations.length > 0 ? [going] : [])]
      .map(({ slot, ...rest }) => ({ ago: current - slot, ...rest }))
      .filter(({ ago }) => ago <= slots);
  }

  #begin(slot: number): void {
    const over = counted(this.#totals, this.#before);
    if (over.durations.length > 0) {
      this.#past.push({ slot: this.#slot, ...over });
      this.#before.set(this.#totals);
    }
    this.#slot = slot;
    while (this.#past.length > 0 && slot - this.#past[0]!.slot > MAX_SLOTS) this.#past.shift();
  }
}

/** What was added since. */
function counted(totals: Float64Array, before?: Float64Array): Counted {
  const durations: number[] = [];
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const count = totals[bucket]! - (before?.[bucket] ?? 0);
    if (count > 0) durations.push(bucket, count);
  }
  return {
    failed: totals[FAILED]! - (before?.[FAILED] ?? 0),
    sumMs: Math.max(0, totals[SUM]! - (before?.[SUM] ?? 0)),
    durations,
  };
}
