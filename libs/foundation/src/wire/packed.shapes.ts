/**
 * The names of objects' properties, found again by the names themselves: a tree of names, of which each path is a
 * shape. One for the process, because applications send the same kinds of messages all the time. And the shapes of one
 * bundle, which have numbers there.
 */
import { releaseBytes, takeBytes } from './packed.bytes.js';
import { MAX_SHAPE_BYTES, MAX_SHAPE_NAMES, MAX_SHAPES, USUAL_SHAPES } from './packed.format.js';

/** What objects with the same names in the same order share. */
export interface Shape {
  readonly names: readonly string[];
  /** How many characters of JSON the names take at most, with all that is between them. */
  readonly longest: number;
  /** The names as they are packed; known once they were. */
  packed: Buffer | undefined;
  /** Its number in every bundle. */
  readonly usual: number | undefined;
  /** The bundle in which it had a number last, and which one: the others have a table of their own. */
  owner: object | undefined;
  number: number | undefined;
}

interface Branch {
  shape: Shape | undefined;
  readonly next: Map<string, Branch>;
}

/** So many branches are kept: beyond that names are made up as messages go, and remembering them is in vain. */
const MAX_BRANCHES = 10_000;
/** So many characters of names are kept. */
const MAX_CHARACTERS = 1024 * 1024;

/** See the file header. */
export class Shapes {
  #root!: Branch;
  #branches = 0;
  #characters = 0;
  /** Elements of a list mostly look alike. */
  #last: Shape | undefined;

  constructor() {
    this.#begin();
  }

  /** Of all names that are kept. */
  get characters(): number {
    return this.#characters;
  }

  /** `undefined` for too many names. */
  of(names: readonly string[]): Shape | undefined {
    const last = this.#last;
    if (last !== undefined && isSame(last.names, names)) return last;
    if (names.length > MAX_SHAPE_NAMES || lengthOf(names) > MAX_SHAPE_BYTES) return undefined;
    return (this.#last = this.#find(names));
  }

  #find(names: readonly string[]): Shape {
    let branch = this.#root;
    for (const name of names) {
      let next = branch.next.get(name);
      if (next === undefined) {
        if (this.#branches >= MAX_BRANCHES || this.#characters > MAX_CHARACTERS) return this.#anew(names);
        this.#branches += 1;
        this.#characters += name.length;
        branch.next.set(name, (next = { shape: undefined, next: new Map() }));
      }
      branch = next;
    }
    return (branch.shape ??= shapeOf(names));
  }

  #anew(names: readonly string[]): Shape {
    this.#begin();
    return this.#find(names);
  }

  #begin(): void {
    this.#root = { shape: undefined, next: new Map() };
    this.#branches = this.#characters = 0;
    for (const names of USUAL_SHAPES) this.#find(names);
  }
}

function lengthOf(names: readonly string[]): number {
  let sum = 0;
  for (const { length } of names) sum += length;
  return sum;
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  const { length } = some;
  if (others.length !== length) return false;
  for (let at = 0; at < length; at++) if (some[at] !== others[at]) return false;
  return true;
}

function shapeOf(names: readonly string[]): Shape {
  // A character is at most six of JSON; quotes, colon and comma, and the braces.
  const longest = names.reduce((sum, { length }) => sum + 6 * length + 4, 2);
  const usual = USUAL_SHAPES.findIndex((each) => isSame(each, names));
  return {
    names,
    longest,
    packed: undefined,
    usual: usual < 0 ? undefined : usual,
    owner: undefined,
    number: undefined,
  };
}

function packedNames(names: readonly string[]): Buffer {
  const out = takeBytes(0);
  for (const name of names) out.text(name);
  const packed = Buffer.from(out.bytes.subarray(0, out.at));
  releaseBytes(out);
  return packed;
}

const SHAPES = new Shapes();

/** The shapes that the objects of one bundle have. */
export class BundleShapes {
  /** By number, after the usual ones. */
  readonly #shapes: Shape[] = [];
  /** Known to shapes, which outlive the bundle. */
  readonly #owner = {};
  readonly #numbers = new Map<Shape, number>();
  /** The shape of the last object at each depth. */
  readonly #guesses: (Shape | undefined)[] = [];

  get size(): number {
    return USUAL_SHAPES.length + this.#shapes.length;
  }

  /** There can be no more of them. */
  get areAll(): boolean {
    return this.size >= MAX_SHAPES;
  }

  /** By number. */
  get names(): (readonly string[])[] {
    return [...USUAL_SHAPES, ...this.#shapes.map(({ names }) => names)];
  }

  /** What the next object at this depth probably looks like. */
  guess(depth: number): Shape | undefined {
    return this.#guesses[depth];
  }

  /** The shape of an object at this depth; `undefined` for one that is to be written with its names. */
  of(names: readonly string[], depth: number): Shape | undefined {
    const shape = SHAPES.of(names);
    if (shape === undefined || (this.areAll && this.numberOf(shape) === undefined)) return undefined;
    if ((shape.packed ??= packedNames(names)).length > MAX_SHAPE_BYTES) return undefined;
    this.#guesses[depth] = shape;
    return shape;
  }

  /** `undefined` for one whose names are still to be written. */
  numberOf(shape: Shape): number | undefined {
    if (shape.usual !== undefined) return shape.usual;
    if (shape.owner !== this.#owner) {
      shape.number = this.#numbers.get(shape);
      shape.owner = this.#owner;
    }
    return shape.number;
  }

  /** Gives it the next number. */
  add(shape: Shape): number {
    shape.owner = this.#owner;
    shape.number = this.size;
    this.#shapes.push(shape);
    this.#numbers.set(shape, shape.number);
    return shape.number;
  }

  /** Those from this number on: their names were in what is not sent. */
  forget(first: number): void {
    for (const shape of this.#shapes.splice(first - USUAL_SHAPES.length)) {
      this.#numbers.delete(shape);
      shape.owner = undefined;
      this.#guesses.length = 0;
    }
  }
}
