/**
 * A text that must not be seen: printing, logging or serializing what holds it shows nothing of it.
 * Made by `resolve`; read by whoever needs the text itself.
 */

/** See the file header. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text. Pass it to a cipher and to nothing else. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }
}
