/**
 * What becomes of calls and answers that left in one text: one continuation for all of them, not a promise for each.
 * Used by `call.client.ts` with what the outbox gives, which is one promise for a text.
 */

/** See the file header. */
export class Confirmations<T> {
  readonly #entries = new WeakMap<object, T[]>();

  constructor(
    /** The transport took the text, for so many nodes as far as it knows. */
    private readonly confirmed: (entry: T, receivers: number | undefined) => void,
    private readonly failed: (entry: T, error: unknown) => void,
  ) {}

  /** The entry is in the text that this promise is for. */
  add(sent: Promise<number | undefined>, entry: T): void {
    const known = this.#entries.get(sent);
    if (known !== undefined) return void known.push(entry);
    const entries = [entry];
    this.#entries.set(sent, entries);
    sent.then(
      (receivers) => {
        for (const each of entries) this.confirmed(each, receivers);
      },
      (error: unknown) => {
        for (const each of entries) this.failed(each, error);
      },
    );
  }
}
