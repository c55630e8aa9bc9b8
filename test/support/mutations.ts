// Seeded changes of real texts: hostile numbers, lengths and shapes, at any place of their JSON and of what is around
// it.

/** Tokens as they stand in the text: `JSON.stringify` would write none of the worst. */
const NUMBERS = [
  ...['0', '-0', '-1', '0.5', '1e999', '-1e999', '1e308', '2147483647', '2147483648', '4294967296', '-2147483649'],
  ...['281474976710655', '281474976710656', '9007199254740991', '9007199254740992', '18446744073709551616', '1e-400'],
];
const SHAPES = [
  ...['null', 'true', 'false', '""', '[]', '{}', '[[]]', '[null]', '"NaN"', '"0"', '"-1"', '"1e999"', '{"length":1e9}'],
  ...['{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}', '[{"__proto__":[]}]'],
  ...[
    '{"toString":1,"valueOf":2}',
    '{"then":1}',
    '"\\ud800"',
    '"\\udfff\\ud800"',
    '"\\u0000"',
    '"a\\nb"',
    '"../../x"',
    '"$&"',
  ],
];
const LARGE = [
  () => `"${'x'.repeat(5 * 1024 * 1024)}"`,
  () => `{${Array.from({ length: 100_000 }, (_, key) => `"k${key}":1`).join()}}`,
  () => `[${'1,'.repeat(100_000)}1]`,
  () => '['.repeat(10_000) + ']'.repeat(10_000),
  () => '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000),
  () => `[${Array.from({ length: 20_000 }, () => '{"name":"x","bootId":"y"}').join()}]`,
];

class Raw {
  constructor(readonly token: string) {}
}

/** See the header. The same numbers give the same changes. */
export class Mutator {
  constructor(
    /** From 0 to 1: `mulberry32` of a seed. */
    readonly random: () => number,
    /** How often in a thousand a value becomes one of megabytes. */
    private readonly large = 4,
  ) {}

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** A token that nobody would write. */
  hostile(): string {
    if (this.below(1000) < this.large) return this.pick(LARGE)();
    return this.random() < 0.6 ? this.pick(NUMBERS) : this.pick(SHAPES);
  }

  /** The text with one to three changes in its JSON, or now and then in what is around it, or in its characters. */
  text(given: string): string {
    const start = given.search(/[[{]/);
    if (start < 0 || this.random() < 0.15) return this.characters(given);
    const end = Math.max(given.lastIndexOf(']'), given.lastIndexOf('}')) + 1;
    let value: unknown;
    try {
      value = JSON.parse(given.slice(start, end));
    } catch {
      return this.characters(given);
    }
    const around = this.random() < 0.1 ? this.characters(given.slice(0, start)) : given.slice(0, start);
    try {
      for (let changes = 1 + this.below(3); changes > 0; changes -= 1) value = this.#changed(value);
      return around + this.#write(value) + given.slice(end);
    } catch {
      // What was changed before may be nested too deeply to be walked.
      return this.characters(given);
    }
  }

  /** Cut, doubled, swapped, or with another character. */
  characters(given: string): string {
    const at = this.below(given.length + 1);
    switch (this.below(6)) {
      case 0:
        return given.slice(0, at);
      case 1:
        return given.slice(at);
      case 2:
        return given.slice(0, at) + this.hostile() + given.slice(at);
      case 3:
        return given.replace(/\d+/, this.pick(NUMBERS));
      case 4:
        return given.slice(0, at) + String.fromCharCode(this.below(65_536)) + given.slice(at + 1);
      default:
        return given + given;
    }
  }

  /** The bytes with some of them changed, cut or doubled. */
  bytes(given: Buffer): Buffer {
    const copy = Buffer.from(given);
    for (let changes = this.below(4); changes > 0 && copy.length > 0; changes -= 1)
      copy[this.below(copy.length)] = this.pick([0, 1, 0x7f, 0x80, 0xff, this.below(256)]);
    const at = this.below(copy.length + 1);
    return this.pick([copy, copy.subarray(0, at), Buffer.concat([copy, copy.subarray(at)])]);
  }

  #changed(value: unknown): unknown {
    const isInner = typeof value === 'object' && value !== null && !(value instanceof Raw);
    if (!isInner || this.random() < 0.05) return new Raw(this.hostile());
    const keys = Object.keys(value);
    if (keys.length === 0) return new Raw(this.hostile());
    const key = this.pick(keys);
    const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Record<string, unknown>;
    const choice = this.below(10);
    if (choice === 0) delete copy[key];
    else if (choice === 1 && !Array.isArray(copy))
      copy[this.pick(['length', 'kind', 'name', 'b', 'v', 'x', key.toUpperCase()])] = copy[key];
    else copy[key] = this.#changed(copy[key]);
    return copy;
  }

  #write(value: unknown): string {
    if (value instanceof Raw) return value.token;
    if (Array.isArray(value)) return `[${(value as unknown[]).map((each) => this.#write(each ?? null)).join()}]`;
    if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
    const pairs = Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}:${this.#write(each)}`);
    // The same key twice, the second one hostile: the last one counts.
    if (pairs.length > 0 && this.random() < 0.05) pairs.push(`${this.pick(pairs).split(':')[0]!}:${this.hostile()}`);
    return `{${pairs.join()}}`;
  }
}

/** What the command line says: `npm run fuzz -- --seconds 600 --seed 7`. */
export function fuzzPlan(seconds: number): { seconds: number; seed: number; isLong: boolean } {
  const given = Number(process.env['FOUNDATION_FUZZ_SECONDS'] || NaN);
  const seed = Number(process.env['FOUNDATION_FUZZ_SEED'] || NaN);
  return {
    seconds: Number.isFinite(given) ? given : seconds,
    seed: Number.isFinite(seed) ? seed : Math.floor(Math.random() * 2 ** 31),
    isLong: Number.isFinite(given),
  };
}
