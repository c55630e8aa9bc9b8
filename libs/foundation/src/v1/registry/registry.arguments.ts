/**
 * Pure: what callers of `ServiceRegistry` may pass, or what is wrong with it, and how its calls fail.
 */
import { ArgumentError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import { LONGEST_TIMER_MS } from '../../time/duration.js';
import { isObject } from '../../wire/decode.js';
import { fail, type Failure } from '../v1.result.js';
import { isServiceName, type Namespace, namespaceText, type Service } from './service.table.js';

/** A name in a namespace. */
export interface Place {
  readonly namespace: string;
  readonly name: string;
}

/** An atom of 1.x, or a pair of an atom and a value. */
export interface Reason<R extends string = string> {
  readonly reason: R;
  readonly value?: unknown;
}

/** Why a service is not healthy. */
export type HealthFailure = Reason<
  'process_dead' | 'health_check_failed' | 'health_check_timeout' | 'health_check_crashed' | 'health_check_error'
>;

/** Options of `ServiceRegistry.healthCheck`. */
export interface HealthCheckOptions {
  /** Passes with `true`, `'ok'` or a result that is good. */
  healthCheck?: (service: Service) => unknown;
  /** Milliseconds, default 5,000. */
  timeout?: number;
  /** Writes a line at DEBUG. */
  debugHealthCheck?: boolean;
}

export function textOf(call: string, namespace: unknown): string {
  const text = namespaceText(namespace);
  if (text !== undefined) return text;
  throw new ArgumentError(
    `ServiceRegistry.${call}`,
    'namespace',
    show(namespace),
    `'production', another text of 1 to 200 characters, or { test: '…' }`,
  );
}

export function placeOf(call: string, namespace: unknown, service: unknown): Place {
  const text = textOf(call, namespace);
  if (isServiceName(service)) return { namespace: text, name: service };
  throw new ArgumentError(`ServiceRegistry.${call}`, 'service', show(service), '1 to 200 characters in one line');
}

export function limitOf(call: string, timeout: unknown): number {
  if (typeof timeout === 'number' && timeout >= 0) return Math.min(timeout, LONGEST_TIMER_MS);
  throw new ArgumentError(`ServiceRegistry.${call}`, 'timeout', show(timeout), 'a number of milliseconds');
}

export function isGood(answer: unknown): boolean {
  return answer === true || answer === 'ok' || (isObject(answer) && answer['ok'] === true);
}

export function notFound(namespace: Namespace, service: string): Failure {
  return fail({
    errorType: 'service_not_found',
    code: 5001,
    message: `Service ${show(service)} not found in namespace ${show(namespace)}`,
    severity: 'medium',
    category: 'system',
    subcategory: 'discovery',
    context: { namespace, service },
  });
}

export function because<R extends string>(reason: R, value?: unknown): Failure<Reason<R>> {
  return { ok: false, error: value === undefined ? { reason } : { reason, value } };
}
