import { describe, expect, it } from '@jest/globals';
import {
  CALL_VERSION,
  type CallReply,
  type CallRequest,
  decodeCalls,
  encodeCall,
  encodeValue,
  isLonger,
  numberIn,
  toWireError,
} from './call.codec.js';

const request = (more: Partial<CallRequest> = {}): CallRequest => ({
  ...{
    kind: 'call',
    id: '7',
    from: 'boot-a',
    process: 'feed',
    epoch: 12,
    method: 'price',
    args: ['EUR'],
    timeout: 500,
  },
  ...more,
});
const raw = (fields: object) => JSON.stringify({ v: 1, ...request(), ...fields });
const rawReply = (fields: object) => JSON.stringify({ v: 1, kind: 'reply', id: '7', ...fields });
const forbidden = /^(?:__proto__|prototype)$/;

/** Every property name anywhere in a value. */
function namesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return [...Object.getOwnPropertyNames(value), ...Object.values(value).flatMap(namesIn)];
}

describe('call wire: the chain', () => {
  it.each<[string, unknown, string[] | undefined]>([
    ['is no list', 'a', undefined],
    ['has more names than eight', Array.from({ length: 9 }, () => 'a'), Array.from({ length: 8 }, () => 'a')],
    ['has a name that is none', ['a', 7], ['a']],
    ['has an empty name', ['', 'b'], ['b']],
    ['has a long name', ['a'.repeat(401)], []],
  ])('that %s costs the call nothing', (_what, given, read) => {
    expect(decodeCalls(raw({ chain: given }))).toEqual([request({ chain: read })]);
  });
});

describe('call wire: round trip', () => {
  it.each([
    request(),
    request({ from: '', args: [] }),
    request({ args: [null, true, -1.5e300, '"\\ \u2028 é 😀', [[]], { a: [{ b: null }] }] }),
    request({ process: 'part/3', epoch: Number.MAX_SAFE_INTEGER }),
    request({ chain: ['b', 'a'] }),
  ])('of the call %j', (call) => {
    expect(decodeCalls(encodeCall(call))).toEqual([call]);
  });

  it.each<CallReply>([
    { kind: 'reply', id: '7', outcome: 'value', value: { price: [1, null] } },
    { kind: 'reply', id: '7', outcome: 'value', value: null },
    { kind: 'reply', id: '7', outcome: 'error', error: { name: 'TypeError', message: 'bad' } },
    { kind: 'reply', id: '7', outcome: 'error', error: { name: 'E', message: '', code: 'E_BAD', stack: 'at x' } },
    { kind: 'reply', id: '7', outcome: 'stale' },
    { kind: 'reply', id: '7', outcome: 'not-callable' },
    { kind: 'reply', id: '7', outcome: 'busy' },
    { kind: 'reply', id: '7', outcome: 'interrupted' },
  ])('of the answer %j', (reply) => {
    expect(decodeCalls(encodeCall(reply))).toEqual([reply]);
  });

  it.each([{ price: [1, null] }, null, '"}', 0])('of an answer whose value %j is JSON already', (value) => {
    const [reply] = decodeCalls(encodeValue('7"', JSON.stringify(value)));
    expect(reply).toEqual({ kind: 'reply', id: '7"', outcome: 'value', value });
  });

  it('of an answer whose value has no JSON', () => {
    expect(encodeValue('7', undefined)).toBe(
      encodeCall({ kind: 'reply', id: '7', outcome: 'value', value: undefined }),
    );
  });

  it('of a method that returns nothing', () => {
    const [reply] = decodeCalls(encodeCall({ kind: 'reply', id: '7', outcome: 'value', value: undefined }));
    expect(reply).toMatchObject({ outcome: 'value' });
    expect((reply as { value?: unknown }).value).toBeUndefined();
  });

  it('of many in one text, in order, with calls and answers among one another', () => {
    const all = Array.from({ length: 300 }, (_, index) =>
      index % 2 ? request({ id: `${index}` }) : ({ kind: 'reply', id: `${index}`, outcome: 'busy' } as const),
    );
    expect(decodeCalls(`[${all.map(encodeCall).join(',')}]`)).toEqual(all);
  });

  it('writes its version', () => {
    expect(JSON.parse(encodeCall(request()))).toMatchObject({ v: CALL_VERSION });
  });

  it('leaves out what is no field of a message', () => {
    expect(decodeCalls(raw({ extra: 1, v: 1 }))).toEqual([request()]);
    expect(decodeCalls(rawReply({ outcome: 'busy', value: 5, error: {} }))).toEqual([
      { kind: 'reply', id: '7', outcome: 'busy' },
    ]);
  });
});

