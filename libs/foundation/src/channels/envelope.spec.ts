import { describe, expect, it } from '@jest/globals';
import type { Bundle } from '../wire/bundle.js';
import { encode, type Envelope, ENVELOPE_VERSION, type Extras, headsOf, open, type Opened } from './envelope.js';

const heads = headsOf('n1', 'boot');
const textOf = (
  messages: unknown[],
  { seq = 1, lane = 'normal' as const, extras = undefined as Extras | undefined } = {},
) =>
  `[${[heads.head(lane, seq, 1_700_000_000_000), ...messages.map((each) => encode(JSON.stringify(each), extras))].join(',')}]`;
const raw = (head: object, ...messages: unknown[]) =>
  JSON.stringify([{ v: ENVELOPE_VERSION, from: 'n1', boot: 'b', seq: 1, at: 1, ...head }, ...messages]);

function read(bundle: Bundle): { envelopes: Envelope[]; dropped: string[] } {
  const opened = open('events', bundle);
  if (typeof opened === 'string') return { envelopes: [], dropped: [opened] };
  const entries = Array.from({ length: opened.count }, () => opened.next());
  return {
    envelopes: entries.filter((entry) => typeof entry !== 'string'),
    dropped: entries.filter((entry) => typeof entry === 'string'),
  };
}

/** Every property name anywhere in a value. */
function namesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return [...Object.getOwnPropertyNames(value), ...Object.values(value).flatMap(namesIn)];
}

describe('envelope: round trip', () => {
  it.each([
    [null],
    [true],
    [0],
    [-1.5e300],
    [''],
    ['"quoted" \\ \u0000 \u2028 é 😀'],
    [[]],
    [[[1], [2]]],
    [{}],
    [{ a: { b: [{ c: null }] } }],
    [{ v: 99, b: 'a body within' }],
  ])('keeps %j', (message) => {
    const { envelopes, dropped } = read(textOf([message], { extras: { type: 'order.placed' } }));
    expect(dropped).toEqual([]);
    expect(envelopes).toEqual([
      {
        message,
        size: expect.any(Number),
        meta: {
          channel: 'events',
          from: 'n1',
          bootId: 'boot',
          seq: 1,
          sentAt: 1_700_000_000_000,
          priority: 'normal',
          type: 'order.placed',
        },
      },
    ]);
  });

  it('has no type if the sender gave none', () => {
    expect(read(textOf([1])).envelopes[0]!.meta).not.toHaveProperty('type');
  });

  it('keeps many messages in order, numbered from the head', () => {
    const { envelopes, dropped } = read(
      textOf(
        Array.from({ length: 500 }, (_, index) => ({ index })),
        { seq: 41 },
      ),
    );
    expect(dropped).toEqual([]);
    expect(envelopes.map(({ meta: { seq } }) => seq)).toEqual(Array.from({ length: 500 }, (_, index) => 41 + index));
    expect(envelopes[499]!.message).toEqual({ index: 499 });
  });

  it.each(['high', 'normal', 'low'] as const)('of the priority %s', (lane) => {
    const text = `[${heads.head(lane, 1, 1)},${encode('1')}]`;
    expect(read(text).envelopes[0]!.meta.priority).toBe(lane);
    expect(text.startsWith(`[${heads.prefix}`)).toBe(true);
  });

  it('of everything else that travels with a message', () => {
    const extras: Extras = { type: 'a "type"', ack: 7, groups: { workers: 'boot' } };
    expect(read(textOf([1], { extras })).envelopes).toMatchObject([
      { message: 1, meta: { type: extras.type }, ack: 7, groups: { workers: 'boot' } },
    ]);
    const text = `[${heads.head('normal', 1, 1)},${encode('QUJD', { zip: true })}]`;
    expect(read(text).envelopes).toMatchObject([{ zip: 'QUJD', message: undefined }]);
  });

  it('of the trace that it belongs to; an invalid trace is left out, and the message stays', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    for (const trace of [{ traceparent }, { traceparent, tracestate: 'a=b,c=d' }]) {
      expect(read(textOf(['x'], { extras: { trace } })).envelopes).toMatchObject([{ message: 'x', trace }]);
    }
    const bad = [{ p: 7 }, { p: 'x' }, { p: {} }, { s: 'a=b' }, { p: `${traceparent}\n`, s: 'a=b' }];
    const { envelopes, dropped } = read(raw({}, ...bad.map((one) => ({ b: 1, ...one }))));
    expect(dropped).toEqual([]);
    expect(envelopes.map(({ message, trace }) => [message, trace])).toEqual(Array(bad.length).fill([1, undefined]));
  });

  it('names the channel of the topic, not one that the sender claims', () => {
    const opened = open('control', raw({ channel: 'events' }, { b: 1 })) as Opened;
    expect(opened.next()).toMatchObject({ meta: { channel: 'control' } });
  });
});

