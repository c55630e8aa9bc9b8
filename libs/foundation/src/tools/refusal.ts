/**
 * Pure: what it means when Redis refuses something, and the error that says so. Needs no ioredis.
 * Called by all that asks Redis something for the application, and by the command line.
 */
import { RedisRefusedError, RedisUnavailableError, describe } from '../errors.js';

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

/**
 * ioredis keeps in an error what it sent: the password, or what the application says. Whoever prints an error prints that.
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
