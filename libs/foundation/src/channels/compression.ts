/**
 * Makes large messages smaller and large again, off the event loop.
 * Called by the facade; underneath `zlib.deflateRaw` of level 1, whose bytes travel as base64 in a JSON text.
 */
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';

/** Below this nothing is gained; in bytes of JSON. */
export const COMPRESS_FROM = 4096;

const deflated = promisify<Buffer, { level: number }, Buffer>(deflateRaw);
const inflated = promisify<Buffer, { maxOutputLength: number }, Buffer>(inflateRaw);

/**
 * The text in base64, or `undefined` where that is not shorter.
 *
 * Level 1, because it takes half of the time that brotli takes to come back, and shrinks about as well.
 */
export async function deflate(text: string): Promise<string | undefined> {
  const bytes = Buffer.from(text);
  const small = (await deflated(bytes, { level: 1 })).toString('base64');
  return small.length < bytes.length ? small : undefined;
}

/**
 * The text again.
 *
 * @throws when it is none, or would have more than `maxBytes` bytes: it is given up as soon as it has.
 */
export async function inflate(base64: string, maxBytes: number): Promise<string> {
  return (await inflated(Buffer.from(base64, 'base64'), { maxOutputLength: maxBytes })).toString('utf8');
}
