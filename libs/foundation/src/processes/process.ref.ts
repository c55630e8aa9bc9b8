/**
 * What callers get to see of a process: where it runs, how to call it, and what the cluster knows of it.
 */
import type { Gathered, GatherOptions } from '../calls/gathering.js';
import type { AnswerOf, AnyProcess, MethodNames, RemoteCalls } from '../calls/remote.proxy.js';
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

/** The ways to call all replicas or partitions of a process at once. */
export interface ProcessGroup<T = AnyProcess> {
  readonly name: string;
  /**
   * Calls a `@Callable()` method of each replica or partition, and collects what they answer: one answer for each, with
   * its node and its name. Never rejects because one of them fails, is late or dies: `missing` has it with the reason,
   * and `complete` is then false.
   *
   * Underneath: a call for each, as {@link RemoteCalls.call} makes it, all at the same time.
   *
   * Expected to answer is each replica or partition that should run. One without an owner is waited for until the
   * timeout, as a call waits; a replica of a node that dies is `left` at once, and so is a partition whose method had
   * begun there, unless the method is idempotent: then the next owner is called.
   *
   * @throws UnknownProcessError, `CallRefusedError` for a method that is not callable, `ArgumentError`,
   * `NotReadyError` without a cluster, `LimitError` for more than 1,000 at a time; the reason of the signal.
   */
  call<K extends MethodNames<T>>(
    method: K,
    ...args: T[K] extends (...args: infer A) => unknown ? A : never
  ): Promise<Gathered<T[K] extends (...args: never[]) => infer R ? AnswerOf<R> : never>>;
  /** The same calls with a timeout, a number of answers that are enough, or a signal. */
  with(options: GatherOptions): ProcessGroup<T>;
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
