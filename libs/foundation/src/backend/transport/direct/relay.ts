/**
 * Pure: frames as a text, for the way through Redis while a link is down. Signed with a key out of the cookie, because
 * more can write to Redis than should be accepted here; the numbers inside keep one from being played again.
 */
import { createHmac } from 'node:crypto';
import { isSame } from '../../../security/signer.js';
import { Rejected } from './link/link.end.js';
import { decodePart, FRAME, FrameReader, MalformedFrame, MAX_PAYLOAD, type Part } from './stream/frames.js';
import { decodeState, encodeState, type StreamState } from './stream/stream.state.js';

/** The most bytes of frames that are relayed at once. */
export const MAX_LETTER = 128 * 1024;

/** The longest boot id, in characters. */
const MAX_FROM = 200;

/** Relayed frames that were opened. */
export interface RelayedFrames {
  from: string;
  state: StreamState;
  parts: Part[];
}

/** `<hmac>\n<sender>\n<state>\n<frames as base64>`: base64, because ioredis is twice as slow with Buffers. */
export function seal(key: Buffer, from: string, to: string, state: StreamState, frames: readonly Buffer[]): string {
  const body = `${from}\n${encodeState(state)}\n${Buffer.concat(frames).toString('base64')}`;
  return `${signature(key, to, body)}\n${body}`;
}

/**
 * Reads what anybody may have published.
 *
 * @throws Rejected unless a node with the same cookie wrote it to this one.
 */
export function unseal(key: Buffer, to: string, text: string): RelayedFrames {
  const end = text.indexOf('\n');
  const body = text.slice(end + 1);
  if (end < 0 || !isSame(text.slice(0, end), signature(key, to, body))) throw new Rejected('wrong-cookie');
  const [from, stateText, frames, ...more] = body.split('\n');
  const state = decodeState(stateText ?? '');
  if (!from || from.length > MAX_FROM || state === undefined || frames === undefined || more.length > 0)
    throw new Rejected('malformed');
  try {
    return { from, state, parts: partsOf(Buffer.from(frames, 'base64')) };
  } catch (error) {
    throw error instanceof MalformedFrame ? new Rejected('malformed') : error;
  }
}

function partsOf(bytes: Buffer): Part[] {
  const frames = [...new FrameReader(MAX_PAYLOAD).push(bytes)];
  return frames.filter(({ type }) => type === FRAME.data).map(({ payload }) => decodePart(payload));
}

function signature(key: Buffer, to: string, body: string): string {
  return createHmac('sha256', key).update(`${to}\n${body}`).digest('hex');
}
