/**
 * Pure: paths into the cluster-wide configuration and the values there, as users and other nodes give them.
 * Nothing here reaches a prototype, and nothing grows without a limit.
 */
import { ArgumentError } from '../errors/config.errors.js';
import { describe, show } from '../errors/describe.js';
import { checkAwaited } from '../foreign/given.options.js';
import { isObject } from '../wire/decode.js';
import { parseJson } from '../wire/json.js';

/** The most segments of a path. */
export const MAX_PATH_DEPTH = 50;
/** The most characters of a path. */
export const MAX_PATH_LENGTH = 1_000;
/** The most bytes of JSON of what is set, all values of a configuration together. */
export const MAX_CONFIG_BYTES = 1_000_000;
/** The most levels of a value. */
export const MAX_VALUE_DEPTH = 20;

const PROTOTYPES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

const PATH_EXPECTED =
  `1 to ${MAX_PATH_DEPTH} names with dots between them, such as 'limits.uploads', ` +
  `of ${MAX_PATH_LENGTH} characters at most, and none of them __proto__, constructor or prototype`;

/** False for a name through which the prototype of all objects could be reached. */
export function isSafeName(name: string): boolean {
  return !PROTOTYPES.has(name);
}

/** The segments of a path; `undefined` for what is none. */
export function segmentsOf(path: unknown): string[] | undefined {
  if (typeof path !== 'string' || path.length > MAX_PATH_LENGTH) return undefined;
  const segments = path.split('.');
  const isName = (segment: string): boolean => segment !== '' && isSafeName(segment);
  return segments.length <= MAX_PATH_DEPTH && segments.every(isName) ? segments : undefined;
}

/** @throws ArgumentError for what is no path. */
export function checkPath(call: string, path: unknown): string[] {
  const segments = segmentsOf(path);
  if (segments === undefined) throw new ArgumentError(call, 'path', show(path), PATH_EXPECTED);
  return segments;
}

/**
 * A copy of a value as JSON has it.
 *
 * @throws ArgumentError for what JSON would leave out or change without a word, is too large, or nested too deeply.
 */
export function checkValue(call: string, value: unknown): unknown {
  checkAwaited(call, 'value', value);
  let text: string | undefined;
  try {
    text = JSON.stringify(value, refuseOthers);
  } catch (error) {
    throw new ArgumentError(call, 'value', describe(error), 'a value that JSON can write as it is');
  }
  if (text === undefined) throw new ArgumentError(call, 'value', show(value), 'a value that JSON can write as it is');
  if (Buffer.byteLength(text) > MAX_CONFIG_BYTES) {
    throw new ArgumentError(
      call,
      'value',
      `${Buffer.byteLength(text)} bytes`,
      `at most ${MAX_CONFIG_BYTES} bytes of JSON`,
    );
  }
  const fault = faultOf(text);
  if (fault !== undefined)
    throw new ArgumentError(call, 'value', fault, `up to ${MAX_VALUE_DEPTH} levels of plain values`);
  return JSON.parse(text) as unknown;
}

/** What is wrong with a value, if anything; before a name is left out that would reach a prototype. */
function faultOf(text: string): string | undefined {
  let forbidden: string | undefined;
  // With a reviver, so that a `__proto__` is seen: in what is parsed it would be a property as any other.
  const value: unknown = JSON.parse(text, (key, each: unknown) => {
    if (!isSafeName(key)) forbidden = key;
    return each;
  });
  if (forbidden !== undefined) return `one with a property ${forbidden}`;
  return isShallow(value, MAX_VALUE_DEPTH) ? undefined : `one of more than ${MAX_VALUE_DEPTH} levels`;
}

/** True for a value that may be set; for what came of another node. */
export function isValue(value: unknown): boolean {
  return value !== undefined && isShallow(value, MAX_VALUE_DEPTH);
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  if (Array.isArray(value)) return value.every((each) => isShallow(each, levels - 1));
  return Object.entries(value).every(([key, each]) => isSafeName(key) && isShallow(each, levels - 1));
}

function refuseOthers(_key: string, value: unknown): unknown {
  const isLost = ['function', 'symbol', 'bigint'].includes(typeof value);
  const isChanged = typeof value === 'number' && !Number.isFinite(value);
  if (isLost || isChanged) throw new TypeError(`it has a ${isChanged ? String(value) : typeof value} in it`);
  if (value instanceof Map || value instanceof Set) throw new TypeError('it has a Map or a Set in it');
  return value;
}

/** What is at the path; `undefined` where there is nothing. Own properties alone are seen. */
export function valueAt(from: unknown, segments: readonly string[]): unknown {
  let value = from;
  for (const segment of segments) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
    value = (value as Record<string, unknown>)[segment];
  }
  return value;
}

/**
 * Puts the value at the path of `document`. What is on the way is copied before, once: `own` holds what is a copy, the
 * document included, so that many values below one name cost one copy of it.
 *
 * @returns false where something on the way is no object.
 */
export function putValue(
  document: Record<string, unknown>,
  segments: readonly string[],
  value: unknown,
  own: Set<unknown>,
): boolean {
  let at = document;
  for (const segment of segments.slice(0, -1)) {
    const below = Object.hasOwn(at, segment) ? at[segment] : {};
    if (!isObject(below) || Array.isArray(below)) return false;
    const copy = own.has(below) ? below : { ...below };
    own.add(copy);
    at = at[segment] = copy;
  }
  at[segments.at(-1)!] = value;
  return true;
}

/** True when a change of one may change what is at the other. */
export function overlap(one: readonly string[], other: readonly string[]): boolean {
  const length = Math.min(one.length, other.length);
  return one.slice(0, length).every((segment, index) => segment === other[index]);
}

/** JSON of what is at the path, to see whether it changed. */
export function textAt(document: unknown, segments: readonly string[]): string | undefined {
  return JSON.stringify(valueAt(document, segments));
}

/** A value that shares nothing with the given one, and that JSON has read. */
export function plainCopy(value: unknown): unknown {
  return parseJson(JSON.stringify(value));
}
