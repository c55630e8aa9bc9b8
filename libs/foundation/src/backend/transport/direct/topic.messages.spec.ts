import { describe, expect, it } from '@jest/globals';
import { applyTopics, decodeBundle, encodeBundle, encodeTopics } from './topic.messages.js';

describe('a bundle with its topic', () => {
  it.each([
    ['t', 'text'],
    ['', ''],
    ['töpic', 'té€😀xt'],
    ['t'.repeat(1000), 'x'.repeat(100_000)],
  ])('comes out as it went in (%#)', (topic, text) => {
    const decoded = decodeBundle('text', encodeBundle(topic, text));
    expect([decoded?.topic, decoded?.bundle()]).toEqual([topic, text]);
    const bytes = decodeBundle('packed', encodeBundle(topic, Buffer.from(text)));
    expect([bytes?.topic, bytes?.bundle()]).toEqual([topic, Buffer.from(text)]);
  });

  it.each(['', '00', '0005', '000561'])('rejects the bytes %s', (hex) => {
    expect(decodeBundle('text', Buffer.from(hex, 'hex'))).toBeUndefined();
  });
});

describe('the topics of a node', () => {
  const apply = (topics: Set<string> | undefined, change: unknown): string[] | undefined => {
    const next = applyTopics(topics, Buffer.from(typeof change === 'string' ? change : JSON.stringify(change)));
    return next && [...next];
  };

  it('begin with all of them and change one by one', () => {
    expect(apply(undefined, { all: ['a', 'b'] })).toEqual(['a', 'b']);
    expect(apply(new Set(['a', 'b']), { add: ['c'], remove: ['a'] })).toEqual(['b', 'c']);
    expect(apply(new Set(['a', 'b']), { all: [] })).toEqual([]);
    expect([...applyTopics(undefined, encodeTopics({ all: ['x'] }))!]).toEqual(['x']);
  });

  it('stay unknown until all of them were said', () => {
    expect(apply(undefined, { add: ['c'] })).toBeUndefined();
  });

  it.each([
    '',
    '{',
    'null',
    '5',
    '[]',
    { all: 'a' },
    { add: [5, null, {}] },
    { remove: { a: 1 } },
    { add: ['x'.repeat(2000)] },
  ])('are not changed by %j', (change) => expect(apply(new Set(['a']), change)).toEqual(['a']));
});
