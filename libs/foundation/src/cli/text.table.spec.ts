import { describe, expect, it } from '@jest/globals';
import { count, duration } from './format.js';
import { paint, printable, terminalOver } from './terminal.js';
import { type Column, cut, drawTable, wrap } from './text.table.js';

const COLUMNS: Column[] = [
  { title: 'NODE', shrinks: true },
  { title: 'LOAD', align: 'right' },
  { title: 'WHY', shrinks: true },
];

describe('drawTable', () => {
  it('is as wide as what is in it', () => {
    expect(
      drawTable(COLUMNS, [
        ['a', '3', ''],
        ['node-b', '12', 'first'],
      ]),
    ).toEqual(['NODE    LOAD  WHY', 'a          3', 'node-b    12  first']);
  });

  it('has titles alone when there are no rows', () => {
    expect(drawTable(COLUMNS, [])).toEqual(['NODE  LOAD  WHY']);
  });

  it('cuts the widest columns that may be cut, never the others', () => {
    const rows = [['a-rather-long-name', '123', 'a sentence that goes on and on']];
    const lines = drawTable(COLUMNS, rows, 40);
    expect(lines).toEqual(['NODE              LOAD  WHY', 'a-rather-long-n…   123  a sentence that…']);
    for (const width of [10, 20, 30, 50]) {
      for (const line of drawTable(COLUMNS, rows, width)) expect([...line].length).toBeLessThanOrEqual(width);
    }
  });

  it('lets nothing through that moves the cursor', () => {
    expect(drawTable([{ title: 'X' }], [['a\u001b[2Jb\nc\rd\u009be\u202ef']])[1]).toBe('a [2Jb c d e f');
  });

  it('fills up what a row lacks', () => {
    expect(drawTable(COLUMNS, [['a']])).toEqual(['NODE  LOAD  WHY', 'a']);
  });
});

describe('cut', () => {
  it.each([
    ['abc', 3, 'abc'],
    ['abcd', 3, 'ab…'],
    ['abc', 0, '…'],
    ['🙂🙂🙂', 2, '🙂…'],
  ])('makes of %p in %p columns %p', (text, width, expected) => expect(cut(text, width)).toBe(expected));
});

describe('wrap', () => {
  it.each([
    ['one two three', 7, ['one two', 'three']],
    ['unbreakable word', 4, ['unbreakable', 'word']],
    ['', 5, ['']],
    ['no limit at all', undefined, ['no limit at all']],
  ])('breaks %p at %p', (text, width, lines) => expect(wrap(text, width)).toEqual(lines));
});

describe('a terminal', () => {
  const stream = (more: object = {}) => {
    const written: string[] = [];
    return { written, write: (text: string) => written.push(text), ...more };
  };
  const tty = { isTTY: true, columns: 40 };

  it('has colours and a width on a TTY only', () => {
    expect(terminalOver(stream(tty), stream(), {})).toMatchObject({ hasColor: true, width: 40, isInteractive: true });
    expect(terminalOver(stream(), stream(tty), {})).toMatchObject({ hasColor: false, isInteractive: false });
    expect(terminalOver(stream(), stream(tty), {}).width).toBeUndefined();
    const unknown = terminalOver(stream({ ...tty, columns: 0, rows: 0 }), stream(), {});
    expect([unknown.width, unknown.height]).toEqual([80, 24]);
  });

  it.each([{ NO_COLOR: '1' }, { TERM: 'dumb' }])('has no colours with %p', (env) => {
    expect(terminalOver(stream(tty), stream(), env).hasColor).toBe(false);
  });

  it('takes an empty NO_COLOR for none, as no-color.org says', () => {
    expect(terminalOver(stream(tty), stream(), { NO_COLOR: '' }).hasColor).toBe(true);
  });

  it('writes lines', () => {
    const [out, err] = [stream(), stream()];
    const terminal = terminalOver(out, err, {});
    terminal.out('a');
    terminal.err('b');
    expect([out.written, err.written]).toEqual([['a\n'], ['b\n']]);
  });

  it('paints where it has colours', () => {
    expect(paint({ hasColor: true }, 'red', 'x')).toBe('\u001b[31mx\u001b[0m');
    expect(paint({ hasColor: true }, undefined, 'x')).toBe('x');
    expect(paint({ hasColor: false }, 'red', 'x')).toBe('x');
    expect(printable('plain text: ä, 漢字, 🙂')).toBe('plain text: ä, 漢字, 🙂');
  });
});

describe('words', () => {
  it.each([
    [-3, '0 ms'],
    [340.4, '340 ms'],
    [1500, '1.5 s'],
    [12_000, '12 s'],
    [300_000, '5 min'],
    [3 * 3_600_000, '3 h'],
    [5 * 86_400_000, '5 d'],
  ])('says of %p ms %p', (ms, text) => expect(duration(ms)).toBe(text));

  it('counts', () => {
    expect([count(1, 'node'), count(0, 'node'), count(2, 'process', 'processes')]).toEqual([
      '1 node',
      '0 nodes',
      '2 processes',
    ]);
  });
});