describe('envelope: malformed texts are dropped and never throw', () => {
  it.each([
    ['', ['not-json']],
    ['hello', ['not-json']],
    ['{"v":1', ['not-json']],
    ['\u0000\u0001', ['not-json']],
    ['null', ['malformed-envelope']],
    ['5', ['malformed-envelope']],
    ['"text"', ['malformed-envelope']],
    ['{}', ['unknown-version']],
    ['[]', ['malformed-envelope']],
    ['[null]', ['malformed-envelope']],
    ['[[]]', ['unknown-version']],
    ['[{}]', ['unknown-version']],
    [raw({ v: 1 }, { b: 1 }), ['unknown-version']],
    [raw({ v: 3 }, { b: 1 }), ['unknown-version']],
    [raw({ v: '2' }, { b: 1 }), ['unknown-version']],
    [raw({ from: 5 }, { b: 1 }), ['malformed-envelope']],
    [raw({ from: '' }, { b: 1 }), ['malformed-envelope']],
    [raw({ from: 'x'.repeat(201) }, { b: 1 }), ['malformed-envelope']],
    [raw({ boot: null }, { b: 1 }), ['malformed-envelope']],
    [raw({ seq: 1.5 }, { b: 1 }), ['malformed-envelope']],
    [raw({ seq: 0 }, { b: 1 }), ['malformed-envelope']],
    [raw({ seq: -1 }, { b: 1 }), ['malformed-envelope']],
    [raw({ seq: 2 ** 53 }, { b: 1 }), ['malformed-envelope']],
    [raw({ seq: '1' }, { b: 1 }), ['malformed-envelope']],
    [raw({ at: '1' }, { b: 1 }), ['malformed-envelope']],
    [raw({ at: null }, { b: 1 }), ['malformed-envelope']],
    [raw({ lane: 'urgent' }, { b: 1 }), ['malformed-envelope']],
    [raw({ lane: 1 }, { b: 1 }), ['malformed-envelope']],
    [raw({}), []],
    [raw({}, 1, null, 'x', {}, [[]], false), Array(6).fill('malformed-message')],
    [raw({}, { b: 1, a: 'x' }), ['malformed-message']],
    [raw({}, { b: 1, a: 0 }), ['malformed-message']],
    [raw({}, { b: 1, a: 1.5 }), ['malformed-message']],
    [raw({}, { b: 1, g: 'x' }), ['malformed-message']],
    [raw({}, { b: 1, g: ['x'] }), ['malformed-message']],
    [raw({}, { b: 1, g: null }), ['malformed-message']],
    [raw({}, { b: 1, g: { workers: 5 } }), ['malformed-message']],
    [raw({}, { b: 1, g: { workers: '' } }), ['malformed-message']],
    [raw({}, { z: 5 }), ['malformed-message']],
    [raw({}, { z: null, b: 1 }), ['malformed-message']],
    [raw({}, { b: 1, t: 5 }), ['malformed-message']],
    [raw({}, { b: 1, t: '' }), ['malformed-message']],
    [raw({}, { b: 1, t: null }), ['malformed-message']],
    [raw({}, { b: 1, t: 'x'.repeat(201) }), ['malformed-message']],
  ])('%j', (given, dropped) => {
    expect(read(given)).toEqual({ envelopes: [], dropped });
  });

  it('drops an envelope with an infinite time', () => {
    const given = '[{"v":2,"from":"n","boot":"b","seq":1,"at":-1e999},{"b":1}]';
    expect(read(given)).toEqual({ envelopes: [], dropped: ['malformed-envelope'] });
  });

  it('keeps valid messages among malformed ones, with their own numbers', () => {
    const { envelopes, dropped } = read(raw({ seq: 7 }, 1, { b: 'a' }, { v: 9 }, { b: 'b' }));
    expect(envelopes.map(({ message, meta }) => [meta.seq, message])).toEqual([
      [8, 'a'],
      [10, 'b'],
    ]);
    expect(dropped).toEqual(['malformed-message', 'malformed-message']);
  });

  it('reads huge envelopes', () => {
    const { envelopes } = read(textOf(['x'.repeat(20_000_000)]));
    expect((envelopes[0]!.message as string).length).toBe(20_000_000);
    const many = (count: number): string => `[${heads.head('normal', 1, 1)}${',0'.repeat(count)}]`;
    expect(read(many(9999)).dropped).toHaveLength(9999);
    expect(read(many(10_000)).dropped).toEqual(['too-many-messages']);
  });

  it.each([
    ['arrays', (depth: number) => '['.repeat(depth) + ']'.repeat(depth)],
    ['objects', (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)],
    ['objects with a forbidden name', (depth: number) => '{"__proto__":'.repeat(depth) + '1' + '}'.repeat(depth)],
  ])('survives deep nesting: %s', (_what, make) => {
    for (const depth of [1000, 100_000]) {
      expect(() => read(`[${heads.head('normal', 1, 1)},{"b":${make(depth)}}]`)).not.toThrow();
      expect(() => read(make(depth))).not.toThrow();
    }
  });
});

