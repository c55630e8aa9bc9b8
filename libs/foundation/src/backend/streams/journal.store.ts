/**
 * Contract: keeps the newest entries of the journal of the cluster, each as a text, in the order in which they were
 * written. Implemented by `redis.journal.ts` and `local.journal.ts`; used by the room `journal/`.
 */

/** An entry to be written. */
export interface JournalWrite {
  /** Rises by one with each entry of the node. */
  number: number;
  /** What other nodes report as well: the first of them writes it. Empty for what this node alone reports. */
  mark: string;
  text: string;
}

/** An entry as it is kept. */
export interface JournalRow {
  /** `<ms since 1970>-<number>`, which rises with each entry. */
  id: string;
  text: string;
}

/** Which rows to read. */
export interface JournalSpan {
  /** Older than the row of this id. */
  before?: string | undefined;
  /** Newer than the row of this id. */
  after?: string | undefined;
  /** Not written before this time, in milliseconds since 1970. */
  from?: number | undefined;
  count: number;
}

/** See the file header. */
export interface JournalStore {
  /**
   * Writes entries in this order, and keeps the newest `most` of all. What was written by an attempt whose answer was
   * lost is not written again, and neither is what another node has written under the same mark within the last hour.
   */
  append(entries: readonly JournalWrite[], most: number): Promise<void>;
  /** This node writes nothing more: what was remembered of its attempts goes. */
  forget(): Promise<void>;
  /** The newest first. */
  read(span: JournalSpan): Promise<JournalRow[]>;
}

/** When a row was written, in milliseconds since 1970. */
export function writtenAt(id: string): number {
  return Number(id.split('-')[0]);
}
