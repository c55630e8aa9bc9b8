/**
 * How calls of 1.x end: `:ok` and `{:ok, value}` as `ok`, `{:error, reason}` as a failure. Nothing is thrown for what
 * 1.x returns.
 */
import { errorOf, newError, type V1Error, type V1ErrorOptions } from './v1.error.js';

/** A value, or an error. */
export type Result<T = void, E = V1Error> = { readonly ok: true; readonly value: T } | Failure<E>;

/** The half of it that has the error. */
export interface Failure<E = V1Error> {
  readonly ok: false;
  readonly error: E;
}

/** `:ok` */
export function done(): Result {
  return { ok: true, value: undefined };
}

/** `{:ok, value}` */
export function ok<T>(value: T): Result<T, never> {
  return { ok: true, value };
}

/** `{:error, %Error{}}` */
export function fail(fields: Parameters<typeof errorOf>[0]): Failure {
  return { ok: false, error: errorOf(fields) };
}

/** The same as a failed result: `error_result/3`. */
export function errorResult(errorType: string, message?: string, options?: V1ErrorOptions): Result<never> {
  return { ok: false, error: newError(errorType, message, options) };
}

/**
 * Says of a failed result where it went on: `wrap_error/4`. An error of this kind keeps its code and gets
 * `wrappedBy`, `wrapperMessage` and `wrapperContext` in its context; any other reason becomes `originalReason` of a new
 * error; a good result stays as it is.
 */
export function wrapError<T>(
  result: Result<T, unknown>,
  errorType: string,
  message?: string,
  options: V1ErrorOptions = {},
): Result<T> {
  if (result.ok) return result;
  const { error } = result;
  if (!isV1Error(error)) {
    return errorResult(errorType, message, { ...options, context: { ...options.context, originalReason: error } });
  }
  const wrapped = { wrappedBy: errorType, wrapperMessage: message ?? null, wrapperContext: options.context ?? {} };
  return { ok: false, error: Object.freeze({ ...error, context: { ...error.context, ...wrapped } }) };
}

function isV1Error(error: unknown): error is V1Error {
  return typeof error === 'object' && error !== null && 'errorType' in error && 'retryStrategy' in error;
}
