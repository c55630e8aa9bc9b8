/**
 * Runs what this node has won: under its lease an instance is created, announced and ended, then the lease is released.
 * Called by the supervisor with each lease. Underneath: `Instance`, the process table and the lease.
 */
import type { Lease, Leases } from '../../backend/leases/leases.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import { processOf } from '../../cluster/slot.names.js';
import { describe } from '../../errors/describe.js';
import { ProcessStartError } from '../../errors/process.errors.js';
import { unattended } from '../../foreign/gate.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import type { Clock } from '../../time/clock.js';
import type { KnownClass } from '../declaration/process.explorer.js';
import { Instance, type InstanceExit } from '../instance/instance.js';
import type { RestartDecisions } from '../restarts/restart.decisions.js';
import { isEnded, type ProcessEntry, type ProcessTable, type VersionedEntry } from '../table/process.table.js';
import type { LocalPlacement } from './local.placement.js';
import type { Hosted, NodeWorkload } from './node.workload.js';
import type { Rebalancer } from './rebalancer.js';
import type { ReplicaReports } from './replica.reports.js';
import { StartConfirmation } from './start.confirmation.js';

/**
 * Called with each object that has started, and its instance; what it returns is called when the instance begins to
 * stop.
 */
export type InstanceHook = (target: object, instance: Instance) => Promise<() => Promise<void>>;

/** How long a process that could not be hosted here is left alone. */
const PAUSE_MS = 500;
/** A temporary process ends soon, as a rule, and its end says that it had come up. */
const CONFIRM_AFTER_MS = 1000;

/** What the host needs. */
export interface ProcessHostParts {
  leases: Leases;
  /** Of Redis, for errors. */
  endpoint: string;
  clock?: Clock;
  membership: ClusterView;
  table: ProcessTable;
  telemetry: Telemetry;
  classes: ReadonlyMap<string, KnownClass>;
  endings: RestartDecisions;
  workload: NodeWorkload;
  placement: LocalPlacement;
  rebalancer: Rebalancer;
  replicas: ReplicaReports;
  now: () => number;
  isDraining: () => boolean;
  /** An instance has ended, or was not started: this node has room again. */
  ended: (name: string) => void;
}

/** See the file header. */
export class ProcessHost {
  readonly #hosting = new Set<Promise<void>>();
  readonly #hooks: InstanceHook[] = [];
  readonly #log = new ThrottledLog();
  readonly #confirmation: StartConfirmation;
  /** Processes that this node leaves alone, and until when. */
  readonly #paused = new Map<string, number>();
  /** How many instances there were when the drain began. */
  #toDrain = 0;

  constructor(private readonly parts: ProcessHostParts) {
    this.#confirmation = new StartConfirmation({ ...parts, givesWay: (name) => this.#pause(name) });
  }

  /** Attaches a hook to every instance that starts from now on. */
  onInstance(hook: InstanceHook): void {
    this.#hooks.push(hook);
  }

