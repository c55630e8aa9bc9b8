/**
 * Contract: a table of JSON values that every node holds a replica of, versioned so that a replica can catch up.
 * Implemented by `redis.table.ts` and `local.table.ts`; `table.replica.ts` is the replica.
 */

/** One value and its version. An empty value says that the row was removed: a mark. */
export interface TableRow {
  key: string;
  value: string;
  version: number;
  /**
   * A node with another cookie wrote what lies there: its value is empty, and it is no mark.
   *
   * INVARIANT (I11): what is not believed is never taken for what was removed, or a stranger could stop what runs.
   */
  isForeign?: true;
}

/** True when the row says that it was removed. */
export function isMark({ value, isForeign }: TableRow): boolean {
  return value === '' && isForeign !== true;
}

/** What is to be written: only if the row still has version `expected`, 0 = must not exist. */
export interface TableWrite {
  key: string;
  value: string;
  expected: number;
  /**
   * What it is about, for the hint: a node that has nothing to do with it reads a little later. '' = all have; absent =
   * none has.
   */
  about?: string;
}

/** What became of writes. */
export interface TableWritten {
  /** The new version of each, `undefined` where another node wrote first. */
  versions: (number | undefined)[];
  /** See {@link TablePage.life}. */
  life: string;
  /**
   * The newest version before these; `undefined` when another node wrote in between. A replica that has it has missed
   * nothing.
   */
  follows?: number | undefined;
}

/** A row as it was seen, to be removed. */
export type RowSeen = Pick<TableRow, 'key' | 'version'>;

/** A part of what is newer than the version that was requested. */
export interface TablePage {
  /** In the order of their versions. One with the key {@link PUT_BACK} announces rows with lower versions. */
  rows: TableRow[];
  /** The version of the newest row or mark there is; lower than one that was known before means that data was lost. */
  version: number;
  /**
   * The watermark: a replica with a lower version may have missed marks that are gone by now, and must be read from
   * scratch.
   */
  floor: number;
  /** Which life of the table this is: changes when it was lost altogether; '' before the first write. */
  life: string;
  /** True when there are newer rows than the last of these. */
  more: boolean;
}

/** Key of the mark that says that rows with lower versions were restored; a replica below it must read from scratch. */
export const PUT_BACK = '';

/** How long the mark of a removed row is kept, in milliseconds. */
export const KEEP_MARKS_MS = 3_600_000;
/** How many marks are kept; what is away for longer than it takes to remove that many rows is read from scratch. */
export const MAX_MARKS = 10_000;

/** How long and how many marks are kept; tests have smaller ones. */
export interface MarkLimits {
  keepMs: number;
  max: number;
}

/** A versioned table. */
export interface Table {
  /**
   * Writes each row that still has the version its writer expects. In batches: some may be written when it rejects.
   */
  put(writes: readonly TableWrite[]): Promise<TableWritten>;
  /** The first rows and marks newer than `version`. */
  since(version: number): Promise<TablePage>;
  /**
   * Restores rows after a loss of data, each with the version it has, and only where the table has no newer row or
   * mark. When any was, the mark {@link PUT_BACK} notifies every replica. Then raises the watermark to `known`, the
   * version up to which the replica they come from was complete; 0 says nothing about that. Returns the life of the
   * table that holds them, or '' when that is not known.
   */
  restore(rows: readonly TableRow[], known: number): Promise<string>;
  /**
   * Removes rows that still have this version and leaves marks, in batches; returns the keys of those that were
   * removed. With none it only drops marks that are too old or too many.
   */
  remove(rows: readonly RowSeen[]): Promise<string[]>;
}
