import { describe, expect, it } from '@jest/globals';
import { parseRecord } from '../backend/directory/node.record.js';
import { decodeState } from '../backend/transport/direct/stream/stream.state.js';
import { applyTopics } from '../backend/transport/direct/topic.messages.js';
import {
  amount,
  cutText,
  flag,
  fromJson,
  ifRight,
  list,
  listOfAll,
  map,
  oneOf,
  optional,
  or,
  orElse,
  record,
  text,
  whole,
} from './decode.js';
import { parseHint } from './hint.js';

describe('Readers', () => {
  it('take what is declared, within its limits', () => {
    expect([text(3)('abc'), text(3)('abcd'), text(3)(''), text(3, 0)(''), text(3)(5)]).toEqual([
      ...['abc', undefined, undefined, '', undefined],
    ]);
    expect([cutText(2)('abc'), cutText(2)(1)]).toEqual(['ab', undefined]);
    expect([whole(9)(9), whole(9)(10), whole(9, 1)(0), whole()(1.5), whole()('1'), whole()(2 ** 53)]).toEqual([
      ...[9, undefined, undefined, undefined, undefined, undefined],
    ]);
    expect([amount(9)(1.5), amount(9)(NaN), amount(9)(-1)]).toEqual([1.5, undefined, undefined]);
    expect([flag(false), flag(0)]).toEqual([false, undefined]);
    expect([oneOf('a', 'b')('b'), oneOf('a', 'b')('c'), oneOf(2)('2')]).toEqual(['b', undefined, undefined]);
    expect([or(whole(), 0)('x'), or(whole(), 0)(5)]).toEqual([0, 5]);
  });

  it('read lists: the right entries of the first ones, or all or nothing', () => {
    expect(list(whole(), 3)([1, 'x', 2, 3])).toEqual([1, 2]);
    expect(list(whole(), 3, 'reject')([1, 2, 3, 4])).toBeUndefined();
    expect(listOfAll(whole(), 3)([1, 'x'])).toBeUndefined();
    expect(listOfAll(whole(), 3)([1, 2])).toEqual([1, 2]);
    expect([list(whole(), 3)({ length: 1 }), listOfAll(whole(), 3)(undefined)]).toEqual([undefined, undefined]);
  });

  it('read maps without a prototype, from objects only', () => {
    const read = map(whole(), 2, text(3));
    const result = read({ abc: 1, toolong: 2, d: 3 });
    expect(Object.getPrototypeOf(result)).toBeNull();
    expect({ ...result }).toEqual({ abc: 1 });
    expect([read([1]), read(null), read('x')]).toEqual([undefined, undefined, undefined]);
    expect(orElse(read, () => ({}))(null)).toEqual({});
  });

  it('read records: no field that is not declared, none that is wrong', () => {
    const read = record<{ a: number; b?: string; c?: string }>({
      a: whole(),
      b: optional(text(3)),
      c: ifRight(text(3)),
    });
    expect(read({ a: 1, b: 'x', c: 'y', d: 'z' })).toEqual({ a: 1, b: 'x', c: 'y' });
    expect(read({ a: 1, c: 'too long' })).toEqual({ a: 1 });
    expect(Object.keys(read({ a: 1 })!)).toEqual(['a']);
    expect([read({ a: 'x' }), read({ a: 1, b: 'too long' }), read({}), read([]), read(undefined)]).toEqual([
      ...[undefined, undefined, undefined, undefined, undefined],
    ]);
  });

  it('read JSON that is not too long, and nothing else', () => {
    const read = fromJson(whole(), 5);
    expect([read('12'), read('123456'), read('x'), read('"1"'), read('')]).toEqual([
      ...[12, undefined, undefined, undefined, undefined],
    ]);
    expect(fromJson((value) => value)('['.repeat(100_000))).toBeUndefined();
  });
});

/** Numbers that look random and are the same in each run: mulberry32. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const NAMES = ['name', 'bootId', 'state', 'classes', 'labels', 'replicas', 'listens', 'declares', 'protocol', 'ttl'];
const MORE = [
  't',
  'node',
  'load',
  'at',
  'mac',
  'version',
  'of',
  'all',
  'add',
  'remove',
  '__proto__',
  'constructor',
  'x',
];
const WORDS = ['view', 'load', 'table', 'running', 'up', 'draining', '', 'x'.repeat(500), 'ä€😀', '\u0000', 'node'];

/** Some value that JSON can say, more and more simple the deeper it is. */
function valueOf(random: (below: number) => number, depth = 0): unknown {
  const kind = random(depth > 3 ? 6 : 9);
  if (kind === 0) return null;
  if (kind === 1) return random(2) === 0;
  if (kind === 2) return [0, -1, 1.5, 2 ** 53, -0, 1e308, 7][random(7)];
  if (kind <= 5) return WORDS[random(WORDS.length)];
  const entries = Array.from({ length: random(6) }, () => valueOf(random, depth + 1));
  if (kind === 6) return entries;
  const names = [...NAMES, ...MORE];
  return Object.fromEntries(entries.map((entry) => [names[random(names.length)], entry]));
}

describe('What anybody may have written', () => {
  const decoders: Record<string, (json: string) => unknown> = {
    'a node record': (json) => parseRecord(json, '17'),
    'a hint': parseHint,
    'a change of topics': (json) => [...(applyTopics(new Set(['x']), Buffer.from(json)) ?? [])],
    'the state of a stream': decodeState,
  };

  it.each(Object.keys(decoders))('reads %s out of nothing wrong, and the same of what it read', (name) => {
    const decode = decoders[name]!;
    const random = randomOf(name.length);
    for (let round = 0; round < 5000; round++) {
      const value = valueOf(random);
      const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
      const base = name === 'a node record' && isRecord ? { name: 'n', bootId: 'b', ...value } : value;
      const whole = JSON.stringify(base);
      // Sometimes cut, which is no JSON.
      const json = random(10) === 0 ? whole.slice(0, random(whole.length + 1)) : whole;
      const read = decode(json);
      if (name === 'a change of topics' || name === 'the state of a stream' || read === undefined) continue;
      const again = decode(JSON.stringify(read));
      expect(JSON.stringify(again)).toBe(JSON.stringify(read));
      expect(JSON.stringify(read)).not.toContain('__proto__');
    }
  });

  it('keeps a record as a node says it', () => {
    const replicas = { feed: { state: 'failed', epoch: 5, since: 7, error: 'e'.repeat(2000) } };
    const said = { name: 'n', bootId: 'b', state: 'gone', load: -1, capacity: 'x', labels: [], replicas, classes: 5 };
    expect(JSON.parse(JSON.stringify(parseRecord(JSON.stringify(said), '17')))).toEqual({
      ...{
        name: 'n',
        bootId: 'b',
        host: '?',
        pid: 0,
        version: '?',
        state: 'up',
        load: 0,
        capacity: 0,
        lag: 0,
        labels: {},
      },
      ...{
        replicas: { feed: { ...replicas.feed, error: 'e'.repeat(1000) } },
        listens: {},
        leaseServers: 1,
        classes: [],
      },
      joinedAt: 17,
    });
  });
});
