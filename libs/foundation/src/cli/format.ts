/**
 * Pure: times, counts and errors as people read them.
 */
import { RedisNotFoundError, RedisUnavailableError } from '../errors/connection.errors.js';
import { describe } from '../errors/describe.js';

/** `340 ms`, `12 s`, `5 min`, `3 h`, `2 d`. */
export function duration(ms: number): string {
  const [seconds, minutes, hours] = [ms / 1000, ms / 60_000, ms / 3_600_000];
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (minutes < 90) return `${Math.round(minutes)} min`;
  return hours < 48 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} d`;
}

/** The same with the fractions of what is short: `0.42 ms`, `12.3 ms`. */
export function latency(ms: number): string {
  return ms < 10 ? `${ms.toFixed(2)} ms` : ms < 100 ? `${ms.toFixed(1)} ms` : duration(ms);
}

/** How often in a second: `12.3/s`, `0.02/s`. */
export function rate(perSecond: number): string {
  if (perSecond === 0) return '0/s';
  return `${perSecond < 1 ? perSecond.toFixed(2) : perSecond < 100 ? perSecond.toFixed(1) : Math.round(perSecond)}/s`;
}

/** `1 member`, `2 members`. */
export function count(number: number, one: string, several = `${one}s`): string {
  return `${number} ${number === 1 ? one : several}`;
}

/** An error in a sentence. Those about Redis say what a node does about it, which a command does not. */
export function complaint(error: unknown): string {
  if (error instanceof RedisNotFoundError) {
    return `The Redis of the cluster was not found. Tried: ${error.tried.join('; ')}. Name it with --redis, FOUNDATION_REDIS_URL or --env-file .env.`;
  }
  if (!(error instanceof RedisUnavailableError)) return describe(error);
  return `Redis at ${error.endpoint} cannot be reached: ${describe(error.cause)}. Run "foundation doctor".`;
}
