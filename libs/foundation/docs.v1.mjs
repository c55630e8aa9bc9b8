// Writes docs/reference/foundation-v1.md from the rows of test/unit/v1, each of which is a test as well; with --check
// only says whether it is up to date. What is called and what comes of it is shown as it stands in the sources.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '../..');
const folder = join(root, 'test/unit/v1');
const target = join(root, 'docs/reference/foundation-v1.md');
const FILES = ['config', 'events', 'telemetry', 'registry', 'errors'];
const TITLES = { registry: 'ServiceRegistry', errors: 'Errors' };
/** The longest piece of code in a cell. */
const LONGEST = 220;

const oneLine = (text) => text.replace(/\s+/g, ' ').trim();
const cell = (text) => oneLine(text).replaceAll('|', '\\|');
const code = (text) => {
  const line = oneLine(text);
  const shown = line.length > LONGEST ? `${line.slice(0, LONGEST)} …` : line;
  return shown.includes('`') ? `\`\` ${cell(shown)} \`\`` : `\`${cell(shown)}\``;
};
const row = (...cells) => `| ${cells.join(' | ')} |`;

function rowsOf(file) {
  const path = join(folder, `${file}.rows.ts`);
  const tree = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const rows = [];
  for (const statement of tree.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (name.text?.endsWith('_ROWS')) rows.push(...initializer.elements.map((each) => readRow(each, tree)));
    }
  }
  if (rows.length === 0) throw new Error(`${basename(path)} has no rows`);
  const [, header = ''] = /^((?:\/\/ .*\n)+)/.exec(tree.text) ?? [];
  return { title: TITLES[file] ?? file.replace(/^./, (first) => first.toUpperCase()), header, rows };
}

function readRow(object, tree) {
  const fields = new Map(object.properties.map((each) => [each.name.text, each.initializer]));
  const said = (name) => evaluate(fields.get(name), `${object.getText(tree).slice(0, 80)}: ${name}`);
  const called = fields.get('input').body;
  const text = called.getText(tree);
  const options = fields.get('options')?.getText(tree);
  return {
    fn: said('fn'),
    case: said('case'),
    call: ts.isBlock(called) ? text.slice(1, -1) : text,
    options,
    result: fields.get('result').getText(tree),
    was: said('was'),
    now: said('now'),
  };
}

/** Of texts, and of `SAME` before them. */
function evaluate(node, where) {
  if (node !== undefined && ts.isStringLiteralLike(node)) return node.text;
  if (node !== undefined && ts.isIdentifier(node) && node.text === 'SAME') return 'the same';
  if (node !== undefined && ts.isBinaryExpression(node))
    return evaluate(node.left, where) + evaluate(node.right, where);
  throw new Error(`${where} is not a text`);
}

const sections = FILES.map(rowsOf).map(({ title, header, rows }) => {
  const functions = [...new Set(rows.map(({ fn }) => fn))];
  const tables = functions.map((fn) => {
    const lines = rows
      .filter((each) => each.fn === fn)
      .map(({ case: what, call, options, result, was, now }) =>
        row(
          cell(what) + (options === undefined ? '' : ` (options ${code(options)})`),
          code(call),
          code(result),
          cell(was),
          cell(now),
        ),
      );
    return `### ${title}: ${fn}\n\n${[row('case', 'call', 'gives', '1.x', 'here'), row(...Array(5).fill('---')), ...lines].join('\n')}\n`;
  });
  return `## ${title}\n\n${oneLine(header.replaceAll('// ', ''))}\n\n${tables.join('\n')}`;
});

const text = `${readFileSync(join(folder, 'introduction.md'), 'utf8').trimEnd()}\n\n${sections.join('\n')}`;
const formatted = await format(text, { ...(await resolveConfig(target)), parser: 'markdown' });
if (!process.argv.includes('--check')) {
  writeFileSync(target, formatted);
} else if (readFileSync(target, 'utf8') !== formatted) {
  console.error(`${relative(root, target)} is not what the rows say. Run: npm run docs:v1`);
  process.exitCode = 1;
}
