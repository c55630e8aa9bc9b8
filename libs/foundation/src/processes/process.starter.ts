/**
 * Starts processes on request: checks the arguments, writes the row that says what should run, and waits for it.
 * Used by the facade. Underneath: one row of the process table; the supervisors of the cluster do the rest.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Type } from '@nestjs/common';
import type { Leases } from '../backend/leases/leases.js';
import { marksOf } from '../calls/call.marks.js';
import type { ClusterView } from '../cluster/cluster.view.js';
import { partitionsOf, type ProcessCount, type ProcessKind, slotNames } from '../cluster/slot.names.js';
import type { FoundationConfig, ResolvedProcessDefaults } from '../config/config.js';
import type { IssuedCommands } from '../context/actor.js';
import { ArgumentError, FoundationConfigError } from '../errors/config.errors.js';
import { asError, isA, show } from '../errors/describe.js';
import { LimitError } from '../errors/limit.errors.js';
import { ProcessDeclarationError } from '../errors/process.errors.js';
import { checkOptions } from '../foreign/given.options.js';
import { metadataOf, type ProcessOptions } from './declaration/process.decorators.js';
import { type ProcessSpec, specOf, type SpecRequest } from './declaration/process.specification.js';
import type { Patience } from './patience.js';
import { misfitOf } from './placement/placement.exclusion.js';
import type { PartitionedRef, ProcessRef, StartResult } from './process.ref.js';
import type { ProcessRefs } from './process.refs.js';
import type { ProcessRegistry } from './process.registry.js';
import type { ProcessWaiter } from './process.waiter.js';
import type { ReplacedProcesses } from './replaced.processes.js';
import { ownershipOf } from './supervision/name.ownership.js';
import type { Supervisor } from './supervision/supervisor.js';
import { isEnded, type ProcessEntry, type ProcessTable, type VersionedEntry } from './table/process.table.js';

/** So many rows the process table may have before it takes no new name: each of them is kept by every node. */
export const MAX_PROCESSES = 100_000;

/** What the starter needs. */
export interface ProcessStarterParts {
  config: Pick<FoundationConfig, 'processes'>;
  leases: Pick<Leases, 'grace'>;
  membership: ClusterView;
  table: ProcessTable;
  registry: ProcessRegistry;
  supervisor: Pick<Supervisor, 'knows' | 'exempt'>;
  refs: ProcessRefs;
  waiter: ProcessWaiter;
  patience: Patience;
  replaced: ReplacedProcesses;
  commands: Pick<IssuedCommands, 'issued'>;
}

/** What a call requests to be started. */
export interface StartRequest {
  /** For errors. */
  call: string;
  type: Type<unknown>;
  kind: ProcessKind;
  count: ProcessCount;
  args: unknown[] | undefined;
  options: ProcessOptions;
}

/** What was started, and whether the row was written just now and no owner was reported since. */
interface Started {
  spec: ProcessSpec;
  isNew: boolean;
}

/** See the file header. */
export class ProcessStarter {
  constructor(private readonly parts: ProcessStarterParts) {}

  /** See `ProcessManager.startSingleton`. */
  async singleton<T>(type: Type<T>, args: unknown[] | undefined, options: ProcessOptions): Promise<ProcessRef<T>> {
    const call = 'startSingleton';
    checkStart(call, type, options);
    const replaced = await this.#replaced(type, options);
    if (replaced !== undefined) return replaced;
    const { spec, isNew } = await this.#start({ call, type, kind: 'singleton', count: 1, args, options });
    return this.parts.waiter.running<T>({ name: spec.name, after: 0, startTimeout: spec.options.timeout, type, isNew });
  }

  /** See `ProcessManager.startReplicated`. */
  async replicated<T>(
    type: Type<T>,
    args: unknown[] | undefined,
    given: ProcessOptions & { replicas?: number | 'all' },
  ): Promise<StartResult<T>[]> {
    const call = 'startReplicated';
    checkStart(call, type, given);
    const { replicas = 'all', ...options } = given;
    const replaced = await this.#replaced(type, options);
    if (replaced !== undefined) return [{ ok: true, node: replaced.node, ref: replaced }];
    const { spec } = await this.#start({ call, type, kind: 'replicated', count: replicas, args, options });
    const entry = this.parts.table.get(spec.name);
    // The nodes that are meant: a label that one lacks is no failure of it.
    const nodes = this.parts.membership
      .members()
      .filter(({ state }) => state !== 'draining')
      .filter((member) => entry === undefined || misfitOf({ ...entry, declared: false }, member) === undefined);
    const slots =
      replicas === 'all'
        ? nodes.map(({ name: node }) => ({ slot: slotNames(spec, node)[0]!, node }))
        : slotNames(spec, '').map((slot) => ({ slot, node: '?' }));
    return Promise.all(
      slots.map(async ({ slot, node }): Promise<StartResult<T>> => {
        try {
          const wanted = { name: slot, after: 0, startTimeout: spec.options.timeout, type };
          const ref = await this.parts.waiter.running<T>(wanted);
          return { ok: true, node: ref.node, ref };
        } catch (error) {
          return { ok: false, node, error: asError(error) };
        }
      }),
    );
  }

