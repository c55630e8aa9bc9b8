/** The journal of an application that is not clustered: in memory, as long as it runs. */
import { type JournalRow, type JournalSpan, type JournalStore, type JournalWrite, writtenAt } from './journal.store.js';
import { compareIds } from './streams.js';

/** Entries in memory, whatever the options say. */
export const MAX_LOCAL_ENTRIES = 1000;

/** See {@link JournalStore}. */
export class LocalJournal implements JournalStore {
  /** The oldest first. */
  readonly #rows: JournalRow[] = [];
  #last = { ms: 0, number: 0 };
  #written = 0;

  constructor(private readonly wallClock: () => number) {}

  append(entries: readonly JournalWrite[], most: number): Promise<void> {
    for (const { number, text } of entries) {
      if (number <= this.#written) continue;
      this.#written = number;
      this.#rows.push({ id: this.#nextId(), text });
    }
    this.#rows.splice(0, Math.max(0, this.#rows.length - Math.min(most, MAX_LOCAL_ENTRIES)));
    return Promise.resolve();
  }

  forget(): Promise<void> {
    return Promise.resolve();
  }

  read({ before, after, from = 0, count }: JournalSpan): Promise<JournalRow[]> {
    const rows = this.#rows.filter(
      ({ id }) =>
        (before === undefined || compareIds(id, before) < 0) &&
        (after === undefined ? writtenAt(id) >= from : compareIds(id, after) > 0),
    );
    return Promise.resolve(rows.reverse().slice(0, count));
  }

  #nextId(): string {
    const ms = Math.max(this.#last.ms, Math.floor(this.wallClock()));
    this.#last = { ms, number: ms === this.#last.ms ? this.#last.number + 1 : 0 };
    return `${ms}-${this.#last.number}`;
  }
}
