/**
 * The rows of a replica, and what lies in the table in their place and counts for nothing. A row only gets newer.
 * Used by `table.replica.ts`, which knows how complete they are.
 */
import { describe } from '../../errors/describe.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { Draft, ReplicaOptions, Replicated } from './replica.options.js';
import { isMark, type Table, type TableRow, type TableWrite } from './table.js';
import { UnusableRows } from './unusable.rows.js';

/**
 * See the file header.
 *
 * INVARIANT (I11): what is not signed with our cookie, or cannot be read, changes nothing (H3): a row in whose place it
 * lies counts as it was, until it is written again by one of us, or removed. It is written back, see
 * `WRITE_BACK_EVERY_MS`. A stranger that removes a row cannot be distinguished from a node of ours that does.
 */
export class ReplicaRows<T extends Replicated> {
  readonly #rows = new Map<string, T>();
  readonly #logger = new ThrottledLog();
  readonly unusable: UnusableRows<T>;

  constructor(private readonly options: ReplicaOptions<T>) {
    this.unusable = new UnusableRows(this.#rows, options);
  }

  get(key: string): T | undefined {
    return this.#rows.get(key);
  }

  values(): IterableIterator<T> {
    return this.#rows.values();
  }

  /** The rows that the table does not have in this version, by version. */
  newerThan(seen: ReadonlyMap<string, number>): [string, T][] {
    const newer = [...this.#rows].filter(([key, { version }]) => version > (seen.get(key) ?? 0));
    return newer.sort(([, a], [, b]) => a.version - b.version);
  }

  get size(): number {
    return this.#rows.size;
  }

  /** The version to expect when the row is written; 0 = there is none. */
  versionOf(key: string): number {
    return this.unusable.versionOf(key) ?? this.#rows.get(key)?.version ?? 0;
  }

  /** What is to be written for `next`, each with the version that is expected. */
  draft(keys: readonly string[], next: (key: string, current: T | undefined) => Draft | undefined): TableWrite[] {
    return keys.flatMap((key) => {
      const draft = next(key, this.get(key));
      const row = typeof draft === 'string' ? { value: draft } : draft;
      return row === undefined ? [] : [{ ...row, key, expected: this.versionOf(key) }];
    });
  }

  /** Accepts what the table took; returns the keys of what it did not, because others wrote in between. */
  acceptWritten(writes: readonly TableWrite[], versions: readonly (number | undefined)[]): string[] {
    const left: string[] = [];
    for (const [index, { key, value }] of writes.entries()) {
      const version = versions[index];
      if (version === undefined) left.push(key);
      else this.accept({ key, value, version });
    }
    return left;
  }

  apply(rows: readonly TableRow[]): void {
    for (const row of rows) {
      if (!isMark(row)) this.accept(row);
      else if (this.versionOf(row.key) < row.version) this.#drop(row.key);
    }
    this.unusable.report();
    if (rows.length > 0) this.options.settled?.();
  }

  accept(row: TableRow): void {
    const { key, version } = row;
    if (this.versionOf(key) >= version) return;
    const value = row.isForeign === true ? undefined : this.options.read(row);
    if (value === undefined) return this.unusable.add(row);
    const before = this.#rows.get(key);
    this.unusable.clear(key);
    this.#rows.set(key, value);
    this.options.changed?.(key, value, before);
  }

  /** Drops what was removed from the table as it was seen. */
  dropRemoved(removed: readonly string[], versions: ReadonlyMap<string, number>): void {
    let dropped = false;
    for (const key of removed) {
      // INVARIANT (I9): only what was removed goes here; what was written again meanwhile is newer, and stays.
      if (this.versionOf(key) !== versions.get(key)) continue;
      this.#drop(key);
      dropped = true;
    }
    if (dropped) this.options.settled?.();
  }

  /** Drops what a complete read did not see. */
  dropUnseen(seen: ReadonlyMap<string, number>, mayDrop: (row: Replicated) => boolean): void {
    let dropped = false;
    for (const [key, row] of [...this.#rows, ...this.unusable.entries()]) {
      if (seen.has(key) || !mayDrop(row)) continue;
      this.#drop(key);
      dropped = true;
    }
    if (dropped) this.options.settled?.();
  }

  /**
   * All who have the row do this at the same time, and the first of them wins. What one of us wrote just before the
   * stranger may be known to few, and is lost when another one is first; a stranger can roll rows back anyway.
   */
  async writeBack(table: Table, writes: readonly TableWrite[], now: number): Promise<void> {
    if (writes.length === 0) return;
    this.unusable.replaced(writes, now);
    try {
      const { versions } = await table.put(writes);
      this.acceptWritten(writes, versions);
      this.options.settled?.();
    } catch (error) {
      // The next read tries again.
      this.unusable.replaced(writes, undefined);
      this.#logger.debug(`Entries of the ${this.options.what} were not written back`, { error: describe(error) });
    }
  }

  #drop(key: string): void {
    const before = this.#rows.get(key);
    this.#rows.delete(key);
    this.unusable.clear(key);
    if (before !== undefined) this.options.changed?.(key, undefined, before);
  }
}
