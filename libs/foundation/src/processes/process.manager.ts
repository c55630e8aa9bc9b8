/**
 * The facade over processes. Keeps nothing: it changes the table, and the supervisors of the cluster do the rest.
 * Used by the application; each method says what lies beneath, and its parts do it: starter, commands, waiter.
 */
import { Injectable, type Type } from '@nestjs/common';
import type { AnyProcess } from '../calls/remote.proxy.js';
import type { Duration } from '../time/duration.js';
import type { ProcessOptions } from './declaration/process.decorators.js';
import { nameOf, type ProcessTarget } from './declaration/process.target.js';
import type { Candidate } from './placement/placement.js';
import type { ProcessParts } from './process.parts.js';
import type { PartitionedRef, ProcessGroup, ProcessInfo, ProcessRef, StartResult } from './process.ref.js';

/** Options of a start call. */
export type StartOptions = ProcessOptions;

/** Injectable. Starts, finds, calls, moves and stops processes of the cluster from any node. */
@Injectable()
export class ProcessManager {
  readonly #parts: ProcessParts;

  /** @internal */
  constructor(parts: ProcessParts) {
    this.#parts = parts;
  }

  /**
   * Makes sure that exactly one instance of the class runs in the cluster, and resolves once it does, or once it has
   * completed: then `completed` of the ref is true. What runs already under this name is returned as it is; what was
   * stopped, completed, failed or escalated before this call is started again.
   *
   * Underneath: a row in `HGETALL …:processes`; the node that wins the Redlock lease `…:lease:<name>` starts it.
   *
   * @param type a provider of the application, not request-scoped. Nodes that do not have it are no candidates. With
   * `@Singleton()` it starts by itself as well, without arguments: what only calls start is `@Injectable()`.
   * @param args given as `ctx.args`; must be the same after JSON.
   * @param opts defaults: those of the class's decorator, then of the module; `timeout` bounds `onProcessStart`.
   * @throws ArgumentError for bad input, `ProcessDeclarationError` when another class has the
   * name, `ProcessStartError` when the first start fails (nothing is left behind), `ProcessTimeoutError` when no node
   * started it in time, `ProcessLostError` when it is temporary and its node died, `NotReadyError` and
   * `RedisUnavailableError` without a cluster, `LimitError` for a new name in a cluster of 100,000.
   */
  async startSingleton<T>(type: Type<T>, args?: unknown[], opts: StartOptions = {}): Promise<ProcessRef<T>> {
    return this.#parts.starter.singleton(type, args, opts);
  }

  /**
   * Makes sure that the class runs on every node (`all`, the default), those that join later included, or `replicas`
   * times in the cluster, and resolves with what became of each; one that has completed is `ok`.
   *
   * Underneath: with `all` no lease, each node reports its instance in its own record; with a number one Redlock lease
   * for each on `…:lease:<name>#<i>`.
   *
   * Does not reject for a replica that fails or is late: its result says so.
   *
   * @throws as {@link startSingleton} for bad input and without a cluster.
   */
  async startReplicated<T>(
    type: Type<T>,
    args?: unknown[],
    opts: StartOptions & { replicas?: number | 'all' } = {},
  ): Promise<StartResult<T>[]> {
    return this.#parts.starter.replicated(type, args, opts);
  }

  /**
   * Makes sure that every partition of the class has exactly one owner, and resolves once each has one or has
   * completed.
   *
   * Underneath: one Redlock lease for each on `…:lease:<name>/<i>`, placed by rendezvous hashing; `ctx.index` says
   * which.
   *
   * @throws as {@link startSingleton}; `ProcessTimeoutError` when a partition has no owner in time.
   */
  async startPartitioned<T>(
    type: Type<T>,
    args?: unknown[],
    opts: StartOptions & { partitions?: number } = {},
  ): Promise<PartitionedRef<T>> {
    return this.#parts.starter.partitioned(type, args, opts);
  }

  /**
   * The process of that name if it is running now, else `undefined`.
   *
   * Underneath: Lua that compares `GET …:lease:<name>` with the token in `HGETALL …:owner:<name>`.
   */
  async lookupSingleton<T = AnyProcess>(name: string | Type<T>): Promise<ProcessRef<T> | undefined> {
    return this.#parts.finder.singleton(name);
  }

  /**
   * The partitions of a process that this node knows, else `undefined`. Costs no network, so it may be 100 ms behind,
   * as `list()`.
   */
  lookupPartitioned<T = AnyProcess>(name: string | Type<T>): PartitionedRef<T> | undefined {
    return this.#parts.finder.partitioned(name);
  }

  /**
   * All replicas or partitions of a process, to be called at once; a singleton counts as one.
   *
   * ```ts
   * const { answers, missing, complete } = await processes.all(Thumbnails).with({ timeout: '2s' }).call('cached');
   * ```
   *
   * Underneath: nothing; see {@link ProcessGroup.call}.
   *
   * @throws ArgumentError for what is no name.
   */
  all<T = AnyProcess>(name: string | Type<T>): ProcessGroup<T> {
    return this.#parts.gatherer.all(name);
  }

