/**
 * Schemas of zod, valibot, arktype and whatever else follows Standard Schema (https://standardschema.dev). The interface
 * is copied from there, as its authors ask, so that types need no package.
 */
import { plain, read } from '../errors/describe.js';

/** A schema of zod, valibot, arktype, or of another library that follows Standard Schema, version 1. */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    /** The library. */
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

/** What a schema says of a value. */
export type StandardResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] };

/** One thing that is wrong with a value. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** True for a schema; some of them are functions. */
export function isStandard(value: unknown): value is StandardSchema {
  const standard = read(value, '~standard');
  return read(standard, 'version') === 1 && typeof read(standard, 'validate') === 'function';
}

/** What is wrong, in words. Whatever the library answers: its parts are read with care. */
export function textsOfIssues(issues: unknown, limit: number): string[] {
  const list: unknown[] = Array.isArray(issues) ? issues.slice(0, limit) : [];
  const texts = list.map((issue) => {
    const given = read(issue, 'path');
    const path = Array.isArray(given) ? given.slice(0, limit).map(keyOf).join('.') : '';
    const message = read(issue, 'message');
    const text = typeof message === 'string' ? message : 'not valid';
    return plain(path === '' ? text : `${path}: ${text}`);
  });
  return texts.length === 0 ? ['not valid'] : texts;
}

function keyOf(part: unknown): string {
  const key = typeof part === 'object' ? read(part, 'key') : part;
  return typeof key === 'string' || typeof key === 'number' || typeof key === 'symbol' ? String(key) : '?';
}
