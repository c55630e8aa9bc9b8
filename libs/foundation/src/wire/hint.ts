/**
 * Hints: "check now instead of later". Never trusted, never needed: every one is backed by a regular check.
 * Published by the Lua scripts on `keys.hints`; read by the backends.
 */

import { fromJson, ifRight, isObject, listOfAll, record, text, whole } from './decode.js';

/** What changed. */
export type Hint =
  /** The name is free; `node` had it. Nodes of the version before do not say who. */
  | { t: 'released'; name: string; node?: string }
  /** The owner of the name is running. */
  | { t: 'running'; name: string }
  /** The membership changed. */
  | { t: 'view' }
  /** The table of processes changed, that of services, or that of the cluster-wide configuration. */
  | TableHint
  /**
   * A node owns more or fewer processes than before. Decides placement, so with a cookie it is signed and comes but
   * once.
   */
  | { t: 'load'; node: string; load: number; at?: number; mac?: string }
  /**
   * What a cron job remembers has changed: all of it, signed with a cookie. Nodes keep it for the case that Redis loses
   * it, and look every few seconds besides.
   */
  | { t: 'cron'; said: string }
  /** A node was rejected, because it has another cookie. */
  | { t: 'refused'; node: string; host: string };

/**
 * That a table has changed, up to which version, and what of: a node that has that version, or nothing to do with it,
 * need not read at once. Nodes of the version before say neither, and then every node reads.
 */
export interface TableHint {
  t: 'table' | 'services' | 'settings';
  version?: number;
  /** Classes of processes; none = what only the next read need see. */
  of?: readonly string[];
}

/** Called for each hint. */
export type HintListener = (hint: Hint) => void;

/** The longest name that anybody has in a cluster, and the most processes that a node can say it owns. */
const MAX_NAME = 300;
const MAX_LOAD = 1_000_000;
/** How many classes are named in a hint; with more of them every node reads. */
export const MAX_HINTED = 8;

/** The longest hint, in bytes. */
export const LONGEST_HINT = 4096;

const name = text(MAX_NAME);

const readTableHint = record<Omit<TableHint, 't'>>({
  version: ifRight(whole()),
  of: ifRight(listOfAll(name, MAX_HINTED)),
});
const readName = record<{ name: string }>({ name });
const readReleased = record<{ name: string; node?: string }>({ name, node: ifRight(name) });
const readLoad = record<{ node: string; load: number }>({ node: name, load: whole(MAX_LOAD) });
const readStamp = record<{ at: number; mac: string }>({ at: whole(), mac: text(100, 0) });
const readWritten = record<{ said: string }>({ said: text(LONGEST_HINT) });
const readRefused = record<{ node: string; host: string }>({ node: name, host: name });

function readHint(value: unknown): Hint | undefined {
  const t = isObject(value) ? value['t'] : undefined;
  if (t === 'released') {
    const released = readReleased(value);
    return released && { t, ...released };
  }
  if (t === 'running') {
    const running = readName(value);
    return running && { t, ...running };
  }
  if (t === 'view') return { t };
  if (t === 'table' || t === 'services' || t === 'settings') return { t, ...readTableHint(value) };
  if (t === 'load') {
    const said = readLoad(value);
    return said && { t, ...said, ...readStamp(value) };
  }
  if (t === 'cron') {
    const written = readWritten(value);
    return written && { t, ...written };
  }
  const refused = t === 'refused' ? readRefused(value) : undefined;
  return refused && { t: 'refused', ...refused };
}

/** Reads a hint; `undefined` for anything else, because any client of Redis can publish nonsense. */
export const parseHint = fromJson(readHint, LONGEST_HINT);
