/**
 * Waits for leases to become free and tries them in the right order; one question to Redis for all names that are due.
 * Called by the supervisor; underneath `Leases.standing` and `Leases.acquire`.
 */
import type { Lease, Leases, Standing } from '../../backend/leases/leases.js';
import { describe } from '../../errors/describe.js';
import { unattended } from '../../foreign/gate.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import { jittered } from '../../time/backoff.js';
import type { Clock } from '../../time/clock.js';
import type { WakeUp } from '../../time/wake.ups.js';

/** How long each place in the order waits for the one before it, in milliseconds. */
const RANK_STEP_MS = 25;
const RETRY_MS = 300;
/** Names that are due within this time are polled together. */
const TOGETHER_MS = 5;
/**
 * A name that another node has is polled so much sooner, in milliseconds, with another poll or wake-up of this node,
 * but not so soon after the last poll. The answer says anew until when that node has it, so nothing comes later for it.
 */
const EARLY_MS = 500;
/** After an outage of Redis, how long ends that could not be recorded during it have before their names are taken. */
const ENDS_FIRST_MS = 300;
const PARALLEL = 16;
/** A thousand names may become free in one turn; ranking them all in it would hold up what renews the leases. */
const SLICE_MS = 5;

interface Candidate {
  dueAt: number;
  /** True once it has waited for the members ranked before this node. */
  waited: boolean;
  /** The rank it has waited for. */
  rank: number;
  busy: boolean;
  /** True until it is tried for the first time, for a name that no node has had yet. */
  fresh: boolean;
  /** True when a hint came since the last poll, whose answer is older. */
  hinted: boolean;
  /** True when another node had it at the last look; not while all wait for the grace after a loss of data. */
  taken: boolean;
  /** The node that gave the name back, where a hint said so. */
  before?: string | undefined;
}

/** When it is a node's turn for a name. */
export interface Place {
  /** How many nodes come before it. */
  rank: number;
  /** How long the first of them needs for what it is to take before this name, in milliseconds. */
  queueMs: number;
}

/** The names this node would like to own and does not. */
export class Candidacy {
  readonly #names = new Map<string, Candidate>();
  /** Hints whose names have not been ranked yet, and when they came. */
  readonly #hints = new Map<string, number>();
  readonly #trying = new Set<string>();
  readonly #logger = new ThrottledLog();
  #timer: WakeUp | undefined;
  /** When names were polled last. */
  #askedAt = -Infinity;
  #asking: Promise<void> | undefined;
  #arming = false;
  #ranking = false;

  /**
   * @param placeOf this node's place in the order; `undefined` when it may not run the process, which ends the
   * candidacy.
   * @param recoveredAt when a heartbeat of this node worked again after one that had not; `undefined` until then.
   */
  constructor(
    private readonly leases: Pick<Leases, 'standing'> & { acquire(name: string): Promise<Lease | undefined> },
    private readonly placeOf: (name: string) => Place | undefined,
    private readonly won: (lease: Lease) => void,
    private readonly clock: Pick<Clock, 'monotonic' | 'within'>,
    private readonly recoveredAt: () => number | undefined = () => -Infinity,
  ) {}

