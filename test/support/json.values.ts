// Values that an application may send, for properties: whatever JSON writes, and in whatever way it comes to its text.
// `meaning` says what a handler has to get for one, independently of the library.
import fc from 'fast-check';

const KEYS = ['', '0', '1', '01', '-1', '1e3', '4294967294', '4294967295', 'length', 'toString', 'hasOwnProperty'];
const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'valueOf',
  'a',
  'b',
  '\0',
  '\ud800',
  'x\udfff',
  '\u2028',
  '😀',
  'ä',
];
const LARGEST = Number.MAX_SAFE_INTEGER;
const NUMBERS = [
  ...[0, -0, NaN, Infinity, -Infinity, 0.1, 1e21, 1e-7, 5e-324, -5e-324, 1e308, Number.MAX_VALUE, Number.EPSILON],
  ...[LARGEST, LARGEST + 1, LARGEST + 3, -LARGEST, -LARGEST - 1, 2 ** 63, 2 ** 64, -(2 ** 63)],
  ...[7, 8, 15, 16, 31, 32, 53].flatMap((bits) => [-1, 0, 1].flatMap((by) => [2 ** bits + by, -(2 ** bits) + by])),
];
const LONGEST = 100_000;

const unit = (least: number, most: number): fc.Arbitrary<string> =>
  fc.integer({ min: least, max: most }).map((code) => String.fromCodePoint(code));
/** Latin-1, the plane of two bytes with lone surrogates, what needs four bytes, and what JSON escapes. */
const units = [unit(0, 0xff), unit(0, 0xffff), unit(0x10000, 0x10ffff), unit(0xd800, 0xdfff), unit(0, 0x22)];
const short = fc.oneof(...units.map((one) => fc.string({ unit: one, maxLength: 12 })));
/** Of a length at which an encoding may change its mind, cheaply made and shrunk. */
const long = fc
  .tuple(short, fc.oneof(fc.constantFrom(31, 32, 255, 256, 1023, 8192, 65_535, 65_536, LONGEST), fc.nat(LONGEST)))
  .map(([text, length]) => (text === '' ? 'a' : text).repeat(length).slice(0, length));
const strings = fc.oneof({ arbitrary: short, weight: 12 }, { arbitrary: long, weight: 1 });
const keys = fc.oneof(fc.constantFrom(...KEYS, ...NAMES), short);
const numbers = fc.oneof(fc.constantFrom(...NUMBERS), fc.double(), fc.integer(), fc.maxSafeInteger());

/** Has a getter on its prototype, a field of its own, and one that JSON does not see. */
class Account {
  #secret = 1;
  constructor(readonly balance: unknown) {}
  get secret(): number {
    return this.#secret;
  }
}
/** Its text is another's, by the key under which it stands. */
class Named {
  constructor(readonly value: unknown) {}
  toJSON(key: unknown): unknown {
    return { key: typeof key === 'symbol' ? 'symbol' : key, value: this.value };
  }
}

const buffers = fc.uint8Array({ maxLength: 40 });
const special: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(undefined, () => 1, Symbol('s'), Symbol.iterator, new Date(NaN), /x/g, new Error('e')),
  fc.date({ noInvalidDate: false }),
  fc.oneof(numbers, short, fc.boolean()).map((value) => Object(value) as unknown),
  fc.constant(Object(Symbol('boxed')) as unknown),
  buffers.map((bytes) => Buffer.from(bytes)),
  buffers,
  buffers.map((bytes) => bytes.buffer),
  fc.float32Array({ maxLength: 8 }),
  short.map((text) => new Map([[text, text]])),
  short.map((text) => new Set([text])),
  fc.constant(new URL('http://127.0.0.1/ä?b=😀')),
);

type Entry = readonly [string, unknown];
/** Own properties whatever their names, so that `__proto__` is one. */
function withEntries<T extends object>(target: T, entries: readonly Entry[]): T {
  for (const [key, value] of entries) {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return target;
}

const { any } = fc.letrec<{ any: unknown; list: unknown[]; entries: Entry[]; plain: object; strange: unknown }>(
  (tie) => ({
    list: fc.array(tie('any'), { maxLength: 6, depthIdentifier: 'values' }),
    entries: fc.array(fc.tuple(keys, tie('any')), { maxLength: 6, depthIdentifier: 'values' }),
    plain: tie('entries').map((entries) => withEntries({}, entries)),
    strange: fc.oneof(
      tie('entries').map((entries) => withEntries(Object.create(null) as object, entries)),
      tie('entries').map((entries) => withEntries(new Account(entries.length), entries)),
      tie('entries').map((entries) => new Proxy(withEntries({}, entries), {})),
      tie('list').map((list) => new Proxy(list, {})),
      tie('list').map((list) => withEntries([...list], [['extra', 1]])),
      // With holes.
      tie('list').map((list) => Object.assign(new Array<unknown>(list.length + 2), { [list.length]: list })),
      tie('any').map((value) => new Named(value)),
      tie('any').map((value) => [new Named(value), { in: new Named(value) }]),
      tie('any').map((value) => ({ gone: { toJSON: () => undefined }, kept: { toJSON: () => value } })),
      tie('list').map((list) => Object.assign([...list], { toJSON: (key: string) => ({ key, count: list.length }) })),
      tie('any').map((value) => Object.create({ toJSON: () => value }) as object),
      tie('any').map((value) => Object.defineProperty({}, 'read', { get: () => value, enumerable: true })),
      tie('any').map((value) => Object.defineProperties({ a: 1 }, { hidden: { value }, [Symbol('s')]: { value } })),
      tie('any').map((value) => ({ constructor: withEntries({ prototype: value }, [['__proto__', value]]) })),
      tie('any').map((value) => ({
        constructor: { constructor: { prototype: value }, prototype: { prototype: value } },
      })),
      // The same object in two places is two copies.
      tie('plain').map((plain) => [plain, { again: plain }, plain]),
    ),
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true, depthIdentifier: 'values' },
      fc.oneof(fc.constant(null), fc.boolean(), numbers, strings, special),
      tie('list'),
      tie('plain'),
      tie('strange'),
    ),
  }),
);

