/**
 * Pure: what came of a call → its result, or the error that says why there is none. Used by `call.router.ts` and
 * `call.client.ts`.
 */
import {
  CallInterruptedError,
  CallRefusedError,
  type CallSubject,
  CircularWaitError,
  RemoteError,
} from '../errors/call.errors.js';
import { NotReadyError } from '../errors/cluster.errors.js';
import { RedisRefusedError, RedisUnavailableError } from '../errors/connection.errors.js';
import { describe, isA } from '../errors/describe.js';
import type { FoundationError } from '../errors/foundation.error.js';
import { OverloadedError } from '../errors/limit.errors.js';
import type { CallReply } from './call.codec.js';

/**
 * What came of one attempt: an answer of the owner, or an interruption that leaves it open whether it was carried out.
 */
export type Answer =
  | {
      subject: CallSubject;
      reply: Exclude<CallReply, { outcome: 'interrupted' }>;
      interrupted?: undefined;
      hasEnded?: undefined;
    }
  /** `hasEnded`: its node says that the instance is no more. */
  | { subject: CallSubject; reply?: undefined; interrupted: CallInterruptedError; hasEnded?: true };

/** What the caller is given, or the error that it is. */
export function resultOf({ subject, reply, interrupted }: Answer): unknown {
  if (interrupted !== undefined) throw interrupted;
  switch (reply.outcome) {
    case 'value':
      return reply.value;
    case 'error':
      throw new RemoteError(subject, reply.error);
    case 'stale':
      throw notRunning(subject);
    case 'not-callable':
      throw notCallable(subject);
    case 'busy':
      throw new CallRefusedError(subject, 'busy', 'Call less often, or raise calls.concurrency and calls.queue.');
  }
}

/** After these nothing was sent. */
const NOT_SENT: readonly (abstract new (...args: never[]) => FoundationError)[] = [
  CallRefusedError,
  CircularWaitError,
  NotReadyError,
  RedisUnavailableError,
  RedisRefusedError,
];

/** True when the attempt that ended in this error was not carried out. */
export function isNotSent(error: unknown): boolean {
  return NOT_SENT.some((type) => isA(error, type));
}

export function notRunning(
  subject: CallSubject,
  why = subject.isInternal === true
    ? 'Look with members() whether it is still there, and ask again if it is.'
    : 'Look with list() what it waits for, or call again later.',
): CallRefusedError {
  return new CallRefusedError(subject, 'not-running', why);
}

export function notCallable(subject: CallSubject): CallRefusedError {
  const advice =
    subject.isInternal === true ? 'Bring it to this version.' : `Mark it: @Callable() ${subject.method}(…).`;
  return new CallRefusedError(subject, 'not-callable', advice);
}

/** What a call ends in that could not be handed to the transport. */
export function failureOf(subject: CallSubject, error: unknown): Error {
  // It was refused before it left.
  if (error instanceof OverloadedError) return error;
  // A PUBLISH without an answer may have arrived.
  return new CallInterruptedError(subject, `Redis did not confirm that it passed it on: ${describe(error)}`);
}
