/**
 * Hints: "look now instead of later". Never trusted, never needed: every one is backed by a regular look.
 * Published by the Lua scripts on `keys.hints`; read by the engines.
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
  /** The table of processes changed. */
  | { t: 'table' }
  /** Services came, changed or went. */
  | { t: 'services' }
  /** A node owns more or fewer processes than before. */
  | { t: 'load'; node: string; load: number }
  /** A node was not let in, because it has another cookie. */
  | { t: 'refused'; node: string; host: string };

/** Called for each hint. */
export type HintListener = (hint: Hint) => void;

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
  const { t, name, node, load, host } = value as Record<string, unknown>;
  if ((t === 'released' || t === 'running') && typeof name === 'string') return { t, name };
  if (t === 'view' || t === 'table' || t === 'services') return { t };
  if (t === 'load' && typeof node === 'string' && typeof load === 'number') return { t, node, load };
  if (t === 'refused' && typeof node === 'string' && typeof host === 'string') return { t, node, host };
  return undefined;
}
