/**
 * What jobs that run by the clock remember inside one process, for as long as that lives.
 */
import {
  BELIEVED_AHEAD_MS,
  isLater,
  type KeptTicks,
  MOST_AHEAD_MS,
  type OpenedTicks,
  revisionOf,
  type TickAnswer,
  type TickClaim,
  type Ticks,
} from './ticks.js';

interface Kept {
  epoch: number;
  claimed: number;
  claim: string;
  record: string;
}

/** See {@link Ticks}. One entry for each job that this application declares. */
export class LocalTicks implements Ticks {
  readonly #kept = new Map<string, Kept>();

  constructor(private readonly wallClock: () => number) {}

  open(job: string, epoch: number): Promise<OpenedTicks | undefined> {
    const kept = this.#kept.get(job) ?? { epoch, claimed: 0, claim: '', record: '' };
    if (kept.epoch > epoch) return Promise.resolve(undefined);
    this.#kept.set(job, { ...kept, epoch });
    const { claimed, record } = kept;
    if (this.#isBelieved(claimed)) return Promise.resolve({ claimed, record });
    const doubt = { said: String(claimed), most: this.wallClock() + MOST_AHEAD_MS };
    return Promise.resolve({ claimed: 0, record, doubt });
  }

  write(job: string, epoch: number, record: string, claim?: TickClaim): Promise<TickAnswer> {
    const kept = this.#kept.get(job) ?? { epoch, claimed: 0, claim: '', record: '' };
    if (kept.epoch > epoch) return Promise.resolve('stale');
    if (kept.epoch === epoch && revisionOf(kept.record) > revisionOf(record)) return Promise.resolve('late');
    if (claim === undefined) {
      this.#kept.set(job, { ...kept, epoch, record });
      return Promise.resolve('done');
    }
    const { at, id } = claim;
    if (at > this.wallClock() + MOST_AHEAD_MS) return Promise.resolve('early');
    const claimed = this.#isBelieved(kept.claimed) ? kept.claimed : 0;
    if (at < claimed || (at === claimed && id !== kept.claim)) return Promise.resolve('taken');
    this.#kept.set(job, { epoch, claimed: at, claim: id, record });
    return Promise.resolve('done');
  }

  /** Nobody else writes here, but the clock may have been wrong. */
  #isBelieved(claimed: number): boolean {
    return claimed <= this.wallClock() + BELIEVED_AHEAD_MS;
  }

  read(jobs: readonly string[]): Promise<string[]> {
    return Promise.resolve(jobs.map((job) => this.#kept.get(job)?.record ?? ''));
  }

  recall(jobs: readonly string[]): Promise<KeptTicks[]> {
    const known = jobs.map((job) => ({ job, ...(this.#kept.get(job) ?? { epoch: 0, claimed: 0, record: '' }) }));
    const written = known.filter(({ record }) => record !== '');
    return Promise.resolve(written.map(({ job, epoch, claimed, record }) => ({ job, epoch, claimed, record })));
  }

  restore(all: readonly KeptTicks[]): Promise<void> {
    for (const { job, ...kept } of all) {
      const before = this.#kept.get(job);
      if (before !== undefined && before.epoch > kept.epoch) continue;
      const { record } = isLater(kept, before) ? kept : before!;
      const claims = before !== undefined && before.claimed >= kept.claimed ? before : { ...kept, claim: '' };
      this.#kept.set(job, { epoch: kept.epoch, claimed: claims.claimed, claim: claims.claim, record });
    }
    return Promise.resolve();
  }

  /** There is no other node. */
  onWritten(): void {}
}
