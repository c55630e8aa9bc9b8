// The pages of the documentation, and the fences in them. What a fence says after its language decides how it is
// checked; CONTRIBUTING.md has the words.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

/** The texts by which people learn Foundation: their paths from the root, with slashes. */
export function pagePaths(root = ROOT) {
  const below = (folder, isWanted) =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
          .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
          .filter((name) => name.endsWith('.md') && !name.includes('node_modules') && isWanted(name))
          .sort()
      : [];
  return ['README.md', 'CONTRIBUTING.md', ...below('docs', () => true), ...below('examples', () => true)].filter(
    (path) => existsSync(join(root, path)),
  );
}

/** Every fence of every page, the hidden ones included. */
export function fencesOfPages(root = ROOT) {
  return pagePaths(root).flatMap((page) => fencesOf(page, readFileSync(join(root, page), 'utf8')));
}

const OPENS = /^(\s*)(`{3,}|~{3,})\s*([^`\s]*)(.*)$/;
const HIDDEN = /^<!--\s*(ts|js|sh)\b(.*?)$/;

/**
 * The fences of one page, in order. `line` is that of the first line of the text, counted from 1. A comment
 * `<!-- ts … -->` is a fence that nobody sees.
 */
export function fencesOf(page, markdown) {
  const found = [];
  let open;
  for (const [index, text] of markdown.split('\n').entries()) {
    if (open !== undefined) {
      if (open.closes(text)) {
        found.push(fence(page, open));
        open = undefined;
      } else open.lines.push(text);
      continue;
    }
    const [, indent, ticks, language, rest] = OPENS.exec(text) ?? [];
    if (ticks !== undefined) {
      const end = new RegExp(`^\\s*${ticks[0]}{${ticks.length},}\\s*$`);
      open = { line: index + 2, indent, language, rest, isHidden: false, lines: [], closes: (each) => end.test(each) };
      continue;
    }
    const [comment, hidden, words] = HIDDEN.exec(text) ?? [];
    if (comment === undefined || comment.includes('-->')) continue;
    const closes = (each) => each.trim() === '-->';
    open = { line: index + 2, indent: '', language: hidden, rest: words, isHidden: true, lines: [], closes };
  }
  if (open !== undefined) throw new Error(`${page}:${open.line - 1}: what begins here has no end`);
  return found;
}

function fence(page, { line, indent, language, rest, isHidden, lines }) {
  const unindented = lines.map((text) => (text.startsWith(indent) ? text.slice(indent.length) : text.trimStart()));
  // VitePress: `ts{1,3}`, `[a title]` and `:line-numbers` are about its looks.
  const [name] = language.split(/[{:]/);
  const words = rest
    .replaceAll(/\[[^\]]*\]|\{[^}]*\}|:\S+/g, ' ')
    .split(/\s+/)
    .filter((word) => word !== '');
  return { page, line, language: name, words, isHidden, text: unindented.join('\n') };
}

/** `page:line`, as editors and terminals link it. */
export const placeOf = ({ page, line }) => `${page}:${line}`;