  /**
   * Every singleton, replica and partition the cluster knows, with its owner.
   *
   * Underneath: this node's copy of `…:processes`, and one script call for each 500 owners. A node that does not have
   * the class hears of a process that was started elsewhere up to 100 ms late.
   */
  async list(): Promise<ProcessInfo[]> {
    return this.#parts.finder.list();
  }

  /**
   * Stops a process, with all its replicas or partitions, in the whole cluster; it stays down until it is started or
   * restarted by a call, or by a cold start of the cluster. Resolves once no node owns it, or only an instance that
   * somebody has started since.
   *
   * Called by the process itself, it resolves as soon as that is written: the process ends after what called it.
   *
   * Underneath: `status: 'stopped'` in `…:processes`; the owners stop their instances, then release the leases.
   *
   * @throws UnknownProcessError, `ProcessTimeoutError` when an owner has not let go in `stopTimeout` and one lease
   * time.
   */
  async stop(target: ProcessTarget): Promise<void> {
    return this.#parts.commands.stop(nameOf(target));
  }

  /**
   * Stops what runs, starts it again, and resolves once it runs or has completed. Forgets its crashes, so it also
   * brings an escalated process back. Of a replicated or partitioned process all are restarted; the ref is that of the
   * first.
   *
   * Called by the process itself, it resolves with the instance that ends, as soon as that is written.
   *
   * Underneath: `after: <epoch>` in `…:processes`; no instance with that epoch or a lower one may go on.
   *
   * @throws UnknownProcessError, `ProcessStartError`, `ProcessTimeoutError`, `CircularWaitError`.
   */
  async restart<T = AnyProcess>(target: ProcessTarget<T>): Promise<ProcessRef<T>> {
    return this.#parts.commands.restart<T>(nameOf(target));
  }

  /**
   * Moves a singleton, a replica or a partition to a node by planned hand-over, and resolves with where it runs then:
   * that node, unless it could not take it.
   *
   * Called by the process itself, it resolves with the instance that ends, as soon as that is written.
   *
   * Underneath: `prefer: <node>` and `after: <epoch>` in `…:processes`; the preferred node comes first when the lease
   * is free.
   *
   * @throws ArgumentError for a node that is no candidate, with the reason, and for a process that has ended, which a
   * move does not begin again; `UnknownProcessError`, `ProcessTimeoutError`.
   */
  async move<T = AnyProcess>(target: ProcessTarget<T>, node: string): Promise<ProcessRef<T>> {
    return this.#parts.commands.move<T>(nameOf(target), node);
  }

  /**
   * Forgets a process that no node declares any longer, with its replicas or partitions: `orphaned` in `list()`. By
   * itself that happens after `forgetOrphansAfter`.
   *
   * Underneath: its rows leave `…:processes`, and its epochs go with them.
   *
   * @throws UnknownProcessError; ArgumentError for one that a node declares, that runs, or that a call has started.
   */
  async forget(target: ProcessTarget): Promise<void> {
    return this.#parts.commands.forget(nameOf(target));
  }

  /**
   * Why a process is where it is: every member with its score and the reason, best first, then those that cannot run
   * it.
   *
   * Underneath: nothing; computed from this node's view. An owner with `rebalance: 'off'` stays where it is while
   * others rank higher, unless it may no longer run there.
   *
   * @param owner the node that runs it, as `list()` or a look-up has it: what it owns is then counted without this
   * process, as the owner itself counts it. Default: this node, if it runs it.
   * @throws UnknownProcessError, `ArgumentError` for a process with several owners: name one of them, `name/3` or
   * `name#0`.
   */
  explainPlacement(target: ProcessTarget, owner?: string): Candidate[] {
    return this.#parts.commands.explain(nameOf(target), owner);
  }

  /**
   * Moves everything that a node owns to other nodes, and takes nothing new there. The node stays a member, as
   * `draining`, and goes on serving its channels, until it ends or {@link undrain} lets it take work again.
   *
   * Underneath: `state: draining` in the node's record, then the same stop and release as on SIGTERM. Progress comes as
   * `drain.progress` events on that node. Another node is asked by PUBLISH to its `…:inbox:<bootId>`.
   *
   * Called by a process of this node for this node, it resolves at once, and the drain goes on.
   *
   * @param options.node default: this one. One that leaves the cluster meanwhile is drained.
   * @param options.timeout milliseconds, default `shutdownTimeout`.
   * @throws ProcessTimeoutError when something has not stopped by then; it goes on stopping. From another node this
   * comes as `RemoteError`; `ArgumentError` for one that is no member, `CallTimeoutError` when it does not answer.
   */
  async drain(options: { node?: string; timeout?: Duration } = {}): Promise<void> {
    return this.#parts.commands.drain(options);
  }

  /**
   * Lets a node take work again that was drained and goes on running; one that is not drained stays as it is. What was
   * moved away stays where it is, until it is placed anew.
   *
   * Underneath: `state: up` in the node's record. Another node is asked by PUBLISH to its `…:inbox:<bootId>`.
   *
   * @param options.node default: this one.
   * @throws ArgumentError for one that is no member, whose application shuts down, or whose version cannot; from
   * another node the second of these comes as `RemoteError`; `CallTimeoutError` when it does not answer.
   */
  async undrain(options: { node?: string } = {}): Promise<void> {
    return this.#parts.commands.undrain(options);
  }
}
