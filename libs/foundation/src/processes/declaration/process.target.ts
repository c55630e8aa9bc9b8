/**
 * Pure: how a caller may name a process.
 * Called by the manager and by injection.
 */
import type { Type } from '@nestjs/common';
import { read } from '../../errors/describe.js';
import { metadataOf } from './process.decorators.js';
import { checkName } from './process.specification.js';

/** A name, a class (its decorator's name, or its own), or anything that has a name. */
export type ProcessTarget<T = unknown> = string | Type<T> | { readonly name: string };

/** @throws ArgumentError for what is no name. */
export function nameOf(target: ProcessTarget): string {
  const name = typeof target === 'function' ? classNameOf(target as Type<unknown>) : target;
  // What is no target may be anything, also what throws when it is read.
  const text: unknown = typeof name === 'object' && name !== null ? read(name, 'name') : name;
  checkName(text, 'ProcessManager');
  return text;
}

/** That of a class as it stands there: what is no name is refused where its process is declared. */
export function classNameOf(type: Type<unknown>): string {
  return metadataOf(type)?.options.name ?? type.name;
}
