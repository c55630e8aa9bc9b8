/**
 * Pure: criteria → a question that a service answers with yes or no, and that can never be answered yes by mistake.
 * Called by the facade.
 */
import { isDeepStrictEqual } from 'node:util';
import { show } from '../config/shape.js';
import { ArgumentError } from '../errors.js';
import type { ServiceCriteria, ServiceInfo } from './service.js';

const RESERVED = ['name', 'capabilities', 'node', 'metadata', 'healthCheck'] as const;

/** Criteria, checked and ready to be asked many times. */
export interface Question {
  /** With a name, only its instances need be looked at. */
  name?: string;
  /** With capabilities, only the services that have this one. */
  capability?: string;
  /** True when everything but `healthCheck` holds. */
  matches: (service: ServiceInfo) => boolean;
  healthCheck?: NonNullable<ServiceCriteria['healthCheck']>;
}

/**
 * Reads criteria.
 *
 * @throws ArgumentError for a value of the wrong type, for `undefined`, and for a field that is nearly one of ours.
 */
export function readCriteria(call: string, criteria: ServiceCriteria): Question {
  requireFields(call, 'criteria', criteria);
  for (const [field, value] of Object.entries(criteria)) {
    if (value === undefined)
      throw new ArgumentError(call, field, 'undefined', 'a value; leave the criterion out instead');
    const meant = isReserved(field) ? undefined : RESERVED.find((reserved) => isNearly(field, reserved));
    if (meant !== undefined) {
      throw new ArgumentError(
        call,
        field,
        show(value),
        `"${meant}"; for a metadata field of this name, metadata: { ${field}: … }`,
      );
    }
  }
  const { name, node, healthCheck, metadata = {}, capabilities: given = [], ...fields } = criteria;
  const capabilities = typeof given === 'string' ? [given] : given;
  text(call, 'name', name);
  text(call, 'node', node);
  if (!Array.isArray(capabilities) || !capabilities.every((each) => typeof each === 'string')) {
    throw new ArgumentError(call, 'capabilities', show(given), 'a text or a list of texts');
  }
  if (criteria.capabilities !== undefined && capabilities.length === 0) {
    throw new ArgumentError(call, 'capabilities', '[]', 'at least one; leave the criterion out instead');
  }
  requireFields(call, 'metadata', metadata);
  if (healthCheck !== undefined && typeof healthCheck !== 'function') {
    throw new ArgumentError(call, 'healthCheck', show(healthCheck), 'a function');
  }
  const wanted = [...Object.entries(fields), ...Object.entries(metadata)];
  const vague = wanted.find(([, value]) => value === undefined);
  if (vague !== undefined) throw new ArgumentError(call, `metadata.${vague[0]}`, 'undefined', 'a value');
  const [capability] = capabilities;
  return {
    ...(name === undefined ? {} : { name }),
    ...(capability === undefined ? {} : { capability }),
    ...(healthCheck === undefined ? {} : { healthCheck }),
    matches: (service) =>
      (name === undefined || service.name === name) &&
      (node === undefined || service.node === node) &&
      capabilities.every((each: string) => service.capabilities.includes(each)) &&
      wanted.every(
        ([field, value]) => Object.hasOwn(service.metadata, field) && isDeepStrictEqual(service.metadata[field], value),
      ),
  };
}

/**
 * Refuses what may hold criteria where nobody looks, and would then match everything: a Map, an instance of a class, fields
 * that are inherited, hidden or symbols.
 *
 * @throws ArgumentError
 */
export function requireFields(call: string, argument: string, value: unknown): asserts value is object {
  const isPlain = typeof value === 'object' && value !== null && isPlainPrototype(Object.getPrototypeOf(value));
  if (!isPlain) throw new ArgumentError(call, argument, show(value), 'a plain object of fields and their values');
  const hidden = Reflect.ownKeys(value).find(
    (key) => !Object.prototype.propertyIsEnumerable.call(value, key) || typeof key === 'symbol',
  );
  if (hidden === undefined) return;
  throw new ArgumentError(call, argument, `a hidden field ${String(hidden)}`, 'fields that can be enumerated');
}

/** None, or that of an object literal, also of another realm. */
function isPlainPrototype(prototype: unknown): boolean {
  if (typeof prototype !== 'object' || prototype === null) return prototype === null;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
}

function isReserved(field: string): boolean {
  return (RESERVED as readonly string[]).includes(field);
}

function text(call: string, field: string, value: unknown): void {
  if (value === undefined || (typeof value === 'string' && value !== '')) return;
  throw new ArgumentError(call, field, show(value), 'a text');
}

/** True when a few letters are missing, added or other ones, whatever their case; the shorter the word, the fewer. */
function isNearly(field: string, word: string): boolean {
  const most = Math.max(1, Math.floor(word.length / 4));
  // Each lookup asks this, and mostly the lengths are answer enough.
  if (Math.abs(field.length - word.length) > most) return false;
  return distance(field.toLowerCase(), word.toLowerCase()) <= most;
}

/** The Levenshtein distance, by the usual two rows. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, swap);
    }
    row = next;
  }
  return row[b.length]!;
}