describe('call wire: malformed texts are dropped and never throw', () => {
  it.each([
    '',
    'hello',
    '{"v":1',
    '\u0000',
    'null',
    '5',
    '"text"',
    'true',
    '{}',
    '[[]]',
    raw({ v: 2 }),
    raw({ v: 0 }),
    raw({ v: '1' }),
    raw({ v: [1] }),
    raw({ v: undefined }),
    raw({ id: 7.5 }),
    raw({ id: -1 }),
    raw({ id: null }),
    raw({ kind: 'cast' }),
    raw({ kind: 'reply' }),
    raw({ kind: undefined }),
    raw({ kind: ['call'] }),
    raw({ from: null }),
    raw({ process: 5 }),
    raw({ process: ['feed'] }),
    raw({ epoch: '12' }),
    raw({ epoch: 1.5 }),
    raw({ epoch: null }),
    raw({}).replace('"epoch":12', '"epoch":1e999'),
    raw({ method: undefined }),
    raw({ method: { toString: 'x' } }),
    raw({ args: 'EUR' }),
    raw({ args: { length: 1 } }),
    raw({ args: undefined }),
    raw({ timeout: '500' }),
    raw({ timeout: null }),
    rawReply({}),
    rawReply({ outcome: 'maybe' }),
    rawReply({ outcome: ['busy'] }),
    rawReply({ outcome: null }),
    rawReply({ v: 2, outcome: 'busy' }),
    rawReply({ id: 7.5, outcome: 'busy' }),
  ])('%j', (text) => {
    expect(decodeCalls(text)).toEqual([undefined]);
  });

  it('keeps the good ones among the bad ones, each in its place', () => {
    expect(decodeCalls(`[1,${raw({ id: 'a' })},{"v":9},null,[],${raw({ id: 'b' })}]`)).toEqual([
      undefined,
      request({ id: 'a' }),
      undefined,
      undefined,
      undefined,
      request({ id: 'b' }),
    ]);
    expect(decodeCalls('[]')).toEqual([]);
  });

  it.each([
    [undefined, { name: 'Error', message: 'unknown error' }],
    [null, { name: 'Error', message: 'unknown error' }],
    ['it broke', { name: 'Error', message: 'unknown error' }],
    [[], { name: 'Error', message: 'unknown error' }],
    [
      { name: 5, message: {}, code: 5, stack: [] },
      { name: 'Error', message: 'unknown error' },
    ],
    [
      { name: 'E', message: 'm', extra: 1 },
      { name: 'E', message: 'm' },
    ],
  ])('makes an error of %j', (error, expected) => {
    const [reply] = decodeCalls(rawReply({ outcome: 'error', error }));
    expect(reply).toEqual({ kind: 'reply', id: '7', outcome: 'error', error: expected });
  });

  it.each([
    ['arrays', (depth: number) => '['.repeat(depth) + ']'.repeat(depth)],
    ['objects', (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)],
    ['objects with a forbidden name', (depth: number) => '{"__proto__":'.repeat(depth) + '1' + '}'.repeat(depth)],
  ])('survives what is deep: %s', (_what, make) => {
    for (const depth of [1000, 100_000]) {
      expect(() => decodeCalls(make(depth))).not.toThrow();
      expect(() => decodeCalls(raw({ args: [] }).replace('"args":[]', `"args":[${make(depth)}]`))).not.toThrow();
    }
  });

  it('survives what is huge', () => {
    const [call] = decodeCalls(raw({ args: ['x'.repeat(5_000_000)] }));
    expect(((call as CallRequest).args[0] as string).length).toBe(5_000_000);
    expect(decodeCalls(`[${'0,'.repeat(9999)}0]`)).toEqual(Array(10_000).fill(undefined));
    expect(decodeCalls(`[${'0,'.repeat(10_000)}0]`)).toBe('too-many-messages');
  });
});