  /** See `ProcessManager.startPartitioned`. */
  async partitioned<T>(
    type: Type<T>,
    args: unknown[] | undefined,
    given: ProcessOptions & { partitions?: number },
  ): Promise<PartitionedRef<T>> {
    const call = 'startPartitioned';
    checkStart(call, type, given);
    const { partitions, ...options } = given;
    const replaced = await this.#replaced(type, options);
    if (replaced !== undefined) {
      const { name } = replaced;
      return this.parts.refs.ofPartitions<T>(name, this.parts.replaced.partitions(name) ?? 1, type);
    }
    const metadata = metadataOf(type);
    const declared = metadata?.kind === 'partitioned' ? metadata.count : undefined;
    const count = partitions ?? declared ?? 64;
    const { spec } = await this.#start({ call, type, kind: 'partitioned', count, args, options });
    await this.parts.waiter.allRunning(spec);
    return this.parts.refs.ofPartitions<T>(spec.name, partitionsOf(spec)!, type);
  }

  /** What the application provides in place of the class is there, and needs no start. */
  async #replaced<T>(type: Type<T>, options: ProcessOptions): Promise<ProcessRef<T> | undefined> {
    const { replaced, membership, refs } = this.parts;
    if (!replaced.has(type)) return undefined;
    await membership.whenReady();
    return refs.ofOwner<T>(replaced.start(type, options.name), type);
  }

  async #start({ call, type, kind, count, args, options: given }: StartRequest): Promise<Started> {
    const { config, membership, supervisor, waiter, patience } = this.parts;
    const subject = subjectOf(call, type);
    const metadata = metadataOf(type);
    const { args: declaredArgs = [], ...declaredOptions } = metadata?.options ?? {};
    const declared = metadata?.kind === kind && given.name === undefined;
    const options = { ...declaredOptions, ...given };
    const marks = marksOf(type.prototype, subject);
    const request = { subject, type: type.name, declared, kind, count, options, args: args ?? declaredArgs, marks };
    const spec = specOfCall(request, config.processes);
    await membership.whenReady();
    if (!supervisor.knows(type)) {
      const expected =
        'a provider of this application whose class name no other one has, and of a module that is not loaded lazily';
      throw new ArgumentError(subject, 'type', `the class ${type.name}`, expected);
    }
    supervisor.exempt(spec.name);
    let isHeard = false;
    const stop = waiter.listen(spec.name, (news) => (isHeard ||= news === 'owner'));
    try {
      const isWritten = await patience.retry('starting a process', this.#want(spec));
      if (isWritten) this.parts.commands.issued('start', { process: spec.name });
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
    const { table } = this.parts;
    let before: number | undefined;
    return async () => {
      if (before === undefined) {
        // What the table says now was so before this call; what it says later may be what this very call has started.
        await table.sync();
        before = table.get(spec.name)?.after ?? -1;
      }
      const { name } = spec;
      for (let dead = 0; ;) {
        let unsure = 0;
        let isWritten = false;
        await table.change(name, (current) => {
          unsure = current?.status === 'once' && current.version !== dead ? current.version : 0;
          const started = unsure > 0 ? undefined : this.#started(spec, current, before ?? -1);
          isWritten = started !== undefined;
          return started;
        });
        // INVARIANT (I13): the owner is queried after the row said that it was started, and the row is changed only
        // while it is that very row. Queried before, the owner of a start that was won in between would be missed.
        if (unsure === 0) return isWritten;
        if (await this.#isOwned(name)) return false;
        dead = unsure;
      }
    };
  }

  async #isOwned(name: string): Promise<boolean> {
    const { leases, registry } = this.parts;
    for (;;) {
      const ownership = await ownershipOf(leases, async () => [await registry.owner(name)]);
      if (ownership.state !== 'unknown') return ownership.state === 'owned';
      await pause(ownership.graceMs);
    }
  }

  /** The row that starts it; nothing when it runs, or has run since the epoch `before`. */
  #started(spec: ProcessSpec, current: VersionedEntry | undefined, before: number): ProcessEntry | undefined {
    const { table } = this.parts;
    if (current === undefined && table.size >= MAX_PROCESSES) {
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
    // Two calls at the same time start one, however quick it is.
    const isOutcome = current !== undefined && current.status !== 'stopped' && current.after > before;
    if (isOutcome && !dead) return undefined;
    const after = Math.max(table.floor(spec.name), dead ? current.after + 1 : 0);
    // The number of a declared process is that of the cluster, and only a change that all nodes agree about changes it.
    const count = current?.declared === true && spec.declared ? current.count : spec.count;
    return { ...spec, count, status: 'wanted', after, confirmed: false };
  }
}

/** Before options are spread, which would make nothing of what has no fields of its own. @throws ArgumentError */
function checkStart(call: string, type: unknown, given: unknown): void {
  const subject = subjectOf(call, type);
  if (typeof type !== 'function' || !type.name) throw new ArgumentError(subject, 'type', show(type), 'a class');
  checkOptions(subject, given, 'opts');
}

function subjectOf(call: string, type: unknown): string {
  return `${call}(${typeof type === 'function' ? type.name : show(type)})`;
}

/** As `specOf`; what is wrong with an option is the argument of a call here: the application started long ago. */
function specOfCall(request: SpecRequest, defaults: ResolvedProcessDefaults): ProcessSpec {
  try {
    return specOf(request, defaults);
  } catch (error) {
    if (!isA(error, FoundationConfigError)) throw error;
    const { subject } = request;
    throw new ArgumentError(subject, error.option.replace(`${subject}.`, ''), error.received, error.expected);
  }
}
