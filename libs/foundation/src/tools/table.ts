/**
 * Contract: a small table of JSON values that every node holds a copy of, versioned so that a copy can catch up.
 * Implemented by `redis.table.ts` and `local.table.ts`; used for what should run and for who offers what.
 */

/** One value and its version. An empty value says that the row was removed. */
export interface TableRow {
  key: string;
  value: string;
  version: number;
}

/** A versioned table. */
export interface Table {
  /**
   * Writes if the row still has version `expected` (0 = must not exist). Returns the new version, or `undefined` when
   * somebody else wrote first.
   */
  put(key: string, value: string, expected: number): Promise<number | undefined>;
  /** Everything newer than `version`, and the table's own version; one lower than yours means that data was lost. */
  since(version: number): Promise<{ version: number; rows: TableRow[] }>;
  /** Puts rows back after data loss, each only where the table has no newer one. */
  restore(rows: readonly TableRow[]): Promise<void>;
  /** Removes a row that still has this version. */
  remove(key: string, version: number): Promise<void>;
}
