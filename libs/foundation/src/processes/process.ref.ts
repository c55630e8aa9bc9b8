/**
 * What callers get to see of a process: where it runs, and what the cluster knows of it.
 */
import type { RestartPolicyName } from '../config/options.js';

/** A process that was running when it was looked up. */
export interface ProcessRef<T = unknown> {
  readonly name: string;
  /** Name of the node that owned it. */
  readonly node: string;
  /** The owner's fencing token; a higher one means that it was started again since. */
  readonly epoch: number;
  /** Milliseconds since 1970 by the Redis clock, when this ownership began. */
  readonly startedAt: number;
  /** Stops it in the whole cluster; see {@link ProcessManager.stop}. */
  stop(): Promise<void>;
  /** Carries the type of the class; has no value. */
  readonly type?: T;
}

/**
 * Where a process stands: `waiting` has no owner yet, `lost` is a temporary process whose node died; the other words are
 * those of the supervisor.
 */
export type ProcessState =
  'running' | 'starting' | 'waiting' | 'backing-off' | 'completed' | 'stopped' | 'failed' | 'escalated' | 'lost';

/** A line of `list()`. */
export interface ProcessInfo {
  name: string;
  /** Name of the class. */
  type: string;
  state: ProcessState;
  restart: RestartPolicyName;
  /** The owner, if there is one. */
  node?: string;
  epoch?: number;
  /** Milliseconds since 1970 by the Redis clock. */
  startedAt?: number;
  /** The last failure. */
  error?: string;
}
