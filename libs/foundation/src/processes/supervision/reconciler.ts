/**
 * Compares what should run (the process table) with what runs here, and corrects it. Events only wake it; the loop
 * decides. Made by the supervisor. Asks for leases through `candidacy.ts`, and runs instances through
 * `process.host.ts`.
 */
import type { ClusterView } from '../../cluster/cluster.view.js';
import { processOf, runsEverywhere, slotNames } from '../../cluster/slot.names.js';
import { describe } from '../../errors/describe.js';
import { unattended } from '../../foreign/gate.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { KnownClass } from '../declaration/process.explorer.js';
import type { RestartDecisions } from '../restarts/restart.decisions.js';
import { isEnded, type ProcessTable, type VersionedEntry } from '../table/process.table.js';
import { ALL_RESTORED_BEATS } from '../table/restoring.js';
import type { Candidacy, Place } from './candidacy.js';
import { FIRST, type LocalPlacement } from './local.placement.js';
import type { Hosted, NodeWorkload } from './node.workload.js';
import type { ProcessDeclarations } from './process.declarations.js';
import type { ProcessHost } from './process.host.js';
import type { Rebalancer } from './rebalancer.js';
import type { ReplicaReports } from './replica.reports.js';

/** A start that was requested longer ago may have been tried by other nodes. */
const FRESH_MS = 1000;
/** Slots compared in one turn of the event loop: a few milliseconds. */
const SLOTS_AT_ONCE = 500;
/** Processes that wait for a place here and are compared when one is free; the rest with the next heartbeat. */
const OFFERED_AT_ONCE = 16;
/** Changes say what to compare; this is for changes that no hint reported. */
const COMPARE_ALL_EVERY_MS = 30_000;
/** A heartbeat that comes sooner after the last one, in heartbeat intervals, was brought forward. */
const REGULAR_SHARE = 0.5;
/** The local backend has no jobs, so it sweeps with a heartbeat. */
const SWEEP_EVERY_MS = 5000;

/** What the reconciler compares, and what it corrects with. */
export interface ReconcilerParts {
  membership: ClusterView;
  table: ProcessTable;
  classes: ReadonlyMap<string, KnownClass>;
  workload: NodeWorkload;
  placement: LocalPlacement;
  candidacy: Pick<Candidacy, 'want' | 'unwant'>;
  host: ProcessHost;
  replicas: ReplicaReports;
  rebalancer: Rebalancer;
  declarations: ProcessDeclarations;
  endings: RestartDecisions;
  /** True where no job of the backend sweeps. */
  mustSweep: boolean;
  isSupervising: () => boolean;
  now: () => number;
}

/** See the file header. */
export class Reconciler {
  readonly #log = new ThrottledLog();
  #isArmed = false;
  /** Processes that should run and may not run here for now; compared with each heartbeat. */
  readonly #unfit = new Set<string>();
  /** Processes to compare. */
  readonly #due = new Set<string>();
  /** The entries of the processes that have not ended, as they were when last compared. */
  readonly #compared = new Map<string, VersionedEntry>();
  #comparedAllAt = -Infinity;
  #sweptAt = 0;
  #regularAt = -Infinity;
  /** The state of the membership at its last change. */
  #memberState: ClusterView['state'] | undefined;

  /** The last loss of data: when it was noticed, by the Redis clock, and until when an end may be missing. */
  #loss = { at: -Infinity, until: -Infinity };

  constructor(private readonly parts: ReconcilerParts) {}

