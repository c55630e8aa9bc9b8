/**
 * Pure: the row of a cluster-wide configuration: what was set in all, and the last changes one by one, so that a node
 * that missed some is told of each. A row lies on the defaults of a node, which are in its code.
 */
import type { TableRow } from '../backend/tables/table.js';
import { fromJson, listOfAll, or, record, text, whole } from '../wire/decode.js';
import { isValue, MAX_CONFIG_BYTES, overlap, putValue, segmentsOf } from './config.path.js';

/** Paths that may be set at a time. */
export const MAX_PATHS = 1_000;
/** The last changes that a row has one by one; a node that missed more is told of all of them as one. */
export const MAX_CHANGES = 100;
/** The most characters of JSON of these, besides the last one. */
const MAX_CHANGES_LENGTH = 256 * 1024;

/** A value that was set, by the segments of its path. */
export interface SetValue {
  path: string;
  value: unknown;
}

/** One change. */
export interface RowChange extends SetValue {
  id: string;
  /** The node that made it. */
  node: string;
  /** The version of the row by it; 0 for the last change, whose row knows it. */
  revision: number;
}

/** What is written. */
export interface ConfigContent {
  /** What was set, in the order in which it lies on the defaults. */
  values: SetValue[];
  /** Oldest first; the last one made this row. */
  changes: RowChange[];
  /** How many changes there were in all. */
  count: number;
}

/** A row with its version. */
export interface ConfigRow extends ConfigContent {
  version: number;
}

/** Of a row that has so many one more can be made. */
const LAST_COUNT = 2 ** 52;

const readPath = (value: unknown): string | undefined =>
  segmentsOf(value) === undefined ? undefined : (value as string);
const readValue = (value: unknown): unknown => (isValue(value) ? value : undefined);
const fields = { path: readPath, value: readValue };
const readContent = record<ConfigContent>({
  values: listOfAll(record<SetValue>(fields), MAX_PATHS),
  changes: listOfAll(
    record<RowChange>({ ...fields, id: text(200), node: text(300), revision: or(whole(), 0) }),
    MAX_CHANGES,
  ),
  count: whole(LAST_COUNT),
});
const readProposed = record<Proposal>({ id: text(200), values: listOfAll(record<SetValue>(fields), MAX_PATHS) });
/** All values twice, as they are and as the last change, and the other changes. */
const readText = fromJson(readContent, 3 * MAX_CONFIG_BYTES + 2 * MAX_CHANGES_LENGTH);

/** What a node asks the others to accept: all that would be set. */
export interface Proposal extends Pick<ConfigContent, 'values'> {
  id: string;
}

/** What another node proposes; `undefined` for what cannot be it. */
export function readProposal(value: unknown): Proposal | undefined {
  return readProposed(value);
}

/** @returns `undefined` for what is no row of this kind. */
export function readRow({ value, version }: TableRow): ConfigRow | undefined {
  const content = readText(value);
  return content !== undefined && content.changes.length > 0 ? { ...content, version } : undefined;
}

export function writeRow({ values, changes, count }: ConfigContent): string {
  return JSON.stringify({ values, changes, count });
}

/** The id of the change that made a row; that of no row is empty. */
export function idOf(row: ConfigContent | undefined): string {
  return row?.changes.at(-1)?.id ?? '';
}

/** The changes of a row, each with the version that it made: that of the last one is the row's own. */
export function changesOf({ changes, version }: ConfigRow): RowChange[] {
  return changes.map((each, index) =>
    each.revision === 0 || index === changes.length - 1 ? { ...each, revision: version } : each,
  );
}

/** The row after a change of the one that is there. */
export function nextContent(row: ConfigRow | undefined, change: Omit<RowChange, 'revision'>): ConfigContent {
  const { path, value, id, node } = change;
  const known = row === undefined ? [] : changesOf(row);
  let length = 0;
  // The newest of them that fit.
  const kept = known
    .reverse()
    .filter((each, index) => index < MAX_CHANGES - 1 && (length += JSON.stringify(each).length) <= MAX_CHANGES_LENGTH)
    .reverse();
  return {
    values: patched(row?.values ?? [], { path, value }),
    changes: [...kept, { path, value, id, node, revision: 0 }],
    count: (row?.count ?? 0) + 1,
  };
}

/** What lies below the path goes with it. */
export function patched(values: readonly SetValue[], { path, value }: SetValue): SetValue[] {
  return [...values.filter((each) => each.path !== path && !each.path.startsWith(`${path}.`)), { path, value }];
}

/** The changes since the row whose id is given; `undefined` where the row no longer has them. */
export function changesSince(row: ConfigRow, id: string): RowChange[] | undefined {
  const at = row.changes.findIndex((each) => each.id === id);
  // Of no row at all every change follows.
  if (at < 0 && (id !== '' || row.changes.length < row.count)) return undefined;
  return changesOf(row).slice(at + 1);
}

/** The change since then that touches what is at the path; `undefined` where there is none. */
export function overtaking(row: ConfigRow, since: string, path: string): Pick<RowChange, 'node'> | undefined {
  const changes = changesSince(row, since);
  if (changes === undefined) return row.changes.at(-1);
  const own = segmentsOf(path)!;
  return changes.find((each) => overlap(segmentsOf(each.path)!, own));
}

/** The defaults with all that was set; `undefined` where a path leads through something that is no object. */
export function documentOf(
  defaults: Readonly<Record<string, unknown>>,
  values: readonly SetValue[],
): Readonly<Record<string, unknown>> | undefined {
  const document = { ...defaults };
  const own = new Set<unknown>([document]);
  return values.every(({ path, value }) => putValue(document, segmentsOf(path)!, value, own)) ? document : undefined;
}
