import { describe, expect, it } from '@jest/globals';
import { type Hint, parseHint } from './hint.js';

describe('parseHint', () => {
  it.each<Hint>([
    { t: 'released', name: 'feed' },
    { t: 'running', name: 'feed' },
    { t: 'view' },
    { t: 'table' },
    { t: 'table', version: 5, of: [] },
    { t: 'table', version: 5, of: ['Feed', 'Job'] },
    { t: 'services', version: 5 },
    { t: 'load', node: 'n1', load: 3 },
  ])('reads %j', (hint) => {
    expect(parseHint(JSON.stringify(hint))).toEqual(hint);
  });

  it.each([
    [''],
    ['not json'],
    ['null'],
    ['5'],
    ['"view"'],
    ['[]'],
    ['{}'],
    ['{"t":"unknown"}'],
    ['{"t":["view"]}'],
    ['{"t":"released"}'],
    ['{"t":"released","name":5}'],
    ['{"t":"running","name":null}'],
    ['{"t":"load","node":"n1"}'],
    ['{"t":"load","node":"n1","load":"3"}'],
    ['{"t":"load","load":3}'],
    ['{"t":"view"'],
    ['\u0000'],
  ])('takes %j for nothing', (text) => {
    expect(parseHint(text)).toBeUndefined();
  });

  it.each([
    ['{"t":"table","version":"5","of":"Feed"}'],
    ['{"t":"table","version":-1,"of":[5]}'],
    ['{"t":"table","version":1e300,"of":[""]}'],
    [JSON.stringify({ t: 'table', of: Array.from({ length: 9 }, () => 'Feed') })],
  ])('knows from %j only that the table changed', (text) => {
    expect(parseHint(text)).toEqual({ t: 'table' });
  });

  it('does not even read what is too long', () => {
    expect(parseHint(JSON.stringify({ t: 'released', name: 'x'.repeat(5000) }))).toBeUndefined();
    expect(parseHint('['.repeat(100_000))).toBeUndefined();
  });

  it('keeps only what it knows', () => {
    const hint = parseHint('{"t":"view","__proto__":{"polluted":1},"constructor":5,"name":"x"}');
    expect(Object.getOwnPropertyNames(hint)).toEqual(['t']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
