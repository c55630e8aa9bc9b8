/**
 * Everything that a node does about processes, put together: it wins leases, runs instances, moves and restarts them.
 * Driven by the lifecycle. `reconciler.ts` decides, `candidacy.ts` gets leases, `process.host.ts` runs what they are
 * for.
 */
import { Injectable, type Type } from '@nestjs/common';
import type { Backend } from '../../backend/backend.js';
import type { CalleeLookup } from '../../calls/callee.js';
import { waiters } from '../../calls/waiting.js';
import type { ClusterView } from '../../cluster/cluster.view.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { clockOf } from '../../time/clock.js';
import type { KnownClass } from '../declaration/process.explorer.js';
import type { ProcessSpec } from '../declaration/process.specification.js';
import type { Instance } from '../instance/instance.js';
import { RestartDecisions } from '../restarts/restart.decisions.js';
import { Orphans } from '../table/orphans.js';
import type { ProcessTable } from '../table/process.table.js';
import { Candidacy } from './candidacy.js';
import { LocalPlacement } from './local.placement.js';
import { NodeWorkload } from './node.workload.js';
import { ProcessDeclarations } from './process.declarations.js';
import { type InstanceHook, ProcessHost } from './process.host.js';
import { type AskNode, Rebalancer } from './rebalancer.js';
import { Reconciler } from './reconciler.js';
import { ReplicaReports } from './replica.reports.js';

/** What the supervisor needs. */
export interface SupervisorParts {
  readonly backend: Backend;
  readonly membership: ClusterView;
  readonly table: ProcessTable;
  readonly telemetry: Telemetry;
  readonly now?: () => number;
  readonly forgetOrphansAfter?: number;
}

/** See the file header. */
@Injectable()
export class Supervisor implements CalleeLookup {
  readonly #classes = new Map<string, KnownClass>();
  readonly #candidacy: Candidacy;
  readonly #endings: RestartDecisions;
  readonly #orphans: Orphans;
  readonly #declarations: ProcessDeclarations;
  readonly #workload: NodeWorkload;
  readonly #rebalancer: Rebalancer;
  readonly #host: ProcessHost;
  readonly #reconciler: Reconciler;
  #state: 'idle' | 'supervising' | 'draining' = 'idle';
  /** What it goes back to when it is drained no more. */
  #beforeDrain: 'idle' | 'supervising' = 'idle';
  /** While the node is held back: the processes that it may run all the same. */
  #exempt: Set<string> | undefined;

