/**
 * What calls need of the rooms that have something to be called, and of what knows where it is.
 * Implemented by instances, services and the control of a node, and by the process registry.
 */
import type { Lease, OwnerRecord } from '../backend/leases/leases.js';
import type { ProcessKind } from '../cluster/slot.names.js';
import type { CallMark } from './call.marks.js';

/**
 * Something on this node that answers calls: an instance of a process, an object that is a service, the node itself.
 */
export interface Callee {
  readonly target: object | undefined;
  lease: Pick<Lease, 'epoch' | 'isHeld'>;
  /** What it is an instance of; a service is of nothing. */
  spec?: { readonly kind: ProcessKind; readonly count: number };
  call<T>(work: () => T | Promise<T>): Promise<T>;
}

/**
 * Knows some of what answers calls on this node, each by a name of its own: no process has a colon in its name.
 */
export interface CalleeLookup {
  running(name: string): Callee | undefined;
}

/** Knows which node owns a process whose start is over: the process registry. */
export interface OwnerLookup {
  running(name: string): Promise<OwnerRecord | undefined>;
  /** What a node with the class says of a method; `undefined` also as long as this node does not know the process. */
  mark(name: string, method: string): CallMark | undefined;
}
