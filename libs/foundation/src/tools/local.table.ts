/**
 * The versioned table inside one process.
 * Called by the process table and the service registry when the configuration is not clustered.
 */
import type { Table, TableRow } from './table.js';

/** See {@link Table}. */
export class LocalTable implements Table {
  readonly #rows = new Map<string, TableRow>();
  #version = 0;

  constructor(
    private readonly hint: () => void,
    private readonly wallClock: () => number,
  ) {}

  put(key: string, value: string, expected: number): Promise<number | undefined> {
    if ((this.#rows.get(key)?.version ?? 0) !== expected) return Promise.resolve(undefined);
    this.#version = Math.max(this.#version + 1, this.wallClock() * 1000);
    this.#rows.set(key, { key, value, version: this.#version });
    this.hint();
    return Promise.resolve(this.#version);
  }

  since(version: number): Promise<{ version: number; rows: TableRow[] }> {
    const rows = [...this.#rows.values()].filter((row) => row.version > version);
    return Promise.resolve({ version: this.#version, rows });
  }

  restore(): Promise<void> {
    return Promise.resolve();
  }

  remove(key: string, version: number): Promise<void> {
    // There is one copy, and it removes the row itself.
    if (this.#rows.get(key)?.version === version) this.#rows.delete(key);
    return Promise.resolve();
  }
}
