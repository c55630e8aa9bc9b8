import { describe, expect, it } from '@jest/globals';
import { bundled, MAX_UNBUNDLED, openText, unbundled } from './bundle.js';

/** What is read message by message; `broken` where one cannot be. */
function read(text: string): unknown {
  const opened = openText(text);
  if (typeof opened === 'string') return opened;
  return Array.from({ length: opened.count }, () => {
    try {
      return opened.next().value;
    } catch {
      return 'broken';
    }
  });
}

const head = { v: 2, from: 'n1' };
const large = { text: `two\nlines, "quoted" \\ ${'x'.repeat(3000)}`, list: [1, { a: ',\n' }] };
const write = (...messages: unknown[]): string => {
  const texts = messages.map((each) => JSON.stringify(each));
  return bundled(
    texts,
    texts.reduce((sum, { length }) => sum + length, 0),
  );
};

describe('a bundle as text', () => {
  it('has a line for each message where these are large', () => {
    expect(write(head, large, large).split('\n')).toHaveLength(3);
    expect(write(head, 1, 2)).not.toContain('\n');
    expect(JSON.parse(write(head, large, large))).toEqual([head, large, large]);
    expect(unbundled(write(head, large, large))).toEqual([head, large, large]);
  });

  it.each([[[head]], [[head, large]], [[head, large, null, 'x', [], large]], [[head, 1, 2, 3]]])(
    'is read as it was written, %#',
    (messages) => {
      expect(read(write(...messages))).toEqual(messages);
    },
  );

  it('tells how long each message is', () => {
    const opened = openText(write(head, large, 'x'.repeat(2000)));
    if (typeof opened === 'string') throw new Error(opened);
    opened.next();
    expect(opened.next().size).toBe(JSON.stringify(large).length);
    expect(opened.next().size).toBe(2002);
  });

  it('is read when others broke the lines', () => {
    expect(read(JSON.stringify([head, large], null, 2))).toEqual([head, large]);
    expect(read(`[\n1,\n2]`)).toEqual([1, 2]);
    expect(read(` [1,\n2]`)).toEqual([1, 2]);
    expect(read(`{"a":1,\n"b":2}`)).toEqual([{ a: 1, b: 2 }]);
  });

  it('costs no more than the message whose line is broken', () => {
    expect(read('[{"v":2},\n{"b":[1,\n2]},\n{"b":3}]')).toEqual([{ v: 2 }, 'broken', 'broken', { b: 3 }]);
    expect(read('[1,\n]')).toEqual([1, 'broken']);
    expect(read('[,\n]')).toEqual(['broken', 'broken']);
    expect(read('[1,\n,\n2]')).toEqual([1, 'broken', 2]);
  });

  it('reaches no prototype', () => {
    const [, { __proto__: own, ...rest }] = read('[1,\n{"__proto__":{"isAdmin":true},"a":1}]') as [
      unknown,
      object & { __proto__: object },
    ];
    expect(own).toBe(Object.prototype);
    expect(rest).toEqual({ a: 1 });
  });

  it.each(['1,\n', '1,'])('is not read beyond its limit, %j', (message) => {
    expect(read(`[${message.repeat(MAX_UNBUNDLED)}1]`)).toBe('too-many-messages');
    expect(read(`[${message.repeat(MAX_UNBUNDLED - 1)}1]`)).toHaveLength(MAX_UNBUNDLED);
  });

  it.each(['', '[', '[1', 'x', '[1,2', '[1]]', '\n', ',\n'])('is not JSON: %j', (text) => {
    expect(read(text)).toBe('not-json');
  });
});
