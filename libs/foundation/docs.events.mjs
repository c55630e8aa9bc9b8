// Writes docs/reference/events.md from the comments of src/telemetry/events.ts; with --check only says whether it is
// up to date.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '../..');
const source = join(import.meta.dirname, 'src/telemetry/events.ts');
const target = join(root, 'docs/reference/events.md');

const tree = ts.createSourceFile(source, readFileSync(source, 'utf8'), ts.ScriptTarget.Latest, true);

/** The text of the doc comment; whoever adds an event has to write one. */
function said(node, name) {
  const text = ts.getTextOfJSDocComment(node.jsDoc?.at(-1)?.comment) ?? '';
  if (text === '') throw new Error(`${relative(root, source)}: ${name} has no doc comment`);
  return text;
}

const oneLine = (text) => text.replace(/\s+/g, ' ').trim();
const cell = (text) => oneLine(text).replaceAll('|', '\\|');
const code = (text) => `\`${cell(text)}\``;
const row = (...cells) => `| ${cells.join(' | ')} |`;

const events = [];
const types = [];
for (const node of tree.statements) {
  if (ts.isInterfaceDeclaration(node) && node.name.text === 'FoundationEvents') events.push(...node.members);
  const isUnion = ts.isTypeAliasDeclaration(node) && ts.isUnionTypeNode(node.type);
  if (isUnion) types.push(node);
}
if (events.length === 0) throw new Error(`${relative(root, source)} has no interface FoundationEvents`);

const table = events.map((member) => {
  const name = member.name.text;
  const payload = member.type.members.map((field) => code(field.getText(tree).replace(/;$/, ''))).join('<br>');
  const fields = member.type.members.flatMap((field) => {
    const text = ts.getTextOfJSDocComment(field.jsDoc?.at(-1)?.comment);
    return text === undefined ? [] : [`<br>\`${field.name.text}\`: ${cell(text)}`];
  });
  return row(code(name), payload, cell(said(member, name)) + fields.join(''));
});

// A comment and a bar go before each value of a union.
const values = (union) =>
  [...union.getText(tree).matchAll(/\/\*\*(.*?)\*\/\s*\|\s*('[^']+')/gs)].map(([, text, value]) =>
    row(code(value), cell(text)),
  );

const text = `# Events

<!-- Written by \`npm run docs:events\` from libs/foundation/src/telemetry/events.ts; change that file, not this one. -->

Every event that Foundation emits. \`telemetry.attach('cluster.node_joined', (event, payload) => …)\` hears one of them,
\`'cluster.*'\` those of a room, \`'*'\` all. Each is also published on the \`node:diagnostics_channel\` of its name:
\`foundation:cluster:node_joined\`. Times are milliseconds, sizes are bytes.

${[row('event', 'payload', 'when'), row('---', '---', '---'), ...table].join('\n')}
${types
  .map(
    (node) => `
## ${node.name.text}

${said(node, node.name.text)}

${[row('value', 'meaning'), row('---', '---'), ...values(node)].join('\n')}
`,
  )
  .join('')}`;

const formatted = await format(text, { ...(await resolveConfig(target)), parser: 'markdown' });
if (!process.argv.includes('--check')) {
  mkdirSync(join(root, 'docs'), { recursive: true });
  writeFileSync(target, formatted);
} else if (readFileSync(target, 'utf8') !== formatted) {
  console.error(`${relative(root, target)} is not what the sources say. Run: npm run docs:events`);
  process.exitCode = 1;
}
