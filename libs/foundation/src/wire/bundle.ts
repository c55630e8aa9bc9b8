/**
 * Pure: many messages in one piece, a JSON array, or packed where both nodes know that form. Written by the outbox;
 * read wherever channels, node messages and calls arrive.
 */
import { parseJson } from './json.js';
import { type OpenedPacked, openPacked } from './packed.reader.js';

/** Messages as they travel: the text of a JSON array, or the bytes of a `PackedWriter`. */
export type Bundle = string | Buffer;

/** So many messages are put into one text: a receiver works through them in one go. */
export const MAX_BUNDLED = 1000;
/**
 * So many are read from one: nodes of the version before cut a text by its size alone, and their shortest message is
 * one of eight characters in a text of 64 Ki.
 */
export const MAX_UNBUNDLED = 10_000;

/** Why a whole text is dropped. */
export type UnreadableText = 'not-json' | 'too-many-messages';
/** Why a whole bundle is dropped. */
export type UnreadableBundle = UnreadableText | 'not-packed';

/** Writes messages that are JSON already. */
export function bundled(messages: readonly string[]): string {
  return `[${messages.join(',')}]`;
}

/** The same messages as a text, for nodes that do not read packed ones. */
export function asText(bundle: Bundle): string {
  return typeof bundle === 'string' ? bundle : JSON.stringify(valuesIn(openPacked(bundle)));
}

/** Reads what anybody may have sent; never throws. */
export function unbundled(bundle: Bundle): unknown[] | UnreadableBundle {
  return typeof bundle === 'string' ? unbundledText(bundle) : unpacked(bundle);
}

function unpacked(bytes: Buffer): unknown[] | UnreadableBundle {
  try {
    const opened = openPacked(bytes);
    return opened.count > MAX_UNBUNDLED ? 'too-many-messages' : valuesIn(opened);
  } catch {
    return 'not-packed';
  }
}

function valuesIn({ count, values }: OpenedPacked): unknown[] {
  return Array.from({ length: count }, () => values.next());
}

/** What is no array is a single message. */
export function unbundledText(text: string): unknown[] | UnreadableText {
  let values: unknown;
  try {
    values = parseJson(text);
  } catch {
    return 'not-json';
  }
  if (!Array.isArray(values)) return [values];
  // INVARIANT (I12): what a stranger writes into one text does not stop the event loop.
  return values.length > MAX_UNBUNDLED ? 'too-many-messages' : (values as unknown[]);
}
