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

/** In characters: where messages have so many on average, each gets a line, see {@link openText}. */
const WORTH_A_LINE = 1024;

/** Writes messages that are JSON already, of so many characters together. */
export function bundled(messages: readonly string[], size: number): string {
  return `[${messages.join(size < WORTH_A_LINE * messages.length ? ',' : LINE)}]`;
}

/** No other line ends in what `JSON.stringify` writes: it escapes those in strings. */
const LINE = ',\n';

/** Messages of a text that are read in order. */
export interface OpenedText {
  readonly count: number;
  /**
   * The next one, and how many characters it has.
   *
   * @throws SyntaxError, `RangeError`
   */
  readonly next: () => { value: unknown; size: number };
}

/**
 * Reads what anybody may have sent; never throws. A text with a line for each message is read line by line: what was
 * read before is garbage by then, where all objects of a long text would have to be moved while it is parsed.
 */
export function openText(text: string): OpenedText | UnreadableText {
  const lines = linesOf(text);
  return typeof lines === 'object' ? readLines(text, lines) : (lines ?? readWhole(text));
}

/** Where the lines of the messages begin, and one more would; `undefined` for what is not written in lines. */
function linesOf(text: string): number[] | undefined | 'too-many-messages' {
  if (!text.startsWith('[') || !text.endsWith(']')) return undefined;
  const lines = [1];
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) {
    if (text[end - 1] !== ',') return undefined;
    // INVARIANT (I12): what a stranger writes into one text does not stop the event loop.
    if (lines.push(end + 1) > MAX_UNBUNDLED) return 'too-many-messages';
  }
  if (lines.length === 1) return undefined;
  lines.push(text.length - 1 + LINE.length);
  return lines;
}

function readLines(text: string, lines: readonly number[]): OpenedText {
  let index = 0;
  const next = (): { value: unknown; size: number } => {
    const from = lines[index]!;
    index += 1;
    const to = lines[index]! - LINE.length;
    return { value: parseJson(text.slice(from, to)), size: to - from };
  };
  return { count: lines.length - 1, next };
}

function readWhole(text: string): OpenedText | UnreadableText {
  const values = unbundledText(text);
  if (typeof values === 'string') return values;
  // The mean suffices for a bound.
  const size = Math.ceil(text.length / Math.max(1, values.length - 1));
  let index = 0;
  return { count: values.length, next: () => ({ value: values[index++], size }) };
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
  const all: unknown[] = [];
  for (let index = 0; index < count; index++) all.push(values.next());
  return all;
}

/** What is no array is a single message. */
function unbundledText(text: string): unknown[] | UnreadableText {
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
