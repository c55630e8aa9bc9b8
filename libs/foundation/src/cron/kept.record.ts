/**
 * The record of one job in the hands of its owner: read once, changed in turns, each change written before it counts.
 * Made by the runner; underneath `Ticks`.
 */
import { randomUUID } from 'node:crypto';
import { type OpenedTicks, type OwnedTicks, revisionOf, type TickClaim } from '../backend/leases/ticks.js';
import type { ProcessContext } from '../processes/declaration/process.context.js';
import { type Clock, pauseFor } from '../time/clock.js';
import { type JobRecord, readRecord, writeRecord } from './job.record.js';
import type { JobReports } from './job.reports.js';

/** While Redis is away a write is tried again so often; that of a claim for as long as the lease lives. */
export const RETRY_MS = 250;
/** How a run ended is written for so long after the instance was told to end. */
const LAST_WORDS_MS = 2000;

/** A change of the record: what is to be written, and what follows once it is. */
export interface Change {
  record: JobRecord;
  /** The time that is claimed with it. */
  claim?: number;
  then?: () => void;
}

/** What it is made of. */
export interface KeptRecordParts {
  job: string;
  ticks: OwnedTicks;
  ctx: Pick<ProcessContext, 'epoch' | 'signal' | 'isOwner'>;
  reports: JobReports;
  wallClock: () => number;
  clock: Clock;
}

/** See the file header. */
export class KeptRecord {
  #record: JobRecord | undefined;
  #claimed = 0;
  /**
   * Of the last record that was tried, written or not. INVARIANT (I27): none is used for two, so of what was tried the
   * last counts, whenever it arrives.
   */
  #revision = 0;
  #writtenAt = 0;
  #toldToEndAt = Infinity;
  /** Changes go one after the other, and each decides by what the one before has written. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: KeptRecordParts) {
    const told = (): void => void (this.#toldToEndAt = parts.clock.now());
    parts.ctx.signal.addEventListener('abort', told, { once: true });
  }

  /** `undefined` until it is opened, and again when somebody else has written it. */
  get current(): JobRecord | undefined {
    return this.#record;
  }

  /** The last time that anybody claimed. */
  get claimed(): number {
    return this.#claimed;
  }

  /** For how many milliseconds nothing was written. */
  get age(): number {
    return this.parts.clock.now() - this.#writtenAt;
  }

  /** Makes it this owner's; false when Redis is away, or a later owner has begun. */
  open(fresh: () => JobRecord): Promise<boolean> {
    return this.#inTurn(async () => {
      const { job, ticks, ctx, reports, wallClock } = this.parts;
      try {
        const opened = await ticks.open(job, ctx.epoch);
        if (opened === undefined) reports.hasLaterOwner();
        if (opened === undefined) return false;
        const doubt = (part: string): void => reports.doubted(part);
        const read = readRecord(opened.record, wallClock(), doubt);
        // INVARIANT (I27): what the record knows of is not claimed again, also where the claim itself was seen on a few
        // servers only, or was lost while the record was put back.
        this.#claimed = Math.max(claimedOf(opened, read?.next), read?.until ?? 0);
        const record = read ?? fresh();
        // What was claimed is not known where it is in doubt, and is told of as such.
        const isTold = record.until === undefined || opened.doubt !== undefined;
        this.#record = isTold ? { ...record, until: this.#claimed } : record;
        this.#revision = Math.max(this.#revision, revisionOf(opened.record), opened.revision ?? 0);
        if (opened.doubt !== undefined) {
          reports.claimDoubted(opened.doubt.said, this.#claimed);
          // So that what was passed over is gone, and the next owner knows what this one takes for claimed.
          await this.#write(this.#record, { at: this.#claimed, id: randomUUID() });
        }
        return this.#record !== undefined;
      } catch (error) {
        this.#record = undefined;
        reports.unreachable(error);
        return false;
      }
    });
  }

  /** True once it is written, and what follows from it has begun; false also for a change that changes nothing. */
  change(decide: (record: JobRecord) => Change | undefined): Promise<boolean> {
    return this.#inTurn(async () => {
      const wanted = this.#record && decide(this.#record);
      if (wanted === undefined) return false;
      // INVARIANT (I27): a claim that is given up may arrive all the same, and be written over by a record that knows
      // nothing of it. So each record says up to where it knows; what is claimed beyond, the next to open it reports.
      const known = wanted.claim === undefined ? {} : { until: wanted.claim };
      const claim = wanted.claim === undefined ? undefined : { at: wanted.claim, id: randomUUID() };
      if (!(await this.#write({ ...wanted.record, ...known }, claim))) return false;
      if (claim !== undefined) this.#claimed = claim.at;
      this.#writtenAt = this.parts.clock.now();
      wanted.then?.();
      return true;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /**
   * Makes it the next revision, and tries until Redis answers. A claim only as long as this node is the owner; what has
   * happened also for a moment longer, since the epoch says whether it still counts.
   */
  async #write(known: JobRecord, claim: TickClaim | undefined): Promise<boolean> {
    const { job, ticks, ctx, reports } = this.parts;
    const record = { ...known, rev: (this.#revision += 1) };
    const text = writeRecord(record, ctx.epoch);
    const mayTry = (): boolean =>
      ctx.isOwner() || (claim === undefined && this.parts.clock.now() - this.#toldToEndAt < LAST_WORDS_MS);
    while (mayTry()) {
      try {
        const answer = await ticks.write(job, ctx.epoch, text, claim);
        if (answer === 'done') {
          this.#record = record;
          return true;
        }
        if (answer !== 'early') {
          // Somebody else has begun, or has claimed it: what counts is read anew.
          this.#record = undefined;
          return false;
        }
        reports.early(claim!.at);
        await pauseFor(this.parts.clock, RETRY_MS);
        return false;
      } catch (error) {
        reports.unreachable(error);
        await pauseFor(this.parts.clock, RETRY_MS);
      }
    }
    return false;
  }
}

/**
 * The last time that anybody can have claimed.
 *
 * INVARIANT (I27): where the claimed time itself is not known, nothing that was fired is later than this. Each claim is
 * written together with the next time after it, so the one before that is the last; and none is later than `most`.
 */
function claimedOf({ claimed, doubt }: OpenedTicks, next = Infinity): number {
  return doubt === undefined ? claimed : Math.max(claimed, Math.min(Math.max(0, next - 1), doubt.most));
}
