/**
 * Readers of values that anybody may have written: of each only what is declared comes out, within its limits.
 * Used wherever JSON from Redis, from the wire or from another process is read.
 */
import { parseJson } from './json.js';

/** Reads a value; `undefined` says that it is not one of these. */
export type Reader<T> = (value: unknown) => T | undefined;

/** How a field is read that may be absent. */
export interface OptionalField<T> {
  read: Reader<T>;
  /** What becomes of a value that is not one: the whole record is rejected, or the field is left out. */
  otherwise: 'reject' | 'omit';
}

/** How each field of a record is read. */
export type Fields<T> = {
  [K in keyof T]-?: Partial<Pick<T, K>> extends Pick<T, K> ? OptionalField<T[K]> : Reader<T[K]>;
};

/** A text of `least` to `most` characters. */
export function text(most: number, least = 1): Reader<string> {
  return (value) => (typeof value === 'string' && value.length >= least && value.length <= most ? value : undefined);
}

/** A text that is cut to `most` characters. */
export function cutText(most: number): Reader<string> {
  return (value) => (typeof value === 'string' ? value.slice(0, most) : undefined);
}

/** A text, whatever its length: for what is in a record of bounded length. */
export const anyText: Reader<string> = (value) => (typeof value === 'string' ? value : undefined);

/** A whole number from `least` to `most`. */
export function whole(most = Number.MAX_SAFE_INTEGER, least = 0): Reader<number> {
  return (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most ? value : undefined;
}

/** A number from `least` to `most`, whole or not. */
export function amount(most: number, least = 0): Reader<number> {
  return (value) => (typeof value === 'number' && value >= least && value <= most ? value : undefined);
}

export const flag: Reader<boolean> = (value) => (typeof value === 'boolean' ? value : undefined);

/** One of a few texts, or other plain values. */
export function oneOf<const T extends string | number | boolean>(...values: readonly T[]): Reader<T> {
  const all: ReadonlySet<unknown> = new Set(values);
  return (value) => (all.has(value) ? (value as T) : undefined);
}

/** What `read` reads, and `fallback` in the place of anything else. */
export function or<T extends string | number | boolean>(read: Reader<T>, fallback: T): Reader<T> {
  return (value) => read(value) ?? fallback;
}

/** The same for what is made for each value. */
export function orElse<T extends object>(read: Reader<T>, fallback: () => T): Reader<T> {
  return (value) => read(value) ?? fallback();
}

/** A field that may be absent, and has to be right where it is there. */
export function optional<T>(read: Reader<T>): OptionalField<T> {
  return { read, otherwise: 'reject' };
}

/** A field that is left out where it is absent or not right. */
export function ifRight<T>(read: Reader<T>): OptionalField<T> {
  return { read, otherwise: 'omit' };
}

/** Whatever it is. */
export const anything: Reader<unknown> = (value) => value;

/** An array of anything. */
export const anyList: Reader<unknown[]> = (value) => (Array.isArray(value) ? value : undefined);

/** The entries of an array that are right. Of a longer array the first `most`, or nothing with `beyond: 'reject'`. */
export function list<T>(read: Reader<T>, most: number, beyond: 'cut' | 'reject' = 'cut'): Reader<T[]> {
  return (value) => {
    if (!Array.isArray(value) || (beyond === 'reject' && value.length > most)) return undefined;
    const entries: T[] = [];
    for (const entry of value.length > most ? value.slice(0, most) : (value as unknown[])) {
      const result = read(entry);
      if (result !== undefined) entries.push(result);
    }
    return entries;
  };
}

/** An array of at most `most` entries, all of them right. */
export function listOfAll<T>(read: Reader<T>, most: number): Reader<T[]> {
  const readList = list(read, most, 'reject');
  return (value) => {
    const entries = readList(value);
    return entries?.length === (value as unknown[] | undefined)?.length ? entries : undefined;
  };
}

/** The right ones of the first `most` entries of an object, in an object without a prototype. */
export function map<T>(read: Reader<T>, most: number, key: Reader<string>): Reader<Record<string, T>> {
  return (value) => {
    if (!isObject(value)) return undefined;
    const result = Object.create(null) as Record<string, T>;
    let count = 0;
    for (const name of Object.keys(value)) {
      if ((count += 1) > most) break;
      if (key(name) === undefined) continue;
      const entry = read(value[name]);
      if (entry !== undefined) result[name] = entry;
    }
    return result;
  };
}

/** An object with these fields; others are left out. */
export function record<T extends object>(fields: Fields<T>): Reader<T> {
  const all = Object.entries(fields as Record<string, Reader<unknown> | OptionalField<unknown>>);
  const names = all.map(([name]) => name);
  const readers = all.map(([, field]) => (typeof field === 'function' ? field : field.read));
  const otherwise = all.map(([, field]) => (typeof field === 'function' ? undefined : field.otherwise));
  return (value) => {
    if (!isObject(value)) return undefined;
    const result: Record<string, unknown> = {};
    for (let index = 0; index < names.length; index++) {
      const name = names[index]!;
      const given = value[name];
      if (given === undefined && otherwise[index] !== undefined) continue;
      const field = readers[index]!(given);
      if (field !== undefined) result[name] = field;
      else if (otherwise[index] !== 'omit') return undefined;
    }
    return result as T;
  };
}

/** Reads JSON of at most `longest` characters; `undefined` for what is not JSON, is longer, or is nested too deeply. */
export function fromJson<T>(read: Reader<T>, longest = Infinity): (text: string) => T | undefined {
  return (json) => {
    if (json.length > longest) return undefined;
    try {
      return read(parseJson(json));
    } catch {
      return undefined;
    }
  };
}

/** An object that is not an array: its fields can be read, and none of them is checked yet. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One part of an answer that may be anything; nothing that it inherits. */
export function partOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}
