/**
 * The facade over processes. Keeps nothing: it changes the table, and the supervisors of the cluster do the rest.
 * Called by the application; each method says what lies beneath.
 */
import { Injectable, type Type } from '@nestjs/common';
import type { Backend } from '../backend/backend.js';
import type { OwnerRecord } from '../backend/leases/leases.js';
import type { CallRouter } from '../calls/call.router.js';
import { type AnyProcess, type RemoteCalls, remoteCalls } from '../calls/remote.proxy.js';
import type { Membership } from '../cluster/membership.js';
import { partitionOf, type ProcessKind, processOf, runsEverywhere, slotNames } from '../cluster/slot.names.js';
import type { FoundationConfig } from '../config/config.js';
import { CallInterruptedError } from '../errors/call.errors.js';
import { ArgumentError } from '../errors/config.errors.js';
import { RedisUnavailableError } from '../errors/connection.errors.js';
import { asError, isA, show } from '../errors/describe.js';
import { FoundationError } from '../errors/foundation.error.js';
import { LimitError } from '../errors/limit.errors.js';
import {
  ProcessDeclarationError,
  ProcessStartError,
  ProcessTimeoutError,
  UnknownProcessError,
} from '../errors/process.errors.js';
import { redisError } from '../errors/refusal.js';
import { NODE_CONTROL, type NodeControl } from './node.control.js';
import { Awaited, type News } from './process.changes.js';
import { positive, type ProcessOptions } from './process.decorators.js';
import { metadataOf } from './process.explorer.js';
import type { PartitionedRef, ProcessInfo, ProcessRef, StartResult } from './process.ref.js';
import type { ProcessRegistry } from './process.registry.js';
import { type ProcessSpec, specOf } from './process.specification.js';
import { isEnded, type ProcessEntry, type ProcessTable, type VersionedEntry } from './process.table.js';
import { nameOf, type ProcessTarget } from './process.target.js';
import { type Candidate, explain, misfitOf, obstacleOf } from './supervision/placement.js';
import type { Supervisor } from './supervision/supervisor.js';

/** Options of a start call. */
export type StartOptions = ProcessOptions;

/** How long a free lease may take to be won, on top of the time the start itself may take. */
const ELECTION_MS = 10_000;
/** Hints wake a waiting call; this is for those that were lost. */
const LOOK_EVERY_MS = 250;
/** A Redis that is away for less long fails no start: who is told so starts again what may have run. */
const BLIP_MS = 2000;
const BLIP_RETRY_MS = 100;
/** So many rows the process table may have before it takes no new name: each of them is kept by every node. */
export const MAX_PROCESSES = 100_000;

/** Injectable. Starts, finds, calls, moves and stops processes of the cluster from any node. */
@Injectable()
export class ProcessManager {
  /** Who waits here for a process; made for the first that does. */
  #waiting: Awaited | undefined;

  constructor(
    private readonly config: FoundationConfig,
    private readonly backend: Backend,
    private readonly membership: Membership,
    private readonly table: ProcessTable,
    private readonly registry: ProcessRegistry,
    private readonly supervisor: Supervisor,
    private readonly calls: CallRouter,
    private readonly control: Pick<NodeControl, 'drain'>,
  ) {}

