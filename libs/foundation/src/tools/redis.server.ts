/**
 * Pure: what Redis says of itself in INFO, and what it means when it refuses.
 * Called by the connections at start, and by the probe of the command line.
 */
import { RedisRefusedError, RedisUnavailableError, describe } from '../errors.js';

/** The oldest version that has all that this library and BullMQ ask for. */
export const OLDEST = '6.2';

/** A server as its INFO describes it. */
export interface ServerFacts {
  /** `major.minor.patch`; absent when it does not say. */
  version?: string;
  /** False for a version that is known and too old. */
  isSupported: boolean;
  /** `maxmemory-policy`; absent when it does not say. */
  policy?: string;
  /** False where memory has no limit, so that nothing is ever evicted. */
  hasLimit: boolean;
  /** Changes with each start of the server. */
  runId?: string;
}

/** Reads the reply of INFO. */
export function serverFacts(info: string): ServerFacts {
  const field = (name: string, pattern = '\\S+'): string | undefined =>
    new RegExp(`^${name}:(${pattern})`, 'm').exec(info)?.[1];
  const [version, policy] = [field('redis_version', '\\d+\\.\\d+\\S*'), field('maxmemory_policy')];
  const runId = field('run_id', '\\w+');
  return {
    ...(version === undefined ? {} : { version }),
    isSupported: version === undefined || isAtLeast(version, OLDEST),
    ...(policy === undefined ? {} : { policy }),
    hasLimit: /^maxmemory:[1-9]/m.test(info),
    ...(runId === undefined ? {} : { runId }),
  };
}

function isAtLeast(version: string, least: string): boolean {
  const [[major = 0, minor = 0], [leastMajor = 0, leastMinor = 0]] = [version, least].map((text) =>
    text.split('.').map(Number),
  ) as [number[], number[]];
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

/** An answer that waiting will not change, and what to do about it. */
export interface Refusal {
  reply: string;
  advice: string;
}

/** Finds a refusal in the text of an error; `undefined` for errors that may pass. The reply names the command if Redis does. */
export function refusalIn(text: string): Refusal | undefined {
  const isDenied = /NOPERM|user executing the script can't/.test(text);
  if (isDenied) {
    const [, command] = /'([\w|]{1,40})' command/.exec(text) ?? [];
    const [kind = 'command'] = /key|channel/.exec(text) ?? [];
    return {
      reply: `NOPERM: ${command === undefined ? `a ${kind}` : command.toUpperCase()}`,
      advice: 'Give the user the missing permission: npx foundation doctor says which, and prints the rule of the ACL.',
    };
  }
  const reply = /WRONGPASS|NOAUTH|ERR AUTH|invalid password|invalid username|DB index is out of range/i.exec(text);
  if (reply === null) return undefined;
  const advice = reply[0].startsWith('DB')
    ? 'Use another database.'
    : 'Correct the user name and password in "redis" or FOUNDATION_REDIS_URL.';
  return { reply: reply[0], advice };
}

/** What a command failed with, as one of ours: Redis refused it, or cannot be reached. */
export function redisError(endpoint: string, doing: string, cause: unknown): RedisRefusedError | RedisUnavailableError {
  forgetArguments(cause);
  const refusal = refusalIn(describe(cause));
  if (refusal === undefined) return new RedisUnavailableError(endpoint, doing, cause);
  return new RedisRefusedError(endpoint, refusal.reply, refusal.advice, cause, `Foundation gave up ${doing}.`);
}

/** ioredis keeps in an error what it sent: the password, or what the application says. Whoever prints an error prints that. */
function forgetArguments(thrown: unknown): void {
  if (typeof thrown !== 'object' || thrown === null) return;
  const { command, cause, previousErrors } = thrown as Partial<
    Record<'command' | 'cause' | 'previousErrors', { args?: unknown }>
  >;
  if (command?.args !== undefined) command.args = '(not shown)';
  for (const inner of [cause, ...(Array.isArray(previousErrors) ? (previousErrors as unknown[]) : [])]) {
    forgetArguments(inner);
  }
}
