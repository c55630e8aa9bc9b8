// Writes docs/reference/errors.md from src/errors/*.errors.ts: a row for each class. With --check only says whether
// it is up to date.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '../..');
const folder = join(import.meta.dirname, 'src/errors');
const target = join(root, 'docs/reference/errors.md');

const oneLine = (text) => text.replace(/\s+/g, ' ').trim();
const cell = (text) => oneLine(text).replaceAll('|', '\\|');
const row = (...cells) => `| ${cells.join(' | ')} |`;

/** The text of an expression, `…` for what is put in; both branches of a condition. */
function textsOf(node) {
  if (ts.isParenthesizedExpression(node)) return textsOf(node.expression);
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isConditionalExpression(node)) return [...textsOf(node.whenTrue), ...textsOf(node.whenFalse)];
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    return textsOf(node.left).flatMap((left) => textsOf(node.right).map((right) => left + right));
  }
  if (ts.isTemplateExpression(node)) {
    const spans = node.templateSpans.map(({ literal }) => `…${literal.text}`);
    return [node.head.text + spans.join('')];
  }
  return ['…'];
}

/** Subject and what failed; what Foundation did; what you can do. Each sentence begins with a capital or is put in. */
function partsOf(message) {
  const sentences = oneLine(message).split(/(?<=[.:]) (?=[A-Z…])/);
  const joined = [];
  for (const each of sentences) {
    if (/:$/.test(joined.at(-1) ?? '')) joined[joined.length - 1] += ` ${each}`;
    else joined.push(each);
  }
  const [first, ...after] = joined;
  const [did = '', ...rest] = after.join(' ') === '… …' ? ['…', '…'] : after;
  return [first, did, rest.join(' ')].map((part) => (part === '…' ? 'as the message says' : part));
}

const files = readdirSync(folder).filter((name) => /\.errors\.ts$/.test(name));
const stories = files.sort().map((name) => {
  const file = join(folder, name);
  const tree = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const of = [];
  for (const node of tree.statements) {
    const base = node.heritageClauses?.[0]?.types[0].expression.getText(tree);
    if (!ts.isClassDeclaration(node) || base !== 'FoundationError') continue;
    const said = ts.getTextOfJSDocComment(node.jsDoc?.at(-1)?.comment) ?? '';
    if (said === '') throw new Error(`${relative(root, file)}: ${node.name.text} has no doc comment`);
    const made = node.members.find(ts.isConstructorDeclaration);
    let call;
    const visit = (each) => {
      if (ts.isCallExpression(each) && each.expression.kind === ts.SyntaxKind.SuperKeyword) call = each;
      else ts.forEachChild(each, visit);
    };
    visit(made);
    const [code, , message] = call.arguments;
    const codes = made.getText(tree).match(/FOUNDATION_[A-Z_]+/g);
    const names = [...new Set(ts.isStringLiteralLike(code) ? [code.text] : codes)];
    for (const text of textsOf(message)) {
      of.push(
        row(
          names.map((each) => `\`${each}\``).join('<br>'),
          `\`${node.name.text}\``,
          cell(said),
          ...partsOf(text).map(cell),
        ),
      );
    }
  }
  const header = /^\/\*\*\s*(.*?)\s*\*\//s.exec(tree.text)?.[1] ?? '';
  return `## ${name.replace('.errors.ts', '').replace(/^./, (first) => first.toUpperCase())}

${oneLine(header.replaceAll(/^\s*\*/gm, ''))}

${[row('code', 'class', 'when', 'what failed', 'what Foundation did', 'what you can do'), row(...Array(6).fill('---')), ...of].join('\n')}
`;
});

const text = `# Errors

<!-- Written by \`npm run docs:errors\` from libs/foundation/src/errors; change the classes, not this page. -->

Every error of Foundation is a \`FoundationError\`: \`code\` is for programs and stable across minor versions, \`message\` for
people, \`tool\` names the library or the Redis command beneath, and \`cause\` holds that library's own error. \`…\` stands for
what a message names. What a method threw on another node arrives as a \`RemoteError\` with its own name, message and code.

${stories.join('\n')}`;

const formatted = await format(text, { ...(await resolveConfig(target)), parser: 'markdown' });
if (!process.argv.includes('--check')) {
  writeFileSync(target, formatted);
} else if (readFileSync(target, 'utf8') !== formatted) {
  console.error(`${relative(root, target)} is not what the sources say. Run: npm run docs:errors`);
  process.exitCode = 1;
}