  /**
   * Makes sure that exactly one instance of the class runs in the cluster, and resolves once it does, or once it has
   * completed: then `completed` of the ref is true. What runs already under this name is returned as it is; what was
   * stopped, completed, failed or escalated before this call is started anew.
   *
   * Underneath: a row in `HGETALL …:processes`; the node that wins the Redlock lease `…:lease:<name>` starts it.
   *
   * @param type a provider of the application, not request-scoped. Nodes that do not have it are no candidates.
   * @param args given as `ctx.args`; must be the same after JSON.
   * @param opts defaults: those of the class's decorator, then of the module; `timeout` bounds `onProcessStart`.
   * @throws ArgumentError, FoundationConfigError for bad input, `ProcessDeclarationError` when another class has the
   * name, `ProcessStartError` when the first start fails (nothing is left behind), `ProcessTimeoutError` when no node
   * started it in time, `NotReadyError` and `RedisUnavailableError` without a cluster, `LimitError` for a new name in a
   * cluster of 100,000.
   */
  async startSingleton<T>(type: Type<T>, args?: unknown[], opts: StartOptions = {}): Promise<ProcessRef<T>> {
    const { spec, isNew } = await this.#start('startSingleton', type, 'singleton', 1, args, opts);
    return this.#running<T>(spec.name, 0, spec.options.timeout, type, isNew);
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
    { replicas = 'all', ...opts }: StartOptions & { replicas?: number | 'all' } = {},
  ): Promise<StartResult<T>[]> {
    const count = replicas === 'all' ? 0 : positive(replicas);
    const { spec } = await this.#start('startReplicated', type, 'replicated', count, args, opts);
    const entry = this.table.get(spec.name);
    // The nodes that are meant: a label that one lacks is no failure of it.
    const nodes = this.membership
      .members()
      .filter(({ state }) => state !== 'draining')
      .filter((member) => entry === undefined || misfitOf({ ...entry, declared: false }, member) === undefined);
    const slots =
      count > 0
        ? slotNames(spec, '').map((slot) => ({ slot, node: '?' }))
        : nodes.map(({ name: node }) => ({ slot: slotNames(spec, node)[0]!, node }));
    return Promise.all(
      slots.map(async ({ slot, node }): Promise<StartResult<T>> => {
        try {
          const ref = await this.#running<T>(slot, 0, spec.options.timeout, type);
          return { ok: true, node: ref.node, ref };
        } catch (error) {
          return { ok: false, node, error: asError(error) };
        }
      }),
    );
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
    { partitions, ...opts }: StartOptions & { partitions?: number } = {},
  ): Promise<PartitionedRef<T>> {
    const declared = metadataOf(type)?.kind === 'partitioned' ? metadataOf(type)?.count : undefined;
    const count = positive(partitions ?? declared ?? 64);
    const { spec } = await this.#start('startPartitioned', type, 'partitioned', count, args, opts);
    await this.#allRunning(spec);
    return this.#partitionedRef<T>(spec.name, spec.count, type);
  }

  /**
   * The process of that name if it is running now, else `undefined`.
   *
   * Underneath: Lua that compares `GET …:lease:<name>` with the token in `HGETALL …:owner:<name>`.
   */
  async lookupSingleton<T = AnyProcess>(name: string | Type<T>): Promise<ProcessRef<T> | undefined> {
    const known = nameOf(name);
    const owner = await this.#redis('looking up a process', () => this.registry.running(known));
    return owner === undefined ? undefined : this.#ref<T>(owner, typeof name === 'function' ? name : undefined);
  }

  /**
   * The partitions of a process that this node knows, else `undefined`. Costs no network, so it may be 100 ms behind,
   * as `list()`.
   */
  lookupPartitioned<T = AnyProcess>(name: string | Type<T>): PartitionedRef<T> | undefined {
    const entry = this.table.get(nameOf(name));
    if (entry?.kind !== 'partitioned') return undefined;
    return this.#partitionedRef<T>(entry.name, entry.count, typeof name === 'function' ? name : undefined);
  }

  /**
   * Every singleton, replica and partition the cluster knows, with its owner.
   *
   * Underneath: this node's copy of `…:processes`, and one script call for each 500 owners. A node that does not have
   * the class hears of a process that was started elsewhere up to 100 ms late.
   *
   * @param choose picks those to ask for out of what the copy says, where all that should run is `waiting`. Default
   * all.
   */
  async list(choose: (known: ProcessInfo[]) => ProcessInfo[] = (known) => known): Promise<ProcessInfo[]> {
    return this.#redis('listing processes', () => this.registry.owned(choose(this.registry.known())));
  }

