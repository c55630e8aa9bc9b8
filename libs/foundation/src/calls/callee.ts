/**
 * What calls need of the rooms that have something to be called, and of what knows where it is.
 * Implemented by instances, services and the control of a node, and by the process registry.
 */
import type { Lease, OwnerRecord } from '../backend/leases/leases.js';
import type { ProcessCount, ProcessKind } from '../cluster/slot.names.js';
import type { ContextValues } from '../context/context.hook.js';
import type { Handled } from '../enhancers/enhancers.js';
import type { CallMark } from './call.marks.js';

/** A call of a `@Callable` method, as guards, interceptors, filters and parameter decorators see it. */
export interface CallHost extends Handled {
  kind: 'call';
  /** Name of the process or of the service that is called. */
  name: string;
  method: string;
  /** As they came, before the pipes. */
  args: readonly unknown[];
  /** What the application of the caller had travel with it; see the option `context`. */
  context: ContextValues;
}

/**
 * Something on this node that answers calls: an instance of a process, an object that is a service, the node itself.
 */
export interface Callee {
  readonly target: object | undefined;
  lease: Pick<Lease, 'epoch' | 'isHeld'>;
  /** What it is an instance of; a service is of nothing. */
  spec?: { readonly kind: ProcessKind; readonly count: ProcessCount };
  call<T>(work: () => T | Promise<T>): Promise<T>;
  /** The same, when it can tell what is over at once: that is returned, or thrown, at once. */
  readonly carryOut?: <T>(work: () => T | Promise<T>) => T | Promise<T>;
  /** What its figures are kept under. Default: the process of its name. */
  readonly subject?: string;
  /** It is Foundation that is called, not the application. */
  readonly isInternal?: true;
  /**
   * Calls `heard` when no caller should wait any longer for the calls under way here, because it has ended; returns
   * what takes that back. Absent for what does not end while the node is there.
   */
  readonly onGivenUp?: (heard: () => void) => () => void;
}

/**
 * Knows some of what answers calls on this node, each by a name of its own: no process has one that begins as theirs.
 */
export interface CalleeLookup {
  running(name: string): Callee | undefined;
}

/** Why a process has no owner. */
export interface Absence {
  /** A sentence or two for the caller. */
  why: string;
  /** True when it stays down until a command, as Redis says: no owner comes while a call waits. */
  isFinal: boolean;
}

/** Knows which node owns a process whose start is over: the process registry. */
export interface OwnerLookup {
  running(name: string): Promise<OwnerRecord | undefined>;
  /** Asked after {@link running} has found none. */
  absence(name: string): Promise<Absence>;
  /** What a node with the class says of a method; `undefined` also as long as this node does not know the process. */
  mark(name: string, method: string): CallMark | undefined;
}
