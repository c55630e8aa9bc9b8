/** Pure: where a call goes and how long it may take, as the parts of the calls say it to each other. */
import type { CallSubject } from '../errors/call.errors.js';
import type { Duration } from '../time/duration.js';
import type { CallMark } from './call.marks.js';

/** Where a call goes. */
export interface CallTarget {
  name: string;
  node: string;
  bootId: string;
  epoch: number;
  /** For a partition: of how many the caller takes it to be one. */
  partitions?: number;
  /** It is Foundation that calls, not the application. */
  isInternal?: true;
}

/** Options of one call. */
export interface CallOptions {
  /** Milliseconds, or a text such as `'30s'`. Default: that of `@Callable`, then `calls.timeout`. */
  timeout?: Duration;
  /** Gives up waiting; what was sent may still be carried out. */
  signal?: AbortSignal;
}

/** Options of a call to a known place. */
export interface CallAtOptions extends CallOptions {
  /** What `@Callable()` says of the method there. */
  mark?: CallMark | undefined;
  /** When the first attempt began, by the clock of the node: the time of a call is that of all its attempts. */
  since?: number;
}

/** The same with the timeout that counts. */
export interface TimedCall extends CallOptions {
  /** Milliseconds. */
  timeout: number;
  /** The method is marked so; said in the errors. */
  idempotent?: boolean;
}

/** What the errors of a call say it was about. */
export function subjectOf(
  { name, node, isInternal }: Pick<CallTarget, 'name' | 'node' | 'isInternal'>,
  method: string,
  idempotent = false,
): CallSubject {
  const more = { ...(idempotent ? { idempotent } : {}), ...(isInternal === true ? { isInternal } : {}) };
  return { processName: name, method, node, ...more };
}
