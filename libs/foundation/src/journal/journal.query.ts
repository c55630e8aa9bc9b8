/** Pure: which entries of the journal are meant, checked. Called by the facade, which the dashboard and the CLI ask. */
import { types } from 'node:util';
import { processOf } from '../cluster/slot.names.js';
import { ArgumentError } from '../errors/config.errors.js';
import { show } from '../errors/describe.js';
import { givenOptions } from '../foreign/given.options.js';
import { parseDuration } from '../time/duration.js';
import type { JournalEntry } from './journal.entry.js';

/** Entries in one answer. */
export const MAX_READ = 1000;
const DEFAULT_READ = 100;
const MAX_TEXT = 300;

/** A time: milliseconds since 1970, a `Date`, an ISO date, or how long ago, such as `'15m'` or `'1d'`. */
export type JournalTime = number | Date | string;

/** Which entries to read; without any of these, the newest. */
export interface JournalQuery {
  /** Its name; also the name of a replica or a partition, `accounts/3`, for that one alone. */
  process?: string;
  /** Where it happened, to which it happened, or which had the process before. */
  node?: string;
  /** The kind of an entry (`process.crashed`), or all of a room (`process.*`, `command.*`). */
  kind?: string;
  /** Not before this time. */
  since?: JournalTime;
  /** Not after this time. */
  until?: JournalTime;
  /** Only entries that were written after the one with this id, to go on where a read has ended. */
  after?: string;
  /** How many at most, 1 to 1000. Default 100. */
  limit?: number;
}

/** A query with its times in milliseconds since 1970. */
export interface CheckedQuery {
  process?: string;
  node?: string;
  kind?: string;
  since: number;
  until: number;
  after?: string;
  limit: number;
}

/** What says which of the entries that come are meant. */
export const FOLLOWED = ['process', 'node', 'kind', 'after'] as const;
const KNOWN = [...FOLLOWED, 'since', 'until', 'limit'] as const;
type Word = (typeof KNOWN)[number];

/** @throws ArgumentError */
export function checkQuery(call: string, query: unknown, now: number, known: readonly Word[] = KNOWN): CheckedQuery {
  const given = givenOptions<Partial<Record<Word, unknown>>>(call, query, known, 'query');
  const { process, node, kind, since, until, after, limit } = given;
  for (const [name, value] of Object.entries({ process, node })) {
    if (value === undefined || (typeof value === 'string' && value !== '' && value.length <= MAX_TEXT)) continue;
    throw new ArgumentError(call, name, show(value), 'a name');
  }
  if (kind !== undefined && !(typeof kind === 'string' && /^[a-z_]{1,30}\.([a-z_]{1,30}|\*)$/.test(kind))) {
    throw new ArgumentError(call, 'kind', show(kind), `a kind such as 'process.crashed', or 'process.*'`);
  }
  if (after !== undefined && !(typeof after === 'string' && /^\d{1,16}-\d{1,20}$/.test(after))) {
    throw new ArgumentError(call, 'after', show(after), 'the id of an entry');
  }
  if (
    limit !== undefined &&
    !(Number.isSafeInteger(limit) && (limit as number) >= 1 && (limit as number) <= MAX_READ)
  ) {
    throw new ArgumentError(call, 'limit', show(limit), `a whole number from 1 to ${MAX_READ}`);
  }
  return {
    ...({ process, node, kind, after } as Pick<CheckedQuery, 'process' | 'node' | 'kind' | 'after'>),
    since: since === undefined ? 0 : momentOf(call, 'since', since, now),
    until: until === undefined ? Infinity : momentOf(call, 'until', until, now),
    limit: (limit as number | undefined) ?? DEFAULT_READ,
  };
}

function momentOf(call: string, option: string, given: unknown, now: number): number {
  const at = timeOf(given, now);
  if (at !== undefined && at >= 0 && at <= Number.MAX_SAFE_INTEGER) return at;
  const expected = `milliseconds since 1970, a Date, an ISO date, or how long ago, such as '1d'`;
  throw new ArgumentError(call, option, show(given), expected);
}

function timeOf(given: unknown, now: number): number | undefined {
  if (typeof given === 'number') return given;
  if (types.isDate(given)) return given.getTime();
  if (typeof given !== 'string') return undefined;
  const ago = parseDuration(given);
  if (ago !== undefined) return Math.max(0, now - ago);
  return /^\d{4}-\d\d/.test(given) && given.length <= 40 ? Date.parse(given) : undefined;
}

/** True for an entry that is meant. */
export function isMeant({ process, node, kind, since, until }: CheckedQuery, entry: JournalEntry): boolean {
  if (entry.at < since || entry.at > until) return false;
  if (process !== undefined && entry.process !== process && processOf(entry.process ?? '') !== process) return false;
  if (node !== undefined && ![entry.node, entry.from, entry.target].includes(node)) return false;
  return kind === undefined || entry.kind === kind || (kind.endsWith('.*') && entry.kind.startsWith(kind.slice(0, -1)));
}
