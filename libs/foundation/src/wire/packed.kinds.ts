/**
 * Pure: which objects are not what their own properties say.
 */
import { isBoxedPrimitive } from 'node:util/types';

const NOTHING = {};

/** False once somebody has given all objects a name that `for … in` lists. */
export function isClean(): boolean {
  for (const name in NOTHING) return name === undefined;
  return true;
}

const { isRawJSON } = JSON as { isRawJSON?: (value: unknown) => boolean };

/** What JSON does not write property by property: `new String('')`, and the result of `JSON.rawJSON`. */
export function isSpecial(value: object, prototype: object | null): boolean {
  return prototype === null ? isRawJSON?.(value) === true : isBoxedPrimitive(value);
}

/** Whether JSON asks it for another value first. */
export function hasToJson(value: unknown): boolean {
  const canHave = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return canHave && typeof (value as { toJSON?: unknown }).toJSON === 'function';
}
