import { describe, expect, it } from '@jest/globals';
import type { MessageMeta } from './channel.js';
import { ENVELOPE_VERSION, decode, encode } from './envelope.js';

const meta = (more: Partial<MessageMeta> = {}): MessageMeta => ({
  channel: 'events',
  from: 'n1',
  bootId: 'boot',
  seq: 1,
  sentAt: 1_700_000_000_000,
  ...more,
});

const text = (message: unknown, more: Partial<MessageMeta> = {}) => encode(meta(more), JSON.stringify(message));
const raw = (fields: object) => JSON.stringify({ v: 1, from: 'n1', boot: 'b', seq: 1, at: 1, body: null, ...fields });

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
    [{ v: 99, body: 'a body within' }],
  ])('of %j', (message) => {
    const { envelopes, dropped } = decode('events', text(message, { type: 'order.placed' }));
    expect(dropped).toEqual([]);
    expect(envelopes).toEqual([{ meta: meta({ type: 'order.placed' }), message }]);
  });

  it('has no type where there was none', () => {
    expect(decode('events', text(1)).envelopes[0]!.meta).not.toHaveProperty('type');
  });

  it('of many in one text, in order', () => {
    const texts = Array.from({ length: 500 }, (_, index) => text({ index }, { seq: index + 1 }));
    const { envelopes, dropped } = decode('events', `[${texts.join(',')}]`);
    expect(dropped).toEqual([]);
    expect(envelopes.map(({ meta: { seq } }) => seq)).toEqual(texts.map((_, index) => index + 1));
    expect(envelopes[499]!.message).toEqual({ index: 499 });
  });

  it('names the channel of the topic, not one that the sender claims', () => {
    expect(decode('control', raw({ channel: 'events' })).envelopes[0]!.meta.channel).toBe('control');
  });

  it('writes its version', () => {
    expect(JSON.parse(text(1))).toMatchObject({ v: ENVELOPE_VERSION });
  });
});

describe('envelope: malformed texts are dropped and never throw', () => {
  it.each([
    ['', ['not JSON']],
    ['hello', ['not JSON']],
    ['{"v":1', ['not JSON']],
    ['\u0000\u0001', ['not JSON']],
    ['null', ['not an envelope']],
    ['5', ['not an envelope']],
    ['"text"', ['not an envelope']],
    ['{}', ['unknown version']],
    ['[]', []],
    ['[[]]', ['unknown version']],
    ['[1,null,"x",{},[[]],false]', Array(6).fill(expect.any(String))],
    [raw({ v: 2 }), ['unknown version']],
    [raw({ v: '1' }), ['unknown version']],
    [raw({ from: 5 }), ['not an envelope']],
    [raw({ boot: null }), ['not an envelope']],
    [raw({ seq: 1.5 }), ['not an envelope']],
    [raw({ seq: '1' }), ['not an envelope']],
    [raw({ at: '1' }), ['not an envelope']],
    [raw({ type: 5 }), ['not an envelope']],
    [raw({ type: null }), ['not an envelope']],
  ])('%j', (given, dropped) => {
    expect(decode('events', given)).toEqual({ envelopes: [], dropped });
  });

  it('drops an envelope with an endless time', () => {
    const given = '{"v":1,"from":"n","boot":"b","seq":1,"at":-1e999,"body":1}';
    expect(decode('events', given)).toEqual({ envelopes: [], dropped: ['not an envelope'] });
  });

  it('drops an envelope without a body', () => {
    const { body: _body, ...rest } = JSON.parse(raw({})) as Record<string, unknown>;
    expect(decode('events', JSON.stringify(rest))).toEqual({ envelopes: [], dropped: ['not an envelope'] });
  });

  it('keeps the good ones among the bad ones', () => {
    const { envelopes, dropped } = decode('events', `[1,${text('a')},{"v":9},${text('b', { seq: 2 })}]`);
    expect(envelopes.map(({ message }) => message)).toEqual(['a', 'b']);
    expect(dropped).toEqual(['not an envelope', 'unknown version']);
  });

  it('survives what is huge', () => {
    const { envelopes } = decode('events', text('x'.repeat(20_000_000)));
    expect((envelopes[0]!.message as string).length).toBe(20_000_000);
    expect(decode('events', `[${'0,'.repeat(500_000)}0]`).dropped).toHaveLength(500_001);
  });

  it.each([
    ['arrays', (depth: number) => '['.repeat(depth) + ']'.repeat(depth)],
    ['objects', (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)],
    ['objects with a forbidden name', (depth: number) => '{"__proto__":'.repeat(depth) + '1' + '}'.repeat(depth)],
  ])('survives what is deep: %s', (_what, make) => {
    for (const depth of [1000, 100_000]) {
      expect(() =>
        decode('events', `{"v":1,"from":"n","boot":"b","seq":1,"at":1,"body":${make(depth)}}`),
      ).not.toThrow();
      expect(() => decode('events', make(depth))).not.toThrow();
    }
  });
});

describe('envelope: property names that must not reach an object', () => {
  const bodies = [
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"a":[{"b":{"prototype":1,"keep":2}}]}',
    '{"__proto__" : 1}',
    '{"\\u005f_proto__":{"polluted":1}}',
    '{"a":{"c\\u006fnstructor":{"polluted":1}}}',
  ];

  it.each(bodies)('%s', (body) => {
    const { envelopes } = decode('events', encode(meta(), body));
    for (const { message } of envelopes) {
      expect(namesIn(message)).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/^(__proto__|constructor|prototype)$/)]),
      );
      expect((message as Record<string, unknown>)['polluted']).toBeUndefined();
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('leaves the rest of the message as it is', () => {
    const { envelopes } = decode('events', encode(meta(), '{"a":[{"__proto__":1,"keep":[1,{"b":null}]}]}'));
    expect(envelopes[0]!.message).toEqual({ a: [{ keep: [1, { b: null }] }] });
  });

  it('leaves texts that only look like them', () => {
    const message = { note: '"__proto__": is a name', list: ['constructor', '__proto__'] };
    expect(decode('events', text(message)).envelopes[0]!.message).toEqual(message);
  });

  it('hold for the envelope itself', () => {
    const given = '{"__proto__":{"v":1,"from":"n","boot":"b","seq":1,"at":1,"body":1}}';
    expect(decode('events', given)).toEqual({ envelopes: [], dropped: ['unknown version'] });
  });
});
