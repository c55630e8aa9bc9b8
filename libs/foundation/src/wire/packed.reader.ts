/**
 * Reads what {@link PackedWriter} wrote, or anybody else: no name in it reaches a prototype, and nothing is allocated
 * for a length that the bytes do not have.
 */
import { parseJson } from './json.js';
import {
  MAX_PACKED_DEPTH,
  MAX_SHAPE_BYTES,
  PACKED_HEAD,
  PACKED_VERSION,
  SMALL,
  TAG,
  USUAL_SHAPES,
} from './packed.format.js';

/** It is none, or not whole; what was read of it before is right all the same. */
export class MalformedPacked extends Error {}

/** In place of the value of a property that is not there. */
const ABSENT = Symbol('absent');

/** The names of one shape. */
interface Names {
  readonly names: readonly string[];
  /** Objects have some of them already, so that they cannot be assigned. */
  readonly areUsual: boolean;
}

const USUAL = USUAL_SHAPES.map(namesOf);

/** Names that were read, by their bytes: the same shapes come with each bundle. */
const known = new Map<string, Names>();
/** So many are kept. */
const MAX_KNOWN = 1000;

/** Where values are. */
export interface PackedSpan {
  readonly bytes: Buffer;
  readonly from: number;
  readonly end: number;
  /** All that were known before `from`, where that is not the beginning. */
  readonly shapes?: readonly (readonly string[])[];
}

/** A bundle that is being read. */
export interface OpenedPacked {
  /** How many values there are, by what is written. */
  readonly count: number;
  readonly values: PackedReader;
}

/**
 * Opens what a writer has finished.
 *
 * @throws MalformedPacked
 */
export function openPacked(bytes: Buffer): OpenedPacked {
  if (bytes.length < PACKED_HEAD || bytes[0] !== PACKED_VERSION) throw new MalformedPacked('not packed');
  return { count: bytes.readUInt16BE(1), values: new PackedReader({ bytes, from: PACKED_HEAD, end: bytes.length }) };
}

/**
 * From this length on V8 makes a part of a text a view on all of it, so that a handler that keeps a word would keep the
 * bundle.
 */
const SLICED = 13;

