/**
 * A row of the process table: what it says, and how it is read. Any client that can write to Redis can write rows, so
 * every number and text is held to the bounds that the API has; what is beyond them is no row.
 */
import type { TableRow } from '../../backend/tables/table.js';
import { readMarks } from '../../calls/call.marks.js';
import { looksLikeSlot, type ProcessCount } from '../../cluster/slot.names.js';
import { isLabels } from '../../config/validate.js';
import { MAX_COUNT_OPTION } from '../../config/validate.shape.js';
import { plain } from '../../errors/describe.js';
import { LONGEST_TIMER_MS } from '../../time/duration.js';
import { amount, anyList, flag, fromJson, ifRight, oneOf, optional, record, text, whole } from '../../wire/decode.js';
import { isName } from '../../wire/names.js';
import { isCount, MAX_ARGS_SIZE, type ProcessSpec } from '../declaration/process.specification.js';

/**
 * `wanted` should run; `backing-off` waits for its restart; `once` is a temporary process that was started and must not
 * be again; the others stay down until they are started or restarted by a call.
 */
export type ProcessStatus = 'wanted' | 'backing-off' | 'once' | 'completed' | 'stopped' | 'failed' | 'escalated';

/** A row: the spec and where it stands. */
export interface ProcessEntry extends ProcessSpec {
  /** In the row of a replica or a partition: the process it belongs to. */
  of?: string;
  status: ProcessStatus;
  /** Instances with this epoch or a lower one must no longer run; a restart raises it. */
  after: number;
  /** False until a process that was started by a call has come up once. */
  confirmed: boolean;
  /** A node to avoid, because it crashed there again and again. */
  avoid?: string;
  /** A node it was moved to. */
  prefer?: string;
  /** The last failure, as text. */
  error?: string;
  /** Its stack, cut. Absent in rows of older versions. */
  stack?: string;
  /** How often it has crashed since it was started or restarted by a call; absent = never. */
  crashes?: number;
  /** The node of the instance whose end this is; `after` is its epoch. Absent in rows of older versions. */
  ranOn?: string;
  /** With `backing-off`: milliseconds since 1970 by the Redis clock. */
  retryAt?: number;
  /** True while what runs stops, to begin again by another number of partitions: nothing of it starts. */
  settling?: true;
  /** Since when no node declares it: milliseconds since 1970 by the Redis clock. */
  orphanedAt?: number;
}

/** An entry and its version in the table. */
export type VersionedEntry = ProcessEntry & { readonly version: number };

/** True when a process in this status stays down until a call. */
export function isEnded(status: ProcessStatus): boolean {
  return GONE.has(status) || status === 'escalated';
}

/** Of a permanent process that has completed. */
export const RUNS_FOR_EVER = 'it is to run for ever (restart: "permanent")';

/**
 * What is said of a process that ended too often, and when to bring it back; a last end without an error was no crash.
 */
export function stayingDown(error: string | undefined): { how: string; remedy: string } {
  if (error !== undefined) return { how: 'crashed too often and stays down', remedy: 'after correcting the cause' };
  return {
    how: `completed too often and stays down, though ${RUNS_FOR_EVER}`,
    remedy: 'when it is "transient" or "temporary", or no longer completes',
  };
}

const GONE: ReadonlySet<ProcessStatus> = new Set(['completed', 'stopped', 'failed']);

/** Everything but the arguments is a few texts; the API writes no row that is longer. */
const MAX_ROW_SIZE = MAX_ARGS_SIZE + 65_536;
const MAX_TYPE = 1000;
/** The longest stack of a row, in characters. */
const MAX_ROW_STACK = 4000;
/** A name, a separator and the name of a node. */
const MAX_SLOT_NAME = 400;
const MAX_DAY_MS = 86_400_000;

const readOptions = record<ProcessEntry['options']>({
  restart: oneOf('permanent', 'transient', 'temporary'),
  maxRestarts: whole(MAX_COUNT_OPTION),
  maxSeconds: whole(MAX_COUNT_OPTION, 1),
  timeout: (value) => (value === 'infinity' ? value : whole(LONGEST_TIMER_MS, 1)(value)),
  stopTimeout: whole(MAX_DAY_MS, 1),
  backoff: record({ base: whole(MAX_DAY_MS), cap: whole(MAX_DAY_MS) }),
});

const readPlacement = record<ProcessEntry['placement']>({
  strategy: oneOf('spread', 'hash'),
  labels: (value) => (isLabels(value) ? value : undefined),
});

const node = optional(text(MAX_SLOT_NAME));
const time = optional(amount(Number.MAX_SAFE_INTEGER));

/** How a row says `all`. */
const EVERYWHERE = 0;

/** A count as rows and declarations have it, in every version. */
export function writtenCount(count: ProcessCount): number {
  return count === 'all' ? EVERYWHERE : count;
}

/** The text of a row. */
export function writeEntry({ version: _version, ...entry }: ProcessEntry & { version?: number }): string {
  return JSON.stringify({ ...entry, count: writtenCount(entry.count) });
}

const readEntry = record<ProcessEntry>({
  name: text(MAX_SLOT_NAME),
  of: optional((value) => (isName(value) ? value : undefined)),
  type: text(MAX_TYPE),
  kind: oneOf('singleton', 'replicated', 'partitioned'),
  count: (value) => (value === EVERYWHERE ? 'all' : whole()(value)),
  declared: flag,
  handoff: flag,
  rebalance: oneOf('off', 'on-join'),
  marks: ifRight(readMarks),
  args: anyList,
  options: readOptions,
  placement: readPlacement,
  status: oneOf('wanted', 'backing-off', 'once', 'completed', 'stopped', 'failed', 'escalated'),
  after: whole(),
  confirmed: flag,
  avoid: node,
  prefer: node,
  // The version before wrote texts of any length.
  error: optional((value) => (typeof value === 'string' ? plain(value) : undefined)),
  stack: optional((value) => (typeof value === 'string' ? plain(value, MAX_ROW_STACK) : undefined)),
  crashes: optional(whole()),
  ranOn: node,
  retryAt: time,
  settling: optional(oneOf(true)),
  orphanedAt: time,
});

const readRow = fromJson(readEntry, MAX_ROW_SIZE);

/** Reads a row field by field; `undefined` for one that this version cannot use. */
export function parseEntry({ key, value, version }: TableRow): VersionedEntry | undefined {
  const entry = readRow(value);
  if (entry === undefined || entry.name !== key || !isCount(entry.kind, entry.count)) return undefined;
  const { name, of } = entry;
  if (of === undefined && (!isName(name) || looksLikeSlot(name))) return undefined;
  return Object.assign(entry, { version });
}
