/**
 * Pure: what it means when Redis refuses something, and the error that says so. Needs no ioredis.
 * Called by all that asks Redis something for the application, and by the command line.
 */
import { NotReadyError } from './cluster.errors.js';
import { RedisRefusedError, RedisUnavailableError } from './connection.errors.js';
import { describe, isA, isError } from './describe.js';
import { FoundationError } from './foundation.error.js';

/** An answer that waiting will not change, and what to do about it. */
export interface Refusal {
  reply: string;
  advice: string;
}

/**
 * What Redis answers while it does not do something that it will do again, and what to do about it.
 *
 * This and {@link refusalIn} are the whole table: an error of a connection and these answers are waited for, at the
 * start of an application and later. A refusal and an answer that is in neither end the start of an application,
 * because an operator who starts it can correct them; once it has started they are tried again as well, less often,
 * because they may have been corrected meanwhile.
 */
const PASSING: readonly (readonly [word: RegExp, advice: string])[] = [
  [
    /\bMISCONF\b/,
    'Redis cannot save its snapshot and takes no writes until it can: its log says why, often the disk is full.',
  ],
  [/\bOOM\b/, 'The memory of Redis is full (maxmemory): give it more, or find out what fills it.'],
  [/\bNOREPLICAS\b/, 'Redis waits for its replicas (min-replicas-to-write): bring them back.'],
  [/\bREADONLY\b/, 'This Redis is a replica: name the primary, or wait for the failover to end.'],
  [/\bLOADING\b/, 'Redis is loading its data from disk: wait.'],
  [/\bMASTERDOWN\b/, 'This replica has lost its primary: wait for the failover to end.'],
  [/\bCLUSTERDOWN\b|\bTRYAGAIN\b|\bMOVED\b|\bASK\b/, 'The Redis Cluster does not serve all slots: see CLUSTER INFO.'],
  [/\bBUSY\b/, 'A script keeps Redis busy: find it with SLOWLOG, or end it with SCRIPT KILL.'],
  [
    /max number of (?:cluster )?(?:clients|connections)/i,
    'Redis takes no more clients: raise maxclients, or close some.',
  ],
  [/\bEXECABORT\b|\bUNBLOCKED\b|\bNOSCRIPT\b/, 'Look into the log of Redis if this goes on.'],
];

/** What to do about an answer that passes; `undefined` for any other text. */
function passingIn(text: string): string | undefined {
  return PASSING.find(([word]) => word.test(text))?.[1];
}

const OF_THE_CONNECTION =
  /ECONN|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN|EHOST|ENET|EADDRNOTAVAIL|timed out|not done in|no answer in|did not answer|not confirmed|Connection is closed|writeable|max retries|sentinels are unreachable|slots cache|startup nodes|Cluster redirections|[Ss]ocket (?:timeout|hang)|ended by the other party/i;
/** Errors of ioredis and Redlock, which have no classes in common. */
const NAMES = new Set([
  'ReplyError',
  'MaxRetriesPerRequestError',
  'AbortError',
  'ClusterAllFailedError',
  'ExecutionError',
]);

/** True for an error that Redis answered with; any other one means that it did not answer. */
export function isAnswer(error: unknown): boolean {
  return isError(error) && error.name === 'ReplyError';
}

/** What our own connections and links answer once this node has closed them. */
function isAfterLeave(error: unknown): error is NotReadyError {
  return isA(error, NotReadyError) && error.state === 'left';
}

/**
 * True for what a command of ioredis, Redlock or BullMQ failed with because of Redis or the way to it; false for a bug
 * of ours.
 */
export function isOfRedis(error: unknown): boolean {
  const text = describe(error);
  return (
    OF_THE_CONNECTION.test(text) ||
    passingIn(text) !== undefined ||
    refusalIn(text) !== undefined ||
    (isError(error) && NAMES.has(error.name)) ||
    isAfterLeave(error)
  );
}

/**
 * Finds a refusal in the text of an error; `undefined` for errors that may pass. The reply names the command if Redis
 * does.
 */
export function refusalIn(text: string): Refusal | undefined {
  // In a script: Redis up to 7.0, later ones, and Valkey.
  const isDenied = /NOPERM|user executing the script can't|ACL failure in script/.test(text);
  if (isDenied) {
    const [, command] = /'([\w|]{1,40})' command/.exec(text) ?? [];
    const [kind = 'command'] = /key|channel/.exec(text) ?? [];
    return {
      reply: `NOPERM: ${command === undefined ? `a ${kind}` : command.toUpperCase()}`,
      advice: 'Give the user the missing permission: npx foundation doctor says which, and prints the rule of the ACL.',
    };
  }
  const reply =
    /WRONGPASS|NOAUTH|ERR AUTH|invalid password|invalid username|DB index is out of range|DENIED Redis/i.exec(text);
  if (reply === null) return undefined;
  const advice = reply[0].startsWith('DB')
    ? 'Use another database.'
    : reply[0].startsWith('DENIED')
      ? 'It runs in protected mode: give it a password, or set protected-mode no where no other client reaches it.'
      : 'Correct the user name and password in "redis" or FOUNDATION_REDIS_URL.';
  return { reply: reply[0], advice };
}

/** What a command failed with, as one of ours: Redis refused it, or cannot be reached, or this node has left. */
export function redisError(endpoint: string, doing: string, cause: unknown): FoundationError {
  if (isAfterLeave(cause)) return cause;
  forgetArguments(cause);
  const text = describe(cause);
  const refusal = refusalIn(text) ?? unknownIn(cause, text);
  if (refusal === undefined) return new RedisUnavailableError(endpoint, doing, cause, passingIn(text));
  return new RedisRefusedError(endpoint, refusal.reply, refusal.advice, cause, `Foundation gave up ${doing}.`);
}

/** What failed because of Redis, as one of ours; one of ours already, and a bug of ours, as it is. */
export function asRedisError(endpoint: string, doing: string, error: unknown): unknown {
  return isA(error, FoundationError) || !isOfRedis(error) ? error : redisError(endpoint, doing, error);
}

/** Does what asks Redis; what that fails with becomes one of ours, with the error of the client as its cause. */
export async function inRedis<T>(endpoint: string, doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isA(error, FoundationError) ? error : redisError(endpoint, doing, error);
  }
}

/** An answer that is in no table of ours. */
function unknownIn(cause: unknown, text: string): Refusal | undefined {
  const isReply = isAnswer(cause);
  if (!isReply || passingIn(text) !== undefined) return undefined;
  return {
    reply: text.slice(0, 200),
    advice:
      'Something else may use the keys of Foundation, or a proxy may not know the command: npx foundation doctor looks.',
  };
}

/**
 * ioredis keeps in an error what it sent: the password, or what the application says. Printing the error prints
 * that.
 *
 * @param seen errors of a broken connection have themselves among their `previousErrors`.
 */
function forgetArguments(thrown: unknown, seen = new Set<unknown>()): void {
  if (typeof thrown !== 'object' || thrown === null || seen.has(thrown)) return;
  seen.add(thrown);
  const { command, cause, previousErrors } = thrown as {
    command?: { args?: unknown };
    cause?: unknown;
    previousErrors?: unknown;
  };
  if (command?.args !== undefined) command.args = '(not shown)';
  const others: unknown[] = Array.isArray(previousErrors) ? previousErrors : [];
  for (const inner of [cause, ...others]) forgetArguments(inner, seen);
}
