/**
 * Every error Foundation throws. Each builds its own sentence in one order:
 * subject, what failed (and in which tool), what Foundation did, what you can do.
 */
import { plain } from './describe.js';

/** The codes of {@link FoundationError.code}; stable across minor versions. */
export type FoundationErrorCode =
  | 'FOUNDATION_CONFIG'
  | 'FOUNDATION_MISSING_PACKAGE'
  | 'FOUNDATION_PACKAGE_VERSION'
  | 'FOUNDATION_REDIS_REFUSED'
  | 'FOUNDATION_REDIS_UNAVAILABLE'
  | 'FOUNDATION_DIRECT_LISTEN'
  | 'FOUNDATION_TOPOLOGY'
  | 'FOUNDATION_REDIS_NOT_FOUND'
  | 'FOUNDATION_COOKIE_MISMATCH'
  | 'FOUNDATION_DUPLICATE_NODE'
  | 'FOUNDATION_NOT_READY'
  | 'FOUNDATION_LEASE_LOST'
  | 'FOUNDATION_STALE_EPOCH'
  | 'FOUNDATION_DECLARATION'
  | 'FOUNDATION_PROCESS_DECLARATION'
  | 'FOUNDATION_PROCESS_LOST'
  | 'FOUNDATION_PROCESS_START'
  | 'FOUNDATION_PROCESS_TIMEOUT'
  | 'FOUNDATION_PROCESS_UNKNOWN'
  | 'FOUNDATION_CALL_INTERRUPTED'
  | 'FOUNDATION_CALL_TIMEOUT'
  | 'FOUNDATION_CALL_REFUSED'
  | 'FOUNDATION_INVALID_ARGUMENTS'
  | 'FOUNDATION_CIRCULAR_WAIT'
  | 'FOUNDATION_ARGUMENT'
  | 'FOUNDATION_CHANNEL_UNKNOWN'
  | 'FOUNDATION_SERVICE_UNKNOWN'
  | 'FOUNDATION_MESSAGE_INVALID'
  | 'FOUNDATION_MESSAGE_TOO_LARGE'
  | 'FOUNDATION_MESSAGE_UNACKNOWLEDGED'
  | 'FOUNDATION_MESSAGE_NOT_SAFE'
  | 'FOUNDATION_OVERLOADED'
  | 'FOUNDATION_LIMIT'
  | 'FOUNDATION_REQUEST'
  | 'FOUNDATION_CONFLICT'
  | 'FOUNDATION_CONFIG_VALUE'
  | 'FOUNDATION_CONFIG_QUORUM'
  | 'FOUNDATION_CONFIG_CONFLICT'
  | 'FOUNDATION_CONFIG_OUTCOME'
  | 'FOUNDATION_MANUAL_CLOCK';

/** The longest message, in characters; it holds a few texts of others, each of which is cut to 1000. */
const MAX_MESSAGE = 10_000;

/**
 * The base of every error Foundation throws.
 *
 * `code` is for programs, `message` for people, `tool` names the library or Redis command beneath, and `cause` holds
 * that library's own error where there is one.
 */
export class FoundationError extends Error {
  constructor(
    readonly code: FoundationErrorCode,
    /** The tool that failed: `ioredis`, `redlock`, `bullmq`, `foundation`, or a raw call such as `redlock.acquire`. */
    readonly tool: string,
    message: string,
    cause?: unknown,
  ) {
    super(plain(message, MAX_MESSAGE), cause === undefined ? undefined : { cause });
    this.name = new.target.name;
  }
}
