/**
 * What callers get to see of a process: where it runs, how to call it, and what the cluster knows of it.
 */
import type { RestartPolicyName } from '../config/options.js';
import type { CallOptions } from '../calls/call.client.js';
import type { ProcessKind } from '../cluster/slot.names.js';

/** What is assumed of a process whose class the caller does not name: any method, checked by its owner. */
export type AnyProcess = Record<string, (...args: unknown[]) => unknown>;

/** The hooks that Foundation calls; nobody else does. */
type Hook = 'onProcessStart' | 'onProcessStop' | 'onHandoff';

/** Names of the methods of `T`, without the hooks. */
export type MethodNames<T> = {
  [K in keyof T]: T[K] extends (...args: never[]) => unknown ? (K extends Hook ? never : K) : never;
}[keyof T] &
  string;

/** The methods of `T` as a caller on any node has them: asynchronous. What is not marked `@Callable()` refuses. */
export type Remote<T> = {
  readonly [K in MethodNames<T>]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

/** The ways to call a process. */
export interface RemoteCalls<T = AnyProcess> {
  /**
   * Calls a `@Callable()` method on the node that owns the process, and resolves with its result.
   *
   * Underneath: PUBLISH to the owner's `…:inbox:<bootId>`, the answer comes back to this node's; nothing leaves the process
   * when this node is the owner. While nobody owns it, it waits for an owner until the timeout (default 5000 ms).
   *
   * @throws RemoteError with what the method threw; `CallRefusedError` when it was not carried out; `CallTimeoutError` and
   * `CallInterruptedError` when the outcome is unknown.
   */
  call<K extends MethodNames<T>>(
    method: K,
    ...args: T[K] extends (...args: infer A) => unknown ? A : never
  ): Promise<T[K] extends (...args: never[]) => infer R ? Awaited<R> : never>;
  /** The same without waiting for the method; what it throws is logged by its node. */
  cast<K extends MethodNames<T>>(
    method: K,
    ...args: T[K] extends (...args: infer A) => unknown ? A : never
  ): Promise<void>;
  /** The same as methods: `await ref.remote.lastPrice('ABC')`. */
  readonly remote: Remote<T>;
  /** The same calls with a timeout or a signal of their own. */
  with(options: CallOptions): RemoteCalls<T>;
}

/**
 * A process that was running when it was looked up. Calls find it wherever it is by then.
 *
 * A job may be over before whoever started it hears that it runs. Then `completed` is true, and the rest is said of the
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
 * Where a process stands: `waiting` has no owner yet, `lost` is a temporary process whose node died; the other words are
 * those of the supervisor.
 */
export type ProcessState =
  'running' | 'starting' | 'waiting' | 'backing-off' | 'completed' | 'stopped' | 'failed' | 'escalated' | 'lost';

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
  /** With `waiting`: why no node may run it, such as `no node has the label role=worker`; absent when one may. */
  reason?: string;
  /** How often it has crashed since it was started or restarted by a call; absent = never. */
  crashes?: number;
}
