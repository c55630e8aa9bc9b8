/**
 * Pure: messages as they travel. One text carries all messages that a node published on a channel in one turn.
 * Called by the facade (encode) and the dispatcher (decode).
 */
import { parseJson } from '../tools/json.js';
import type { MessageMeta } from './channel.js';

/** The version of the format; a receiver drops, and counts, what has another one. */
export const ENVELOPE_VERSION = 1;

/** A message with what travels with it. */
export interface Envelope {
  meta: MessageMeta;
  message: unknown;
}

/** What came out of a text: the messages, and why others were dropped. */
export interface Decoded {
  envelopes: Envelope[];
  dropped: string[];
}

/** One message as JSON; `body` is the JSON of the message itself, so that it is written once. */
export function encode(meta: MessageMeta, body: string): string {
  const head = JSON.stringify({
    v: ENVELOPE_VERSION,
    from: meta.from,
    boot: meta.bootId,
    seq: meta.seq,
    at: meta.sentAt,
    ...(meta.type === undefined ? {} : { type: meta.type }),
  });
  return `${head.slice(0, -1)},"body":${body}}`;
}

/** Reads a text that anybody may have published; never throws. */
export function decode(channel: string, text: string): Decoded {
  let values: unknown;
  try {
    values = parseJson(text);
  } catch {
    return { envelopes: [], dropped: ['not JSON'] };
  }
  const decoded: Decoded = { envelopes: [], dropped: [] };
  for (const value of Array.isArray(values) ? values : [values]) {
    const envelope = read(channel, value);
    if (typeof envelope === 'string') decoded.dropped.push(envelope);
    else decoded.envelopes.push(envelope);
  }
  return decoded;
}

function read(channel: string, value: unknown): Envelope | string {
  if (typeof value !== 'object' || value === null) return 'not an envelope';
  const { v, from, boot, seq, at, type, body } = value as Record<string, unknown>;
  if (v !== ENVELOPE_VERSION) return 'unknown version';
  if (typeof from !== 'string' || typeof boot !== 'string' || !Number.isSafeInteger(seq) || !Number.isFinite(at)) {
    return 'not an envelope';
  }
  if (!('body' in value) || (type !== undefined && typeof type !== 'string')) return 'not an envelope';
  const meta: MessageMeta = { channel, from, bootId: boot, seq: seq as number, sentAt: at as number };
  return { meta: type === undefined ? meta : { ...meta, type }, message: body };
}
