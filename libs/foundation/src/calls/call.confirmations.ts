/**
 * What becomes of calls and answers that left in one text: one continuation for all of them, not a promise for each.
 * Used by `call.client.ts` with what the outbox gives, which is one promise for a text.
 */

/** See the file header. */
export class Confirmations<T> {
  /** Of the text that came last: those of one text come one after the other, mostly. */
  #text: { sent: Promise<number | undefined>; entries: T[] } | undefined;

  constructor(
    /** The transport took the text, for so many nodes as far as it knows. */
    private readonly confirmed: (entry: T, receivers: number | undefined) => void,
    private readonly failed: (entry: T, error: unknown) => void,
  ) {}

  /** The entry is in the text that this promise is for. */
  add(sent: Promise<number | undefined>, entry: T): void {
    if (this.#text?.sent === sent) return void this.#text.entries.push(entry);
    const entries = [entry];
    this.#text = { sent, entries };
    const forget = (): void => {
      if (this.#text?.sent === sent) this.#text = undefined;
    };
    sent.then(
      (receivers) => {
        forget();
        for (const each of entries) this.confirmed(each, receivers);
      },
      (error: unknown) => {
        forget();
        for (const each of entries) this.failed(each, error);
      },
    );
  }
}
