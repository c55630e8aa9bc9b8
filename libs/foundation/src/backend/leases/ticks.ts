/**
 * Contract: what is remembered of a job that runs by the clock. Its owner alone writes it, and no earlier owner does
 * once a later one has begun. Implemented by `redis.ticks.ts` and `local.ticks.ts`; used by the runner of cron jobs.
 */

/** What an owner finds when it begins. */
export interface OpenedTicks {
  /** The last scheduled time that anybody claimed, in milliseconds since 1970; 0 for none. */
  claimed: number;
  /** What was written last, as text; '' for nothing. */
  record: string;
  /** Present where a later revision than that of the record was written: this owner's begin above it. */
  revision?: number;
  /** Present when a claimed time was passed over: no clock can have said it, so what was claimed is not known. */
  doubt?: ClaimDoubt;
}

/** What is known of a claimed time that was passed over. */
export interface ClaimDoubt {
  /** What is there instead, cut. */
  said: string;
  /** Nothing later than this was claimed by any owner. */
  most: number;
}

/** A scheduled time that is to be nobody else's. */
export interface TickClaim {
  /** Milliseconds since 1970. */
  at: number;
  /** The same for each try of one claim: the answer to the first may have been lost. */
  id: string;
}

/**
 * `done`; `stale`: an owner with a higher epoch has begun; `late`: a later record with this epoch is written; `taken`:
 * this time, or a later one, is claimed already; `early`: it is further ahead than clocks may differ.
 */
export type TickAnswer = 'done' | 'stale' | 'late' | 'taken' | 'early';

/** All that is kept of a job: what a node remembers of it, and puts back when Redis has lost it. */
export interface KeptTicks {
  job: string;
  /** Of the last owner that has begun; the one that wrote the record may be an earlier one, see {@link writerOf}. */
  epoch: number;
  /** The last scheduled time that anybody claimed, in milliseconds since 1970; 0 for none. */
  claimed: number;
  /** What was written last; it begins with its revision and the epoch of its writer. */
  record: string;
}

/** What the owner of a job does. */
export interface OwnedTicks {
  /**
   * Begins as the owner with this epoch: from here on no lower one can write. `undefined` when a higher one has begun.
   */
  open(job: string, epoch: number): Promise<OpenedTicks | undefined>;
  /**
   * Writes the record and, with a claim, makes that time this owner's; both or none of it. A record has a higher
   * revision than every other one that was tried before; only another try of one has its own again.
   */
  write(job: string, epoch: number, record: string, claim?: TickClaim): Promise<TickAnswer>;
}

/** See the file header. */
export interface Ticks extends OwnedTicks {
  /** What was written last of each; '' for nothing. */
  read(jobs: readonly string[]): Promise<string[]>;
  /** All that is kept of those of which anything was written. */
  recall(jobs: readonly string[]): Promise<KeptTicks[]>;
  /** Puts back what was lost of each; nothing where a later owner has begun, or the same one has written since. */
  restore(kept: readonly KeptTicks[]): Promise<void>;
  /** Calls the listener with what nodes have written, as soon as it is heard; not all is. */
  onWritten(listener: (kept: KeptTicks) => void): void;
}

/** What is above this was written by somebody else, and counts as no revision. */
export const HIGHEST_REVISION = 999_999_999_999_999;

/** Of what one owner has written the later counts: a record begins with its revision. */
export function revisionOf(record: string): number {
  return Number(/^\{"rev":(\d{1,15})(?!\d)/.exec(record)?.[1] ?? 0);
}

/** What is written, and the epoch that is known beside it. */
type Written = Pick<KeptTicks, 'epoch' | 'record'>;

/**
 * The epoch of the owner that wrote a record. Where that does not say it, as those of the version before, it is taken
 * for the last that has begun there.
 *
 * INVARIANT (I27): an owner that begins writes nothing yet. So what it found is as old as it was, wherever its epoch is
 * known by now: of two records the one of the later writer counts, not the one beside the higher epoch.
 */
export function writerOf({ epoch, record }: Written): number {
  if (record === '') return -1;
  const by = /^\{"rev":\d{1,15},"by":(\d{1,16})(?!\d)/.exec(record)?.[1];
  return Math.min(Number(by ?? epoch), epoch);
}

/** Whether the first was written after the second. */
export function isLater(one: Written, other: Written | undefined): boolean {
  if (other === undefined) return true;
  const [first, second] = [writerOf(one), writerOf(other)];
  return first > second || (first === second && revisionOf(one.record) > revisionOf(other.record));
}

/**
 * Whether something of what one knows is not there: a later record, or, of the same owner or an earlier one, a claimed
 * time. Where a later owner has begun nothing is missing.
 */
export function isMissing(known: Omit<KeptTicks, 'job'>, there: Omit<KeptTicks, 'job'> | undefined): boolean {
  if (there === undefined) return true;
  return there.epoch <= known.epoch && (isLater(known, there) || there.claimed < known.claimed);
}

/** By how much a claimed time may be ahead of the clock of Redis. */
export const MOST_AHEAD_MS = 60_000;
/**
 * What is claimed further ahead than this was written by somebody else, or by a clock that has been put right since.
 *
 * INVARIANT (I27): to pass it over fires nothing twice. No owner claims more than {@link MOST_AHEAD_MS} ahead of Redis,
 * so unless the clock of Redis itself was set back by about a day, no owner has claimed it; and whoever passes it over
 * takes for claimed what may have been: an owner that goes on what it claimed itself, the next one what its
 * `ClaimDoubt` and the record leave possible.
 */
export const BELIEVED_AHEAD_MS = 86_400_000;
