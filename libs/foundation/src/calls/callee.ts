/**
 * What calls need of the rooms that have something to be called, and of whoever knows where it is.
 * Implemented by instances, services and the control of a node, and by the process registry.
 */
import type { Lease, OwnerRecord } from '../backend/leases/leases.js';
import type { ProcessKind } from '../cluster/slot.names.js';

/** What a call needs of an instance. */
export interface Reachable {
  readonly target: object | undefined;
  lease: Pick<Lease, 'epoch' | 'isHeld'>;
  /** What it is an instance of; a service is of nothing. */
  spec?: { readonly kind: ProcessKind; readonly count: number };
  call<T>(work: () => T | Promise<T>): Promise<T>;
}

/** Whoever knows the instances of this node that calls may reach: the supervisor, and the services. */
export interface Running {
  running(name: string): Reachable | undefined;
}

/** Whoever knows which node owns a process whose start is over: the process registry. */
export interface OwnerLookup {
  running(name: string): Promise<OwnerRecord | undefined>;
}
