/**
 * Pure: the binary form of JSON values on links between nodes. Half the bytes of JSON, written in half to three
 * quarters of the time and read in a third (`npm run bench -- codec`), because the names of an object's properties are
 * written once for a bundle, and a number need not become a text.
 *
 * Not msgpackr, although it is well kept: a handler is to get what `JSON.parse(JSON.stringify(message))` gives, which
 * takes a second walk around it; its shared structures are a state that both ends have to agree on, or are written for
 * each message; and it compiles the names that came from the network into code.
 *
 * A bundle is `<version> <count, 2 bytes>` and so many values. A value is a tag and what the tag says.
 */

/** The version of the format, said in the handshake of a link. */
export const PACKED_VERSION = 1;

/** The bytes before the first value. */
export const PACKED_HEAD = 3;

/** A value whose tag is less than this is that number. */
export const SMALL = 0x40;

/** What the first byte of a value says. Numbers are in network order. */
export const TAG = {
  /** `+ length`, and so many values; less than 64. */
  list: 0x40,
  /** `+ length`, and so many bytes of ASCII; less than 64. */
  word: 0x80,
  null: 0xc0,
  true: 0xc1,
  false: 0xc2,
  int8: 0xc3,
  int16: 0xc4,
  int32: 0xc5,
  double: 0xc6,
  /** Length (4), and so many bytes of ASCII. */
  ascii: 0xc7,
  utf8: 0xc8,
  /** For what UTF-8 has no bytes for: half of a pair of surrogates by itself. */
  utf16: 0xc9,
  /** Length (4), and so many values. */
  longList: 0xca,
  /** Number of the shape (1), and a value for each of its names. */
  shape: 0xcb,
  /** The same after what the number means: number of names (1), their bytes (2), the names as texts. */
  newShape: 0xcc,
  /** Number of properties (4), and for each a text and a value: an object that is not worth a shape. */
  map: 0xcd,
  /** In place of a property's value: there is no such property. */
  absent: 0xce,
  /** Length (4), and so many bytes of JSON: what is nested too deeply. */
  json: 0xcf,
  /** `+ number of the shape`, less than 48. */
  shapes: 0xd0,
} as const;

/**
 * Shapes that every bundle has from the start, so that no bundle says their names: of heads and messages of channels,
 * of calls, and of answers. Those of another version are part of another {@link PACKED_VERSION}.
 */
export const USUAL_SHAPES: readonly (readonly string[])[] = [
  ['v', 'from', 'boot', 'seq', 'at', 'lane'],
  ['b'],
  [
    ...['v', 'kind', 'id', 'from', 'process', 'epoch', 'method', 'args'],
    ...['partitions', 'timeout', 'longest', 'trace', 'context', 'chain'],
  ],
  ['v', 'kind', 'id', 'outcome', 'value'],
];

/** Lists and words that are shorter need no length of their own. */
export const SHORT = 64;
/** Shapes whose number is in the tag. */
export const TAGGED_SHAPES = 0x100 - TAG.shapes;
/** The most shapes of one bundle, with the usual ones; further objects are written with their names. */
export const MAX_SHAPES = 256;
/** The most names of one shape. */
export const MAX_SHAPE_NAMES = 64;
/** The most bytes that the names of one shape take. */
export const MAX_SHAPE_BYTES = 4096;
/** What is nested more deeply is written as JSON, which both ends read without recursion. */
export const MAX_PACKED_DEPTH = 200;
