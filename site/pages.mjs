// Where the pages are, in which order, and what they are as Markdown. docs/index.md lists them by purpose; the sidebar,
// the home page and llms.txt follow it.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const here = import.meta.dirname;
export const ROOT = resolve(here, '..');
export const DOCS = join(ROOT, 'docs');
/** What a build is made of; the development server reads docs/ itself. */
export const SITE_SOURCE = join(here, '.source');
export const SOURCE = process.env.FOUNDATION_SITE_SOURCE ?? DOCS;

/** `[{ title, pages: [{ title, path, about }] }]`, of the headings and lists of docs/index.md. */
export function groups() {
  const found = [];
  for (const line of readFileSync(join(DOCS, 'index.md'), 'utf8').split('\n')) {
    const [, heading] = /^## (.+)$/.exec(line) ?? [];
    const [, title, path, about] = /^- \[([^\]]+)\]\(([^)]+\.md)\)(?:: (.+))?$/.exec(line) ?? [];
    if (heading !== undefined) found.push({ title: heading, pages: [] });
    if (path !== undefined) found.at(-1)?.pages.push({ title, path, about });
  }
  return found.filter(({ pages }) => pages.length > 0);
}

/** The summary of the project: the first paragraph of README. */
export function summary() {
  const [, text = ''] = /^# .+\n\n([^]+?)\n\n/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? [];
  return text.replace(/\s+/g, ' ');
}

/** Writes each page as Markdown beside its HTML, `llms.txt` with a link to each, `llms-full.txt` with all of them. */
export function writeMarkdown(outDir) {
  const paths = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md'));
  const textOf = (path) => readFileSync(join(SOURCE, path), 'utf8');
  for (const path of paths) {
    mkdirSync(dirname(join(outDir, path)), { recursive: true });
    writeFileSync(join(outDir, path), textOf(path));
  }
  const listed = groups();
  const line = ({ title, path, about }) => `- [${title}](/${path})${about === undefined ? '' : `: ${about}`}`;
  const lists = listed.map(({ title, pages }) => `## ${title}\n\n${pages.map(line).join('\n')}\n`);
  const head = `# Foundation for NestJS\n\n> ${summary()}\n`;
  writeFileSync(join(outDir, 'llms.txt'), [head, ...lists].join('\n'));
  const all = listed.flatMap(({ pages }) => pages).map(({ path }) => `<!-- ${path} -->\n\n${textOf(path).trim()}\n`);
  writeFileSync(join(outDir, 'llms-full.txt'), [head, ...all].join('\n'));
}
