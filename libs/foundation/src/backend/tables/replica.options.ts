/** What a replica of a table has to know of its rows. Given to `table.replica.ts`. */
import type { TableRow, TableWrite } from './table.js';

/** Why what lies in the place of a row counts for nothing: another cookie, or not what this version can read. */
export type Refused = 'bad-signature' | 'unreadable';

/** What a row becomes in a replica. */
export interface Replicated {
  readonly version: number;
}

/** A row as it is to be written; a text is one about which nothing more is said. */
export type Draft = string | Pick<TableWrite, 'value' | 'about'>;

/** What a replica needs to know of its rows. */
export interface ReplicaOptions<T extends Replicated> {
  /** For logs and errors: `process table`. */
  what: string;
  /** Reads a row; `undefined` for one that this version cannot use. It changes nothing, and may be written over. */
  read(row: TableRow): T | undefined;
  /** Called after each batch with such rows, and those that are not signed: one of them, and how many there were. */
  refused?(reason: Refused, key: string, count: number): void;
  /**
   * What this replica writes where such a row lies in the place of one that it has; `undefined` leaves it as it is.
   * Without it: `write`, in the place of what is not signed. What cannot be read may be of a newer version.
   */
  writeBack?: (key: string, value: T, reason: Refused) => string | undefined;
  /** After each row that came, changed (both are given) or went. */
  changed?(key: string, now: T | undefined, before: T | undefined): void;
  /** Once after each batch of changes. */
  settled?(): void;
  /**
   * How a row is restored after a loss of data. Without it nothing is restored: a row that is lost and that no node
   * writes again is gone, and this replica loses it as well.
   */
  write?: (value: T) => string;
  /**
   * A replica that was out of touch for longer than this does not restore rows before those that did, because rows may
   * have ended and been removed meanwhile. Default: at once.
   */
  staleAfterMs?: number;
  /** How long such a replica waits for the others. */
  patienceMs?: () => number;
  now?: () => number;
}
