/**
 * What callers get to see of a process: where it runs, how to call it, and what the cluster knows of it.
 */
import type { AnyProcess, RemoteCalls } from '../calls/remote.proxy.js';
import type { ProcessKind } from '../cluster/slot.names.js';
import type { RestartPolicyName } from '../config/options.js';

/**
 * A process that was running when it was looked up. Calls find it wherever it is by then.
 *
 * A job may be over before its caller learns that it runs. Then `completed` is true, and the rest is said of the
 * instance that completed; a call waits for another one to be started, until its timeout.
 */
export interface ProcessRef<T = AnyProcess> extends RemoteCalls<T> {
  readonly name: string;
  /** Name of the node that owned it. */
  readonly node: string;
  /** The owner's fencing token; a higher one means that it was started again since. */
  readonly epoch: number;
  /** Milliseconds since 1970 by the Redis clock, when this ownership began. */
  readonly startedAt: number;
  /** True for a job that had run to its end already; false for one that was running. */
  readonly completed: boolean;
  /** Stops it in the whole cluster; see {@link ProcessManager.stop}. */
  stop(): Promise<void>;
}

/** The partitions of a process. */
export interface PartitionedRef<T = AnyProcess> {
  readonly name: string;
  /** How many there are now: one number for the whole cluster, which changes when all nodes declare another one. */
  readonly partitions: number;
  /** The partition of a key, 0 to `partitions` − 1; the same on all nodes. */
  partitionOf(key: string): number;
  /** The ways to call the partition that a key belongs to. */
  for(key: string): RemoteCalls<T>;
  /** Stops all partitions. */
  stop(): Promise<void>;
}

/** What became of one replica. */
export type StartResult<T = AnyProcess> =
  { ok: true; node: string; ref: ProcessRef<T> } | { ok: false; node: string; error: Error };

/**
 * Where a process stands: `waiting` has no owner yet, `lost` is a temporary process whose node died; `orphaned`
 * was declared by a release before, and no node declares it any longer; the other words are those of the supervisor.
 */
export type ProcessState =
  | 'running'
  | 'starting'
  | 'waiting'
  | 'backing-off'
  | 'completed'
  | 'stopped'
  | 'failed'
  | 'escalated'
  | 'lost'
  | 'orphaned';

/** A line of `list()`. */
export interface ProcessInfo {
  /** `name`, `name#<replica>`, `name/<partition>` or `name@<node>`. */
  name: string;
  /** Name of the class. */
  type: string;
  kind: ProcessKind;
  state: ProcessState;
  restart: RestartPolicyName;
  /** The owner, if there is one. */
  node?: string;
  epoch?: number;
  /** Milliseconds since 1970 by the Redis clock. */
  startedAt?: number;
  /** The last failure. */
  error?: string;
  /** Its stack and those of its causes, cut to some 2,000 characters; where the failure was an error. */
  stack?: string;
  /** With `waiting`: why no node may run it, such as `no node has the label role=worker`; absent when one may. */
  reason?: string;
  /** How often it has crashed since it was started or restarted by a call; absent = never. */
  crashes?: number;
}
