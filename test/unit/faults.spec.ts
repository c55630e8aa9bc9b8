// The fault matrix and its page: every row is there, on both, and what it names exists.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { FAULT_ROWS } from '../chaos/fault.rows.mjs';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

describe('the fault matrix', () => {
  it('has the rows 1 to 32, each with something that carries it out', () => {
    expect(FAULT_ROWS.map(({ row }) => row)).toEqual(Array.from({ length: 32 }, (_, index) => index + 1));
    expect(FAULT_ROWS.filter(({ checks, specs }) => checks.length + specs.length === 0)).toEqual([]);
  });

  it('names functions and tests that there are', () => {
    const missing = FAULT_ROWS.flatMap(({ row, checks, specs }) => [
      ...checks.flatMap(({ run }) => {
        const [file, name] = run.split('#');
        const source = read(`test/chaos/faults/${file}.mjs`);
        return new RegExp(`^export (async function|const) ${name}\\b`, 'm').test(source) ? [] : [`${row}: ${run}`];
      }),
      ...specs.flatMap(({ file, tests }) =>
        existsSync(join(root, file)) && read(file).replaceAll('${KILLS}', '20').includes(tests)
          ? []
          : [`${row}: ${file} ${tests}`],
      ),
    ]);
    expect(missing).toEqual([]);
  });

  it('is docs/guarantees/faults.md, row by row; else run npm run chaos -- --report', () => {
    const [table = ''] = read('docs/guarantees/faults.md').split('\n## ');
    const shown = [...table.matchAll(/^\| +(\d+) \| (.*?) +\| (.*?) +\|/gm)].map(([, row, fault, holds]) => ({
      row: Number(row),
      fault,
      holds,
    }));
    expect(shown).toEqual(FAULT_ROWS.map(({ row, fault, holds }) => ({ row, fault, holds })));
  });
});
