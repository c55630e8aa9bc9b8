/**
 * Pure: the end of a text that grows.
 */

/** What is kept of the log of one node, in characters. */
export const MAX_LOG = 1024 * 1024;
/** What an error shows of it. */
const SHOWN = 2000;

/** Keeps the last {@link MAX_LOG} characters, or somewhat more. */
export class TailText {
  #parts: string[] = [];
  #length = 0;

  constructor(private readonly limit = MAX_LOG) {}

  add(text: string): void {
    this.#parts.push(text);
    this.#length += text.length;
    if (this.#length <= 2 * this.limit) return;
    const kept = this.text;
    this.#parts = [kept];
    this.#length = kept.length;
  }

  get text(): string {
    const text = this.#parts.join('');
    return text.length > this.limit ? text.slice(-this.limit) : text;
  }

  /** For an error: the last lines. */
  end(characters = SHOWN): string {
    const text = this.text.trimEnd();
    return text === '' ? '(nothing)' : text.slice(-characters);
  }
}