  /** Compares all that should run with what runs, soon and in slices. Ended processes are in none of them. */
  wake(): void {
    this.#comparedAllAt = this.parts.now();
    for (const name of this.parts.table.active()) this.#due.add(name);
    for (const name of this.#compared.keys()) this.#due.add(name);
    this.#arm();
  }

  /** True when all that is known to be due has been compared. */
  get isSettled(): boolean {
    return !this.#isArmed && this.#due.size === 0;
  }

  /** The same for some processes only. */
  wakeFor(names: Iterable<string>): void {
    for (const name of names) this.#due.add(name);
    this.#arm();
  }

  /**
   * Of the members only this node itself decides what it runs; what it would run and may not is compared with each
   * heartbeat.
   */
  noteMembers(): void {
    this.parts.declarations.noteMembers();
    if (this.#memberState !== this.parts.membership.state) this.wake();
    this.#memberState = this.parts.membership.state;
  }

  /** Redis has lost its data: what others know of the ends of processes comes back with their next heartbeats. */
  noteLoss(): void {
    const { membership, now } = this.parts;
    this.#loss = { at: membership.clusterNow(), until: now() + ALL_RESTORED_BEATS * membership.beatEvery };
    this.wake();
  }

  /** This node has room again: the next of those that wait for a place are compared, in turns. */
  noteEnd(name: string): void {
    for (const unfit of this.#unfit) {
      this.#unfit.delete(unfit);
      this.#due.add(unfit);
      if (this.#due.size >= OFFERED_AT_ONCE) break;
    }
    this.wakeFor([processOf(name)]);
  }

  /** Calls that come before the comparison has begun count as one. */
  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    setImmediate(() => {
      this.#isArmed = false;
      if (!this.parts.isSupervising()) return this.#due.clear();
      unattended('looking for better nodes', this.parts.rebalancer.rebalance());
      let slots = 0;
      for (const name of this.#due) {
        this.#due.delete(name);
        slots += this.#compareAll(name);
        if (slots >= SLOTS_AT_ONCE) return this.#arm();
      }
    });
  }

  /**
   * What time alone brings about: restarts that were forgotten, pauses that are over, moves, and what has no row any
   * more.
   */
  noteBeat(): void {
    if (!this.parts.isSupervising()) return;
    const now = this.parts.now();
    this.parts.rebalancer.expire();
    unattended('looking for better nodes', this.parts.rebalancer.rebalance());
    this.parts.endings.remindAll();
    for (const name of this.parts.host.endPauses()) this.#due.add(processOf(name));
    for (const name of this.#unfit) this.#due.add(name);
    this.#unfit.clear();
    // What costs a step for each process is for the regular heartbeats; those that report a load come twenty times a
    // second.
    if (now - this.#regularAt >= this.parts.membership.beatEvery * REGULAR_SHARE) {
      this.#regularAt = now;
      this.parts.declarations.review();
      for (const [name, hosted] of this.parts.workload.hosted) this.#compareHosted(name, hosted);
    }
    if (this.parts.mustSweep && now - this.#sweptAt >= SWEEP_EVERY_MS) {
      this.#sweptAt = now;
      unattended('the regular sweep', this.parts.endings.sweep());
    }
    if (now - this.#comparedAllAt >= COMPARE_ALL_EVERY_MS) this.wake();
    if (this.#due.size > 0) this.#arm();
  }

  #compareHosted(name: string, hosted: Hosted): void {
    const entry = this.parts.table.get(name);
    if (entry === undefined) return this.#stopUnknown(hosted);
    try {
      this.#correct(entry, hosted);
    } catch (error) {
      this.#reportFailure(name, error);
    }
  }

  /**
   * INVARIANT (I17): an instance without a row is stopped: its process was stopped and forgotten while this node was
   * away, or has fewer parts by now. Not while a loss of data is being mended: then the row may only be lost.
   */
  #stopUnknown({ instance }: Hosted): void {
    if (!this.parts.table.isMending) instance.stop('stop');
  }

  /** Returns how many slots it compared. Whatever a row says, it never throws. */
  #compareAll(name: string): number {
    try {
      const entry = this.parts.table.get(name);
      const slots = entry === undefined ? [] : this.parts.table.slotsOf(entry);
      const mayBeOver = entry !== undefined && this.#mayBeOver(entry);
      for (const slot of slots) this.#compare(slot, mayBeOver);
      const before = this.#compared.get(name);
      const isOther =
        entry === undefined || before === undefined || entry.count !== before.count || entry.kind !== before.kind;
      if (before !== undefined && isOther) this.#forgetSlots(before, new Set(slots.map((slot) => slot.name)));
      // Of those that run everywhere the record of this node says how they ended.
      const isOver = entry === undefined || (isEnded(entry.status) && !runsEverywhere(entry));
      if (isOver) this.#compared.delete(name);
      else this.#compared.set(name, entry);
      return slots.length + 1;
    } catch (error) {
      this.#reportFailure(name, error);
      return 1;
    }
  }

  #reportFailure(name: string, error: unknown): void {
    const details = { process: name, error: describe(error) };
    this.#log.error('Failed to compare a process with its entry; retrying', details, name);
  }

  /** Slots of a process that no longer exists, or has fewer of them. */
  #forgetSlots(before: VersionedEntry, still: ReadonlySet<string>): void {
    for (const name of slotNames(before, this.parts.membership.self.name)) {
      if (still.has(name)) continue;
      this.parts.candidacy.unwant(name);
      const hosted = this.parts.workload.hosted.get(name);
      if (hosted !== undefined) this.#stopUnknown(hosted);
      else if (runsEverywhere(before) && !this.parts.table.isMending) this.parts.replicas.forget(before.name);
    }
  }

