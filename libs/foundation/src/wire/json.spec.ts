import { describe, expect, it } from '@jest/globals';
import { parseJson } from './json.js';

describe('parseJson', () => {
  it.each([
    '{"a":1,"__proto__":{"b":2}}',
    '{"a":1,"constructor" : {"b":2}}',
    '{"a":1,"prototype":0}',
    '{"a":1,"__pr\\u006fto__":{"b":2}}',
    '{"a":1,"\\u005F_proto__":{"b":2}}',
    '{"a":1,"constr\\u0075ctor":{"b":2}}',
    '{"a":1,"proto\\u0074\\u0079\\u0070\\u0065":{"b":2}}',
  ])('%s has no property that could reach a prototype', (text) => {
    expect(Object.keys(parseJson(text) as object)).toEqual(['a']);
  });

  it.each([
    '{"a":"__proto__","b":"constructor:"}',
    '{"a":"\\u0000\\u001f\\u00e9\\ud83d\\ude00"}',
    '["\\\\u0065", "\\n"]',
  ])('%s is read as it is', (text) => expect(parseJson(text)).toEqual(JSON.parse(text)));
});
