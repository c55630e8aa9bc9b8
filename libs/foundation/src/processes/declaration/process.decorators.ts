/**
 * Marks a class as a process of the cluster. Sets metadata and nothing else; the explorer reads it.
 */
import { Injectable, type InjectableOptions, type Type } from '@nestjs/common';
import { SCOPE_OPTIONS_METADATA } from '@nestjs/common/constants.js';
import type { ProcessCount, ProcessKind } from '../../cluster/slot.names.js';
import type { ProcessDefaults } from '../../config/options.js';
import { markClass } from '../../decorated.js';
import { checkOptions } from '../../foreign/given.options.js';
import type { PlacementName } from '../placement/placement.exclusion.js';
import { noteInjectable } from './process.tokens.js';

/** Metadata key; `Symbol.for`, so that two copies of the package see each other's marks. */
export const PROCESS_METADATA = Symbol.for('foundation:process');

/** Options of a process, in a decorator or a start call. What is left out comes from the module's `processes`. */
export interface ProcessOptions extends ProcessDefaults {
  /** Default: the name of the class. Name it yourself when the code is minified. */
  name?: string;
  /**
   * Who takes it: `spread` (the least loaded; default), `hash` (the same node for the same name; default of
   * partitions), or `{ strategy, labels }` for nodes that have those labels only: while there is none it waits.
   */
  placement?: PlacementName | { strategy?: PlacementName; labels?: Record<string, string> };
  /**
   * True: on a planned move `onHandoff()` of the instance that ends returns a state, and the next one has it as
   * `ctx.handoff`. Default false.
   */
  handoff?: boolean;
  /**
   * `on-join`: moves to a node that suits better when one joins, a few at a time, by planned hand-over. `off`: stays
   * where it is as long as it may run there. Default `on-join`, and `off` for replicas.
   */
  rebalance?: RebalanceName;
}

/** When a process moves without need. */
export type RebalanceName = 'off' | 'on-join';

/** Options of {@link Singleton}. */
export interface SingletonOptions extends ProcessOptions {
  /** Given to each instance as `ctx.args`; must survive JSON. */
  args?: unknown[];
}

/** What the decorator leaves on the class. */
export interface ProcessMetadata {
  kind: ProcessKind;
  count: ProcessCount;
  options: SingletonOptions;
}

/** Options of {@link Replicated}. */
export interface ReplicatedOptions extends SingletonOptions {
  /** How many in the whole cluster. Default `all`: one on every node, those that join later included. */
  replicas?: number | 'all';
}

/** Options of {@link Partitioned}. */
export interface PartitionedOptions extends SingletonOptions {
  /** Into how many parts the keys are divided. Default 64; must be the same on all nodes. */
  partitions?: number;
}

/**
 * Exactly one instance of this class runs in the cluster; it moves when its node leaves or dies.
 *
 * Underneath: a Redlock lease on `…:lease:<name>`, a new instance from `ModuleRef.create` for each start.
 *
 * The class must also be listed as a provider, in every application of the cluster that may run it. Gotchas: Nest makes
 * an instance of its own, which is never started and which nobody is given, so keep the constructor free of effects;
 * whoever needs the process injects calls to it with `@InjectSingleton`, as who injects the class is refused at start;
 * `onProcessStart` and `onProcessStop` stand for the hooks of Nest; and the class must not be request-scoped, nor
 * depend on something that is.
 */
export function Singleton(options: SingletonOptions = {}): ClassDecorator {
  return markProcess('@Singleton', options, () => ({ kind: 'singleton', count: 1, options }));
}

/**
 * An instance of this class runs on every node, or on as many as `replicas` says, spread over the cluster and refilled
 * after a death.
 *
 * Underneath: with a number, one Redlock lease for each replica on `…:lease:<name>#<i>`; with `all` no lease, the
 * node's own record says how its instance is doing, and it goes on while the node is cut off from Redis.
 */
export function Replicated(options: ReplicatedOptions = {}): ClassDecorator {
  return markProcess('@Replicated', options, () => {
    const { replicas = 'all', ...others } = options;
    return { kind: 'replicated', count: replicas, options: others };
  });
}

/**
 * Keys are divided into partitions, and each partition has exactly one instance of this class in the cluster. When a
 * node joins or dies only its share of the partitions moves.
 *
 * Underneath: one Redlock lease for each partition on `…:lease:<name>/<i>`, placed by rendezvous hashing.
 */
export function Partitioned(options: PartitionedOptions = {}): ClassDecorator {
  return markProcess('@Partitioned', options, () => {
    const { partitions = 64, ...others } = options;
    return { kind: 'partitioned', count: partitions, options: others };
  });
}

/** The mark a decorator left on the class itself; not an inherited one. */
export function metadataOf(type: Type<unknown>): ProcessMetadata | undefined {
  return Reflect.getOwnMetadata(PROCESS_METADATA, type) as ProcessMetadata | undefined;
}

function markProcess(decorator: string, given: unknown, read: () => ProcessMetadata): ClassDecorator {
  const mark = markClass(PROCESS_METADATA, decorator, (place) => {
    checkOptions(`${decorator}() ${place}`, given);
    return read();
  });
  return (target) => {
    mark(target);
    // With the scope that an @Injectable() below has said: the explorer refuses it, so it must not be lost here.
    Injectable(Reflect.getOwnMetadata(SCOPE_OPTIONS_METADATA, target) as InjectableOptions | undefined)(target);
    noteInjectable(target as unknown as Type<unknown>);
  };
}