  /**
   * Stops a process, with all its replicas or partitions, in the whole cluster; it stays down until it is started or
   * restarted by a call, or by a cold start of the cluster. Resolves once nobody owns it.
   *
   * Underneath: `status: 'stopped'` in `…:processes`; the owners stop their instances, then release the leases.
   *
   * @throws UnknownProcessError, `ProcessTimeoutError` when an owner has not let go in `stopTimeout` and one lease
   * time.
   */
  async stop(target: ProcessTarget): Promise<void> {
    const name = nameOf(target);
    const entry = await this.#patiently('stopping a process', async () => {
      await this.#known(name);
      return this.table.change(name, (current) => {
        if (current === undefined) throw new UnknownProcessError(name, this.#names());
        return isEnded(current.status) && current.status !== 'escalated'
          ? undefined
          : { ...current, status: 'stopped' };
      });
    });
    if (entry === undefined) return;
    const { ttl, grace } = this.config.lease;
    const timeout = entry.options.stopTimeout + ttl + grace + 1000;
    let seen: OwnerRecord[] | undefined;
    const stopped = await this.#until(name, timeout, async () => {
      const owners = await this.registry.owners(this.#slotsOf(entry));
      seen = owners.filter((owner) => owner !== undefined);
      if (seen.length > 0) return undefined;
      // INVARIANT (I17): a Redis that lost its data knows no owner, while one that has not heard of it may still be
      // one.
      return (await this.backend.leases.grace()) > 0 ? undefined : true;
    });
    if (stopped === undefined) {
      throw new ProcessTimeoutError(
        name,
        'was not let go by its owner',
        timeout,
        `It is marked as stopped, and ends when its owner does. ${seenLast(seen)}`,
        'Let onProcessStop and the tasks of ctx.run heed ctx.signal.',
      );
    }
  }

  /**
   * Stops what runs, starts it anew, and resolves once it runs or has completed. Forgets its crashes, so it also brings
   * an escalated process back. Of a replicated or partitioned process all are restarted; the ref is that of the first.
   *
   * Underneath: `after: <epoch>` in `…:processes`; no instance with that epoch or a lower one may go on.
   *
   * @throws UnknownProcessError, `ProcessStartError`, `ProcessTimeoutError`.
   */
  async restart<T = AnyProcess>(target: ProcessTarget<T>): Promise<ProcessRef<T>> {
    const name = nameOf(target);
    const { after, ...entry } = await this.#raise('restarting a process', name, ({ prefer: _prefer, ...rest }) => rest);
    const [first = name] = this.#slotsOf(entry);
    return this.#running<T>(first, runsEverywhere(entry) ? 0 : after, entry.options.timeout);
  }

  /**
   * Moves a singleton, a replica or a partition to a node by planned hand-over, and resolves with where it runs then:
   * that node, unless it could not take it.
   *
   * Underneath: `prefer: <node>` and `after: <epoch>` in `…:processes`; the preferred node comes first when the lease
   * is free.
   *
   * @throws ArgumentError for a node that is no candidate, with the reason; `UnknownProcessError`,
   * `ProcessTimeoutError`.
   */
  async move<T = AnyProcess>(target: ProcessTarget<T>, node: string): Promise<ProcessRef<T>> {
    const name = nameOf(target);
    await this.#redis('moving a process', () => this.#known(name));
    const owner = await this.#redis('moving a process', () => this.registry.running(name));
    const candidate = this.explainPlacement(name, owner?.node).find((each) => each.node === node);
    if (candidate === undefined || candidate.excluded) {
      const why = candidate === undefined ? 'it is no member' : candidate.reason;
      throw new ArgumentError(`move("${name}")`, 'node', `"${node}" (${why})`, 'a node that can run the process');
    }
    if (owner?.node === node) return this.#ref<T>(owner);
    const { after, options } = await this.#raise('moving a process', name, (rest) => ({ ...rest, prefer: node }));
    return this.#running<T>(name, after, options.timeout);
  }

  /** The name of the cluster. */
  get appName(): string {
    return this.config.appName;
  }

  /**
   * Why a process is where it is: every member with its score and the reason, best first, then those that cannot run
   * it.
   *
   * Underneath: nothing; computed from this node's view. An owner with `rebalance: 'off'` stays where it is while
   * others rank higher, unless it may not run there any more.
   *
   * @param owner the node that runs it, as `list()` or a look-up has it: what it owns is then counted without this
   * process, as the owner itself counts it. Default: this node, if it runs it.
   * @throws UnknownProcessError, `ArgumentError` for a process with several owners: name one of them, `name/3` or
   * `name#0`.
   */
  explainPlacement(target: ProcessTarget, owner?: string): Candidate[] {
    const name = nameOf(target);
    const node = owner ?? (this.supervisor.hosts(name) ? this.membership.self.name : undefined);
    const entry = this.table.get(name);
    if (entry === undefined) throw new UnknownProcessError(name, this.#names());
    if (entry.kind !== 'singleton' && entry.of === undefined) {
      throw new ArgumentError(
        'explainPlacement',
        'name',
        `"${name}"`,
        `one of ${this.#slotsOf(entry).slice(0, 3).join(', ')}, …`,
      );
    }
    return explain(entry, this.membership.members(), { owner: node });
  }

  /**
   * Moves everything that a node owns to other nodes, and takes nothing new there. The node stays a member, as
   * `draining`, and goes on serving its channels; it does not come back from this, so end the process afterwards.
   *
   * Underneath: `state: draining` in the node's record, then the same stop and release as on SIGTERM. Progress comes as
   * `drain.progress` events on that node. Another node is asked by PUBLISH to its `…:inbox:<bootId>`.
   *
   * @param options.node default: this one. One that leaves the cluster meanwhile is drained.
   * @param options.timeout milliseconds, default `shutdownTimeout`.
   * @throws ProcessTimeoutError when something has not stopped by then; it goes on stopping. From another node this
   * comes as `RemoteError`; `ArgumentError` for one that is no member, `CallTimeoutError` when it does not answer.
   */
  async drain({
    node,
    timeout = this.config.shutdownTimeout,
  }: { node?: string; timeout?: number } = {}): Promise<void> {
    if (node === undefined || node === this.membership.self.name) {
      return this.#redis('draining this node', () => this.control.drain(timeout));
    }
    const member = this.membership.members().find(({ name }) => name === node);
    if (member === undefined) throw new ArgumentError('drain', 'node', `"${node}" (it is no member)`, 'a member');
    const target = { name: NODE_CONTROL, node, bootId: member.bootId, epoch: 1 };
    try {
      await this.calls.callAt(target, 'drain', [timeout], { timeout: timeout + this.config.calls.timeout });
    } catch (error) {
      const isThere = this.membership.members().some(({ bootId }) => bootId === member.bootId);
      if (isThere || !isA(error, CallInterruptedError)) throw error;
    }
  }

  async #start(
    call: string,
    type: Type<unknown>,
    kind: ProcessKind,
    count: number,
    args: unknown[] | undefined,
    opts: StartOptions,
  ): Promise<{ spec: ProcessSpec; isNew: boolean }> {
    const subject = `${call}(${typeof type === 'function' ? type.name : show(type)})`;
    if (typeof type !== 'function' || !type.name) throw new ArgumentError(subject, 'type', show(type), 'a class');
    if (typeof opts !== 'object' || opts === null || Array.isArray(opts))
      throw new ArgumentError(subject, 'opts', show(opts), 'an object');
    const metadata = metadataOf(type);
    const { args: declaredArgs = [], ...declaredOptions } = metadata?.options ?? {};
    const declared = metadata?.kind === kind && opts.name === undefined;
    const options = { ...declaredOptions, ...opts };
    const request = { subject, type: type.name, declared, kind, count, options, args: args ?? declaredArgs };
    const spec = specOf(request, this.config.processes);
    await this.membership.whenReady();
    if (!this.supervisor.knows(type)) {
      const expected = 'a provider of this application whose class name no other one has';
      throw new ArgumentError(subject, 'type', `the class ${type.name}`, expected);
    }
    let isHeard = false;
    const stop = this.#awaited.listen(spec.name, (news) => (isHeard ||= news === 'owner'));
    try {
      const isWritten = await this.#patiently('starting a process', this.#want(spec));
      // INVARIANT (I22): it is new only when nothing was said of an owner since before the row was written.
      return { spec, isNew: isWritten && !isHeard };
    } finally {
      stop();
    }
  }

  /**
   * What writes the row of a start; it may be called again when an answer was lost. True when it has written it just
   * now.
   */
  #want(spec: ProcessSpec): () => Promise<boolean> {
    let before: number | undefined;
    return async () => {
      if (before === undefined) {
        // What the table says now was so before this call; what it says later may be what this very call has started.
        await this.table.sync();
        before = this.table.get(spec.name)?.after ?? -1;
      }
      const { name } = spec;
      for (let dead = 0; ;) {
        let unsure = 0;
        let isWritten = false;
        await this.table.change(name, (current) => {
          unsure = current?.status === 'once' && current.version !== dead ? current.version : 0;
          const started = unsure > 0 ? undefined : this.#started(spec, current, before ?? -1);
          isWritten = started !== undefined;
          return started;
        });
        // INVARIANT (I13): the owner is asked for after the row said that it was started, and the row is changed only
        // while it is that very row. Asked before, the owner of a start that was won in between would be missed.
        if (unsure === 0) return isWritten;
        if (await this.#isOwned(name)) return false;
        dead = unsure;
      }
    };
  }

  /**
   * INVARIANT (I14): whoever lost its lease with the data of Redis may take it back in the grace, so no answer of then
   * is believed.
   */
  async #isOwned(name: string): Promise<boolean> {
    for (;;) {
      const grace = await this.backend.leases.grace();
      if ((await this.registry.owner(name)) !== undefined) return true;
      if (grace === 0) return false;
      await new Promise((resolve) => setTimeout(resolve, grace));
    }
  }

  /** The row that starts it; nothing when it runs, or has run since the epoch `before`. */
  #started(spec: ProcessSpec, current: VersionedEntry | undefined, before: number): ProcessEntry | undefined {
    if (current === undefined && this.table.size >= MAX_PROCESSES) {
      throw new LimitError(`Starting "${spec.name}"`, 'entries in the process table', MAX_PROCESSES);
    }
    if (current !== undefined && (current.type !== spec.type || current.kind !== spec.kind)) {
      throw new ProcessDeclarationError(
        `"${spec.name}"`,
        `the ${current.kind} class ${current.type} has this name in the cluster already, and the ${spec.kind} class ${spec.type} asked for it`,
        'Start it under another name.',
      );
    }
    // A temporary process that was started and has no owner died with its node; a late word of that instance does not
    // count.
    const dead = current?.status === 'once';
    if (current !== undefined && !isEnded(current.status) && !dead) return undefined;
    // Two that ask at once start one, however quick it is.
    const isOutcome = current !== undefined && current.status !== 'stopped' && current.after > before;
    if (isOutcome && !dead) return undefined;
    const after = Math.max(this.table.floor(spec.name), dead ? current.after + 1 : 0);
    // The number of a declared process is that of the cluster, and only a change that all nodes agree about changes it.
    const count = current?.declared === true && spec.declared ? current.count : spec.count;
    return { ...spec, count, status: 'wanted', after, confirmed: false };
  }

  /** Forbids every epoch so far, so that what runs must be started anew. */
  #raise(doing: string, name: string, change: (entry: ProcessEntry) => ProcessEntry): Promise<VersionedEntry> {
    return this.#redis(doing, async () => {
      const slots = this.#slotsOf(await this.#known(name));
      await Promise.all(slots.map((slot) => this.backend.restarts.forget(slot)));
      const owners = await this.registry.owners(slots);
      // INVARIANT (I18): above the instance that is over too. Its end may not be recorded yet, and must not count for
      // what begins now; see `instance.end.ts`.
      const epochs = await Promise.all(
        owners.map(async (owner, index) => owner?.epoch ?? (await this.backend.leases.lastEpoch(slots[index]!))),
      );
      const entry = await this.table.change(name, (current) => {
        if (current === undefined) throw new UnknownProcessError(name, this.#names());
        const { error: _error, crashes: _crashes, retryAt: _retryAt, avoid: _avoid, ranOn: _ranOn, ...rest } = current;
        // INVARIANT (I13): a temporary process that was started since the owners were asked for has the epoch after its
        // mark.
        const marked = current.status === 'once' ? current.after + 1 : current.after;
        return change({ ...rest, status: 'wanted', after: Math.max(this.table.floor(name), marked, ...epochs) });
      });
      return entry as VersionedEntry;
    });
  }

  /**
   * The entry of a process, as Redis has it. This node's copy may not have heard yet of what a caller elsewhere was
   * told a moment ago: a stop would find it ended and do nothing, a restart would count the parts that it had.
   */
  async #known(name: string): Promise<VersionedEntry> {
    await this.table.sync();
    const entry = this.table.get(name);
    if (entry === undefined) throw new UnknownProcessError(name, this.#names());
    return entry;
  }

  #slotsOf(entry: VersionedEntry | Omit<VersionedEntry, 'after'>): string[] {
    if (entry.of !== undefined || entry.kind === 'singleton') return [entry.name];
    if (!runsEverywhere(entry)) return slotNames(entry, '');
    return this.membership.members().flatMap(({ name: node }) => slotNames(entry, node));
  }

  /**
   * Waits for a running owner with an epoch above `after`, or for its completion; what ends otherwise becomes an error.
   */
  async #running<T>(
    name: string,
    after: number,
    startTimeout: number | 'infinity',
    type?: Type<T>,
    isNew = false,
  ): Promise<ProcessRef<T>> {
    const timeout = startTimeout === 'infinity' ? Infinity : startTimeout + ELECTION_MS;
    let seen: OwnerRecord[] | undefined;
    let isFirst = isNew;
    const ref = await this.#until(name, timeout, async (news) => {
      const entry = await this.#present(name);
      if (entry.status === 'completed') return this.#ranRef<T>(entry, type);
      const error = this.#failureOf(name, entry);
      if (error !== undefined) throw new ProcessStartError(name, this.membership.self.name, error);
      // Redis knows no more than the row as long as nobody says that an owner runs: a hint does, and a look now and
      // then.
      const isOfRow = news === 'row' || isFirst;
      isFirst = false;
      if (isOfRow && !runsEverywhere(entry)) return undefined;
      const owner = await this.registry.owner(name);
      seen = owner === undefined ? [] : [owner];
      return owner?.state === 'running' && owner.epoch > after ? this.#ref<T>(owner, type) : undefined;
    });
    if (ref !== undefined) return ref;
    return this.#giveUp(name, name, timeout, seen);
  }

  /**
   * The entry of what was wanted a moment ago. One that is there no more has ended, and so long ago that it was
   * removed.
   */
  async #present(name: string): Promise<VersionedEntry> {
    if (this.table.get(name) === undefined) await this.table.sync();
    const entry = this.table.get(name);
    if (entry !== undefined) return entry;
    const reason = 'it has ended, and how is not known: its entry has been removed since';
    throw new ProcessStartError(name, this.membership.self.name, reason);
  }

  /** Why a process will not run, if it will not. */
  #failureOf(name: string, entry: VersionedEntry): string | undefined {
    if (isEnded(entry.status)) return entry.error ?? `it is ${entry.status}`;
    if (!runsEverywhere(entry)) return undefined;
    const member = this.membership
      .members()
      .find((each) => name === slotNames(this.table.get(entry.of ?? name) ?? entry, each.name)[0]);
    const report = member?.replicas[entry.of ?? entry.name];
    return report?.state === 'failed' || report?.state === 'escalated' ? report.error : undefined;
  }

  async #allRunning(spec: ProcessSpec): Promise<void> {
    const { name, options } = spec;
    const timeout = options.timeout === 'infinity' ? Infinity : options.timeout + ELECTION_MS;
    const all = await this.#until(name, timeout, async () => {
      await this.#present(name);
      // As many as the cluster goes by, which may be another number than the one that was asked for.
      const slots = slotNames(this.table.get(name) ?? spec, '');
      const entries = slots.flatMap((slot) => this.table.get(slot) ?? []);
      const failed = entries.find(({ status }) => isEnded(status) && status !== 'completed');
      if (failed !== undefined) {
        throw new ProcessStartError(failed.name, this.membership.self.name, failed.error ?? `it is ${failed.status}`);
      }
      const completed = new Set(entries.filter(({ status }) => status === 'completed').map((entry) => entry.name));
      const owners = await this.registry.owners(slots.filter((slot) => !completed.has(slot)));
      return owners.every((owner) => owner?.state === 'running') ? true : undefined;
    });
    if (all !== undefined) return;
    const slots = slotNames(this.table.get(name) ?? spec, '');
    const owners = await this.#redis('waiting for a process', () => this.registry.owners(slots));
    const started = owners.filter((owner) => owner !== undefined);
    return this.#giveUp(name, slots[owners.findIndex((owner) => owner === undefined)] ?? name, timeout, started);
  }

  /**
   * A process that never came up is not left behind half-started; one that nobody may run waits for a node that may,
   * and the error says so.
   */
  async #giveUp(name: string, slot: string, timeout: number, seen?: readonly OwnerRecord[]): Promise<never> {
    const entry = this.table.get(slot);
    const obstacle = entry && obstacleOf(entry, this.membership.members());
    if (entry?.status === 'wanted' && obstacle !== undefined) throw mayRunNowhere(slot, timeout, obstacle);
    const error = 'no node started it in time';
    const failed = (current?: VersionedEntry): ProcessEntry | undefined =>
      current?.confirmed === false && !isEnded(current.status) ? { ...current, status: 'failed', error } : undefined;
    const isGivenUp = await this.#patiently('giving up a process', () => this.table.change(name, failed)).then(
      () => true,
      () => false,
    );
    throw notInTime(name, timeout, isGivenUp, seen);
  }

  /** Polls until `look` has something, woken by hints; `undefined` when the time is over. */
  async #until<R>(
    name: string,
    timeoutMs: number,
    look: (news: 'row' | undefined) => Promise<R | undefined>,
  ): Promise<R | undefined> {
    const deadline = performance.now() + timeoutMs;
    const patient = this.#patience('waiting for a process');
    let news: 'row' | undefined;
    for (;;) {
      let wake = (): void => undefined;
      const woken = new Promise<void>((resolve) => (wake = resolve));
      const heard: (News | undefined)[] = [];
      const hear = (what?: News): void => {
        heard.push(what);
        wake();
      };
      const stop = this.#awaited.listen(name, hear);
      const timer = setTimeout(hear, LOOK_EVERY_MS);
      try {
        const found = await patient(() => look(news));
        if (found !== undefined || performance.now() >= deadline) return found;
        await woken;
      } finally {
        clearTimeout(timer);
        stop();
      }
      news = heard.every((what) => what === 'row') ? 'row' : undefined;
    }
  }

  #ref<T>(owner: OwnerRecord, type?: Type<T>): ProcessRef<T> {
    this.calls.note(owner);
    const { name, node, epoch, since } = owner;
    return this.#refOf<T>({ name, node, epoch, startedAt: since, completed: false }, type);
  }

  /** Of an instance that has completed: an epoch is minted from the time of Redis in microseconds. */
  #ranRef<T>({ name, after, ranOn = '?' }: VersionedEntry, type?: Type<T>): ProcessRef<T> {
    const startedAt = Math.floor(after / 1000);
    return this.#refOf<T>({ name, node: ranOn, epoch: after, startedAt, completed: true }, type);
  }

  #refOf<T>(facts: Omit<ProcessRef<T>, 'stop' | keyof RemoteCalls<T>>, type?: Type<T>): ProcessRef<T> {
    const { name } = facts;
    return { ...facts, stop: () => this.stop(name), ...remoteCalls<T>(this.calls, { name, type }) };
  }

  /**
   * INVARIANT (I15): the number is the one that the cluster goes by at the time of each call, never one that was kept.
   */
  #partitionedRef<T>(name: string, known: number, type?: Type<T>): PartitionedRef<T> {
    const count = (): number => {
      const entry = this.table.get(name);
      return entry?.kind === 'partitioned' ? entry.count : known;
    };
    const indexOf = (key: string): number => {
      if (typeof key !== 'string') throw new ArgumentError(`${name}.for`, 'key', show(key), 'a text');
      return partitionOf(key, count());
    };
    return {
      name,
      get partitions() {
        return count();
      },
      partitionOf: indexOf,
      for: (key) => {
        const callee = { name: `${name}/${indexOf(key)}`, type };
        const locate = () => ({ name: `${name}/${indexOf(key)}`, partitions: count() });
        return remoteCalls<T>(this.calls, { ...callee, locate });
      },
      stop: () => this.stop(name),
    };
  }

  get #awaited(): Awaited {
    return (this.#waiting ??= new Awaited(this.backend, this.membership, this.table));
  }

  #names(): string[] {
    return this.table.processes().map(({ name }) => name);
  }

  /** The same as `#redis`, tried again for as long as a blip may last; only for what may be done twice. */
  async #patiently<R>(doing: string, call: () => Promise<R>): Promise<R> {
    const patient = this.#patience(doing);
    for (;;) {
      const done = await patient(async () => ({ result: await call() }));
      if (done !== undefined) return done.result;
      await new Promise((resolve) => setTimeout(resolve, BLIP_RETRY_MS));
    }
  }

  /** What it returns gives `undefined` instead of an error until Redis has been away for longer than a blip. */
  #patience(doing: string): <R>(call: () => Promise<R>) => Promise<R | undefined> {
    let since: number | undefined;
    return async (call) => {
      try {
        const result = await this.#redis(doing, call);
        since = undefined;
        return result;
      } catch (error) {
        since ??= performance.now();
        if (!(error instanceof RedisUnavailableError) || performance.now() - since >= BLIP_MS) throw error;
        return undefined;
      }
    };
  }

  /** ioredis' errors become ours, with the raw one as cause. */
  async #redis<R>(doing: string, call: () => Promise<R>): Promise<R> {
    if (this.membership.state === 'joining') await this.membership.whenReady();
    try {
      return await call();
    } catch (error) {
      if (isA(error, FoundationError)) throw error;
      throw redisError(this.backend.endpoint, doing, error);
    }
  }
}

