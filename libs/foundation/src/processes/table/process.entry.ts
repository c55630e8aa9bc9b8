/**
 * A row of the process table: what it says, and how it is read. Whoever can write to Redis can write rows, so every
 * number and text is held to the bounds that the API has; what is beyond them is no row.
 */
import type { TableRow } from '../../backend/tables/table.js';
import { looksLikeSlot } from '../../cluster/slot.names.js';
import { isLabels, MAX_TIMEOUT_MS } from '../../config/validate.js';
import { MAX_COUNT_OPTION } from '../../config/validate.shape.js';
import { plain } from '../../errors/describe.js';
import { isObject } from '../../wire/decode.js';
import { parseJson } from '../../wire/json.js';
import { isCount, isName, MAX_ARGS_SIZE, type ProcessSpec } from '../declaration/process.specification.js';

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
  /** Instances with this epoch or a lower one must not run any more; a restart raises it. */
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
  /** Since when no node declares it any more: milliseconds since 1970 by the Redis clock. */
  orphanedAt?: number;
}

/** An entry and its version in the table. */
export type VersionedEntry = ProcessEntry & { readonly version: number };

/** True when a process in this status stays down until a call. */
export function isEnded(status: ProcessStatus): boolean {
  return GONE.has(status) || status === 'escalated';
}

const GONE: ReadonlySet<ProcessStatus> = new Set(['completed', 'stopped', 'failed']);

/** Everything but the arguments is a few texts; a row that is longer was written by nobody who goes through the API. */
const MAX_ROW_SIZE = MAX_ARGS_SIZE + 65_536;
const MAX_TYPE = 1000;
/** The longest stack of a row, in characters. */
const MAX_ROW_STACK = 4000;
/** A name, a separator and the name of a node. */
const MAX_SLOT_NAME = 400;
const MAX_DAY_MS = 86_400_000;

const STATUSES: readonly string[] = ['wanted', 'backing-off', 'once', 'completed', 'stopped', 'failed', 'escalated'];

/** Reads a row field by field; `undefined` for one that this version cannot use. */
export function parseEntry({ key, value, version }: TableRow): VersionedEntry | undefined {
  if (value.length > MAX_ROW_SIZE) return undefined;
  let parsed: unknown;
  try {
    parsed = parseJson(value);
  } catch {
    return undefined;
  }
  if (!isObject(parsed)) return undefined;
  const { name, type, kind, count, declared, handoff, rebalance, status, after, confirmed } = parsed;
  const { of, args, avoid, prefer, error, stack, crashes, ranOn, retryAt, settling, orphanedAt } = parsed;
  const options = readOptions(parsed['options']);
  const placement = readPlacement(parsed['placement']);
  const isPart = of !== undefined;
  const usable =
    name === key &&
    (isPart ? isText(name, MAX_SLOT_NAME) && isName(of) : isName(name) && !looksLikeSlot(name)) &&
    isText(type, MAX_TYPE) &&
    (kind === 'singleton' || kind === 'replicated' || kind === 'partitioned') &&
    isCount(kind, count) &&
    [declared, handoff, confirmed].every((flag) => typeof flag === 'boolean') &&
    (rebalance === 'off' || rebalance === 'on-join') &&
    typeof status === 'string' &&
    STATUSES.includes(status) &&
    isWhole(after, 0) &&
    Array.isArray(args) &&
    [avoid, prefer, ranOn].every((node) => node === undefined || isText(node, MAX_SLOT_NAME)) &&
    (error === undefined || typeof error === 'string') &&
    (stack === undefined || typeof stack === 'string') &&
    (crashes === undefined || isWhole(crashes, 0)) &&
    (retryAt === undefined || isNumber(retryAt, 0, Number.MAX_SAFE_INTEGER)) &&
    (settling === undefined || settling === true) &&
    (orphanedAt === undefined || isNumber(orphanedAt, 0, Number.MAX_SAFE_INTEGER));
  if (!usable || options === undefined || placement === undefined) return undefined;
  const fields = { name, type, kind, count, declared, handoff, rebalance, status, after, confirmed, args };
  // The version before wrote texts of any length.
  const optional = Object.entries({
    of,
    avoid,
    prefer,
    error: error && plain(error),
    stack: stack && plain(stack, MAX_ROW_STACK),
    crashes,
    ranOn,
    retryAt,
    settling,
    orphanedAt,
  });
  const given = optional.filter(([, field]) => field !== undefined);
  return { ...fields, ...Object.fromEntries(given), options, placement, version } as VersionedEntry;
}

function readOptions(value: unknown): ProcessEntry['options'] | undefined {
  if (!isObject(value) || !isObject(value['backoff'])) return undefined;
  const { restart, maxRestarts, maxSeconds, timeout, stopTimeout, backoff } = value;
  const { base, cap } = backoff;
  const usable =
    (restart === 'permanent' || restart === 'transient' || restart === 'temporary') &&
    isWhole(maxRestarts, 0, MAX_COUNT_OPTION) &&
    isWhole(maxSeconds, 1, MAX_COUNT_OPTION) &&
    (timeout === 'infinity' || isWhole(timeout, 1, MAX_TIMEOUT_MS)) &&
    isWhole(stopTimeout, 1, MAX_DAY_MS) &&
    isWhole(base, 0, MAX_DAY_MS) &&
    isWhole(cap, 0, MAX_DAY_MS);
  if (!usable) return undefined;
  return { restart, maxRestarts, maxSeconds, timeout, stopTimeout, backoff: { base, cap } } as ProcessEntry['options'];
}

function readPlacement(value: unknown): ProcessEntry['placement'] | undefined {
  if (!isObject(value)) return undefined;
  const { strategy, labels } = value;
  return (strategy === 'spread' || strategy === 'hash') && isLabels(labels) ? { strategy, labels } : undefined;
}

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= longest;
}

function isNumber(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most;
}

function isWhole(value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): boolean {
  return isNumber(value, least, most) && Number.isInteger(value);
}