  isPaused(name: string): boolean {
    return (this.#paused.get(name) ?? 0) > this.parts.now();
  }

  /** Ends the pauses that are over; returns whose they were. */
  endPauses(): string[] {
    const over = [...this.#paused].filter(([, until]) => until <= this.parts.now()).map(([name]) => name);
    for (const name of over) this.#paused.delete(name);
    return over;
  }

  /** Runs it until its end; never rejects, and does not wait. */
  host(lease: Lease): void {
    const { workload, rebalancer, replicas } = this.parts;
    const hosting: Promise<void> = this.#host(lease)
      .catch((error: unknown) => {
        const details = { process: lease.name, error: describe(error) };
        this.#log.warn('Failed to host a process; released its lease', details, lease.name);
        this.#pause(lease.name);
        // A lease that cannot be released expires.
        return lease.release().catch(() => undefined);
      })
      .finally(() => {
        this.#hosting.delete(hosting);
        const hosted = workload.hosted.get(lease.name);
        if (hosted?.instance.lease === lease) {
          workload.hosted.delete(lease.name);
          rebalancer.ended(lease.name);
        }
        // It is on its way to a node that keeps a place for it.
        if (hosted?.moving === true) this.#pause(lease.name);
        replicas.ended(lease);
        this.#reportLoad();
        if (this.parts.isDraining()) this.#reportDrain();
        this.parts.ended(lease.name);
      });
    this.#hosting.add(hosting);
    unattended('hosting a process', hosting);
  }

  /** Stops every instance, and resolves when all have ended and their leases are released. */
  async drain(): Promise<void> {
    this.#toDrain = Math.max(this.#toDrain, this.#hosting.size);
    this.#reportDrain();
    for (const { instance } of this.parts.workload.hosted.values()) instance.stop('shutdown');
    // What has begun since the drain was taken back does not concern it.
    while (this.#hosting.size > 0 && this.parts.isDraining()) await Promise.all(this.#hosting);
    if (this.#hosting.size === 0) this.#toDrain = 0;
  }

  /** Tells the cluster that it runs, or that it has come up, where that failed before. */
  catchUp(entry: VersionedEntry, hosted: Hosted): boolean {
    if (!hosted.instance.running) return false;
    if (!hosted.announced) unattended('announcing a process', this.#announce(hosted));
    else if (entry.confirmed === false && this.#mustConfirm(entry, hosted)) {
      unattended('confirming a start', this.#confirm(hosted));
    } else return false;
    return true;
  }

  #reportDrain(): void {
    const { name: node } = this.parts.membership.self;
    this.parts.telemetry.emit('drain.progress', { node, left: this.#hosting.size, total: this.#toDrain });
  }

  async #host(lease: Lease): Promise<void> {
    const { table, leases, endpoint, clock, telemetry, membership, workload, rebalancer, endings } = this.parts;
    const entry = table.get(lease.name);
    if (entry === undefined) return lease.release();
    const instance = new Instance(entry, lease, {
      create: () => this.#create(entry.type),
      leases,
      endpoint,
      ...(clock === undefined ? {} : { clock }),
      telemetry,
      node: membership.self.name,
      started: (target) => this.#started(hosted, target),
    });
    const hosted: Hosted = { instance, isUp: false, announced: false, confirming: false, moving: false };
    workload.hosted.set(lease.name, hosted);
    rebalancer.arrived(lease.name);
    this.#reportLoad();
    // The replica of the table may be older than the lease; what the table says now decides whether anything starts at
    // all.
    if (!(await this.#confirmation.confirm(entry, instance))) return lease.release();
    const exit = this.#fallen(lease) ?? (await instance.run());
    // INVARIANT (I1): the lease is released only after user code has stopped; otherwise it must expire.
    await endings.settle(instance, exit);
    // INVARIANT (I6): a lease that was lost before the end was recorded is not released either: others would hear of
    // it, and take the name before the end is recorded.
    if (exit.clean && !endings.isOpen(lease.name)) await lease.release();
    else lease.abandon();
  }

  /**
   * A start that did not come to its end on the node before counts as a crash: where it was the start that ended that
   * node, it would end one node after the other.
   */
  #fallen({ name, before = 'another node', unstarted = 0 }: Lease): InstanceExit | undefined {
    const entry = this.parts.table.get(name);
    // What is recorded of that owner has been counted. A temporary process has no restarts, and one that a call has
    // started tells its caller.
    if (entry === undefined || entry.after >= unstarted || entry.options.restart === 'temporary') return undefined;
    if (entry.confirmed === false) return undefined;
    const reason = `node "${before}" ended, or lost its lease, while it started it`;
    return { reason: 'crash', clean: true, started: false, error: new ProcessStartError(name, before, reason) };
  }

  #pause(name: string): void {
    this.#paused.set(name, this.parts.now() + PAUSE_MS);
  }

  #create(type: string): Promise<object> {
    const known = this.parts.classes.get(type);
    return known === undefined ? Promise.reject(new Error(`Class ${type} is not known here.`)) : known.create();
  }

  async #started(hosted: Hosted, target: object): Promise<() => Promise<void>> {
    const { spec } = hosted.instance;
    hosted.since = this.parts.now();
    await this.#announce(hosted);
    const entry = this.parts.table.get(spec.name);
    if (entry?.confirmed === false && this.#mustConfirm(entry, hosted)) await this.#confirm(hosted);
    const outcomes = await Promise.allSettled(this.#hooks.map((hook) => hook(target, hosted.instance)));
    const undo = async (): Promise<void> => {
      const undos = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value()] : []));
      await Promise.all(undos);
    };
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    hosted.isUp = failed === undefined;
    if (failed === undefined) return undo;
    await undo();
    throw failed.reason;
  }

  async #announce(hosted: Hosted): Promise<void> {
    hosted.announced = true;
    await hosted.instance.lease.announce().catch(() => {
      // Retried at the next comparison, because until then no lookup finds it.
      hosted.announced = false;
    });
  }

  /** A temporary process has no later start, so this is only for callers that wait, for ten seconds at least. */
  #mustConfirm({ options }: VersionedEntry, { since = Infinity }: Hosted): boolean {
    return options.restart !== 'temporary' || this.parts.now() - since >= CONFIRM_AFTER_MS;
  }

  /** Until that is written, a later start that fails would count as the first one, and be given up. */
  async #confirm(hosted: Hosted): Promise<void> {
    if (hosted.confirming) return;
    hosted.confirming = true;
    const confirmed = (current?: ProcessEntry): ProcessEntry | undefined =>
      current?.confirmed === false && !isEnded(current.status) ? { ...current, confirmed: true } : undefined;
    // Retried at the next comparison.
    await this.parts.table.change(processOf(hosted.instance.spec.name), confirmed).catch(() => undefined);
    hosted.confirming = false;
  }

  #reportLoad(): void {
    this.parts.membership.record.setLoad(this.parts.workload.hosted.size);
  }
}
