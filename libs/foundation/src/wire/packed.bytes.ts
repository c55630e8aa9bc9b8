/**
 * The bytes of a `PackedWriter`: numbers, texts and tags, one after the other, in as much room as they need.
 */
import { SHORT, SMALL, TAG } from './packed.format.js';

/** Texts up to this many characters are copied one by one: a call of `write` costs as much as about so many. */
const COPIED = 24;

/** The most bytes that one step takes, apart from texts: a tag and eight bytes, or a new shape's head. */
const STEP = 16;

/** Of ECMAScript 2024, which Node 20 has. */
type WellFormed = string & { isWellFormed(): boolean };

/** As much as a bundle mostly needs, with the message that is one too many. */
const ROOM = 64 * 1024;
/** Where all rooms are in use, a bundle begins with so much, and grows. */
const LITTLE = 512;
/** Memory that is new to the process costs more than to write into it, so rooms are used again. */
const MAX_ROOMS = 16;
const rooms: PackedBytes[] = [];
let made = 0;

/** Room for bytes, as if nothing were written yet. */
export function takeBytes(from: number): PackedBytes {
  const bytes = rooms.pop() ?? newBytes();
  bytes.at = from;
  return bytes;
}

function newBytes(): PackedBytes {
  if (made >= MAX_ROOMS) return new PackedBytes(LITTLE);
  made += 1;
  return new PackedBytes(ROOM);
}

/** The room is used again: what is in it is not to be read, nor written, any more. */
export function releaseBytes(bytes: PackedBytes): void {
  if (bytes.isRoom) rooms.push(bytes);
}

/** See the file header. */
export class PackedBytes {
  bytes: Buffer;
  /** Where the next one goes. */
  at = 0;
  readonly isRoom: boolean;
  #view: DataView;

  constructor(size: number) {
    this.isRoom = size === ROOM;
    this.bytes = this.isRoom ? Buffer.allocUnsafeSlow(size) : Buffer.allocUnsafe(size);
    this.#view = viewOf(this.bytes);
  }

  byte(byte: number): void {
    if (this.at + STEP > this.bytes.length) this.#grow(STEP);
    this.bytes[this.at++] = byte;
  }

  number(value: number): void {
    if (this.at + STEP > this.bytes.length) this.#grow(STEP);
    const bytes = this.bytes;
    // Of -0 it makes 0, as JSON does.
    const whole = value | 0;
    if (whole !== value) {
      if (!Number.isFinite(value)) return void (bytes[this.at++] = TAG.null);
      bytes[this.at] = TAG.double;
      this.#view.setFloat64(this.at + 1, value);
      this.at += 9;
    } else if (whole >= 0 && whole < SMALL) {
      bytes[this.at++] = whole;
    } else if (whole >= -0x80 && whole < 0x80) {
      bytes[this.at++] = TAG.int8;
      bytes[this.at++] = whole;
    } else if (whole >= -0x8000 && whole < 0x8000) {
      bytes[this.at++] = TAG.int16;
      bytes[this.at++] = whole >> 8;
      bytes[this.at++] = whole;
    } else {
      bytes[this.at] = TAG.int32;
      this.#view.setInt32(this.at + 1, whole);
      this.at += 5;
    }
  }

  /**
   * Writes a text or a number, as most values are; false for all others. Called from the loops over values, since V8
   * keeps only so much of what calls itself in one piece with them.
   */
  leaf(value: unknown): boolean {
    if (typeof value === 'string') this.text(value);
    else if (typeof value === 'number') this.number(value);
    else return false;
    return true;
  }

  text(text: string): void {
    const { length } = text;
    // Three bytes are the most that UTF-8 takes for one character of UTF-16.
    if (this.at + 3 * length + STEP > this.bytes.length) this.#grow(3 * length + STEP);
    const bytes = this.bytes;
    if (length >= COPIED) return this.#longText(text);
    let at = this.at + 1;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return this.#longText(text);
      bytes[at++] = code;
    }
    bytes[this.at] = TAG.word + length;
    this.at = at;
  }

  #longText(text: string): void {
    const { length } = text;
    if (!(text as WellFormed).isWellFormed()) {
      const size = this.bytes.write(text, this.at + 5, 'utf16le');
      this.long(TAG.utf16, size);
      this.at += size;
      return;
    }
    const isShort = length < SHORT;
    const size = this.bytes.write(text, this.at + (isShort ? 1 : 5));
    if (isShort && size === length) {
      this.bytes[this.at] = TAG.word + length;
      this.at += 1 + size;
      return;
    }
    if (isShort) this.bytes.copyWithin(this.at + 5, this.at + 1, this.at + 1 + size);
    this.long(size === length ? TAG.ascii : TAG.utf8, size);
    this.at += size;
  }

  long(tag: number, length: number): void {
    if (this.at + STEP > this.bytes.length) this.#grow(STEP);
    this.bytes[this.at] = tag;
    this.#view.setUint32(this.at + 1, length);
    this.at += 5;
  }

  copy(bytes: Buffer): void {
    if (this.at + bytes.length + STEP > this.bytes.length) this.#grow(bytes.length + STEP);
    this.at += bytes.copy(this.bytes, this.at);
  }

  /** What was written from `end` on goes to where an object begins, in place of what was before its values. */
  moveBack(end: number, { at, from }: { readonly at: number; readonly from: number }): void {
    const moved = Buffer.from(this.bytes.subarray(end, this.at));
    this.bytes.copyWithin(at + moved.length, from, end);
    moved.copy(this.bytes, at);
    this.at -= from - at;
  }

  #grow(size: number): void {
    const bytes = Buffer.allocUnsafe(2 * this.bytes.length + size);
    this.bytes.copy(bytes, 0, 0, this.at);
    this.bytes = bytes;
    this.#view = viewOf(bytes);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