  /**
   * Adds a name; nothing changes for one that is waiting already.
   *
   * @param fresh no node has owned it: the first in turn takes it without a poll, the others poll in theirs.
   */
  want(name: string, fresh = false): void {
    if (this.#names.has(name)) return;
    const dueAt = fresh ? Infinity : this.clock.monotonic();
    this.#names.set(name, { dueAt, waited: false, rank: 0, busy: false, fresh, hinted: false, taken: false });
    if (fresh) this.hint(name);
    else this.#arm();
  }

  unwant(name: string): void {
    this.#names.delete(name);
  }

  /** True while the lease of this name is being acquired. */
  isTrying(name: string): boolean {
    return this.#trying.has(name);
  }

  /** The names that this node may win at once: no other one had them at the last look, or none was looked for yet. */
  open(): string[] {
    return [...this.#names].filter(([, { taken }]) => !taken).map(([name]) => name);
  }

  /** How many leases are being acquired: what this node may own in a moment. */
  get trying(): number {
    return this.#trying.size;
  }

  /** Somebody said that the name is free, which `before` had: look when it is this node's turn. */
  hint(name: string, before?: string): void {
    const candidate = this.#names.get(name);
    if (candidate === undefined) return;
    candidate.hinted = true;
    candidate.before = before;
    this.#hints.set(name, this.clock.monotonic());
    if (this.#ranking) return;
    this.#ranking = true;
    setImmediate(() => unattended('ranking processes', this.#rankHinted()));
  }

  async #rankHinted(): Promise<void> {
    try {
      let began = this.clock.monotonic();
      for (const [name, at] of this.#hints) {
        if (this.clock.monotonic() - began >= SLICE_MS) began = await this.#nextTurn();
        this.#hints.delete(name);
        const candidate = this.#names.get(name);
        if (candidate === undefined) continue;
        const turn = this.#turn(name, candidate, at);
        if (turn === undefined) continue;
        candidate.dueAt = Math.min(candidate.dueAt, turn);
        candidate.waited = true;
      }
    } finally {
      this.#ranking = false;
    }
    this.#arm();
  }

  /** Tries nothing more; resolves when what is being tried has been won or lost. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#names.clear();
    this.#hints.clear();
    await this.#asking;
  }

  /** Returns when it began. */
  async #nextTurn(): Promise<number> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.clock.monotonic();
  }

  /** When this node's turn comes for a name that is free from `freeAt` on; a name that it may not have is forgotten. */
  #turn(name: string, candidate: Candidate, freeAt: number): number | undefined {
    const place = this.placeOf(name);
    if (place === undefined) {
      this.#names.delete(name);
      return undefined;
    }
    const { rank, queueMs } = place;
    candidate.rank = rank;
    return rank === 0 ? freeAt : freeAt + rank * RANK_STEP_MS + queueMs;
  }

  /** Once a turn, however many names were added. */
  #arm(): void {
    if (this.#arming) return;
    this.#arming = true;
    queueMicrotask(() => {
      this.#arming = false;
      if (this.#asking === undefined) this.#setTimer();
    });
  }

  #setTimer(): void {
    this.#timer?.cancel();
    let [earliest, latest] = [Infinity, Infinity];
    for (const candidate of this.#names.values()) {
      if (candidate.busy) continue;
      earliest = Math.min(earliest, this.#mayAskAt(candidate));
      latest = Math.min(latest, candidate.dueAt);
    }
    if (latest === Infinity) return;
    const ask = (): void => {
      this.#asking = this.#ask().finally(() => {
        this.#asking = undefined;
        this.#arm();
      });
    };
    const now = this.clock.monotonic();
    this.#timer = this.clock.within(earliest - now, latest - now, ask);
  }

  /** Only of a name that another node had at the last look: what is free or in turn is not to be had any sooner. */
  #mayAskAt({ dueAt, taken, waited, hinted }: Candidate): number {
    if (!taken || waited || hinted) return dueAt;
    return Math.min(dueAt, Math.max(dueAt - EARLY_MS, this.#askedAt + EARLY_MS));
  }

  async #ask(): Promise<void> {
    const limit = this.clock.monotonic() + TOGETHER_MS;
    const all = [...this.#names].filter(([, each]) => !each.busy && this.#mayAskAt(each) <= limit);
    this.#askedAt = this.clock.monotonic();
    const sure: string[] = [];
    const due: string[] = [];
    for (const [name, candidate] of all) {
      (candidate.fresh && candidate.rank === 0 ? sure : due).push(name);
      candidate.hinted = false;
      candidate.fresh = false;
    }
    try {
      const asked = due.length === 0 ? [] : await this.leases.standing(due);
      const free = [...sure, ...(await this.#sort(asked))];
      for (let index = 0; index < free.length; index += PARALLEL) {
        await Promise.all(free.slice(index, index + PARALLEL).map((name) => this.#try(name)));
      }
    } catch (error) {
      this.#logger.debug('Lease poll failed; retrying', { error: describe(error) });
      for (const [, candidate] of all) candidate.dueAt = this.clock.monotonic() + jittered(RETRY_MS, 1, 2);
    }
  }

  /** Puts off what is taken, and what is free but first another node's turn; returns what to try now. */
  async #sort(standing: readonly Standing[]): Promise<string[]> {
    const free: string[] = [];
    let began = this.clock.monotonic();
    for (const { name, freeInMs, isGrace } of standing) {
      if (this.clock.monotonic() - began >= SLICE_MS) began = await this.#nextTurn();
      const now = this.clock.monotonic();
      const candidate = this.#names.get(name);
      if (candidate === undefined) continue;
      candidate.taken = freeInMs > 0 && isGrace !== true;
      // Most names are taken at most times, and all leases of a node end together: no rank is needed for them yet.
      if (freeInMs > 0) {
        if (!candidate.hinted) [candidate.waited, candidate.dueAt] = [false, now + freeInMs + 1];
        continue;
      }
      // INVARIANT (I6): when Redis refused this node, the owner may not have been able to record an end either. So
      // nothing is taken before Redis takes writes again, and the owner has had the time for that.
      if (now < (this.recoveredAt() ?? Infinity) + ENDS_FIRST_MS) {
        candidate.dueAt = now + ENDS_FIRST_MS;
        continue;
      }
      if (!candidate.waited) {
        candidate.waited = true;
        const turn = this.#turn(name, candidate, now);
        if (turn === undefined) continue;
        candidate.dueAt = turn;
        if (turn > now) continue;
      }
      free.push(name);
    }
    return free;
  }

  async #try(name: string): Promise<void> {
    const candidate = this.#names.get(name);
    if (candidate === undefined) return;
    const had = candidate.rank;
    // What was won a moment ago may have moved this node back in the order.
    const turn = this.#turn(name, candidate, this.clock.monotonic());
    if (turn === undefined) return;
    if (candidate.rank > had) {
      candidate.dueAt = turn;
      return;
    }
    // INVARIANT (I23): what is being acquired counts as owned, from the turn on in which the room for it was seen.
    candidate.busy = true;
    this.#trying.add(name);
    const lease = await this.leases.acquire(name).catch((error: unknown) => {
      this.#logger.debug('Failed to acquire a lease; retrying', { process: name, error: describe(error) });
      candidate.dueAt = this.clock.monotonic() + jittered(RETRY_MS, 1, 2);
      return undefined;
    });
    candidate.busy = false;
    this.#trying.delete(name);
    if (lease === undefined) {
      candidate.taken = true;
      candidate.dueAt = Math.max(candidate.dueAt, this.clock.monotonic() + TOGETHER_MS);
      return;
    }
    this.#names.delete(name);
    lease.before ??= candidate.before;
    this.won(lease);
  }
}