  /**
   * INVARIANT (I13): what has ended for good does not start again after a loss of data, because only the node on which
   * it ended may know of that: what may end so, and is older than the loss, waits until every member has restored.
   */
  #mayBeOver(entry: VersionedEntry): boolean {
    const isOlder = entry.version / 1000 < this.#loss.at && this.parts.now() < this.#loss.until;
    return isOlder && entry.options.restart !== 'permanent' && !runsEverywhere(entry);
  }

  #compare(entry: VersionedEntry, mayBeOver: boolean): void {
    const hosted = this.parts.workload.hosted.get(entry.name);
    const mayRun: boolean = this.parts.placement.mayRun(entry);
    if (hosted !== undefined) this.#correct(entry, hosted);
    else if (isEnded(entry.status)) this.parts.candidacy.unwant(entry.name);
    else if (mayBeOver) {
      this.parts.candidacy.unwant(entry.name);
      this.#unfit.add(processOf(entry.name));
    } else if (runsEverywhere(entry) && !this.parts.classes.has(entry.type)) this.parts.replicas.unknown(entry);
    else if (!mayRun) {
      this.parts.candidacy.unwant(entry.name);
      this.parts.replicas.excluded(entry);
      this.#noteUnfit(entry);
    } else if (this.parts.host.isPaused(entry.name)) return;
    // Per-node replicas run without a lease from Redis.
    else if (runsEverywhere(entry)) this.parts.host.host(this.parts.replicas.starting(entry));
    else this.parts.candidacy.want(entry.name, this.#isFresh(entry));
  }

  /** A call has just requested it, and it has not come up yet. */
  #isFresh({ confirmed, of, name, version }: VersionedEntry): boolean {
    const ageMs = this.parts.membership.clusterNow() - version / 1000;
    return !confirmed && !this.#compared.has(of ?? name) && ageMs < FRESH_MS;
  }

  /** No event says when this node has room again, or when another node records an end that this one kept. */
  #noteUnfit(entry: VersionedEntry): void {
    if (this.parts.placement.isOurs(entry)) this.#unfit.add(processOf(entry.name));
  }

  #correct(entry: VersionedEntry, hosted: Hosted): void {
    const { instance } = hosted;
    const { name: self } = this.parts.membership.self;
    const elsewhere = entry.prefer !== undefined && entry.prefer !== self;
    if (isEnded(entry.status)) instance.stop('stop');
    else if (entry.settling === true) instance.stop('restart');
    // INVARIANT (I18): a restart or a move that met a reclaim is carried out all the same.
    else if (instance.firstEpoch <= entry.after) instance.stop(elsewhere ? 'move' : 'restart');
    else if (this.parts.host.catchUp(entry, hosted)) return;
    // A new declaration may have other labels than the one by which it came here.
    else if (runsEverywhere(entry) && this.parts.placement.misfit(entry) !== undefined) instance.stop('stop');
  }

  /** This node's place in the order; `undefined` when it may not run the process. */
  place(name: string): Place | undefined {
    const entry = this.parts.table.get(name);
    if (entry === undefined) return FIRST;
    const place = this.parts.placement.mayRun(entry) ? this.parts.placement.placeOf(entry) : undefined;
    // It is no longer a candidate, so otherwise it would not be compared again.
    if (place === undefined) this.#noteUnfit(entry);
    return place;
  }
}
