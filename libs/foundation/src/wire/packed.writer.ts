/**
 * Packs values, one after the other, as JSON would write them: with `toJSON`, without functions, `null` for `NaN`.
 * Each is written once it is added, so that it may change afterwards. Used by the outbox for nodes with links.
 */
import { isBoxedPrimitive } from 'node:util/types';
import { releaseBytes, takeBytes } from './packed.bytes.js';
import { MAX_PACKED_DEPTH, PACKED_HEAD, PACKED_VERSION, SHORT, TAG, TAGGED_SHAPES } from './packed.format.js';
import { PackedReader } from './packed.reader.js';
import { BundleShapes, type Shape } from './packed.shapes.js';

const EMPTY = Buffer.alloc(0);

/** The most characters of JSON for one packed byte: a byte of ASCII may be `\u0001`, a tag may be `false,`. */
const LONGEST = 6;

/** See the file header. */
export class PackedWriter {
  readonly #out = takeBytes(PACKED_HEAD);
  /** Where the last value begins, and how far all is whole. */
  #from = PACKED_HEAD;
  #whole = PACKED_HEAD;
  #count = 0;
  #finished: Buffer | undefined;
  #depth = 0;
  /** What the value that is being written is in. */
  readonly #path: object[] = [];
  /** Characters of JSON that the names of the last value take at most. */
  #names = 0;
  readonly #shapes = new BundleShapes();
  /** Nobody has given all objects names that `for … in` lists. */
  #isClean = true;

  get count(): number {
    return this.#count;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#whole;
  }

  /** The bytes of the last value. */
  get lastSize(): number {
    return this.#whole - this.#from;
  }

  /** The JSON of the last value has no more bytes than this. */
  get longestJson(): number {
    return LONGEST * this.lastSize + this.#names;
  }

  /**
   * Adds a value; false for one that JSON has no text for, which is not added. What it throws is what `JSON.stringify`
   * would throw, and whatever the value's own `toJSON` and getters throw; nothing can be added after that.
   */
  add(value: unknown): boolean {
    this.#names = 0;
    this.#depth = 0;
    this.#isClean = isClean();
    if (!this.#write('', value)) return false;
    this.#from = this.#whole;
    this.#whole = this.#out.at;
    this.#count += 1;
    return true;
  }

  /** The last value as a receiver reads it: a copy. */
  last(): unknown {
    const { bytes } = this.#out;
    return new PackedReader({ bytes, from: this.#from, end: this.#whole, shapes: this.#shapes.names }).next();
  }

  /** Takes the last value back; nothing can be added after that. */
  undo(): void {
    this.#whole = this.#from;
    this.#count -= 1;
  }

  /** What {@link finish} gave has been read, and its room can be used again. */
  release(): void {
    if (this.#finished === undefined) releaseBytes(this.#out);
  }

  /** It waits: only as much room is kept as is needed. Nothing can be added after that. */
  compact(): void {
    const finished = Buffer.from(this.finish());
    this.release();
    this.#finished = finished;
  }

  /** All that was added; nothing can be added after that. */
  finish(): Buffer {
    if (this.#finished !== undefined) return this.#finished;
    const { bytes } = this.#out;
    bytes[0] = PACKED_VERSION;
    bytes.writeUInt16BE(this.#count, 1);
    return bytes.subarray(0, this.#whole);
  }

  /** False for what JSON leaves out. */
  #write(key: string | number, value: unknown): boolean {
    switch (typeof value) {
      case 'string':
        this.#out.text(value);
        return true;
      case 'number':
        this.#out.number(value);
        return true;
      case 'boolean':
        this.#out.byte(value ? TAG.true : TAG.false);
        return true;
      case 'object':
        if (value === null) this.#out.byte(TAG.null);
        else return this.#object(key, value);
        return true;
      case 'undefined':
      case 'symbol':
        return false;
      default:
        return this.#rare(key, value);
    }
  }

  #object(key: string | number, value: object): boolean {
    if (this.#depth >= MAX_PACKED_DEPTH) return this.#json(key, value);
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON !== 'function') return this.#members(value);
    const given = Reflect.apply(toJSON, value, [String(key)]) as unknown;
    if (typeof given === 'object' && given !== null) return this.#members(given);
    // JSON asks once: a function is left out, whatever it has.
    return typeof given !== 'function' && this.#write(key, given);
  }

  /** A big integer, which JSON refuses, and a function, which it leaves out; both may have a `toJSON`. */
  #rare(key: string | number, value: unknown): boolean {
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') return this.#object(key, value as object);
    if (typeof value === 'bigint') JSON.stringify(value);
    return false;
  }

  #members(value: object): boolean {
    // What contains itself is refused by JSON, which knows the words for it, before more of it is walked.
    for (let at = 0; at < this.#depth; at++) if (this.#path[at] === value) JSON.stringify(value);
    this.#path[this.#depth] = value;
    this.#depth += 1;
    const isWritten = Array.isArray(value) ? this.#list(value) : this.#record(value);
    this.#depth -= 1;
    return isWritten;
  }

  #list(list: readonly unknown[]): boolean {
    const { length } = list;
    // Of a proxy it may be anything.
    if (length >>> 0 !== length) return this.#json('', list);
    if (length < SHORT) this.#out.byte(TAG.list + length);
    else this.#out.long(TAG.longList, length);
    for (let at = 0; at < length; at++) if (!this.#write(at, list[at])) this.#out.byte(TAG.null);
    return true;
  }

  #record(value: object): boolean {
    const prototype = Reflect.getPrototypeOf(value);
    const isPlain = prototype === Object.prototype && this.#isClean;
    if (!isPlain && isSpecial(value, prototype)) return this.#json('', value);
    // Objects at the same depth mostly look alike, so nearly always no list of names has to be made.
    const guess = isPlain ? this.#shapes.guess(this.#depth) : undefined;
    if (guess !== undefined && hasNames(value, guess.names)) return this.#values(value, guess);
    // As with JSON the names are those from before the first getter runs, whatever it does to its object.
    const names = Object.keys(value);
    const shape = this.#shapes.of(names, this.#depth);
    if (shape === undefined) return this.#map(value, names);
    this.#head(shape);
    for (const name of names) this.#property(name, (value as Record<string, unknown>)[name]);
    return true;
  }

  /** V8 reads `value[name]` of a `for … in` in half the time of other names. */
  #values(value: object, shape: Shape): true {
    const { names } = shape;
    this.#head(shape);
    let at = 0;
    for (const name in value) {
      // A getter has deleted some.
      while (at < names.length && names[at] !== name) this.#lateProperty(value, names[at++]!);
      if (at === names.length) break;
      this.#property(name, (value as Record<string, unknown>)[name]);
      at += 1;
    }
    while (at < names.length) this.#lateProperty(value, names[at++]!);
    return true;
  }

  #lateProperty(value: object, name: string): void {
    this.#property(name, (value as Record<string, unknown>)[name]);
  }

  #property(name: string, value: unknown): void {
    if (!this.#write(name, value)) this.#out.byte(TAG.absent);
  }

  /** What the values of a shape come after: its number, and its names when they are new. */
  #head(shape: Shape): void {
    const out = this.#out;
    this.#names += shape.longest;
    const number = this.#shapes.numberOf(shape);
    if (number === undefined) this.#newShape(shape);
    else if (number < TAGGED_SHAPES) out.byte(TAG.shapes + number);
    else {
      out.byte(TAG.shape);
      out.byte(number);
    }
  }

