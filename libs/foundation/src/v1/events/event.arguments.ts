/**
 * Pure: what callers of `Events` may pass as an event or as a query, or an error that says what is wrong with it.
 */
import { types } from 'node:util';
import { ArgumentError } from '../../errors/config.errors.js';
import { describe, read, show } from '../../errors/describe.js';
import { isOptions } from '../../foreign/given.options.js';
import { isObject } from '../../wire/decode.js';
import { fail, type Failure, type Result } from '../v1.result.js';
import type { EventQuery } from './event.store.js';
import { fromBytes, type KeptEvent, readEvent } from './v1.event.js';

/** Of an event, or of the good result of `newEvent`; a failed result as it is. */
export function storable(given: unknown): Result<KeptEvent> {
  return isResult(given) ? (given.ok ? storableEvent(given.value) : given) : storableEvent(given);
}

/** Of an event alone. */
export function storableEvent(given: unknown): Result<KeptEvent> {
  return looksLikeEvent(given) ? readEvent(given) : notAnEvent(given);
}

/** The event of bytes that may come from anyone. */
export function readBytes(bytes: unknown): Result<KeptEvent> {
  const failed = { errorType: 'deserialization_failed', message: 'Failed to deserialize event' };
  if (!types.isUint8Array(bytes)) return fail({ ...failed, context: { originalError: 'not bytes' } });
  try {
    return fromBytes(bytes);
  } catch (error) {
    return fail({ ...failed, context: { originalError: describe(error), binarySize: bytes.length } });
  }
}

/** @throws ArgumentError for what is not an object, or a time range that is not two numbers. */
export function checkQuery(query: EventQuery): EventQuery {
  if (!isOptions(query)) throw new ArgumentError('Events.query', 'query', show(query), 'an object of criteria');
  const { timeRange } = query;
  if (timeRange === undefined || timeRange === null || isRange(timeRange)) return query;
  throw new ArgumentError('Events.query', 'timeRange', show(timeRange), 'two numbers, from and to');
}

function isRange(range: unknown): boolean {
  return Array.isArray(range) && range.length === 2 && range.every((each) => typeof each === 'number');
}

function isResult(given: unknown): given is Result<unknown> {
  return typeof read(given, 'ok') === 'boolean';
}

function looksLikeEvent(given: unknown): boolean {
  try {
    return isObject(given) && 'eventType' in given;
  } catch {
    return false;
  }
}

function notAnEvent(received: unknown): Failure {
  const of = { category: 'data', subcategory: 'validation', severity: 'high' } as const;
  const message = 'Expected an event, or a result that has one';
  return fail({ errorType: 'invalid_argument', code: 2005, message, context: { received: show(received) }, ...of });
}
