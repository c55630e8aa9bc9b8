import { describe, expect, it } from '@jest/globals';
import { MAX_PACKED_DEPTH } from './packed.format.js';
import { MalformedPacked, openPacked } from './packed.reader.js';
import { Shapes } from './packed.shapes.js';
import { PackedWriter } from './packed.writer.js';

/** The same numbers in every run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function pack(...values: unknown[]): Buffer {
  const writer = new PackedWriter();
  for (const value of values) expect(writer.add(value)).toBe(true);
  return Buffer.from(writer.finish());
}

function unpack(bytes: Buffer): unknown[] {
  const { count, values } = openPacked(bytes);
  return Array.from({ length: count }, () => values.next());
}

/** What JSON makes of it, less what reaches a prototype. */
function meant(value: unknown): unknown {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? undefined : withoutForbidden(JSON.parse(text));
}

function withoutForbidden(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutForbidden);
  const entries = Object.entries(value).filter(([name]) => name !== '__proto__');
  const read = Object.fromEntries(entries.map(([name, each]) => [name, withoutForbidden(each)]));
  const { constructor } = read;
  if (Object.hasOwn(read, 'constructor') && typeof constructor === 'object' && constructor !== null)
    Reflect.deleteProperty(constructor, 'prototype');
  return read;
}

class Point {
  readonly #hidden = 1;
  y = 2;
  constructor(readonly x: unknown = this.#hidden) {}
  get sum(): number {
    return this.y;
  }
}

class Inherited extends Point {
  override y = 3;
}
Object.assign(Inherited.prototype, { listed: 'on the prototype' });

const halves = '\ud800 \udc00\ud800';
const SPECIAL: Record<string, () => unknown> = {
  date: () => new Date(0),
  'a date that is none': () => new Date(NaN),
  undefined: () => ({ a: undefined, b: [undefined, () => 1, Symbol('s')], c: () => 1, d: Symbol('s') }),
  numbers: () => [
    0,
    -0,
    0.1,
    -1.5e300,
    5e-324,
    NaN,
    Infinity,
    -Infinity,
    2 ** 31,
    -(2 ** 31),
    2 ** 53,
    63,
    64,
    -128,
    -129,
  ],
  'limits of small numbers': () => [127, 128, 255, 256, 32767, 32768, -32768, -32769, 2 ** 31 - 1, 2 ** 32],
  texts: () => [
    '',
    'a',
    'é',
    '€',
    '😀',
    halves,
    '\u0000\u001f"\\\u2028',
    'x'.repeat(63),
    'x'.repeat(64),
    'é'.repeat(40),
  ],
  'long texts': () => ['x'.repeat(100_000), '€'.repeat(30_000), halves.repeat(5000)],
  'names that are halves of pairs': () => ({ [halves]: 1, '': 2, '😀': 3 }),
  toJSON: () => ({ a: { toJSON: (key: string) => `key ${key}` }, b: [{ toJSON: (key: string) => key }] }),
  'toJSON that leaves out': () => ({ a: { toJSON: () => undefined }, b: [{ toJSON: () => undefined }] }),
  'toJSON of a toJSON': () => [{ toJSON: () => ({ toJSON: () => 1, a: 1 }) }],
  'toJSON on a list': () => ({ a: Object.assign([1, 2], { toJSON: () => 'list' }) }),
  'toJSON on a function': () => ({ a: Object.assign(() => 1, { toJSON: () => 'function' }), b: [() => 1] }),
  instances: () => [new Point(), new Inherited(1), new Point(new Point())],
  boxed: () => [
    new Number(1),
    new String('s'),
    new Boolean(false),
    Object(Symbol('s')) as unknown,
    Object.assign(new Number(2), { a: 1 }),
  ],
  collections: () => [new Map([[1, 2]]), new Set([1]), new Uint8Array([1, 2]), Buffer.from('ab'), new Error('e'), /x/],
  sparse: () => [[, 1, , 2, ,]], // eslint-disable-line no-sparse-arrays -- what is tested
  'null prototype': () => Object.assign(Object.create(null) as object, { a: 1 }),
  getters: () => ({
    a: 1,
    get b(): unknown {
      return { c: (this as { a: number }).a };
    },
  }),
  proxies: () => [new Proxy({ a: 1, b: 2 }, {}), new Proxy([1, 2], {})],
  'names that objects have': () => ({
    toString: 1,
    valueOf: { a: 1 },
    hasOwnProperty: 2,
    constructor: 3,
    __lookupGetter__: 4,
  }),
  'names like numbers': () => ({ b: 1, 10: 2, 2: 3, a: 4, '-1': 5, '01': 6 }),
  'an own __proto__': () => JSON.parse('{"a":1,"__proto__":{"polluted":true},"b":[{"__proto__":1}]}') as unknown,
  'constructor.prototype': () => ({ constructor: { prototype: { polluted: true }, a: 1 }, prototype: 1 }),
  'a prototype within lists': () => ({
    constructor: [{ prototype: 1 }],
    a: { constructor: { constructor: { prototype: 1 } } },
  }),
  'many names': () => Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`name ${index}`, index])),
  'long names': () => ({ ['n'.repeat(5000)]: 1, [`n${'é'.repeat(3000)}`]: { a: 1 } }),
  'many shapes': () => Array.from({ length: 600 }, (_, index) => ({ [`a${index}`]: index, same: { x: 1 } })),
  'shapes that begin alike': () => [
    { a: 1, b: 2, c: { a: 1 } },
    { a: 1 },
    { a: 1, b: 2 },
    { a: 1, b: 2, c: 3, d: 4 },
    { a: 1, c: { a: 1, b: { a: 1, z: 1 } } },
  ],
  deep: () => Array.from({ length: 600 }).reduce((inner) => ({ a: [inner] }), 'core'),
  'deep lists': () => Array.from({ length: 1200 }).reduce((inner) => [inner], { toJSON: (key: string) => `at ${key}` }),
};

