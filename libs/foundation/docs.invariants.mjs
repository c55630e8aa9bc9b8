// Writes docs/reference/invariants.md from src/testing/history/invariants.ts and from the marks in the sources; with
// --check only says whether it is up to date.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '../..');
const sources = join(import.meta.dirname, 'src');
const list = join(sources, 'testing/history/invariants.ts');
const target = join(root, 'docs/reference/invariants.md');

const fail = (why) => {
  throw new Error(`${relative(root, list)}: ${why}`);
};
const tree = ts.createSourceFile(list, readFileSync(list, 'utf8'), ts.ScriptTarget.Latest, true);
const texts = (node) => (node === undefined ? [] : node.elements.map((each) => each.text));
/** The functions of the checker that an entry calls: those that come from `check.*.ts`. */
const checksIn = (node) => {
  const names = new Set();
  const visit = (each) => {
    if (ts.isIdentifier(each) && imported.has(each.text)) names.add(each.text);
    ts.forEachChild(each, visit);
  };
  if (node !== undefined) visit(node);
  return [...names];
};
const imported = new Set();
const invariants = [];
for (const node of tree.statements) {
  if (ts.isImportDeclaration(node) && node.moduleSpecifier.text.startsWith('./check.')) {
    for (const { name } of node.importClause.namedBindings.elements) imported.add(name.text);
  }
  const [declared] = ts.isVariableStatement(node) ? node.declarationList.declarations : [];
  if (declared?.name.text !== 'INVARIANTS') continue;
  for (const entry of declared.initializer.elements) {
    const { id, sentence, checks, specs } = Object.fromEntries(
      entry.properties.map(({ name, initializer }) => [name.text, initializer]),
    );
    invariants.push({ id: id.text, sentence: sentence.text, checks: checksIn(checks), specs: texts(specs) });
  }
}
if (invariants.length === 0) fail('it has no INVARIANTS');

/** Where a comment begins with the mark, by number. */
const marks = new Map(invariants.map(({ id }) => [id, new Set()]));
for (const path of readdirSync(sources, { recursive: true })) {
  if (!path.endsWith('.ts') || path.endsWith('.spec.ts') || path.startsWith('testing/')) continue;
  for (const [mark, , numbers] of readFileSync(join(sources, path), 'utf8').matchAll(/INVARIANTS?( \(([^)]*)\))?/g)) {
    if (numbers === undefined) fail(`${path}: "${mark}" names no number of the list`);
    for (const id of numbers.match(/\bI\d+\b/g) ?? []) {
      if (!marks.has(id)) fail(`${path}: ${id} is not in the list`);
      marks.get(id).add(path);
    }
    if (!/\bI\d+\b/.test(numbers)) fail(`${path}: "${mark}" names no number of the list`);
  }
}
const seen = new Set();
for (const { id, checks, specs } of invariants) {
  if (seen.has(id)) fail(`${id} is in the list twice`);
  seen.add(id);
  if (checks.length + specs.length === 0) fail(`nothing checks ${id}`);
  for (const spec of specs) if (!existsSync(join(root, spec))) fail(`${id} names ${spec}, which does not exist`);
}

const cell = (text) => text.replace(/\s+/g, ' ').trim().replaceAll('|', '\\|');
const code = (text) => `\`${cell(text)}\``;
const row = (...cells) => `| ${cells.join(' | ')} |`;
const lines = (all) => (all.length === 0 ? '—' : all.map(code).join('<br>'));
const rows = invariants.map(({ id, sentence, checks, specs }) =>
  row(id, cell(sentence), lines(checks), lines(specs), lines([...marks.get(id)].sort())),
);

const text = `# Invariants

<!-- Written by \`npm run docs:invariants\` from libs/foundation/src/testing/history/invariants.ts; change that file, not this one. -->

What holds at every moment, whatever fails. \`checkHistory\` of \`nestjs-foundation/testing\` finds a breach in the history of a run;
\`npm run chaos:history\` makes such histories with everything that can fail. The comments of the sources that begin with INVARIANT
name the numbers, and stand where the invariant is upheld. Paths in the last column are relative to \`libs/foundation/src\`.

${[row('number', 'what holds', 'checked by', 'and by the specs', 'upheld in'), row('---', '---', '---', '---', '---'), ...rows].join('\n')}
`;

const formatted = await format(text, { ...(await resolveConfig(target)), parser: 'markdown' });
if (!process.argv.includes('--check')) {
  writeFileSync(target, formatted);
} else if (readFileSync(target, 'utf8') !== formatted) {
  console.error(`${relative(root, target)} is not what the sources say. Run: npm run docs:invariants`);
  process.exitCode = 1;
}
