// What the programs that write pages of docs/reference share: a source as a module, tables, and writing or comparing.
import { Buffer } from 'node:buffer';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import { format, resolveConfig } from 'prettier';

const root = resolve(import.meta.dirname, '../..');

/** A source of `src` that needs nothing but Node.js, with the values that it exports. */
export async function valuesOf(source) {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'src', source)],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    logLevel: 'silent',
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}

const cell = (text) => String(text).replace(/\s+/g, ' ').trim().replaceAll('|', '\\|');
export const code = (text) => `\`${cell(text)}\``;
const row = (cells) => `| ${cells.map(cell).join(' | ')} |`;

export const table = (head, rows) => [head, head.map(() => '---'), ...rows].map(row).join('\n');

/** Writes the page, or with --check says whether it is what the sources say. */
export async function keep(page, script, text) {
  const target = join(root, page);
  const formatted = await format(text, { ...(await resolveConfig(target)), parser: 'markdown' });
  if (!process.argv.includes('--check')) return writeFileSync(target, formatted);
  if (readFileSync(target, 'utf8') === formatted) return;
  console.error(`${relative(root, target)} is not what the sources say. Run: npm run ${script}`);
  process.exitCode = 1;
}