/** Those that are small. */
const USUAL = Object.keys(SPECIAL).filter((name) => !/long|many|deep/.test(name));

describe('a packed value', () => {
  it.each(Object.keys(SPECIAL))('is read as JSON would read it: %s', (name) => {
    const make = SPECIAL[name]!;
    const wrapped = { value: make() };
    const [read, list, again] = unpack(pack(wrapped, [make()], wrapped));
    expect(read).toEqual(meant({ value: make() }));
    expect(JSON.stringify(read)).toBe(JSON.stringify(meant({ value: make() })));
    expect(list).toEqual(meant([make()]));
    expect(again).toEqual(read);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('is read as JSON would read it, whatever it is (%#)', (seed) => {
    const random = randomFrom(seed);
    const names = ['a', 'b', 'c', 'id', 'toString', 'constructor', 'prototype', '__proto__', 'x'.repeat(30), '7', ''];
    const make = (depth: number): unknown => {
      const kind = random(depth > 6 ? 6 : 9);
      if (kind === 0) return random(2) === 0 ? null : random(2) === 0;
      if (kind === 1) return random(300) - 150;
      if (kind === 2) return [random(2 ** 32) - 2 ** 31, random(1e9) / 97, -0, NaN, undefined][random(5)];
      if (kind < 5)
        return String.fromCharCode(
          ...Array.from({ length: random(90) }, () => 32 + random([90, 220, 65_000][random(3)]!)),
        );
      if (kind === 5) return SPECIAL[USUAL[random(USUAL.length)]!]!();
      if (kind === 6) return Array.from({ length: random(80) === 0 ? 100 : random(5) }, () => make(depth + 1));
      const own = names.slice(random(4)).filter(() => random(3) > 0);
      const object = {};
      for (const name of own)
        Object.defineProperty(object, name, {
          value: make(depth + 1),
          enumerable: true,
          configurable: true,
          writable: true,
        });
      return object;
    };
    for (let round = 0; round < 60; round++) {
      const values = Array.from({ length: 1 + random(5) }, () => [make(0)]);
      const read = unpack(pack(...values));
      expect(read).toEqual(values.map(meant));
      expect(JSON.stringify(read)).toBe(JSON.stringify(values.map(meant)));
    }
  });

  it.each<[string, unknown]>([
    ['a big integer', { a: 1n }],
    ['a cycle', (() => { const cycle: unknown[] = []; cycle.push({ cycle }); return cycle; })()], // prettier-ignore
    ['a getter that throws', { get a() { throw new Error('mine'); } }], // prettier-ignore
    ['a toJSON that throws', [{ toJSON: () => { throw new Error('mine'); } }]], // prettier-ignore
  ])('is refused where JSON refuses it: %s', (_, value) => {
    const writer = new PackedWriter();
    writer.add({ before: 1 });
    expect(() => writer.add(value)).toThrow();
    // What was whole before can still be sent.
    expect(unpack(writer.finish())).toEqual([{ before: 1 }]);
  });

  it.each([undefined, () => 1, Symbol('s'), { toJSON: () => undefined }])(
    'is none where JSON has no text (%#)',
    (value) => {
      const writer = new PackedWriter();
      expect(writer.add(value)).toBe(false);
      expect(writer.add(1)).toBe(true);
      expect(unpack(writer.finish())).toEqual([1]);
    },
  );

  it.each<[string, () => object]>([
    [
      'deletes itself',
      () => ({
        get big() {
          Reflect.deleteProperty(this, 'big');
          return Object.assign(this, { big: 'BIG' }).big;
        },
        x: 1,
        z: 2,
      }),
    ],
    [
      'adds a name',
      () => ({
        get v() {
          return Object.assign(this, { _v: 5 })._v;
        },
        x: 1,
      }),
    ],
    [
      'adds a name like a number',
      () => ({
        get v() {
          return Object.assign(this, { 0: 5 })[0];
        },
        x: 1,
      }),
    ],
    [
      'deletes the next one',
      () => ({
        get v() {
          Reflect.deleteProperty(this, 'x');
          return 1;
        },
        x: 1,
        z: 2,
      }),
    ],
    [
      'deletes all that come',
      () => ({
        a: 1,
        get v() {
          Reflect.deleteProperty(this, 'x');
          Reflect.deleteProperty(this, 'z');
          return 1;
        },
        x: 1,
        z: 2,
      }),
    ],
  ])('has the names from before a getter that %s', (_, make) => {
    const befores = [
      () => ({}),
      make,
      () => ({ other: 1, big: 2 }),
      () => ({ v: 1, x: 2 }),
      () => ({ v: 1, x: 2, z: 3 }),
    ];
    for (const before of befores)
      expect(unpack(pack([before(), make(), make()]))).toEqual([meant([before(), make(), make()])]);
  });

  it('is refused at once when it contains itself', () => {
    const value: Record<string, unknown> = { rows: Array.from({ length: 100_000 }, (_, index) => index) };
    value['self'] = [value];
    const writer = new PackedWriter();
    expect(() => writer.add(value)).toThrow('circular');
    // Not after it was walked hundreds of times.
    expect(writer.size).toBeLessThan(100);
  });

  it('may have the same object twice, and a list that lies about its length', () => {
    const same = { a: 1 };
    const list = new Proxy([1, 2], {
      get: (target, name) => (name === 'length' ? -5 : Reflect.get(target, name)) as unknown,
    });
    expect(unpack(pack([same, same, { same }, list], 1))).toEqual([[same, same, { same }, []], 1]);
  });

  it('remembers no long names, and no bundles', () => {
    const shapes = new Shapes();
    expect(shapes.of(['n'.repeat(5000)])).toBeUndefined();
    for (let index = 0; index < 2000; index++) shapes.of([`${index}`.repeat(300)]);
    expect(shapes.characters).toBeLessThan(1.1 * 1024 * 1024);
  });

  it('keeps only as much room as it needs while it waits', () => {
    const writer = new PackedWriter();
    writer.add({ a: 1 });
    writer.compact();
    expect(writer.finish().buffer.byteLength).toBeLessThanOrEqual(Buffer.poolSize);
    expect(unpack(writer.finish())).toEqual([{ a: 1 }]);
    const many = Array.from({ length: 100 }, () => new PackedWriter());
    for (const each of many) each.add({ text: 'é'.repeat(2000) });
    for (const each of many) expect(unpack(each.finish())).toEqual([{ text: 'é'.repeat(2000) }]);
    for (const each of many) each.release();
  });

  it('shares no object with what it was made of', () => {
    const value = { list: [{ a: 1 }] };
    const bytes = pack(value);
    value.list[0]!.a = 2;
    value.list.push({ a: 3 });
    expect(unpack(bytes)).toEqual([{ list: [{ a: 1 }] }]);
  });

  it('leaves out what all objects were given', () => {
    const prototype = Object.prototype as { everywhere?: number };
    try {
      prototype.everywhere = 1;
      const made = pack([{ a: 1, everywhere: 2 }, { a: 1 }, { a: 1, everywhere: 3 }]);
      delete prototype.everywhere;
      expect(unpack(made)).toEqual([[{ a: 1, everywhere: 2 }, { a: 1 }, { a: 1, everywhere: 3 }]]);
    } finally {
      delete prototype.everywhere;
    }
  });

  it('says how long its JSON is at most', () => {
    for (const make of Object.values(SPECIAL)) {
      const writer = new PackedWriter();
      const value = { value: make() };
      writer.add(value);
      expect(writer.longestJson).toBeGreaterThanOrEqual(Buffer.byteLength(JSON.stringify(value)));
    }
  });

  it('is written into two bundles at a time', () => {
    const row = (index: number): object => ({ id: index, kind: 'row', nested: { id: index } });
    const [one, other] = [new PackedWriter(), new PackedWriter()];
    for (let index = 0; index < 1000; index++) (index % 2 === 0 ? one : other).add(row(index));
    expect(one.size).toBeLessThan(20_000);
    const [even, odd] = [unpack(one.finish()), unpack(other.finish())];
    expect(even).toEqual(Array.from({ length: 500 }, (_, index) => row(2 * index)));
    expect(odd).toEqual(Array.from({ length: 500 }, (_, index) => row(2 * index + 1)));
  });

  it('can be read at once, while others follow', () => {
    const writer = new PackedWriter();
    for (let index = 0; index < 50; index++) {
      writer.add({ index, rows: [{ a: index }, { a: index, b: { c: index } }] });
      expect(writer.last()).toEqual({ index, rows: [{ a: index }, { a: index, b: { c: index } }] });
    }
    expect(unpack(writer.finish())).toHaveLength(50);
  });
});

describe('bytes of anybody', () => {
  const attempt = (bytes: Buffer): unknown => {
    try {
      const { count, values } = openPacked(bytes);
      return Array.from({ length: Math.min(count, 1000) }, () => values.next());
    } catch (error) {
      if (!(error instanceof MalformedPacked)) throw error;
      return undefined;
    }
  };

  it('are refused, or read as something harmless', () => {
    const random = randomFrom(99);
    const whole = pack(...Object.values(SPECIAL).map((make) => [make()].slice(0, 1))).subarray(0, 60_000);
    for (let round = 0; round < 3000; round++) {
      const from = random(whole.length - 200);
      const bytes = Buffer.concat([whole.subarray(0, 3), whole.subarray(from, from + random(200))]);
      for (let flips = random(6); flips > 0; flips--) bytes[3 + random(Math.max(1, bytes.length - 3))] = random(256);
      attempt(bytes);
    }
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it.each([
    '',
    '01',
    '010001',
    '0200010a',
    '01000141',
    '010001ca7fffffff',
    '010001cd7fffffff',
    '010001ce',
    '010001d0',
    '010001c67ff8000000000000',
    '010001c7ffffffff61',
    '010001cc0001ffff',
    '010001cc0001000105',
  ])('are refused when they are %s', (hex) => expect(attempt(Buffer.from(hex, 'hex'))).toBeUndefined());

  it('are refused when they are nested too deeply', () => {
    expect(attempt(Buffer.from([1, 0, 1, ...Array.from({ length: 5000 }, () => 0x41), 1]))).toBeUndefined();
    expect(attempt(Buffer.from([1, 0, 1, ...Array.from({ length: MAX_PACKED_DEPTH }, () => 0x41), 1]))).toBeDefined();
  });
});
