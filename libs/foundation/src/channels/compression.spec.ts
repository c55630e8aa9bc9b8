import { describe, expect, it } from '@jest/globals';
import { deflate, inflate } from './compression.js';

describe('compression', () => {
  it('inflates to the original', async () => {
    const text = JSON.stringify(Array.from({ length: 500 }, (_, index) => ({ index, word: `é 😀 ${index}` })));
    const small = await deflate(text);
    expect(small!.length).toBeLessThan(text.length / 2);
    expect(await inflate(small!, Buffer.byteLength(text))).toBe(text);
  });

  it('does not deflate where that saves nothing', async () => {
    const noise = Array.from({ length: 5000 }, () => String.fromCharCode(33 + Math.floor(Math.random() * 90))).join('');
    expect(await deflate(noise)).toBeUndefined();
  });

  it('stops inflating beyond the limit', async () => {
    const bomb = (await deflate('x'.repeat(10_000_000)))!;
    expect(bomb.length).toBeLessThan(100_000);
    await expect(inflate(bomb, 1_000_000)).rejects.toThrow();
  });

  it.each(['', '%%%', 'QUJD'])('rejects data that is not deflated: %j', async (text) => {
    await expect(inflate(text, 1000)).rejects.toThrow();
  });
});
