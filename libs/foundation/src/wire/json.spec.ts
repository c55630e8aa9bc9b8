import { describe, expect, it } from '@jest/globals';
import { copyJson, parseJson } from './json.js';

describe('copyJson', () => {
  it.each(['1', '"a"', 'null', '[]', '{"b":[1,{"a":null,"0":"x"}],"a":{"constructor":{"c":[]}}}'])(
    '%s is the same, key by key, and another object',
    (text) => {
      const value = parseJson(text);
      const copy = copyJson(value);
      expect(JSON.stringify(copy)).toBe(JSON.stringify(value));
      expect(copy === value).toBe(typeof value !== 'object' || value === null);
    },
  );

  it('shares nothing inside', () => {
    const value = { a: { b: [{}] } };
    const copy = copyJson(value) as typeof value;
    copy.a.b.push({});
    expect(value).toEqual({ a: { b: [{}] } });
  });

  it('copies what is as deep as a text may be', () => {
    let depth = 0;
    const text = '['.repeat(10_000) + ']'.repeat(10_000);
    for (let at = copyJson(parseJson(text)) as unknown[]; at !== undefined; at = at[0] as unknown[]) depth += 1;
    expect(depth).toBe(10_000);
  });
});

describe('parseJson', () => {
  it.each(['{"a":1,"__proto__":{"b":2}}', '{"a":1,"__pr\\u006fto__":{"b":2}}', '{"a":1,"\\u005F_proto__":{"b":2}}'])(
    '%s has no property that could reach a prototype',
    (text) => {
      expect(Object.keys(parseJson(text) as object)).toEqual(['a']);
    },
  );

  it.each([
    ['{"constructor" : {"prototype":{"b":2},"keep":1}}', '{"constructor":{"keep":1}}'],
    ['[{"constr\\u0075ctor":{"proto\\u0074\\u0079\\u0070\\u0065":{"b":2}}}]', '[{"constructor":{}}]'],
    ['{"constructor":{"constructor":{"prototype":1}}}', '{"constructor":{"constructor":{}}}'],
  ])('%s reaches the prototype of no class', (text, kept) => expect(JSON.stringify(parseJson(text))).toBe(kept));

  it.each([
    '{"constructor":"Ferrari","prototype":"P1","team":1}',
    '{"constructor":["Ferrari"],"prototype":{"constructor":null}}',
    '{"constructor":{"name":"Ferrari","prototypes":["P1"]},"prototype":{"of":"P2"}}',
    '{"toString":1,"hasOwnProperty":2,"valueOf":null}',
  ])('%s arrives, as these are words', (text) => expect(JSON.stringify(parseJson(text))).toBe(text));

  it.each([
    '{"a":"__proto__","b":"constructor:"}',
    '{"a":"\\u0000\\u001f\\u00e9\\ud83d\\ude00"}',
    '["\\\\u0065", "\\n"]',
    '["\\\\",{"[[[":"]"},"\\\\\\""]',
  ])('%s is read as it is', (text) => expect(parseJson(text)).toEqual(JSON.parse(text)));

  const nested = (depth: number): string => '[1,'.repeat(depth) + '2' + ']'.repeat(depth);
  const padding = `"${'[{\\"\\\\'.repeat(60_000)}"`;

  it('does not spend its time on a long text of more levels than any node writes', () => {
    expect(() => parseJson(`[${padding},${nested(10_000)}]`)).toThrow(RangeError);
    expect(() => parseJson(nested(500_000))).toThrow(RangeError);
  });

  it('reads a long text of many levels, whatever its strings are', () => {
    const [text] = parseJson(`[${padding},${nested(4000)},${'[],'.repeat(20_000)}1]`) as [string];
    expect(text).toBe('[{"\\'.repeat(60_000));
  });

  it('leaves what is no JSON to the parser, however long it is', () => {
    for (const text of [`"${'x'.repeat(300_000)}`, `${']'.repeat(300_000)}`, `"${'\\'.repeat(300_001)}"`]) {
      expect(() => parseJson(text)).toThrow(SyntaxError);
    }
  });
});
