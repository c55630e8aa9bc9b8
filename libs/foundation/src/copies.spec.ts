import { describe, expect, it } from '@jest/globals';
import { noteCopy } from './copies.js';
import type { Log } from './logging/log.js';

describe('a second copy of the package in one process', () => {
  const load = (...urls: string[]): string[] => {
    const lines: string[] = [];
    const log = { warn: (message: string, details: object) => lines.push(`${message} ${JSON.stringify(details)}`) };
    const shared = {};
    for (const url of urls) noteCopy(url, shared, log as unknown as Log);
    return lines;
  };

  it('is reported once, with the places of all of them', () => {
    const [line, ...others] = load(
      'file:///app/dist/index.js',
      'file:///app/dist/cjs/index.js',
      'file:///app/dist/cjs/index.js',
    );
    expect(line).toContain('file:///app/dist/index.js and file:///app/dist/cjs/index.js');
    expect(others).toEqual([]);
  });

  it('is no matter of the same file that is evaluated again', () => {
    expect(load('file:///a.js', 'file:///a.js')).toEqual([]);
  });

  it('is reported for the first eight', () => {
    expect(load(...Array.from({ length: 100 }, (_, index) => `file:///${index}.js`))).toHaveLength(7);
  });
});
