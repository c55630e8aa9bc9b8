/**
 * Hints: "look now instead of later". Never trusted, never needed: every one is backed by a regular look.
 * Published by the Lua scripts on `keys.hints`; read by the backends.
 */

import { parseJson } from './json.js';

/** What changed. */
export type Hint =
  /** The name is free. */
  | { t: 'released'; name: string }
  /** The owner of the name is running. */
  | { t: 'running'; name: string }
  /** The membership changed. */
  | { t: 'view' }
  /** The table of processes changed, or that of services. */
  | TableHint
  /**
   * A node owns more or fewer processes than before. Decides placement, so with a cookie it is signed and comes but
   * once.
   */
  | { t: 'load'; node: string; load: number; at?: number; mac?: string }
  /** A node was not let in, because it has another cookie. */
  | { t: 'refused'; node: string; host: string };

/**
 * That a table has changed, up to which version, and what of: whoever has that version, or nothing to do with it, need
 * not look at once. Nodes of the version before say neither, and then everybody looks.
 */
export interface TableHint {
  t: 'table' | 'services';
  version?: number;
  /** Classes of processes; none = what only the next look need see. */
  of?: readonly string[];
}

/** Called for each hint. */
export type HintListener = (hint: Hint) => void;

/** The longest name that anybody has in a cluster, and the most processes that a node can say it owns. */
const MAX_NAME = 300;
const MAX_LOAD = 1_000_000;
/** So many classes are named in a hint; of more everybody looks. */
export const MAX_HINTED = 8;

function isCount(value: unknown, most: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_NAME;
}

/** Reads a hint; `undefined` for anything else, because whoever can publish can publish nonsense. */
export function parseHint(text: string): Hint | undefined {
  if (text.length > 4096) return undefined;
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { t, name, node, load, host, at, mac, version, of } = value as Record<string, unknown>;
  if ((t === 'released' || t === 'running') && isName(name)) return { t, name };
  if (t === 'view') return { t };
  if (t === 'table' || t === 'services') {
    const isSome = Array.isArray(of) && of.length <= MAX_HINTED && of.every(isName);
    return { t, ...(isCount(version, Number.MAX_SAFE_INTEGER) ? { version } : {}), ...(isSome ? { of } : {}) };
  }
  if (t === 'load' && isName(node) && isCount(load, MAX_LOAD)) {
    if (!isCount(at, Number.MAX_SAFE_INTEGER) || typeof mac !== 'string' || mac.length > 100) return { t, node, load };
    return { t, node, load, at, mac };
  }
  if (t === 'refused' && isName(node) && isName(host)) return { t, node, host };
  return undefined;
}
