/**
 * Pure: whether the classes of an application have the names that a minifier gives.
 * Called by the declarations, once at start.
 */
import type { KnownClass } from './process.explorer.js';
import type { ProcessSpec } from './process.specification.js';

/** Minifiers count through the letters, and few applications have more than some thousand names in one scope. */
const LONGEST = 3;

/** Where nothing is left between the head of the class and its body. */
const COMPACT = /^class(?:[^{]*[^\s{])?\{/;

/**
 * The names, when all are as short as those of a minifier and one looks like no name; a short one may be a choice. Who
 * has named each process may well have given its class a letter: then the code has to look minified as well.
 */
export function minifiedNames(
  specs: readonly Pick<ProcessSpec, 'type' | 'name'>[],
  classes: ReadonlyMap<string, Pick<KnownClass, 'type'>>,
): readonly string[] {
  const names = specs.map(({ type }) => type);
  const areShort = names.every((name) => name.length <= LONGEST);
  if (!areShort || !names.some((name) => name.length < LONGEST || !/^[A-Z]/.test(name))) return [];
  const looksMinified = (type: string): boolean => {
    const known = classes.get(type)?.type;
    return known !== undefined && COMPACT.test(Function.prototype.toString.call(known));
  };
  return specs.some(({ type, name }) => name === type || looksMinified(type)) ? names : [];
}
