/**
 * Pure: whether the classes of an application have the names that a minifier gives.
 * Called by the declarations, once at start.
 */

/** Minifiers count through the letters, and few applications have more than some thousand names in one scope. */
const LONGEST = 3;

/** The names, when all are as short as those of a minifier and one looks like no name; a short one may be a choice. */
export function minifiedNames(classes: readonly string[]): readonly string[] {
  const areShort = classes.every((name) => name.length <= LONGEST);
  return areShort && classes.some((name) => name.length < LONGEST || !/^[A-Z]/.test(name)) ? classes : [];
}
