/**
 * Changes of a source text that leave the rest of it as it is: comments, blank lines, ends of lines.
 */
import type { Node, NodeArray, SourceFile } from 'typescript';
import { compiler } from './typescript';

/** A text put in before a position. */
export interface Edit {
  at: number;
  text: string;
}

export function parse(path: string, text: string): SourceFile {
  const ts = compiler();
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
}

/** Edits at one position come in their order. */
export function apply(text: string, edits: readonly Edit[]): string {
  return edits
    .map((edit, index) => ({ ...edit, index }))
    .sort((a, b) => b.at - a.at || b.index - a.index)
    .reduce((changed, edit) => changed.slice(0, edit.at) + edit.text + changed.slice(edit.at), text);
}

export function newlineOf(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n';
}

/** The white space that the line of a position begins with. */
export function indentAt(text: string, position: number): string {
  const start = text.lastIndexOf('\n', position - 1) + 1;
  return /^[ \t]*/.exec(text.slice(start))![0];
}

/** What one more level is indented with: as the first indented line of the file. */
export function indentUnit(text: string): string {
  return /^([ \t]+)\S(?<!\*)/m.exec(text)?.[1] ?? '  ';
}

/**
 * One more element at the end of a list between brackets or braces, laid out as the others are.
 *
 * @param close where the closing bracket is.
 */
export function append(source: SourceFile, elements: NodeArray<Node>, close: number, element: string): Edit[] {
  const { text } = source;
  const last = elements.at(-1);
  if (last === undefined) return intoEmpty(text, elements.pos, close, element);
  const start = last.getStart(source);
  const ownLine = text.slice(text.lastIndexOf('\n', start - 1) + 1, start).trim() === '';
  const separator = ownLine ? newlineOf(text) + indentAt(text, start) : ' ';
  if (elements.hasTrailingComma) {
    // Behind what is said of the last element on its line.
    return [{ at: endOfLineComments(text, elements.end), text: `${separator}${element},` }];
  }
  const comments = endOfLineComments(text, last.getEnd());
  return [
    { at: last.getEnd(), text: ',' },
    { at: comments, text: `${separator}${element}` },
  ];
}

/** One more element at the beginning of a list that has some, before the comments of the first one. */
export function prepend(source: SourceFile, elements: NodeArray<Node>, element: string): Edit[] {
  const { text } = source;
  const first = elements[0]!;
  const open = endOfLineComments(text, elements.pos);
  const start = first.getStart(source);
  if (text.slice(open, start).includes('\n')) {
    return [{ at: open, text: `${newlineOf(text)}${indentAt(text, start)}${element},` }];
  }
  return [{ at: start, text: `${element}, ` }];
}

function intoEmpty(text: string, open: number, close: number, element: string): Edit[] {
  const inner = text.slice(open, close);
  if (!inner.includes('\n')) return [{ at: close, text: inner.trim() === '' ? element : ` ${element}` }];
  const indent = indentAt(text, close) + indentUnit(text);
  return [{ at: open + inner.trimEnd().length, text: `${newlineOf(text)}${indent}${element},` }];
}

function endOfLineComments(text: string, position: number): number {
  const comments = compiler().getTrailingCommentRanges(text, position) ?? [];
  return comments.at(-1)?.end ?? position;
}