/** See the file header. */
export class PackedReader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #from: number;
  readonly #end: number;
  /** All of it, each byte as one character: short texts are cut out of it, which is faster than to read their bytes. */
  readonly #characters: string;
  readonly #shapes: (Names | undefined)[];
  #at: number;
  #depth = 0;

  constructor({ bytes, from, end, shapes }: PackedSpan) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = this.#from = from;
    this.#end = end;
    this.#characters = bytes.toString('latin1', from, end);
    this.#shapes = shapes === undefined ? [...USUAL] : shapes.map(namesOf);
  }

  /** How many bytes have been read. */
  get at(): number {
    return this.#at;
  }

  /**
   * The next value.
   *
   * @throws MalformedPacked, after which there is no next one.
   */
  next(): unknown {
    this.#depth = 0;
    const value = this.#value();
    if (this.#at > this.#end) throw new MalformedPacked('it is cut');
    return value;
  }

  /** The next value of an object; `undefined` for one that is not there. */
  property(): unknown {
    const value = this.#any();
    return value === ABSENT ? undefined : value;
  }

  #value(): unknown {
    const value = this.#any();
    if (value === ABSENT) throw new MalformedPacked('a value that is not there');
    return value;
  }

  #any(): unknown {
    const tag = this.#byte();
    if (tag < SMALL) return tag;
    if (tag < TAG.word) return this.#list(tag - TAG.list);
    if (tag < TAG.null) return this.#word(tag - TAG.word);
    if (tag >= TAG.shapes) return this.#object(this.#shapes[tag - TAG.shapes]);
    switch (tag) {
      case TAG.null:
        return null;
      case TAG.true:
        return true;
      case TAG.false:
        return false;
      case TAG.int8:
        return (this.#byte() << 24) >> 24;
      case TAG.int16:
        return this.#view.getInt16(this.#take(2));
      case TAG.int32:
        return this.#view.getInt32(this.#take(4));
      case TAG.double:
        return this.#double();
      case TAG.absent:
        return ABSENT;
      case TAG.longList:
        return this.#list(this.#length());
      case TAG.shape:
        return this.#object(this.#shapes[this.#byte()]);
      case TAG.newShape:
        return this.#newShape();
      case TAG.map:
        return this.#map();
      case TAG.json:
        return json(this.#text('utf8'));
      default:
        return this.#text(tag === TAG.ascii ? 'latin1' : tag === TAG.utf8 ? 'utf8' : 'utf16le');
    }
  }

  #list(length: number): unknown[] {
    this.#enter();
    // INVARIANT (I12): as long as the bytes can be, whatever is said: each value has one at least.
    if (length > this.#end - this.#at) throw new MalformedPacked('a list that is cut');
    const list = this.#values(length);
    this.#depth -= 1;
    return list;
  }

  /** A short list is made with the room that it needs: one that grows begins with room for 17. */
  #values(length: number): unknown[] {
    if (length === 1) return [this.#value()];
    if (length === 2) return [this.#value(), this.#value()];
    if (length === 3) return [this.#value(), this.#value(), this.#value()];
    const list: unknown[] = [];
    for (let index = 0; index < length; index++) list.push(this.#value());
    return list;
  }

  #object(shape: Names | undefined): object {
    if (shape === undefined) throw new MalformedPacked('an unknown shape');
    this.#enter();
    const { names, areUsual } = shape;
    const object: Record<string, unknown> = {};
    for (let index = 0; index < names.length; index++) {
      const value = this.#any();
      if (value === ABSENT) continue;
      if (areUsual) object[names[index]!] = value;
      else define(object, names[index]!, value);
    }
    this.#depth -= 1;
    return object;
  }

  #newShape(): object {
    const number = this.#byte();
    const count = this.#byte();
    const size = this.#view.getUint16(this.#take(2));
    if (size > MAX_SHAPE_BYTES) throw new MalformedPacked('names that are too long');
    const from = this.#take(size);
    const shape = this.#known(from, count);
    this.#shapes[number] = shape;
    return this.#object(shape);
  }

  #known(from: number, count: number): Names {
    const end = this.#at;
    const bytes = this.#characters.substring(from - this.#from, end - this.#from);
    const found = known.get(bytes);
    // The same bytes are the same names.
    if (found !== undefined && found.names.length === count) return found;
    this.#at = from;
    const names = Array.from({ length: count }, () => this.#name());
    if (this.#at !== end) throw new MalformedPacked('names of another length');
    const shape = namesOf(names);
    if (known.size >= MAX_KNOWN) known.clear();
    // A copy, because what was looked up is a view on the whole bundle.
    known.set(this.#bytes.toString('latin1', from, end), shape);
    return shape;
  }

  #map(): object {
    this.#enter();
    const length = this.#length();
    if (length > this.#end - this.#at) throw new MalformedPacked('an object that is cut');
    const object = {};
    for (let index = 0; index < length; index++) {
      const name = this.#name();
      const value = this.#any();
      if (value !== ABSENT) define(object, name, value);
    }
    this.#depth -= 1;
    return object;
  }

  #name(): string {
    const name = this.#any();
    if (typeof name !== 'string') throw new MalformedPacked('a name that is no text');
    return name;
  }

  #double(): number {
    const value = this.#view.getFloat64(this.#take(8));
    // JSON has no others.
    if (!Number.isFinite(value)) throw new MalformedPacked('a number that is none');
    return value;
  }

  #word(length: number): string {
    const from = this.#take(length);
    if (length >= SLICED) return this.#bytes.toString('latin1', from, from + length);
    return this.#characters.substring(from - this.#from, from - this.#from + length);
  }

  #text(encoding: 'latin1' | 'utf8' | 'utf16le'): string {
    const length = this.#length();
    const from = this.#take(length);
    return this.#bytes.toString(encoding, from, from + length);
  }

  #length(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** Behind the end there is none, which `next` sees. */
  #byte(): number {
    return this.#bytes[this.#at++]!;
  }

  /** Where so many bytes begin, which are taken. */
  #take(size: number): number {
    const from = this.#at;
    if (from + size > this.#end) throw new MalformedPacked('it is cut');
    this.#at = from + size;
    return from;
  }

  #enter(): void {
    this.#depth += 1;
    if (this.#depth > MAX_PACKED_DEPTH) throw new MalformedPacked('nested too deeply');
  }
}

function namesOf(names: readonly string[]): Names {
  return { names, areUsual: !names.some((name) => name in Object.prototype) };
}

/**
 * A property that is always its own. INVARIANT (I10): the two ways by which merging a value into another one could
 * change all objects are left out, as `parseJson` does.
 */
function define(object: object, name: string, value: unknown): void {
  if (name === '__proto__') return;
  if (name === 'constructor' && typeof value === 'object' && value !== null) Reflect.deleteProperty(value, 'prototype');
  Reflect.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

function json(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw new MalformedPacked('JSON that is none');
  }
}
