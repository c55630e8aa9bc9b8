/**
 * The history of one process, read while it grows: each look reads what came since the last one. A cluster that is
 * looked at again and again would otherwise keep the test busy with what it knows already.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type HistoryEvent, parseHistory } from '../history/history.js';

const NEWLINE = 0x0a;

/** See the file header. */
export class GrowingHistory {
  readonly #events: HistoryEvent[] = [];
  /** Of the file, up to the end of the last whole line. */
  #bytes = 0;

  constructor(private readonly file: string) {}

  /** All events so far; none of a file that is not there yet. Do not change the list. */
  events(): readonly HistoryEvent[] {
    const text = this.#more();
    // One by one: more than an argument list can hold may have come.
    for (const event of parseHistory(text)) this.#events.push(event);
    return this.#events;
  }

  #more(): string {
    let file: number;
    try {
      file = openSync(this.file, 'r');
    } catch {
      return '';
    }
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - this.#bytes));
      const length = bytes.length === 0 ? 0 : readSync(file, bytes, 0, bytes.length, this.#bytes);
      // The last line may be half written.
      const end = bytes.subarray(0, length).lastIndexOf(NEWLINE) + 1;
      this.#bytes += end;
      return bytes.toString('utf8', 0, end);
    } finally {
      closeSync(file);
    }
  }
}
