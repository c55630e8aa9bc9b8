// The mutants of a file: each is one change of its text. Of TypeScript by its syntax, of the Lua in it by `lua.mjs`.
// What only says something to a person is left alone: log messages, errors' texts, telemetry.
import ts from 'typescript';
import { luaMutants } from './lua.mjs';

const { SyntaxKind: Kind } = ts;
const SWAPS = {
  '<': ['<='],
  '<=': ['<'],
  '>': ['>='],
  '>=': ['>'],
  '===': ['!=='],
  '!==': ['==='],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '+=': ['-='],
  '-=': ['+='],
};
const SIDES = new Set(['&&', '||', '??']);
const CALLS = { some: 'every', every: 'some', min: 'max', max: 'min', floor: 'ceil', ceil: 'floor' };
/** Statements that only tell. */
const TELLING = /^(this\.(parts\.)?#?(logger|log)\b|this\.parts\.telemetry\.)/;

/** `{ start, end, put }` of each, in the order of the text. */
export function mutantsOf(path, text) {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const found = [];
  const add = (node, put) => found.push({ start: node.getStart(), end: node.end, put });
  const visit = (node) => {
    if (isTelling(node)) return;
    mutate(node, add);
    ts.forEachChild(node, visit);
  };
  visit(file);
  if (/\.scripts?\.ts$/.test(path)) found.push(...luaMutants(file));
  return found
    .sort((one, other) => one.start - other.start || one.end - other.end)
    .filter(({ start, end, put }) => put !== text.slice(start, end))
    .map((mutant) => ({ ...mutant, ...placeOf(text, mutant) }));
}

/** The lines that it is in, and those lines with the change: by these it is known when the file goes on to change. */
function placeOf(text, { start, end, put }) {
  const from = text.lastIndexOf('\n', start - 1) + 1;
  const to = text.indexOf('\n', end);
  const oneLine = (lines) => lines.trim().replace(/\s+/g, ' ');
  return {
    line: text.slice(0, start).split('\n').length,
    was: oneLine(text.slice(from, to)),
    is: oneLine(text.slice(from, start) + put + text.slice(end, to)),
  };
}

function isTelling(node) {
  // A number that is worked out is a value, not a behaviour.
  if (ts.isVariableDeclaration(node) && /^[\d\s_*/+().-]+$/.test(node.initializer?.getText() ?? '')) return true;
  if (ts.isExpressionStatement(node)) return TELLING.test(node.expression.getText());
  if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return true;
  if (ts.isImportDeclaration(node)) return true;
  return ts.isThrowStatement(node) || (ts.isNewExpression(node) && /Error$/.test(node.expression.getText()));
}

function mutate(node, add) {
  if (ts.isExpressionStatement(node) || ts.isContinueStatement(node) || ts.isBreakStatement(node)) {
    if (!/^super\b/.test(node.getText())) add(node, ';');
  } else if (ts.isIfStatement(node) || ts.isWhileStatement(node)) {
    condition(node.expression, add);
    if (ts.isIfStatement(node) && ts.isThrowStatement(lastOf(node.thenStatement))) return;
  } else if (ts.isConditionalExpression(node)) condition(node.condition, add);
  else if (ts.isReturnStatement(node) && node.expression !== undefined) result(node.expression, add);
  else if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) result(node.body, add);
  else if (ts.isBinaryExpression(node)) binary(node, add);
  else if (ts.isPrefixUnaryExpression(node) && node.operator === Kind.ExclamationToken)
    add(node, node.operand.getText());
  else if (node.kind === Kind.TrueKeyword && !ts.isLiteralTypeNode(node.parent)) add(node, 'false');
  else if (node.kind === Kind.FalseKeyword && !ts.isLiteralTypeNode(node.parent)) add(node, 'true');
  else if (ts.isCallExpression(node)) call(node, add);
}

function lastOf(statement) {
  return ts.isBlock(statement) ? (statement.statements.at(-1) ?? statement) : statement;
}

function condition(node, add) {
  if (node.kind === Kind.TrueKeyword) return;
  add(node, 'true');
  add(node, 'false');
}

/** What is a truth becomes both; the sides and operators of it are mutated as well. */
function result(node, add) {
  const isTruth =
    (ts.isBinaryExpression(node) && /^([<>]=?|[!=]==|&&|\|\|)$/.test(node.operatorToken.getText())) ||
    (ts.isPrefixUnaryExpression(node) && node.operator === Kind.ExclamationToken);
  if (isTruth) condition(node, add);
}

function binary(node, add) {
  const { left, right, operatorToken } = node;
  const operator = operatorToken.getText();
  for (const swap of SWAPS[operator] ?? []) add(operatorToken, swap);
  if (!SIDES.has(operator)) return;
  add(node, left.getText());
  add(node, `(${right.getText()})`);
}

function call(node, add) {
  const { expression } = node;
  if (!ts.isPropertyAccessExpression(expression)) return;
  const { name } = expression;
  const swap = Object.hasOwn(CALLS, name.text) ? CALLS[name.text] : undefined;
  if (swap !== undefined) add(name, swap);
  if (['filter', 'sort', 'slice', 'reverse', 'toSorted'].includes(name.text))
    add(node, expression.expression.getText());
}