  constructor(private readonly parts: SupervisorParts) {
    const {
      backend,
      membership,
      table,
      telemetry,
      now = clockOf(parts.backend).monotonic,
      forgetOrphansAfter = Infinity,
    } = parts;
    this.#orphans = new Orphans(membership, table, backend.leases, forgetOrphansAfter);
    this.#declarations = new ProcessDeclarations(backend, membership, table);
    this.#endings = new RestartDecisions({
      backend,
      membership,
      table,
      telemetry,
      settled: () => this.#reconciler.wake(),
    });
    this.#workload = new NodeWorkload(() => this.#candidacy, now);
    const shared = { membership, table, workload: this.#workload, classes: this.#classes, now };
    const isSupervising = (): boolean => this.#state === 'supervising';
    const isEndOpen = (name: string): boolean => this.#endings.isOpen(name);
    const placement = new LocalPlacement({
      ...shared,
      isSupervising,
      isHeldBack: (name) => this.#exempt?.has(name) === false,
      isEndOpen,
    });
    this.#rebalancer = new Rebalancer({ ...shared, placement, isSupervising });
    const replicas = new ReplicaReports(membership, table, placement, clockOf(backend));
    this.#host = new ProcessHost({
      ...shared,
      leases: backend.leases,
      endpoint: backend.endpoint,
      clock: clockOf(backend),
      telemetry,
      endings: this.#endings,
      placement,
      rebalancer: this.#rebalancer,
      replicas,
      isDraining: () => this.#state === 'draining',
      ended: (name) => this.#reconciler.noteEnd(name),
    });
    this.#candidacy = new Candidacy(
      {
        standing: (names) => backend.leases.standing(names),
        // The clock of Redis may have gone back, and its data with it: an epoch that may not run would end at once,
        // again and again.
        acquire: (name) => backend.leases.acquire(name, table.get(name)?.after),
      },
      (name) => this.#reconciler.place(name),
      (lease) => this.#host.host(lease),
      clockOf(backend),
      () => (membership.trouble === undefined ? membership.recoveredAt : undefined),
    );
    this.#reconciler = new Reconciler({
      ...shared,
      placement,
      candidacy: this.#candidacy,
      host: this.#host,
      replicas,
      rebalancer: this.#rebalancer,
      declarations: this.#declarations,
      endings: this.#endings,
      mustSweep: backend.kind === 'local',
      isSupervising,
    });
    table.onChange((changed) => {
      this.#declarations.noteRows(changed);
      this.#reconciler.wakeFor(changed);
    });
    table.concerns((type) => this.#classes.has(type));
    membership.listen({
      changed: () => this.#reconciler.noteMembers(),
      beat: () => this.#reconciler.noteBeat(),
      dataLoss: () => this.#reconciler.noteLoss(),
      replaced: () => backend.leases.loseAll(),
    });
    backend.onHint((hint) => {
      if (hint.t === 'released') this.#candidacy.hint(hint.name, hint.node);
    });
  }

  /** Attaches a hook to every instance that starts from now on. */
  onInstance(hook: InstanceHook): void {
    this.#host.onInstance(hook);
  }

  /** How other nodes are asked to take a process; until it is set nothing moves by itself. */
  onMove(ask: AskNode): void {
    this.#rebalancer.onMove(ask);
  }

  /** Whether this node keeps a place for a process that another node would move here; see `Rebalancer.takes`. */
  takes(name: string, limit: number | undefined, from: string): boolean {
    return this.#rebalancer.takes(name, limit, from);
  }

  /** True when this very node runs the process. */
  hosts(name: string): boolean {
    return this.#workload.hosted.has(name);
  }

  /** What the instance of that name waits for. */
  waitsOf(name: string): string[] {
    return [...(this.#workload.hosted.get(name)?.instance.waitsFor.keys() ?? [])];
  }

  /**
   * True when one of these instances ends only after the code that runs now, which so must not wait for that end;
   * without names, one of any.
   */
  isWithin(names: readonly string[] = [...this.#workload.hosted.keys()]): boolean {
    const all = waiters();
    const ends = (name: string): boolean => {
      const instance: unknown = this.#workload.hosted.get(name)?.instance;
      return all.some((each) => each === instance || (each.isElsewhere === true && each.spec.name === name));
    };
    return all.length > 0 && names.some(ends);
  }

  /** Lets this node run classes. */
  know(classes: ReadonlyMap<string, KnownClass>): void {
    for (const [name, known] of classes) this.#classes.set(name, known);
  }

  /** True when this very class can run here; a different class of the same name cannot. */
  knows(type: Type<unknown>): boolean {
    return this.#classes.get(type.name)?.type === type;
  }

  /** The instance of that name while calls may reach it. */
  running(name: string): Instance | undefined {
    const instance = this.#workload.hosted.get(name)?.instance;
    return instance?.target === undefined ? undefined : instance;
  }

  /** The instances here, by name; for status pages and tests. */
  hosted(): { name: string; epoch: number; running: boolean }[] {
    return [...this.#workload.hosted].map(([name, { instance }]) => ({
      name,
      epoch: instance.lease.epoch,
      running: instance.running,
    }));
  }

  // -- called by the lifecycle
  // ------------------------------------------------------------------------------------------

  /**
   * Puts what the decorators say into the table. A cold start of the whole cluster forgets how processes ended before.
   */
  declare(specs: readonly ProcessSpec[]): Promise<void> {
    return this.#declarations.declare(specs);
  }

  /** Begins to own and run. */
  async start(): Promise<void> {
    if (this.#state !== 'idle') return;
    await this.parts.backend.restarts.open({
      restart: (name, epoch) => this.#endings.restart(name, epoch),
      sweep: async () => {
        await this.#endings.sweep();
        await this.#orphans.sweep();
      },
    });
    // A shutdown may have begun meanwhile; it must not be undone.
    if (this.#isIdle()) this.#state = 'supervising';
    else this.#beforeDrain = 'supervising';
    this.#reconciler.wake();
  }

  /** Lets nothing run yet, except what is {@link exempt}; until {@link begin}. */
  hold(): void {
    this.#exempt ??= new Set();
  }

  /** Lets one process run before {@link begin}: a hook of the application starts it, and may wait for it. */
  exempt(name: string): void {
    this.#exempt?.add(name);
  }

  /** Runs what this node was held back from. */
  begin(): void {
    this.#exempt = undefined;
    this.#reconciler.wake();
  }

  /**
   * The processes that begin on this node and do not run yet, or that it may win at once; `undefined` while it is not
   * known which. What another node owns is not among them.
   */
  beginning(): string[] | undefined {
    if (!this.#reconciler.isSettled) return undefined;
    const { hosted } = this.#workload;
    const starting = [...hosted].filter(([, { isUp }]) => !isUp).map(([name]) => name);
    return [...starting, ...this.#candidacy.open()];
  }

  /** Stops every instance, then releases its lease. Returns when all have ended. */
  async drain(): Promise<void> {
    if (this.#state !== 'draining') this.#beforeDrain = this.#state;
    this.#state = 'draining';
    await this.#candidacy.close();
    await this.#host.drain();
    // Ends that Redis has not recorded yet would be lost with this node; the caller says how long that may take.
    await this.#endings.drained();
  }

  /** Takes work again; what still stops of the drain goes on stopping. */
  undrain(): void {
    if (this.#state !== 'draining') return;
    this.#state = this.#beforeDrain;
    this.#reconciler.wake();
  }

  /** A method, because TypeScript thinks that the state cannot change during an await. */
  #isIdle(): boolean {
    return this.#state === 'idle';
  }

  /** Compares all that should run with what runs here, soon. */
  wake(): void {
    this.#reconciler.wake();
  }
}
