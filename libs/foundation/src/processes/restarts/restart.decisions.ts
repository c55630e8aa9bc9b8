/**
 * That no end of an instance is forgotten: it is recorded under the lease, or kept here until Redis takes it down.
 * Called by the supervisor; what is recorded is in `instance.end.ts`; underneath the table, and BullMQ for the delay.
 */
import type { Backend } from '../../backend/backend.js';
import type { Lease } from '../../backend/leases/leases.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import { describe, isA, plain, stackOf } from '../../errors/describe.js';
import { ProcessStartError } from '../../errors/process.errors.js';
import { unattended } from '../../foreign/gate.js';
import { Log } from '../../logging/log.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { type Clock, clockOf, pauseFor, type Timer } from '../../time/clock.js';
import type { Instance, InstanceExit } from '../instance/instance.js';
import type { ProcessTable, VersionedEntry } from '../table/process.table.js';
import { End, type Fact, isMarkOf } from './instance.end.js';
import { LostProcesses } from './lost.processes.js';
import { isBeyond } from './restart.policy.js';

/** A restart that is this late was forgotten: its job was lost with the data of Redis. */
const FORGOTTEN_AFTER_MS = 5000;
/**
 * While the lease is held: the first wait after a write that failed, doubled up to the cap; a lease lasts about a
 * second.
 */
const RETRY_MS = 50;
const RETRY_CAP_MS = 200;
/**
 * When the lease is lost: how often Redis is polled until it is back, with one query for all pending ends. Several
 * times in `ENDS_FIRST_MS` of `candidacy.ts`.
 */
const KEPT_RETRY_MS = 100;
/** So many ends are kept; beyond that the oldest is given up, and said to be. Each is a few hundred bytes. */
const MAX_KEPT = 10_000;
/** Of the stack in a row, in characters. */
const MAX_KEPT_STACK = 2000;
/** Kept ends are written this many at a time. */
const PARALLEL = 16;
/** A restart that is this early is one: jobs come by the clock of the node that takes them. */
const EARLY_MS = 50;
/** How often a node looks whether the sweep is planned, in milliseconds. */
const LOOK_AT_SWEEP_MS = 10_000;

/** What the decisions need. */
export interface RestartDecisionsParts {
  readonly backend: Backend;
  readonly membership: ClusterView;
  readonly table: ProcessTable;
  readonly telemetry: Telemetry;
  /** Called when the end of a process that was kept is settled, so that it may be run here again. */
  readonly settled?: () => void;
  readonly now?: () => number;
}

/** See the file header. */
export class RestartDecisions {
  readonly #logger = new Log();
  readonly #repeated = new ThrottledLog();
  /** By process; oldest first. */
  readonly #kept = new Map<string, Fact>();
  readonly #idle = new Set<() => void>();
  readonly #lost: LostProcesses;
  #timer: Timer | undefined;
  #sweepLost = false;
  #lookedAt: number;
  readonly #settled: () => void;
  readonly #now: () => number;
  readonly #clock: Clock;

