/**
 * Pure: what callers of `Telemetry` may pass, or an error that says what is wrong with it.
 */
import { ArgumentError } from '../../errors/config.errors.js';
import { show } from '../../errors/describe.js';
import { isOptions } from '../../foreign/given.options.js';
import { listOf } from '../config/config.tree.js';
import { type EventName, isPart, MAX_PARTS } from './metric.store.js';

export function namesOf(call: string, eventNames: readonly EventName[]): readonly EventName[] {
  const names = listOf(eventNames);
  if (names === undefined)
    throw new ArgumentError(`Telemetry.${call}`, 'eventNames', show(eventNames), 'a list of names');
  return names.map((each) => nameOf(call, each));
}

export function nameOf(call: string, eventName: unknown): EventName {
  const parts = listOf(eventName);
  if (parts !== undefined && parts.length > 0 && parts.length <= MAX_PARTS && parts.every(isPart)) return parts;
  const expected = `a list of 1 to ${MAX_PARTS} texts, each of 1 to 200 characters`;
  throw new ArgumentError(`Telemetry.${call}`, 'eventName', show(eventName), expected);
}

export function prefixOf(prefix: EventName): EventName {
  const parts = listOf(prefix);
  if (parts !== undefined && parts.length <= MAX_PARTS && parts.every((part) => typeof part === 'string')) return parts;
  throw new ArgumentError(
    'Telemetry.getMetricsFor',
    'prefix',
    show(prefix),
    'the beginning of a name: a list of texts',
  );
}

export function mapOf(call: string, argument: string, value: unknown): void {
  if (!isOptions(value)) throw new ArgumentError(`Telemetry.${call}`, argument, show(value), 'an object');
}

export function numberOf(call: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new ArgumentError(`Telemetry.${call}`, 'value', show(value), 'a number');
}
