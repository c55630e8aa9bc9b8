/** The versioned table inside one process, for an application that is not clustered. */
import {
  KEEP_MARKS_MS,
  type MarkLimits,
  MAX_MARKS,
  PUT_BACK,
  type RowSeen,
  type Table,
  type TablePage,
  type TableRow,
  type TableWrite,
  type TableWritten,
} from './table.js';

/** See {@link Table}. It does what `redis.table.ts` does, so that unit tests of replicas hold for both. */
export class LocalTable implements Table {
  readonly #rows = new Map<string, TableRow>();
  /** Removed rows, oldest first. */
  readonly #marks = new Map<string, number>();
  /** Everything that was written, in the order of the versions; what was written again since is skipped. */
  #log: RowSeen[] = [];
  #floor = 0;
  /** The last version of all; the clock may give one twice, also over a loss. */
  #last = 0;
  #life = '';
  #lives = 0;

  constructor(
    private readonly hint: (version: number) => void,
    private readonly wallClock: () => number,
    private readonly limits: MarkLimits = { keepMs: KEEP_MARKS_MS, max: MAX_MARKS },
  ) {}

  put(writes: readonly TableWrite[]): Promise<TableWritten> {
    const follows = this.#newest();
    const versions = writes.map(({ key, value, expected }) => {
      if ((this.#rows.get(key)?.version ?? 0) !== expected) return undefined;
      const version = this.#next();
      this.#set({ key, value, version });
      return version;
    });
    if (versions.some((version) => version !== undefined)) this.hint(this.#newest());
    return Promise.resolve({ versions, life: this.#life, follows });
  }

  since(version: number): Promise<TablePage> {
    const rows: TableRow[] = [];
    for (let at = this.#after(version); at < this.#log.length; at++) {
      const { key, version } = this.#log[at]!;
      const row = this.#rows.get(key);
      if (row?.version === version) rows.push(row);
      else if (this.#marks.get(key) === version) rows.push({ key, value: '', version });
    }
    return Promise.resolve({ rows, version: this.#newest(), floor: this.#floor, life: this.#life, more: false });
  }

  restore(rows: readonly TableRow[], known: number): Promise<string> {
    const missing = rows.filter(({ key, version }) => {
      return version > (this.#rows.get(key)?.version ?? this.#marks.get(key) ?? 0);
    });
    for (const row of missing) this.#set(row);
    this.#log.sort((a, b) => a.version - b.version);
    this.#floor = Math.max(this.#floor, known);
    if (known > 0) this.#startLife();
    if (missing.length > 0 || known > this.#newest()) {
      this.#mark(PUT_BACK);
      this.hint(this.#newest());
    }
    return Promise.resolve(this.#life);
  }

  remove(rows: readonly RowSeen[]): Promise<string[]> {
    const removed = rows.filter(({ key, version }) => this.#rows.get(key)?.version === version);
    for (const { key } of removed) {
      this.#rows.delete(key);
      this.#mark(key);
    }
    this.#trim();
    if (removed.length > 0) this.hint(this.#newest());
    return Promise.resolve(removed.map(({ key }) => key));
  }

  /** Everything is lost, as when a Redis comes back empty; for tests. */
  lose(): void {
    this.#rows.clear();
    this.#marks.clear();
    this.#log = [];
    this.#floor = 0;
    this.#life = '';
  }

  /**
   * Returns what sets the table back to what it is now, as when a replica of Redis that is behind becomes the primary;
   * for tests.
   */
  kept(): () => void {
    const [rows, marks, log, floor, life] = [
      [...this.#rows],
      [...this.#marks],
      [...this.#log],
      this.#floor,
      this.#life,
    ];
    return () => {
      this.lose();
      for (const [key, row] of rows) this.#rows.set(key, row);
      for (const [key, version] of marks) this.#marks.set(key, version);
      [this.#log, this.#floor, this.#life] = [[...log], floor, life];
    };
  }

  #newest(): number {
    return this.#log.at(-1)?.version ?? 0;
  }

  #next(): number {
    return (this.#last = Math.max(this.#last + 1, this.#newest() + 1, this.#floor + 1, this.wallClock() * 1000));
  }

  /** The first write into an empty table begins a life of it. */
  #startLife(): void {
    if (this.#life === '') this.#life = String(++this.#lives);
  }

  #set(row: TableRow): void {
    this.#startLife();
    this.#marks.delete(row.key);
    this.#rows.set(row.key, row);
    this.#log.push({ key: row.key, version: row.version });
    this.#compact();
  }

  #mark(key: string): void {
    const version = this.#next();
    this.#marks.delete(key);
    this.#marks.set(key, version);
    this.#log.push({ key, version });
  }

  #trim(): void {
    const limit = this.#next() - this.limits.keepMs * 1000;
    for (const [key, version] of this.#marks) {
      if ((version > limit && this.#marks.size <= this.limits.max) || version === this.#newest()) break;
      this.#marks.delete(key);
      this.#floor = Math.max(this.#floor, version);
    }
  }

  #compact(): void {
    if (this.#log.length < 2 * (this.#rows.size + this.#marks.size) + 100) return;
    this.#log = this.#log.filter(({ key, version }) => {
      return this.#rows.get(key)?.version === version || this.#marks.get(key) === version;
    });
  }

  /** The place of the first entry that is newer. */
  #after(version: number): number {
    let [low, high] = [0, this.#log.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#log[middle]!.version > version) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