describe('call wire: property names that must not reach an object', () => {
  const values = [
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"a":[{"constructor":{"prototype":1,"keep":2}}]}',
    '{"__proto__" : 1}',
    '{"\\u005f_proto__":{"polluted":1}}',
    '{"a":{"c\\u006fnstructor":{"prototype":{"polluted":1}}}}',
  ];

  it.each(values)('neither in arguments nor in a result: %s', (json) => {
    const [call] = decodeCalls(raw({ args: ['?'] }).replace('"?"', json));
    const [reply] = decodeCalls(rawReply({ outcome: 'value', value: '?' }).replace('"?"', json));
    for (const value of [(call as CallRequest).args, (reply as { value: unknown }).value]) {
      expect(namesIn(value).filter((name) => forbidden.test(name))).toEqual([]);
    }
    expect(((call as CallRequest).args[0] as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('leaves the rest, and texts that only look like them', () => {
    const args = [{ note: '"__proto__": is a name', list: ['constructor'], keep: { b: null } }];
    expect(decodeCalls(raw({ args }))).toEqual([request({ args })]);
  });

  it('hold for the message itself', () => {
    expect(decodeCalls(`{"__proto__":${raw({})}}`)).toEqual([undefined]);
    expect(decodeCalls(rawReply({ outcome: 'constructor' }))).toEqual([undefined]);
  });
});

describe('toWireError', () => {
  it('takes name, message and code, and the stack only when asked', () => {
    const error = Object.assign(new TypeError('bad'), { code: 'E_BAD', secret: 'hunter2' });
    expect(toWireError(error, false)).toEqual({ name: 'TypeError', message: 'bad', code: 'E_BAD' });
    expect(toWireError(error, true)).toEqual({ name: 'TypeError', message: 'bad', code: 'E_BAD', stack: error.stack });
  });

  it.each([
    ['a number', 404, '404'],
    ['a text', 'E', 'E'],
  ])('makes a text of a code that is %s', (_what, code, expected) => {
    expect(toWireError(Object.assign(new Error('x'), { code }), false).code).toBe(expected);
  });

  it.each([[undefined], [null], [{ a: 1 }], [true]])('has no code for %j', (code) => {
    expect(toWireError(Object.assign(new Error('x'), { code }), false)).not.toHaveProperty('code');
  });

  it.each([
    ['a text', 'it broke', 'it broke'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['an object', { toString: (): string => 'mine' }, 'mine'],
  ])('makes an error of %s', (_what, thrown, message) => {
    expect(toWireError(thrown, true)).toEqual({ name: 'Error', message });
  });

  it.each([
    ['an object without a prototype', Object.create(null) as object],
    [
      'an object whose toString throws',
      {
        toString: (): string => {
          throw new Error('no');
        },
      },
    ],
  ])('does not throw for %s', (_what, thrown) => {
    expect(typeof toWireError(thrown, false).message).toBe('string');
  });
});

describe('the trace of a call', () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

  it('arrives', () => {
    const trace = { traceparent, tracestate: 'a=b' };
    expect(decodeCalls(encodeCall(request({ trace })))).toEqual([request({ trace })]);
  });

  it.each([7, 'x', null, [], {}, { traceparent: 7 }, { traceparent: 'x' }, { tracestate: 'a=b' }])(
    'is left out where it is none, and the call stays: %j',
    (trace) => expect(decodeCalls(raw({ trace }))).toEqual([request()]),
  );
});

describe('what an answer is matched by', () => {
  it('is a text on the wire, which nodes of the version before read, and comes back as it came', () => {
    expect(encodeCall(request({ id: 17 }))).toContain('"id":"17"');
    for (const id of ['17', 17, 'boot-a.17']) {
      expect(decodeCalls(raw({ id }))).toEqual([request({ id })]);
      for (const answer of [encodeValue(id, '1'), encodeCall({ kind: 'reply', id, outcome: 'busy' })]) {
        expect(decodeCalls(answer)).toMatchObject([{ id }]);
      }
    }
  });

  it('is a number of this node, or nothing of it', () => {
    expect([numberIn(17), numberIn('17')]).toEqual([17, 17]);
    const others = ['', ' 17', '017', '+17', '17.0', '1e1', '0x11', 'boot-a.17', 'NaN1', '1_7'];
    expect(others.map(numberIn)).toEqual(others.map(() => undefined));
  });
});

it('the bytes of a text are counted only where they may be too many', () => {
  const cases: [string, number, boolean][] = [
    ['abc', 3, false],
    ['abcd', 3, true],
    ['ééé', 6, false],
    ['ééé', 5, true],
    ['€€', 6, false],
    ['€€', 5, true],
    ['😀', 4, false],
    ['😀', 3, true],
    ['\ud800', 3, false],
    ['\ud800', 2, true],
  ];
  for (const [text, bytes, longer] of cases) expect([text, isLonger(text, bytes)]).toEqual([text, longer]);
});