/** What was learnt of the owners at the last look that Redis answered. */
function seenLast(seen: readonly OwnerRecord[] | undefined): string {
  if (seen === undefined) return 'Redis has not said who owns it.';
  if (seen.length === 0) return 'Nobody owned it at the last look.';
  const owners = seen
    .slice(0, 5)
    .map(({ name, node, epoch, state }) => `"${name}" on "${node}" (${state}, epoch ${epoch})`);
  const more = seen.length > owners.length ? ` and ${seen.length - owners.length} more` : '';
  return `At the last look there was ${owners.join(', ')}${more}.`;
}

function notInTime(
  name: string,
  timeout: number,
  isGivenUp: boolean,
  seen: readonly OwnerRecord[] | undefined,
): ProcessTimeoutError {
  const did = isGivenUp
    ? 'A process that never ran is marked as failed; others go on being tried.'
    : 'Redis did not answer, so it was not given up and may still start.';
  return new ProcessTimeoutError(
    name,
    'was not running on any node',
    timeout,
    `${seenLast(seen)} ${did}`,
    'Check with list() what it waits for, and that some node has its class as a provider.',
  );
}

function mayRunNowhere(name: string, timeout: number, obstacle: string): ProcessTimeoutError {
  return new ProcessTimeoutError(
    name,
    `waits, because ${obstacle}; it was not running`,
    timeout,
    'It starts by itself on the first node that may run it.',
    `Start such a node, or take it back with stop("${processOf(name)}").`,
  );
}
