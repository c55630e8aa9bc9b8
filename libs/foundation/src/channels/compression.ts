/**
 * Deflates and inflates large messages, off the event loop.
 * Underneath `zlib.deflateRaw` of level 1, whose bytes travel as base64 in a JSON text.
 */
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';

/** Deflating less gains nothing; in bytes of JSON. */
export const COMPRESS_FROM = 4096;

const deflated = promisify<Buffer, { level: number }, Buffer>(deflateRaw);
const inflated = promisify<Buffer, { maxOutputLength: number }, Buffer>(inflateRaw);

/**
 * The text in base64, or `undefined` where that is not shorter.
 *
 * Level 1, because it takes half the time of brotli and compresses about as well.
 */
export async function deflate(text: string): Promise<string | undefined> {
  const bytes = Buffer.from(text);
  const small = (await deflated(bytes, { level: 1 })).toString('base64');
  return small.length < bytes.length ? small : undefined;
}

/**
 * Inflates what {@link deflate} made.
 *
 * @throws when it is none, or would have more than `maxBytes` bytes: it is given up as soon as it has.
 */
export async function inflate(base64: string, maxBytes: number): Promise<string> {
  return (await inflated(Buffer.from(base64, 'base64'), { maxOutputLength: maxBytes })).toString('utf8');
}
