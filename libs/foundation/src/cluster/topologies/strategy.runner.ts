/**
 * Runs one strategy indefinitely: starts it, keeps what it found, and restarts it some time after a failure.
 * Used by `topologies.ts`.
 */
import type {
  Peer,
  TopologyFindings,
  TopologyReport,
  TopologySelf,
  TopologyStrategy,
} from '../../config/topology.strategy.js';
import { TopologyError } from '../../errors/cluster.errors.js';
import { describe, isA } from '../../errors/describe.js';
import { called, unattended } from '../../foreign/gate.js';
import { Log } from '../../logging/log.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import { exponential, jittered } from '../../time/backoff.js';
import { within } from '../../time/timeout.js';
import { checkedPeers, MAX_PEERS } from './peers.js';

/** The times of a run, in milliseconds; tests have shorter ones. */
export interface RunTimes {
  /** The first pause after a failure; it doubles with each further one. */
  retryFrom: number;
  retryTo: number;
  /**
   * A failure is logged at most this often, and one that is known already a tenth as often, however often it happens.
   */
  logEvery: number;
  /** How long a stop may take. */
  stop: number;
  /**
   * Reports that come sooner after another are merged: while 1,000 pods are replaced there are hundreds a
   * second, and each is the whole list.
   */
  gather: number;
}

/** `retryTo`: so long after a source is back nodes may not know of it; one question of each in 10 s is no load. */
export const RUN_TIMES: RunTimes = { retryFrom: 500, retryTo: 10_000, logEvery: 60_000, stop: 2000, gather: 100 };

/** How a strategy is doing: for health and for `doctor`. */
export interface StrategyStatus {
  readonly strategy: string;
  /** `starting` until its first start is over, `failing` from a failure until a start succeeds. */
  readonly state: 'starting' | 'looking' | 'failing' | 'stopped';
  readonly peers: number;
  readonly redisFound: boolean;
  readonly reports: number;
  readonly failures: number;
  /** Peers of reports that were not what they should be. */
  readonly dropped: number;
  /** What the strategy itself counts: packets that were `sent`, `heard`, and refused: `dropped.replayed`, say. */
  readonly counters?: Readonly<Record<string, number>>;
  /** The last failure, while it lasts. */
  readonly error?: string;
}