const nested = fc
  .tuple(fc.integer({ min: 100, max: 400 }), fc.boolean(), numbers)
  .map(([depth, isList, value]) =>
    Array.from({ length: depth }).reduce<unknown>((inner) => (isList ? [inner] : { a: inner }), value),
  );
const wide = fc.tuple(fc.constantFrom(15, 16, 31, 32, 255, 256, 5000), short).map(([count, text]) =>
  withEntries(
    {},
    Array.from({ length: count }, (_, index) => [`${text}${index}`, index]),
  ),
);
const many = fc
  .tuple(fc.constantFrom(15, 16, 255, 256, 5000), numbers)
  .map(([n, value]) => Array.from({ length: n }, (): unknown => value));
/** Rows of one shape, and of shapes that are nearly the same: what an encoding with records is tempted by. */
const rows = fc
  .tuple(fc.array(keys, { maxLength: 5 }), fc.array(fc.array(numbers, { maxLength: 5 }), { maxLength: 20 }))
  .map(([names, lines]) =>
    lines.map((line) =>
      withEntries(
        {},
        line.map((value, index): Entry => [names[index] ?? `k${index}`, value]),
      ),
    ),
  );

/** Anything whose JSON has so many bytes at most; now and then deep, wide or long. */
export function anything(maxBytes: number): fc.Arbitrary<unknown> {
  const all: fc.Arbitrary<unknown> = fc.oneof(
    { arbitrary: any, weight: 20 },
    { arbitrary: nested, weight: 1 },
    { arbitrary: wide, weight: 1 },
    { arbitrary: many, weight: 1 },
    { arbitrary: rows, weight: 3 },
  );
  return all.filter((value) => Buffer.byteLength(textOf(value) ?? '') <= maxBytes);
}

/** Whatever is a message: JSON has a text for it. */
export function sendable(maxBytes: number): fc.Arbitrary<unknown> {
  return anything(maxBytes).filter((value) => textOf(value) !== undefined);
}

/** Undefined for what has none, whatever the types say. */
export function textOf(value: unknown): string | undefined {
  return JSON.stringify(value);
}

/** What a handler gets: what JSON makes of it, less the two names by which a merge could reach a prototype. */
export function meaning(value: unknown): unknown {
  return withoutForbidden(JSON.parse(JSON.stringify(value)));
}

function withoutForbidden(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  Reflect.deleteProperty(value, '__proto__');
  const inner = Object.hasOwn(value, 'constructor') ? (value as { constructor: unknown }).constructor : undefined;
  if (typeof inner === 'object' && inner !== null) Reflect.deleteProperty(inner, 'prototype');
  for (const each of Object.values(value)) withoutForbidden(each);
  return value;
}

/** All objects within one that JSON made. */
export function objectsIn(value: unknown, found: object[] = []): object[] {
  if (typeof value !== 'object' || value === null) return found;
  found.push(value);
  for (const each of Object.values(value)) objectsIn(each, found);
  return found;
}

function throwing(): never {
  throw new Error('no');
}
/** What JSON cannot write, or has no text for; made anew each time. */
export const UNSENDABLE: Readonly<Record<string, () => unknown>> = {
  'a bigint': () => 1n,
  'a bigint deep inside': () => ({ a: [{ b: 1n }] }),
  'a boxed bigint': () => [Object(1n) as unknown],
  'a cycle': () => {
    const self: Record<string, unknown> = {};
    return Object.assign(self, { list: [self] });
  },
  'a getter that throws': () => Object.defineProperty({}, 'a', { get: throwing, enumerable: true }),
  'a toJSON that throws': () => [{ toJSON: throwing }],
  'a proxy that throws': () => new Proxy({}, { ownKeys: throwing }),
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return { proxy };
  },
  'what is nested too deeply': () => Array.from<unknown>({ length: 100_000 }).reduce((inner) => [inner], 1),
  undefined: () => undefined,
  'a function': () => throwing,
  'a symbol': () => Symbol('s'),
  'a toJSON without a text': () => ({ toJSON: () => undefined }),
};
