/**
 * Pure: many messages in one text, a JSON array. Written by the outbox; read wherever channels, node messages and calls
 * arrive.
 */
import { parseJson } from './json.js';

/** So many messages are put into one text: a receiver works through them in one go. */
export const MAX_BUNDLED = 1000;
/**
 * So many are read from one: nodes of the version before cut a text by its size alone, and their shortest message is
 * one of eight characters in a text of 64 Ki.
 */
export const MAX_UNBUNDLED = 10_000;

/** Why a whole text is dropped. */
export type UnreadableBundle = 'not-json' | 'too-many-messages';

/** Writes messages that are JSON already. */
export function bundled(messages: readonly string[]): string {
  return `[${messages.join(',')}]`;
}

/** Reads untrusted text; never throws. What is no array is a single message. */
export function unbundled(text: string): unknown[] | UnreadableBundle {
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