  #newShape(shape: Shape): void {
    const { names, packed = EMPTY } = shape;
    const { length: size } = packed;
    const out = this.#out;
    out.byte(TAG.newShape);
    out.byte(this.#shapes.add(shape));
    out.byte(names.length);
    out.byte(size >> 8);
    out.byte(size & 0xff);
    out.copy(packed);
  }

  #map(value: object, names: readonly string[]): true {
    this.#names += 4 * names.length + 2;
    this.#out.long(TAG.map, names.length);
    for (const name of names) {
      this.#write('', name);
      this.#property(name, (value as Record<string, unknown>)[name]);
    }
    return true;
  }

  /** What JSON writes otherwise than what it is; all that is nested deeply. */
  #json(key: string | number, value: unknown): boolean {
    const name = String(key);
    // With its key, for which a `toJSON` may ask.
    const text = JSON.stringify({ [name]: value });
    if (text === '{}') return false;
    const bytes = Buffer.from(text.slice(JSON.stringify(name).length + 2, -1));
    this.#out.long(TAG.json, bytes.length);
    this.#out.copy(bytes);
    return true;
  }
}

/** Whether these are its names, in this order; nothing of the object runs. */
function hasNames(value: object, names: readonly string[]): boolean {
  let at = 0;
  for (const name in value) if (names[at++] !== name) return false;
  return at === names.length;
}

const NOTHING = {};

function isClean(): boolean {
  for (const name in NOTHING) return name === undefined;
  return true;
}

const { isRawJSON } = JSON as { isRawJSON?: (value: unknown) => boolean };

/** What JSON does not write property by property: `new String('')`, and the result of `JSON.rawJSON`. */
function isSpecial(value: object, prototype: object | null): boolean {
  return prototype === null ? isRawJSON?.(value) === true : isBoxedPrimitive(value);
}