describe('envelope: property names that must not reach an object', () => {
  const bodies = [
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"a":[{"constructor":{"prototype":1,"keep":2}}]}',
    '{"__proto__" : 1}',
    '{"\\u005f_proto__":{"polluted":1}}',
    '{"a":{"c\\u006fnstructor":{"prototype":{"polluted":1}}}}',
  ];

  it.each(bodies)('%s', (body) => {
    const { envelopes } = read(`[${heads.head('normal', 1, 1)},${encode(body)}]`);
    expect(envelopes).toHaveLength(1);
    for (const { message } of envelopes) {
      expect(namesIn(message)).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(__proto__|prototype)$/)]));
      expect((message as Record<string, unknown>)['polluted']).toBeUndefined();
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('keeps the rest of the message', () => {
    const { envelopes } = read(
      `[${heads.head('normal', 1, 1)},${encode('{"a":[{"__proto__":1,"keep":[1,{"b":null}]}]}')}]`,
    );
    expect(envelopes[0]!.message).toEqual({ a: [{ keep: [1, { b: null }] }] });
  });

  it('keeps strings that only look like such names', () => {
    const words = { constructor: 'Ferrari', prototype: 'P1' };
    const message = { note: '"__proto__": is a name', list: ['constructor', '__proto__'], words };
    expect(read(textOf([message])).envelopes[0]!.message).toEqual(message);
  });

  it('rejects such names in the envelope itself', () => {
    const given = '[{"__proto__":{"v":2,"from":"n","boot":"b","seq":1,"at":1}},{"b":1}]';
    expect(read(given)).toEqual({ envelopes: [], dropped: ['unknown-version'] });
  });
});
