/** Redis was not found, cannot be reached, or refused something. */
import { describe } from './describe.js';
import { FoundationError } from './foundation.error.js';

/** Redis answered, and the answer means that waiting will not help: wrong password, missing permission, too old. */
export class RedisRefusedError extends FoundationError {
  constructor(
    readonly endpoint: string,
    readonly reply: string,
    advice: string,
    cause?: unknown,
    /** What came of it. */
    consequence = 'Foundation did not start.',
  ) {
    super(
      'FOUNDATION_REDIS_REFUSED',
      'ioredis',
      `Redis at ${endpoint} refused this node (${reply}). ${consequence} ${advice}`,
      cause,
    );
  }
}

/**
 * Redis cannot be reached at the moment, or answers that it takes nothing now, such as writes while its disk is full.
 */
export class RedisUnavailableError extends FoundationError {
  constructor(
    readonly endpoint: string,
    doing: string,
    cause: unknown,
    /** What to do about an answer of Redis; none when it did not answer. */
    advice?: string,
  ) {
    super(
      'FOUNDATION_REDIS_UNAVAILABLE',
      'ioredis',
      advice === undefined
        ? `Redis at ${endpoint} cannot be reached (${doing}: ${describe(cause)}). Foundation keeps trying to connect. ` +
            `Check that Redis runs and that "redis" or FOUNDATION_REDIS_URL names it.`
        : `Redis at ${endpoint} answers and does not do this now (${doing}: ${describe(cause)}). Foundation keeps trying. ` +
            advice,
      cause,
    );
  }
}

/** Nothing says where the Redis of the cluster is. */
export class RedisNotFoundError extends FoundationError {
  constructor(
    /** What was tried, each with what came of it. */
    readonly tried: readonly string[],
  ) {
    super(
      'FOUNDATION_REDIS_NOT_FOUND',
      'foundation',
      `The Redis of the cluster was not found. Foundation did not start. Tried: ${tried.join('; ')}. Name it in "redis" or ` +
        `FOUNDATION_REDIS_URL, start one on 127.0.0.1:6379, or set cluster: false or FOUNDATION_CLUSTER=off to run inside one process.`,
    );
  }
}
