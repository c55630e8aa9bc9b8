/**
 * Packs values, one after the other, as JSON would write them: with `toJSON`, without functions, `null` for `NaN`.
 * Each is written once it is added, so that it may change afterwards. Used by the outbox for nodes with links.
 */
import { releaseBytes, takeBytes } from './packed.bytes.js';
import { MAX_PACKED_DEPTH, PACKED_HEAD, PACKED_VERSION, SHORT, TAG, TAGGED_SHAPES } from './packed.format.js';
import { isClean, isSpecial } from './packed.kinds.js';
import { PackedReader } from './packed.reader.js';
import { BundleShapes, type Shape } from './packed.shapes.js';

const EMPTY = Buffer.alloc(0);

/** From here on it is looked whether a value contains itself: most are not so deep, and pay nothing for it. */
const SUSPICIOUS_DEPTH = 8;

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
  /** What the value that is being written is in, from {@link SUSPICIOUS_DEPTH} on. */
  readonly #path: object[] = [];
  /** Characters of JSON that the names of the last value take at most. */
  #names = 0;
  readonly #shapes = new BundleShapes();
  /** Nobody has given all objects names that `for … in` lists. */
  #isClean = true;

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

  /** What {@link finish} gave has been read, and its room can be used again; a second time does nothing. */
  release(): void {
    if (this.#finished !== undefined) return;
    this.#finished = EMPTY;
    releaseBytes(this.#out);
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
    if (this.#depth >= SUSPICIOUS_DEPTH) this.#checkCycle(value);
    this.#depth += 1;
    const isWritten = Array.isArray(value) ? this.#list(value) : this.#record(value);
    this.#depth -= 1;
    return isWritten;
  }

  /** What contains itself is refused by JSON, which has the words for it, before it is walked hundreds of times. */
  #checkCycle(value: object): void {
    for (let at = SUSPICIOUS_DEPTH; at < this.#depth; at++) if (this.#path[at] === value) JSON.stringify(value);
    this.#path[this.#depth] = value;
  }

  #list(list: readonly unknown[]): boolean {
    const { length } = list;
    // Of a proxy it may be anything.
    if (length >>> 0 !== length) return this.#json('', list);
    if (length < SHORT) this.#out.byte(TAG.list + length);
    else this.#out.long(TAG.longList, length);
    for (let at = 0; at < length; at++) {
      const value = list[at];
      if (!this.#out.leaf(value) && !this.#write(at, value)) this.#out.byte(TAG.null);
    }
    return true;
  }

  #record(value: object): boolean {
    const prototype = Reflect.getPrototypeOf(value);
    if (prototype === Object.prototype && this.#isClean) return this.#guessed(value);
    if (isSpecial(value, prototype)) return this.#json('', value);
    return this.#named(value, Object.keys(value));
  }

  /**
   * Objects at the same depth mostly look alike, so this one is written as if it had the shape of the one before, name
   * by name: V8 reads `value[name]` of a `for … in` in half the time of other names.
   */
  #guessed(value: object): true {
    const shape = this.#shapes.guess(this.#depth);
    if (shape === undefined) return this.#named(value, Object.keys(value));
    const { names } = shape;
    const { at } = this.#out;
    const { size } = this.#shapes;
    this.#head(shape);
    const from = this.#out.at;
    let count = 0;
    // As with JSON the names are those from before the first getter runs, whatever it does to its object: `for … in`
    // has listed them then, and leaves out what is deleted meanwhile.
    let others: string[] | undefined;
    for (const name in value) {
      if (others !== undefined) others.push(name);
      else if (names[count] !== name) others = [name];
      else {
        const each = (value as Record<string, unknown>)[name];
        if (!this.#out.leaf(each)) this.#property(name, each);
        count += 1;
      }
    }
    if (others === undefined && count === names.length) return true;
    return this.#corrected(value, { at, shapes: size, from }, [...names.slice(0, count), ...(others ?? [])], count);
  }

  /** It has other names: all but the first `count` values are still to be written, and what comes before them. */
  #corrected(value: object, start: Start, names: readonly string[], count: number): true {
    const out = this.#out;
    const shape = count === 0 ? undefined : this.#shapes.of(names, this.#depth);
    // Where one of the values has brought the names, which then would come too late, they are written once more.
    const isLate = shape !== undefined && (this.#shapes.numberOf(shape) ?? -1) >= start.shapes;
    if (shape !== undefined && !(isLate && this.#shapes.areAll)) {
      const end = out.at;
      this.#head(shape, isLate);
      out.moveBack(end, start);
      return this.#values(value, names, count);
    }
    const { bytes, at: end } = out;
    const reader = new PackedReader({ bytes, from: start.from, end, shapes: this.#shapes.names });
    const first = Array.from({ length: count }, () => reader.property());
    out.at = start.at;
    this.#shapes.forget(start.shapes);
    return this.#named(value, names, first);
  }

  /** `first`: the values of the first names, which have been read already. */
  #named(value: object, names: readonly string[], first: readonly unknown[] = []): true {
    const shape = this.#shapes.of(names, this.#depth);
    if (shape === undefined) return this.#map(value, names, first);
    this.#head(shape);
    for (let at = 0; at < first.length; at++) this.#property(names[at]!, first[at]);
    return this.#values(value, names, first.length);
  }

  #values(value: object, names: readonly string[], from: number): true {
    for (let at = from; at < names.length; at++) {
      const name = names[at]!;
      this.#property(name, (value as Record<string, unknown>)[name]);
    }
    return true;
  }

  #property(name: string, value: unknown): void {
    if (!this.#write(name, value)) this.#out.byte(TAG.absent);
  }

  /** What the values of a shape come after: its number, and its names when they are new. */
  #head(shape: Shape, isAnew = false): void {
    const out = this.#out;
    this.#names += shape.longest;
    const number = isAnew ? undefined : this.#shapes.numberOf(shape);
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

  #map(value: object, names: readonly string[], first: readonly unknown[]): true {
    this.#names += 4 * names.length + 2;
    this.#out.long(TAG.map, names.length);
    for (const [at, name] of names.entries()) {
      this.#out.text(name);
      this.#property(name, at < first.length ? first[at] : (value as Record<string, unknown>)[name]);
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

/** Where an object begins, and its values; and how many shapes were known before it. */
interface Start {
  readonly at: number;
  readonly shapes: number;
  readonly from: number;
}