/** See the file header. */
export class StrategyRun {
  readonly #logger = new Log();
  readonly #repeated = new ThrottledLog();
  /** Rises with each start, so that what a former one still reports is ignored. */
  #turn = 0;
  #state: StrategyStatus['state'] = 'starting';
  #peers: readonly Peer[] | undefined;
  #redis: string | undefined;
  #reports = 0;
  #failures = 0;
  #failuresInARow = 0;
  #dropped = 0;
  #error: string | undefined;
  #logged: { at: number; error: string | undefined } = { at: -Infinity, error: undefined };
  #timer: NodeJS.Timeout | undefined;
  /** What was reported and is not told yet. */
  #pending: TopologyFindings | undefined;
  #toldAt = -Infinity;
  #telling: NodeJS.Timeout | undefined;
  #ending: Promise<void> = Promise.resolve();
  #looked!: () => void;
  /** Resolves when the strategy has looked once, or failed once. */
  readonly looked = new Promise<void>((resolve) => (this.#looked = resolve));

  constructor(
    private readonly strategy: TopologyStrategy,
    private readonly self: () => TopologySelf,
    private readonly changed: () => void,
    private readonly times: RunTimes = RUN_TIMES,
  ) {}

  get name(): string {
    return this.strategy.name;
  }

  /** The last peers; `undefined` when it never reported any, which is not the same as none. */
  get peers(): readonly Peer[] | undefined {
    return this.#peers;
  }

  get redis(): string | undefined {
    return this.#redis;
  }

  get status(): StrategyStatus {
    return {
      strategy: this.name,
      state: this.#state,
      peers: this.#peers?.length ?? 0,
      redisFound: this.#redis !== undefined,
      reports: this.#reports,
      failures: this.#failures,
      dropped: this.#dropped,
      ...this.#counters(),
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
  }

  /** None where they cannot be read: health reads them. */
  #counters(): Pick<StrategyStatus, 'counters'> {
    try {
      return this.strategy.counters === undefined ? {} : { counters: { ...this.strategy.counters } };
    } catch {
      return {};
    }
  }

  start(): void {
    const turn = ++this.#turn;
    const report: TopologyReport = {
      found: (findings) => void (turn === this.#turn && this.#gather(findings)),
      failed: (error) => void (turn === this.#turn && this.#failed(error)),
    };
    unattended('starting a topology strategy', this.#start(report, turn));
  }

  announce(): void {
    // One that failed is stopped, and hears of it when it starts again.
    if (this.#state === 'stopped' || this.#state === 'failing') return;
    const announced = called(() => this.strategy.announce?.(this.self()));
    announced.catch((error: unknown) => this.#failed(error));
  }

  /** What it found stays readable. */
  async stop(): Promise<void> {
    this.#flush();
    this.#turn++;
    this.#state = 'stopped';
    clearTimeout(this.#timer);
    this.#looked();
    await this.#ending;
    await this.#end(true);
  }

  async #start(report: TopologyReport, turn: number): Promise<void> {
    try {
      await this.#ending;
      if (turn !== this.#turn) return;
      await this.strategy.start(report, this.self());
      if (turn === this.#turn) this.#well();
    } catch (error) {
      report.failed(error);
    }
  }

  /** The first report is passed on at once, so that rare ones have no delay; so is one that is rejected. */
  #gather(findings: TopologyFindings): void {
    this.#reports++;
    let isList: boolean;
    try {
      const { peers, redis } = findings;
      isList = peers === undefined || (Array.isArray(peers) && peers.length <= MAX_PEERS);
      // As it is now: the list is the strategy's, which may go on changing it.
      const copy = isList && peers !== undefined ? [...peers] : peers;
      this.#pending = {
        ...this.#pending,
        ...(copy === undefined ? {} : { peers: copy }),
        ...(redis === undefined ? {} : { redis }),
      };
    } catch (error) {
      return this.#failed(error);
    }
    const pause = this.times.gather - (performance.now() - this.#toldAt);
    if (pause <= 0 || !isList) this.#flush();
    else this.#telling ??= setTimeout(() => this.#flush(), pause).unref();
  }

  #flush(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    this.#toldAt = performance.now();
    this.#found(pending);
  }

  #found(findings: TopologyFindings): void {
    try {
      const { peers, redis } = findings;
      if (peers !== undefined) {
        const checked = checkedPeers(peers);
        this.#peers = checked.peers;
        this.#dropped += checked.dropped;
      }
      if (redis !== undefined) this.#redis = String(redis);
    } catch (error) {
      return this.#failed(error);
    }
    this.changed();
  }

  #well(): void {
    if (this.#state === 'failing') this.#logger.log('Topology strategy recovered', { strategy: this.name });
    this.#state = 'looking';
    this.#failuresInARow = 0;
    this.#error = undefined;
    this.#looked();
  }

  #failed(error: unknown): void {
    // What was found before stays, so it is reported first.
    this.#flush();
    // The former start may go on reporting, although it was stopped.
    this.#turn++;
    this.#state = 'failing';
    this.#failures++;
    this.#error = describe(error);
    this.#looked();
    const pause = exponential(this.times.retryFrom, this.times.retryTo, this.#failuresInARow++);
    this.#log(error, pause);
    this.#ending = this.#end(false);
    clearTimeout(this.#timer);
    // Jitter, so that the nodes of a cluster do not all retry at once.
    this.#timer = setTimeout(() => this.start(), jittered(pause)).unref();
    this.changed();
  }

  #log(error: unknown, retryInMs: number): void {
    const now = performance.now();
    const { at, error: told } = this.#logged;
    if (now - at < this.times.logEvery * (told === this.#error ? 10 : 1)) return;
    this.#logged = { at: now, error: this.#error };
    const what = 'A topology strategy failed; what it found stays, and it is tried again';
    // A manifest that is to be applied must not be printed as one line of JSON.
    this.#logger.warn(isA(error, TopologyError) ? error.message : what, {
      strategy: this.name,
      ...(isA(error, TopologyError) ? {} : { error: this.#error }),
      failures: this.#failures,
      retryInMs: Math.round(retryInMs),
    });
  }

  async #end(leaving: boolean): Promise<void> {
    try {
      await within(this.times.stop, this.strategy.stop(leaving), `not done in ${this.times.stop} ms`);
    } catch (error) {
      this.#repeated.debug('Topology strategy did not stop in order', {
        strategy: this.name,
        error: describe(error),
      });
    }
  }
}
