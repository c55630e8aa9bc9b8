/**
 * Finds processes: one by its name, the partitions of one, or all of them.
 * Used by the facade, and by the dashboard. Underneath: `ProcessRegistry`.
 */
import type { Type } from '@nestjs/common';
import type { AnyProcess } from '../calls/remote.proxy.js';
import { partitionsOf } from '../cluster/slot.names.js';
import { nameOf } from './declaration/process.target.js';
import type { Patience } from './patience.js';
import type { PartitionedRef, ProcessInfo, ProcessRef } from './process.ref.js';
import type { ProcessRefs } from './process.refs.js';
import type { ProcessRegistry } from './process.registry.js';
import type { ReplacedProcesses } from './replaced.processes.js';
import type { ProcessTable } from './table/process.table.js';

/** What the finder needs. */
export interface ProcessFinderParts {
  table: Pick<ProcessTable, 'get'>;
  registry: ProcessRegistry;
  refs: ProcessRefs;
  patience: Patience;
  replaced: Pick<ReplacedProcesses, 'partitions'>;
}

/** See the file header. */
export class ProcessFinder {
  constructor(private readonly parts: ProcessFinderParts) {}

  /** See `ProcessManager.lookupSingleton`. */
  async singleton<T = AnyProcess>(name: string | Type<T>): Promise<ProcessRef<T> | undefined> {
    const { registry, refs, patience } = this.parts;
    const known = nameOf(name);
    const owner = await patience.once('looking up a process', () => registry.running(known));
    return owner === undefined ? undefined : refs.ofOwner<T>(owner, typeof name === 'function' ? name : undefined);
  }

  /** See `ProcessManager.lookupPartitioned`. */
  partitioned<T = AnyProcess>(name: string | Type<T>): PartitionedRef<T> | undefined {
    const { table, refs, replaced } = this.parts;
    const known = nameOf(name);
    const entry = table.get(known);
    const partitions = replaced.partitions(known) ?? (entry === undefined ? undefined : partitionsOf(entry));
    if (partitions === undefined) return undefined;
    return refs.ofPartitions<T>(known, partitions, typeof name === 'function' ? name : undefined);
  }

  /**
   * See `ProcessManager.list`.
   *
   * @param choose picks those whose owners are queried out of what the replica says, where all that should run is
   * `waiting`.
   */
  async list(choose: (known: ProcessInfo[]) => ProcessInfo[] = (known) => known): Promise<ProcessInfo[]> {
    const { registry, patience } = this.parts;
    return patience.once('listing processes', () => registry.owned(choose(registry.known())));
  }
}
