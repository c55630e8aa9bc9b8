/**
 * What of the process table needs attention, kept up with each row that changes: ended rows are in no loop.
 * Pure; fed and read by the process table.
 */
import { isEnded, type VersionedEntry } from './process.entry.js';

/** See the file header. */
export class ProcessIndex {
  /** Rows of processes, by name. */
  readonly processes = new Map<string, VersionedEntry>();
  /** Rows of replicas and partitions, by process and name. */
  readonly parts = new Map<string, Map<string, VersionedEntry>>();
  /** Processes that have not ended. */
  readonly active = new Map<string, VersionedEntry>();
  /** Ended processes that no node declares, about in the order in which they ended. */
  readonly ended = new Map<string, VersionedEntry>();
  /** Names of rows that wait for their restart. */
  readonly backingOff = new Set<string>();
  /** Names of rows that ended too often and stay down. */
  readonly escalated = new Set<string>();
  /** Temporary processes that were started. */
  readonly once = new Map<string, VersionedEntry>();
  /** Processes of which something changed since they were last taken. */
  #changed = new Set<string>();

  /** A row came, changed or went. */
  note(name: string, now: VersionedEntry | undefined, before: VersionedEntry | undefined): void {
    if (before !== undefined) this.#remove(name, before);
    if (now !== undefined) this.#add(name, now);
    for (const row of [now, before]) if (row !== undefined) this.#changed.add(row.of ?? row.name);
  }

  /** The processes of which something changed since the last call. */
  take(): ReadonlySet<string> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** A process and everything that has a row of its own of it. */
  *rowsOf(name: string): Generator<VersionedEntry> {
    const row = this.processes.get(name);
    if (row !== undefined) yield row;
    yield* this.parts.get(name)?.values() ?? [];
  }

  #add(name: string, row: VersionedEntry): void {
    if (row.status === 'backing-off') this.backingOff.add(name);
    if (row.status === 'escalated') this.escalated.add(name);
    if (row.of !== undefined) {
      const parts = this.parts.get(row.of) ?? new Map<string, VersionedEntry>();
      parts.set(name, row);
      this.parts.set(row.of, parts);
      return;
    }
    this.processes.set(name, row);
    if (!isEnded(row.status)) this.active.set(name, row);
    else if (!row.declared) this.ended.set(name, row);
    if (row.status === 'once') this.once.set(name, row);
  }

  #remove(name: string, row: VersionedEntry): void {
    this.backingOff.delete(name);
    this.escalated.delete(name);
    if (row.of !== undefined) {
      const parts = this.parts.get(row.of);
      parts?.delete(name);
      if (parts?.size === 0) this.parts.delete(row.of);
      return;
    }
    this.processes.delete(name);
    this.active.delete(name);
    this.ended.delete(name);
    this.once.delete(name);
  }
}
