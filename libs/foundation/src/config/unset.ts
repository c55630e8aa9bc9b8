/**
 * Pure: options without those that were not given. Used by `resolve`.
 */

/** What is `undefined` or `null` counts as not given. */
export function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined && entry !== null)) as T;
}
