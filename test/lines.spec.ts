// The list of files that may still be longer than 300 lines only gets shorter; lint holds all others to the limit.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { LONG_FILES, MAX_LINES } from '../eslint.long.js';

/** How many lines it has; 0 when it is not there. */
function linesOf(file: string): number {
  try {
    return readFileSync(join(import.meta.dirname, '..', file), 'utf8')
      .trimEnd()
      .split('\n').length;
  } catch {
    return 0;
  }
}

describe('the list of long files', () => {
  it('names only files that are longer than the limit', () => {
    expect(LONG_FILES.filter((file) => linesOf(file) <= MAX_LINES)).toEqual([]);
  });
});
