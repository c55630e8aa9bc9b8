/**
 * What jobs that run by the clock remember inside one process, for as long as that lives.
 */
import { MOST_AHEAD_MS, type OpenedTicks, type TickAnswer, type TickClaim, type Ticks } from './ticks.js';

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
    return Promise.resolve({ claimed: kept.claimed, record: kept.record });
  }

  write(job: string, epoch: number, record: string, claim?: TickClaim): Promise<TickAnswer> {
    const kept = this.#kept.get(job) ?? { epoch, claimed: 0, claim: '', record: '' };
    if (kept.epoch > epoch) return Promise.resolve('stale');
    if (claim === undefined) {
      this.#kept.set(job, { ...kept, epoch, record });
      return Promise.resolve('done');
    }
    const { at, id } = claim;
    if (at > this.wallClock() + MOST_AHEAD_MS) return Promise.resolve('early');
    if (at < kept.claimed || (at === kept.claimed && id !== kept.claim)) return Promise.resolve('taken');
    this.#kept.set(job, { epoch, claimed: at, claim: id, record });
    return Promise.resolve('done');
  }

  read(jobs: readonly string[]): Promise<string[]> {
    return Promise.resolve(jobs.map((job) => this.#kept.get(job)?.record ?? ''));
  }
}
