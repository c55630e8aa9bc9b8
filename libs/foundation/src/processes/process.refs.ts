/**
 * Makes the refs that callers get: where a process runs, how to call it, and how to stop it.
 * Used by the facade and its parts. Underneath: `CallRouter`.
 */
import type { Type } from '@nestjs/common';
import type { OwnerRecord } from '../backend/leases/leases.js';
import type { CallRouter } from '../calls/call.router.js';
import { type RemoteCalls, remoteCalls } from '../calls/remote.proxy.js';
import { partitionOf, partitionsOf } from '../cluster/slot.names.js';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import type { PartitionedRef, ProcessRef } from './process.ref.js';
import type { ProcessTable, VersionedEntry } from './table/process.table.js';

/** See the file header. */
export class ProcessRefs {
  constructor(
    private readonly table: Pick<ProcessTable, 'get'>,
    private readonly calls: CallRouter,
    private readonly stop: (name: string) => Promise<void>,
  ) {}

  /** Of an instance that runs; its owner is remembered for the calls. */
  ofOwner<T>(owner: OwnerRecord, type?: Type<T>): ProcessRef<T> {
    this.calls.owners.note(owner);
    const { name, node, epoch, since } = owner;
    return this.#refOf<T>({ name, node, epoch, startedAt: since, completed: false }, type);
  }

  /** Of an instance that has completed: an epoch is minted from the time of Redis in microseconds. */
  ofCompleted<T>({ name, after, ranOn = '?' }: VersionedEntry, type?: Type<T>): ProcessRef<T> {
    const startedAt = Math.floor(after / 1000);
    return this.#refOf<T>({ name, node: ranOn, epoch: after, startedAt, completed: true }, type);
  }

  /**
   * INVARIANT (I15): the number is the one that the cluster goes by at the time of each call, never one that was kept.
   */
  ofPartitions<T>(name: string, known: number, type?: Type<T>): PartitionedRef<T> {
    const count = (): number => {
      const entry = this.table.get(name);
      return (entry === undefined ? undefined : partitionsOf(entry)) ?? known;
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

  #refOf<T>(facts: Omit<ProcessRef<T>, 'stop' | keyof RemoteCalls<T>>, type?: Type<T>): ProcessRef<T> {
    const { name } = facts;
    return { ...facts, stop: () => this.stop(name), ...remoteCalls<T>(this.calls, { name, type }) };
  }
}
