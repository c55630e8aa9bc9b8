/**
 * What lies in the table in the place of rows and counts for nothing: what is not signed with our cookie, or cannot be
 * read.
 */
import { show } from '../../errors/describe.js';
import { ThrottledLog } from '../../logging/throttled.log.js';
import type { Refused, ReplicaOptions, Replicated } from './replica.options.js';
import type { TableRow, TableWrite } from './table.js';

/**
 * What a stranger wrote in the place of a row is replaced so often at most, in milliseconds: two clusters that do not
 * believe each other must not spend their time on that.
 */
const WRITE_BACK_EVERY_MS = 10_000;

/** One of them. */
interface Unusable {
  version: number;
  reason: Refused;
}

/** See the file header. INVARIANT (I11): the row in whose place one lies stays as it is known. */
export class UnusableRows<T extends Replicated> {
  /** Those that are newer than the row that is known, if one is. Their versions must be known to write over them. */
  readonly #rows = new Map<string, Unusable>();
  /** When such rows were written back last; what was longer ago is forgotten. */
  readonly #writtenBack = new Map<string, number>();
  /** Refused since that was reported. */
  readonly #refused = new Map<Refused, { key: string; count: number }>();
  readonly #log = new ThrottledLog();

  constructor(
    private readonly known: ReadonlyMap<string, T>,
    private readonly options: Pick<ReplicaOptions<T>, 'what' | 'refused' | 'write' | 'writeBack'>,
  ) {}

  versionOf(key: string): number | undefined {
    return this.#rows.get(key)?.version;
  }

  entries(): IterableIterator<[string, Unusable]> {
    return this.#rows.entries();
  }

  /** One was read. */
  add({ key, version, isForeign }: TableRow): void {
    const reason = isForeign === true ? 'bad-signature' : 'unreadable';
    this.#rows.set(key, { version, reason });
    this.#refused.set(reason, { key, count: (this.#refused.get(reason)?.count ?? 0) + 1 });
  }

  /** There is a row again, or nothing. */
  clear(key: string): void {
    this.#rows.delete(key);
  }

  /** Keeps those that a complete read has seen: what is no longer there replaces nothing. */
  retain(seen: ReadonlyMap<string, number>): void {
    for (const [key, { version }] of this.#rows) if (seen.get(key) !== version) this.clear(key);
  }

  /** Says what was added since the last time. */
  report(): void {
    for (const [reason, { key, count }] of this.#refused) {
      this.#log.warn(REFUSALS[reason](this.options.what), { entry: show(key), reason }, reason, count);
      this.options.refused?.(reason, key, count);
    }
    this.#refused.clear();
  }

  /** What is to be written in the place of what is not believed, of all that has had its turn. */
  replacements(now: number): TableWrite[] {
    for (const [key, at] of this.#writtenBack) if (at <= now - WRITE_BACK_EVERY_MS) this.#writtenBack.delete(key);
    const writes: TableWrite[] = [];
    for (const [key, { version, reason }] of this.#rows) {
      const row = this.known.get(key);
      if (row === undefined || this.#writtenBack.has(key)) continue;
      const value = this.#own(key, row, reason);
      if (value !== undefined) writes.push({ key, value, expected: version });
    }
    return writes;
  }

  /** These have had their turn; with `at` undefined they get it again at once. */
  replaced(writes: readonly TableWrite[], at: number | undefined): void {
    for (const { key } of writes) {
      if (at === undefined) this.#writtenBack.delete(key);
      else this.#writtenBack.set(key, at);
    }
  }

  #own(key: string, row: T, reason: Refused): string | undefined {
    const { write, writeBack } = this.options;
    if (writeBack !== undefined) return writeBack(key, row, reason);
    return reason === 'bad-signature' ? write?.(row) : undefined;
  }
}

const REFUSALS: Record<Refused, (what: string) => string> = {
  'bad-signature': (what) =>
    `An entry of the ${what} is not signed with the cookie of this node; it changes nothing, and what it replaced is written back`,
  unreadable: (what) => `An entry of the ${what} is not readable; it changes nothing`,
};
