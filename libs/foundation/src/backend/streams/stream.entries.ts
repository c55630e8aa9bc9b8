/** Entries of streams as Redis replies with them. */
import { toTexts } from '../redis/lua.script.js';
import type { StreamEntry } from './streams.js';

/** Parses stream entries; skips malformed ones. */
export function entriesOf(reply: unknown, deliveries: number): StreamEntry[] {
  if (!Array.isArray(reply)) return [];
  return (reply as unknown[]).flatMap((entry) => {
    if (!Array.isArray(entry)) return [];
    const [id, fields] = entry as unknown[];
    const [, text] = toTexts(fields);
    return typeof id === 'string' && text !== undefined ? [{ id, text, deliveries }] : [];
  });
}

/**
 * Reads the entries out of a reply of XREADGROUP: one pair of stream and entries, in a list with RESP2, by itself with
 * RESP3.
 */
export function newEntriesOf(reply: unknown): StreamEntry[] {
  if (!Array.isArray(reply)) return [];
  const pair = (Array.isArray(reply[0]) ? reply[0] : reply) as unknown[];
  return entriesOf(pair[1], 1);
}
