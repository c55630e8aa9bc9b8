import { describe, expect, it } from '@jest/globals';
import { MAX_LOG, TailText } from './tail.text.js';

describe('the end of a text', () => {
  it('is kept, however much came before', () => {
    const text = new TailText(10);
    for (let index = 0; index < 1000; index++) text.add(`${index},`);
    expect(text.text).toBe('7,998,999,');
    text.add('a'.repeat(50));
    expect(text.text).toBe('a'.repeat(10));
  });

  it('is a million characters by default', () => {
    const text = new TailText();
    for (let index = 0; index < 5; index++) text.add('x'.repeat(MAX_LOG));
    expect(text.text).toHaveLength(MAX_LOG);
  });

  it('is shown without what is empty', () => {
    const text = new TailText();
    expect(text.end()).toBe('(nothing)');
    text.add('one\ntwo\n\n');
    expect([text.end(), text.end(3)]).toEqual(['one\ntwo', 'two']);
  });
});