  constructor(private readonly parts: RestartDecisionsParts) {
    const { backend, membership, table, settled = () => undefined } = parts;
    this.#settled = settled;
    this.#clock = clockOf(backend);
    this.#now = parts.now ?? this.#clock.monotonic;
    this.#lookedAt = this.#now();
    this.#lost = new LostProcesses(table, membership, backend.leases);
    membership.listen({
      dataLoss: () => (this.#sweepLost = true),
      beat: () => unattended('putting the sweep back', this.#putSweepBack()),
    });
  }

  /** True while the end of a process is known here and not in Redis; until then it is not run here again. */
  isOpen(name: string): boolean {
    return this.#kept.has(name);
  }

  /** Resolves once nothing is pending; the caller decides how long to wait. */
  async drained(): Promise<void> {
    if (this.#kept.size > 0) await new Promise<void>((resolve) => this.#idle.add(resolve));
  }

  /**
   * Records, while the lease is still held, what is to follow a crash or a completion.
   *
   * INVARIANT (I6, I13): recorded exactly once. The lease is kept until Redis has taken it down, so no node starts
   * meanwhile what has ended. When the lease is lost before, this node keeps the end and writes it when Redis is back,
   * unless a node has owned the process since. Only a node that dies in between, or is cut off longer than its lease
   * while others are not, leaves an end unknown.
   */
  async settle(instance: Instance, exit: InstanceExit): Promise<void> {
    if (exit.reason !== 'crash' && exit.reason !== 'complete') return;
    const { spec, lease } = instance;
    const { reason } = exit;
    const [{ name }, { epoch }] = [spec, lease];
    const node = this.parts.membership.self.name;
    const failedStart = isA(exit.error, ProcessStartError) ? exit.error : undefined;
    const cause = plain(failedStart === undefined ? describe(exit.error) : failedStart.reason);
    const error = reason === 'crash' ? cause : undefined;
    const thrown = failedStart?.cause ?? exit.error;
    if (error !== undefined) {
      this.parts.telemetry.emit('process.crashed', { name, node, epoch, error });
      this.#repeated.error('Process "{process}" crashed', { process: name, node, epoch, error }, name, 1, thrown);
    }
    const end = new End({
      backend: this.parts.backend,
      membership: this.parts.membership,
      table: this.parts.table,
      telemetry: this.parts.telemetry,
      spec,
      lease,
      exit,
      failure: { error, stack: stackOf(thrown, MAX_KEPT_STACK) },
    });
    // Told at the moment of the loss, because from then on another node may run it again.
    let told = false;
    const onLost = (): void => {
      if (!told && !end.recorded) this.#tellUnrecorded(name, epoch, reason);
      told = true;
    };
    if (!lease.isHeld()) onLost();
    else lease.signal.addEventListener('abort', onLost, { once: true });
    const isDone = await this.underLease(end);
    lease.signal.removeEventListener('abort', onLost);
    // The first node that sees that a restart is late, or has no job, does it.
    if (isDone || end.recorded) return;
    onLost();
    this.#keep(end);
  }

  #tellUnrecorded(name: string, epoch: number, reason: 'crash' | 'complete'): void {
    this.parts.telemetry.emit('process.end_unrecorded', { name, node: this.parts.membership.self.name, epoch, reason });
    this.#logger.warn(
      'Process "{process}" has ended, and its lease was lost before that was recorded; it is recorded when Redis is back, ' +
        'and until then another node may run it again',
      { process: name, epoch, reason },
    );
  }

  /**
   * Tries until it is recorded; false when the lease was lost before. At least one try, which may be what the lease
   * costs.
   */
  async underLease(fact: Fact): Promise<boolean> {
    for (let wait = RETRY_MS; ; wait = Math.min(2 * wait, RETRY_CAP_MS)) {
      try {
        await fact.record();
        return true;
      } catch (error) {
        const details = { process: fact.name, error: describe(error) };
        this.#repeated.warn('Failed to record what became of process "{process}"; retrying', details, fact.name);
      }
      // A lease of something that every node has one of is never lost; but who has left has nobody to tell.
      if (!fact.lease.isHeld() || this.#hasLeft()) return false;
      await pauseFor(this.#clock, wait);
    }
  }

  /**
   * A temporary process was perhaps marked as started, and its lease was lost before that was certain: it did not
   * start. Without this it would count as lost though it never ran.
   */
  unmark(name: string, lease: Lease): void {
    const { epoch } = lease;
    const record = async (): Promise<void> => {
      await this.parts.table.change(name, (current) =>
        current !== undefined && isMarkOf(current, epoch) ? { ...current, status: 'wanted' } : undefined,
      );
    };
    this.#keep({ name, lease, record });
  }

  #hasLeft(): boolean {
    return this.parts.membership.state === 'left';
  }

  #keep(fact: Fact): void {
    if (this.#hasLeft()) return;
    // A later end of the same process is the word that counts.
    this.#kept.delete(fact.name);
    this.#kept.set(fact.name, fact);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) {
      this.#kept.delete(oldest);
      this.#repeated.warn('Too many ends of processes wait for Redis; that of "{process}" was given up', {
        process: oldest,
      });
    }
    // At once: this node gives its lease up a little before Redis does.
    this.#timer ??= this.#later(0);
  }

  #later(ms: number): Timer {
    const write = (): void => unattended('recording the ends of processes', this.#writeKept());
    return this.#clock.setTimeout(write, ms).unref();
  }

  async #writeKept(): Promise<void> {
    if (this.#hasLeft()) this.#kept.clear();
    // One question for all, as long as Redis is away.
    const isBack =
      this.#kept.size > 0 &&
      (await this.parts.table.sync().then(
        () => true,
        () => false,
      ));
    const facts = isBack ? [...this.#kept.values()] : [];
    for (let index = 0; index < facts.length; index += PARALLEL) {
      await Promise.all(facts.slice(index, index + PARALLEL).map((fact) => this.#write(fact)));
    }
    this.#timer = this.#kept.size > 0 ? this.#later(KEPT_RETRY_MS) : undefined;
    if (this.#timer !== undefined) return;
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }

  async #write(fact: Fact): Promise<void> {
    try {
      await fact.record();
    } catch (error) {
      const details = { process: fact.name, error: describe(error) };
      this.#repeated.warn('Failed to record what became of process "{process}"; retrying', details, fact.name);
      return;
    }
    if (this.#kept.get(fact.name) === fact) this.#kept.delete(fact.name);
    this.#settled();
  }

  /** A restart job is due, on whichever node took it. Does nothing unless the process still waits for this very one. */
  async restart(name: string, epoch: number): Promise<void> {
    await this.parts.table.sync();
    const entry = this.parts.table.get(name);
    const early = entry?.status === 'backing-off' ? this.#dueIn(entry) : 0;
    if (early > EARLY_MS) {
      // If this node dies meanwhile, another one does it when it reconciles.
      this.#clock.setTimeout(() => unattended('a restart', this.restart(name, epoch)), early).unref();
      return;
    }
    await this.parts.table.change(name, (current) => {
      if (current?.status !== 'backing-off' || current.after !== epoch) return undefined;
      const { retryAt: _retryAt, ...rest } = current;
      return { ...rest, status: 'wanted' };
    });
  }

  #dueIn({ retryAt = 0, options }: VersionedEntry): number {
    const now = this.parts.membership.clusterNow();
    return isBeyond(retryAt, options.backoff.cap, now) ? 0 : retryAt - now;
  }

  async #putSweepBack(): Promise<void> {
    const now = this.#now();
    if (!this.#sweepLost && now - this.#lookedAt < LOOK_AT_SWEEP_MS) return;
    this.#lookedAt = now;
    this.#sweepLost = false;
    await this.parts.backend.restarts.ensureSweep().catch(() => (this.#sweepLost = true));
  }

  async sweep(): Promise<void> {
    await this.parts.table.sync();
    this.remindAll();
    await this.parts.table.prune(await this.#lost.find());
  }

  /** Restarts whose jobs were lost. Called with each beat; costs a step for each process that waits for its restart. */
  remindAll(): void {
    for (const slot of this.parts.table.backingOff()) this.remind(slot);
  }

  /** The first node that notices does a restart whose job was lost. */
  remind({ name, status, after, retryAt = 0, options }: VersionedEntry): void {
    if (status !== 'backing-off') return;
    const now = this.parts.membership.clusterNow();
    const isForgotten = retryAt + FORGOTTEN_AFTER_MS <= now || isBeyond(retryAt, options.backoff.cap, now);
    if (!isForgotten) return;
    unattended(
      'a restart that was forgotten',
      this.restart(name, after).catch(() => undefined),
    );
  }
}
