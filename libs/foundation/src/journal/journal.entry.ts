/**
 * One entry of the journal, as it is written, and as it is read from what anybody may have written: nothing in it is
 * longer than a node says.
 */
import type { JournalRow } from '../backend/streams/journal.store.js';
import { writtenAt } from '../backend/streams/journal.store.js';
import { oneLine } from '../errors/describe.js';
import type { CommandSource } from '../telemetry/events.js';
import { fromJson, ifRight, oneOf, type Reader, record, whole } from '../wire/decode.js';

/** The longest entry in characters; a node writes far shorter ones. */
export const MAX_ENTRY = 8192;
/** Characters of a name, and of the text of an error. */
const MAX_WORD = 300;
const MAX_ERROR = 400;
/** The last time that a `Date` can have: whoever shows an entry makes one of its time. */
const LATEST = 8_640_000_000_000_000;

/** Something that happened in the cluster. */
export interface JournalEntry {
  /** `<ms since 1970>-<number>` of the stream: rises with each entry that is written. */
  id: string;
  /** When it happened, in milliseconds since 1970 by the Redis clock. */
  at: number;
  /**
   * What: the name of an event (`process.started`), `command.` and what was asked for (`command.move`), or
   * `release.deployed` and `release.retired`.
   */
  kind: string;
  /** Where it happened, or the node that it happened to. */
  node: string;
  /** The node that wrote it, where that is another one: of a node that was killed, one of the others. */
  by?: string;
  /** The process, replica or partition. */
  process?: string;
  epoch?: number;
  /** Why, as a slug (`lease-lost`); of a command in the words of who gave it. */
  reason?: string;
  /** What a crash said. */
  error?: string;
  /** The node that had the process before. */
  from?: string;
  /** What a command was about besides the process: the node to drain or to move to, or what was configured. */
  target?: string;
  /** Where the command was given, and by whom, as they call themselves. */
  via?: CommandSource;
  actor?: string;
  /** Of a node that has joined or left: which life of it. */
  bootId?: string;
  /** Of a node that has joined, and of a deployment: the version of the application, and that of Foundation. */
  release?: string;
  version?: string;
  /** Of a deployment: the other versions of the application. */
  others?: string;
  /** How many: ends before it escalated, times that were missed, entries that were left out. */
  count?: number;
  /** How long, in milliseconds: a start, or how long Redis was away. */
  ms?: number;
}

/** What is written of an entry. */
export type JournalFacts = Omit<JournalEntry, 'id'>;

/** A text on one line, which may have come from a terminal, a request, or another node. */
const line =
  (most: number): Reader<string> =>
  (value) =>
    typeof value === 'string' && value !== '' ? oneLine(value, most) : undefined;
const word = line(MAX_WORD);
const kind: Reader<string> = (value) =>
  typeof value === 'string' && value.length <= 60 && /^[a-z_]+\.[a-z_]+$/.test(value) ? value : undefined;

const readFacts = fromJson(
  record<JournalFacts>({
    at: whole(LATEST),
    kind,
    node: word,
    by: ifRight(word),
    process: ifRight(word),
    epoch: ifRight(whole()),
    reason: ifRight(word),
    error: ifRight(line(MAX_ERROR)),
    from: ifRight(word),
    target: ifRight(word),
    via: ifRight(oneOf('code', 'dashboard', 'command-line')),
    actor: ifRight(word),
    bootId: ifRight(word),
    release: ifRight(word),
    version: ifRight(word),
    others: ifRight(word),
    count: ifRight(whole()),
    ms: ifRight(whole()),
  }),
  MAX_ENTRY,
);

/** The text of an entry; each word is cut to what is read of it. */
export function writeEntry(facts: JournalFacts): string {
  const short = Object.entries(facts).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return [[key, typeof value === 'string' ? oneLine(value, key === 'error' ? MAX_ERROR : MAX_WORD) : value] as const];
  });
  return JSON.stringify(Object.fromEntries(short));
}

/** An entry, or `undefined` for what is none. Nothing happened after it was written. */
export function readEntry({ id, text }: JournalRow): JournalEntry | undefined {
  if (!/^\d{1,16}-\d{1,20}$/.test(id)) return undefined;
  const facts = readFacts(text);
  return facts && { id, ...facts, at: Math.min(facts.at, writtenAt(id)) };
}
