/**
 * Pure: Buffers and typed arrays within a packet of socket.io, which JSON has no text for: taken out before it is sent
 * and put back at the receiver.
 */
import { anyText, isObject, type Reader } from '../wire/decode.js';

/** Where the bytes were, and what they are in base64. */
export type TakenBytes = [path: (string | number)[], base64: string][];

/** What is nested more deeply is left to JSON, as is what has a circle. */
const DEEPEST = 100;

/** The value without bytes, and these apart; the same value where it has none. */
export function withoutBytes(value: unknown): { value: unknown; bytes?: TakenBytes } {
  if (!hasBytes(value, 0)) return { value };
  const bytes: TakenBytes = [];
  return { value: take(value, [], bytes), bytes };
}

/** Puts them back where they were; a place that is not there is left out. The value is changed. */
export function withBytes(value: unknown, bytes: TakenBytes): unknown {
  for (const [path, base64] of bytes) {
    const last = path.at(-1);
    if (last === undefined) return Buffer.from(base64, 'base64');
    let place: unknown = value;
    for (const key of path.slice(0, -1)) place = isPlace(place, key) ? place[key] : undefined;
    if (isPlace(place, last)) place[last] = Buffer.from(base64, 'base64');
  }
  return value;
}

/** What {@link withoutBytes} took out, as another node sent it. */
export const readBytes: Reader<TakenBytes> = (value) => {
  if (!Array.isArray(value)) return undefined;
  const isRight = (value as unknown[]).every(
    (each) => Array.isArray(each) && Array.isArray(each[0]) && anyText(each[1]) !== undefined,
  );
  return isRight ? (value as TakenBytes) : undefined;
};

function hasBytes(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null || depth > DEEPEST) return false;
  if (isBytes(value)) return true;
  if (Array.isArray(value)) return value.some((each) => hasBytes(each, depth + 1));
  return !('toJSON' in value) && Object.values(value).some((each) => hasBytes(each, depth + 1));
}

function take(value: unknown, path: (string | number)[], bytes: TakenBytes): unknown {
  if (!hasBytes(value, path.length)) return value;
  if (isBytes(value)) {
    bytes.push([path, bufferOf(value).toString('base64')]);
    return null;
  }
  if (Array.isArray(value)) return value.map((each, index) => take(each, [...path, index], bytes));
  return Object.fromEntries(
    Object.entries(value as object).map(([key, each]) => [key, take(each, [...path, key], bytes)]),
  );
}

function isBytes(value: unknown): value is ArrayBuffer | ArrayBufferView {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

function bufferOf(value: ArrayBuffer | ArrayBufferView): Buffer {
  return ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : Buffer.from(value);
}

/** Something that has this very property, and does not inherit it. */
function isPlace(value: unknown, key: string | number): value is Record<string | number, unknown> {
  return (isObject(value) || Array.isArray(value)) && Object.hasOwn(value, key);
}
