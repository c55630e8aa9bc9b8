/**
 * Pure: plain tables in a given width. What does not fit is cut in the columns that may be, the widest first.
 * Called by the commands.
 */
import { printable } from './terminal.js';

/** A column. */
export interface Column {
  title: string;
  align?: 'left' | 'right';
  /** True when its cells may be cut. */
  shrinks?: boolean;
}

const GAP = '  ';
/** A column is not cut below this. */
const NARROWEST = 8;

/** Lines of a table: the titles, then the rows. Colour is for the caller, line by line. */
export function drawTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width = Infinity,
): string[] {
  const cells = rows.map((row) => columns.map((_, index) => printable(row[index] ?? '')));
  const titles = columns.map(({ title }) => title);
  const widths = columns.map((_, index) => Math.max(...[titles, ...cells].map((row) => lengthOf(row[index] ?? ''))));
  shrink(columns, widths, width);
  return [titles, ...cells].map((row) =>
    cut(
      row
        .map((cell, index) => fit(cell, widths[index]!, columns[index]!.align))
        .join(GAP)
        .trimEnd(),
      width,
    ),
  );
}

function shrink(columns: readonly Column[], widths: number[], width: number): void {
  const total = (): number => widths.reduce((sum, each) => sum + each, 0) + GAP.length * (widths.length - 1);
  while (total() > width) {
    const candidates = columns.flatMap(({ shrinks }, index) =>
      shrinks === true && widths[index]! > NARROWEST ? [index] : [],
    );
    if (candidates.length === 0) return;
    const widest = candidates.reduce((best, index) => (widths[index]! > widths[best]! ? index : best));
    widths[widest]! -= 1;
  }
}

function fit(text: string, width: number, align: Column['align']): string {
  const short = cut(text, width);
  const padding = ' '.repeat(width - lengthOf(short));
  return align === 'right' ? padding + short : short + padding;
}

/** The text in at most `width` characters, with an ellipsis where it was cut. */
export function cut(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`;
}

/** Breaks a text into lines of at most `width` characters, between words. */
export function wrap(text: string, width = Infinity): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of printable(text).split(' ')) {
    if (line !== '' && lengthOf(line) + 1 + lengthOf(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function lengthOf(text: string): number {
  return [...text].length;
}
