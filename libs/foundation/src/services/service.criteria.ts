/**
 * Pure: criteria → a question that a service answers with yes or no, and that can never be answered yes by mistake.
 * Called by the facade.
 */
import { isDeepStrictEqual } from 'node:util';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { isOptions } from '../foreign/given.options.js';
import type { ServiceCriteria, ServiceInfo } from './service.js';

const RESERVED = ['name', 'capabilities', 'node', 'metadata', 'healthCheck'] as const;

/** Criteria, checked and ready to be asked many times. */
export interface Question {
  /** With a name, only its instances need be checked. */
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
  const tests: ((service: ServiceInfo) => boolean)[] = [];
  const question: Question = { matches: (service) => tests.every((holds) => holds(service)) };
  // Each lookup comes through here, so a field is read once.
  for (const field of Object.keys(criteria)) {
    const value: unknown = criteria[field];
    if (value === undefined)
      throw new ArgumentError(call, field, 'undefined', 'a value; leave the criterion out instead');
    switch (field) {
      case 'name':
        question.name = text(call, field, value);
        tests.push(({ name }) => name === value);
        break;
      case 'node':
        text(call, field, value);
        tests.push(({ node }) => node === value);
        break;
      case 'capabilities': {
        const wanted = words(call, value);
        question.capability = wanted[0]!;
        tests.push(({ capabilities }) => wanted.every((each) => capabilities.includes(each)));
        break;
      }
      case 'metadata':
        requireFields(call, field, value);
        for (const [key, wanted] of Object.entries(value)) tests.push(hasMetadata(call, key, wanted));
        break;
      case 'healthCheck':
        if (typeof value !== 'function') throw new ArgumentError(call, field, show(value), 'a function');
        question.healthCheck = value as NonNullable<ServiceCriteria['healthCheck']>;
        break;
      default:
        requireUnlike(call, field, value);
        tests.push(hasMetadata(call, field, value));
    }
  }
  return question;
}

function hasMetadata(call: string, field: string, wanted: unknown): (service: ServiceInfo) => boolean {
  if (wanted === undefined) throw new ArgumentError(call, `metadata.${field}`, 'undefined', 'a value');
  return ({ metadata }) => Object.hasOwn(metadata, field) && isDeepStrictEqual(metadata[field], wanted);
}

/** @throws ArgumentError for a field that is nearly one of ours. */
function requireUnlike(call: string, field: string, value: unknown): void {
  const meant = RESERVED.find((reserved) => isNearly(field, reserved));
  if (meant === undefined) return;
  throw new ArgumentError(
    call,
    field,
    show(value),
    `"${meant}"; for a metadata field of this name, metadata: { ${field}: … }`,
  );
}

/**
 * Refuses what may hold criteria that are not read, and would then match everything: a Map, an instance of a class,
 * fields that are inherited, hidden or symbols.
 *
 * @throws ArgumentError
 */
export function requireFields(call: string, argument: string, value: unknown): asserts value is object {
  if (!isPlain(value))
    throw new ArgumentError(call, argument, show(value), 'a plain object of fields and their values');
  const keys = Reflect.ownKeys(value);
  if (keys.length === Object.keys(value).length) return;
  const hidden = keys.find((key) => !Object.prototype.propertyIsEnumerable.call(value, key) || typeof key === 'symbol');
  if (hidden === undefined) return;
  throw new ArgumentError(call, argument, `a hidden field ${String(hidden)}`, 'fields that can be enumerated');
}

function isPlain(value: unknown): value is object {
  try {
    return isOptions(value) && isPlainPrototype(Object.getPrototypeOf(value));
  } catch {
    return false;
  }
}

/** None, or that of an object literal, also of another realm. */
function isPlainPrototype(prototype: unknown): boolean {
  if (typeof prototype !== 'object' || prototype === null) return prototype === null;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
}

function words(call: string, value: unknown): string[] {
  const given: unknown = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(given) || !given.every((each): each is string => typeof each === 'string')) {
    throw new ArgumentError(call, 'capabilities', show(value), 'a text or a list of texts');
  }
  if (given.length > 0) return given;
  throw new ArgumentError(call, 'capabilities', '[]', 'at least one; leave the criterion out instead');
}

function text(call: string, field: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
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
