/**
 * What this node knows of its cron jobs, whoever owns them, and puts back when Redis has lost it.
 * Stands before the ticks of the backend; driven by the heartbeat.
 */
import {
  BELIEVED_AHEAD_MS,
  isLater,
  isMissing,
  type KeptTicks,
  type OpenedTicks,
  type OwnedTicks,
  type TickAnswer,
  type TickClaim,
  type Ticks,
} from '../backend/leases/ticks.js';
import { describe } from '../errors/describe.js';
import { unattended } from '../foreign/gate.js';
import { ThrottledLog } from '../logging/throttled.log.js';
import type { Clock } from '../time/clock.js';

/** What was written and not heard of is seen after so long at most. */
const LOOK_EVERY_MS = 10_000;

/**
 * See the file header. It remembers the jobs that the application of this node declares, and of each what was written
 * last.
 *
 * INVARIANT (I27): what was claimed before Redis lost it is claimed for the next owner, and what was not is reported by
 * it, as long as one node that has heard of the last claim is alive. Each such node puts it back at the heartbeat that
 * finds the loss, and before it begins as an owner itself; no owner begins within the grace that follows a loss.
 */
export class JobMemory implements OwnedTicks {
  readonly #log = new ThrottledLog();
  readonly #known = new Map<string, KeptTicks>();
  #jobs: ReadonlySet<string> = new Set();
  #lookAt = 0;

  constructor(
    private readonly ticks: Ticks,
    private readonly clock: Pick<Clock, 'monotonic' | 'wall'>,
  ) {
    ticks.onWritten((kept) => this.#note(kept));
  }

  /** From here on; nothing is known before. */
  remember(jobs: Iterable<string>): void {
    this.#jobs = new Set(jobs);
  }

  /** Called with each heartbeat: looks once in a while. */
  beat(): void {
    if (this.#jobs.size > 0 && this.clock.monotonic() >= this.#lookAt) unattended('looking at cron jobs', this.look());
  }

  /** Redis lost its data. */
  lost(): void {
    this.#lookAt = 0;
    this.beat();
  }

  /** Learns what it has not heard of, and puts back what Redis has no longer. */
  async look(): Promise<void> {
    this.#lookAt = this.clock.monotonic() + LOOK_EVERY_MS;
    try {
      const found = await this.ticks.recall([...this.#jobs]);
      const there = new Map(found.map((kept) => [kept.job, kept]));
      const gone = [...this.#known.values()].filter((known) => isMissing(known, there.get(known.job)));
      for (const kept of found) this.#note(kept);
      if (gone.length > 0) await this.ticks.restore(gone);
    } catch (error) {
      // Again with the next heartbeat.
      this.#lookAt = 0;
      this.#log.debug('What cron jobs remember is out of reach; retrying', { error: describe(error) });
    }
  }

  async open(job: string, epoch: number): Promise<OpenedTicks | undefined> {
    const known = this.#known.get(job);
    if (known !== undefined) await this.ticks.restore([known]);
    const opened = await this.ticks.open(job, epoch);
    if (opened !== undefined && opened.record !== '' && opened.doubt === undefined) {
      this.#note({ job, epoch, claimed: opened.claimed, record: opened.record });
    }
    return opened;
  }

  async write(job: string, epoch: number, record: string, claim?: TickClaim): Promise<TickAnswer> {
    const answer = await this.ticks.write(job, epoch, record, claim);
    if (answer === 'done') this.#note({ job, epoch, claimed: claim?.at ?? 0, record });
    return answer;
  }

  /** A time that no clock said is not remembered, whoever wrote it. */
  #note(kept: KeptTicks): void {
    const latest = this.clock.wall() + BELIEVED_AHEAD_MS;
    if (!this.#jobs.has(kept.job) || kept.epoch > latest * 1000 || kept.claimed > latest) return;
    const known = this.#known.get(kept.job);
    const later = isLater(kept, known) ? kept : known!;
    const claimed = Math.max(kept.claimed, known?.claimed ?? 0);
    this.#known.set(kept.job, { ...later, claimed, epoch: Math.max(kept.epoch, known?.epoch ?? 0) });
  }
}
