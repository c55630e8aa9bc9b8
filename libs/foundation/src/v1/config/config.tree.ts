/**
 * Pure: reading and writing a place in nested records, and which paths and values are safe to take from others.
 */
import { shown } from '../../errors/describe.js';
import { isSafeName } from '../../settings/config.path.js';

/** The most names of a path. */
const MAX_PATH = 50;
/** The longest text in a value, in characters. */
const MAX_TEXT = 1_000_000;
/** Levels of a value, and values in it. */
const MAX_LEVELS = 20;
const MAX_VALUES = 100_000;

/** Of Elixir, which a name may not contain; then what it may not contain in any case. */
const MODULES = /Elixir\.(?:System|File|Code|Process|Node|Kernel)|__struct__|__info__/;
const ATTACKS = /\.\.\/|etc\/passwd|drop table|<script>|eval_string/i;

/** A copy of a list of anything; `undefined` for what is not a list. */
export function listOf(path: unknown): readonly unknown[] | undefined {
  try {
    return Array.isArray(path) ? Array.from<unknown>(path) : undefined;
  } catch {
    return undefined;
  }
}

export function isSafePath(path: readonly unknown[]): path is readonly string[] {
  return (
    path.length <= MAX_PATH &&
    path.every((name) => typeof name === 'string' && isSafeName(name) && !MODULES.test(name) && !ATTACKS.test(name))
  );
}

/** False for functions, texts of more than 1 MB, what is nested too deeply or too large, and what cannot be read. */
export function isSafeValue(value: unknown): boolean {
  let left = MAX_VALUES;
  const isSafe = (each: unknown, level: number): boolean => {
    if ((left -= 1) < 0 || level > MAX_LEVELS || typeof each === 'function' || typeof each === 'symbol') return false;
    if (typeof each === 'string') return each.length <= MAX_TEXT;
    if (typeof each !== 'object' || each === null) return true;
    if (Array.isArray(each) && each.length > left) return false;
    return Reflect.ownKeys(each).every(
      (name) =>
        typeof name === 'string' &&
        isSafeName(name) &&
        name.length <= MAX_TEXT &&
        isSafe((each as Record<string, unknown>)[name], level + 1),
    );
  };
  try {
    return isSafe(value, 0);
  } catch {
    return false;
  }
}

export function hasOwn(value: unknown, name: string): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name);
}

/** The value at a path, which may be `null`; `undefined` where there is none. */
export function valueAt(tree: unknown, path: readonly string[]): { value: unknown } | undefined {
  let value = tree;
  for (const name of path) {
    if (!hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return { value };
}

/** A tree like this one with another value at a path that it has. */
export function withValue<T>(tree: T, [name, ...rest]: readonly string[], value: unknown): T {
  if (name === undefined) return value as T;
  const inner = (tree as Record<string, unknown>)[name];
  return { ...tree, [name]: withValue(inner, rest, value) };
}

/** One laid over the other, part by part; a list and anything else that is not a record replaces what is there. */
export function merged(under: unknown, over: unknown, level = 0): unknown {
  if (!isRecord(under) || !isRecord(over) || level > MAX_LEVELS) return over === undefined ? under : over;
  const result: Record<string, unknown> = { ...under };
  for (const [name, value] of Object.entries(over)) {
    if (isSafeName(name)) result[name] = merged(result[name], value, level + 1);
  }
  return result;
}

/** Freezes all of it, so that no caller changes what others have been given. For trees of ours, which are shallow. */
export function frozen<T>(tree: T): T {
  if (typeof tree !== 'object' || tree === null || Object.isFrozen(tree)) return tree;
  for (const value of Object.values(Object.freeze(tree))) frozen(value);
  return tree;
}

/** A path for a message. */
export function pathText(path: unknown): string {
  return shown(path, 200);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
