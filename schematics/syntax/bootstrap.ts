/**
 * The file that starts the application: which module it starts, and where it may be told to end in order.
 */
import type { CallExpression, Identifier, Node, SourceFile, Statement } from 'typescript';
import { type Edit, indentAt, newlineOf } from './edits';
import { compiler } from './typescript';

const FACTORY = /^NestFactory\.create(Microservice|ApplicationContext)?$/;

/** The calls of `NestFactory.create(…)` and its like. */
export function creationsIn(source: SourceFile): CallExpression[] {
  return callsIn(source).filter(({ expression }) => FACTORY.test(expression.getText(source).replace(/\s/g, '')));
}

/** The names of the modules that are started. */
export function startedModules(source: SourceFile): string[] {
  const ts = compiler();
  const names = creationsIn(source).map(({ arguments: [first] }) =>
    first && ts.isIdentifier(first) ? first.text : '',
  );
  return [...new Set(names)];
}

/**
 * What to write so that SIGTERM ends the application in order: before the statement that listens, else after the one
 * that creates. Nothing where it is written; `undefined` where no variable holds the application.
 */
export function shutdownHookEdits(source: SourceFile): Edit[] | undefined {
  if (callsIn(source).some((call) => nameOf(call) === 'enableShutdownHooks')) return [];
  const ts = compiler();
  const [creation, more] = creationsIn(source);
  if (creation === undefined || more !== undefined) return undefined;
  const declaration = ancestor(creation, ts.isVariableDeclaration);
  const statement = ancestor(creation, ts.isVariableStatement);
  const isHeld = declaration !== undefined && unwrapped(declaration.initializer) === creation;
  if (statement === undefined || !isHeld || !ts.isIdentifier(declaration.name)) return undefined;
  const { text } = source;
  const call = `${declaration.name.text}.enableShutdownHooks()${statement.getText(source).endsWith(';') ? ';' : ''}`;
  const newline = newlineOf(text);
  const listens = following(statement).find((each) => callsIn(each).some((made) => listensOn(made, declaration.name)));
  if (listens === undefined) {
    const indent = indentAt(text, statement.getStart(source));
    return [{ at: statement.getEnd(), text: `${newline}${indent}${call}` }];
  }
  const at = listens.getStart(source);
  return [{ at, text: `${call}${newline}${indentAt(text, at)}` }];
}

/** What `setGlobalPrefix()` puts before all paths, `/api`; empty without one, `undefined` where that is not plain. */
export function globalPrefix(source: SourceFile): string | undefined {
  const [call, more] = callsIn(source).filter((each) => nameOf(each) === 'setGlobalPrefix');
  if (call === undefined) return '';
  const [prefix, options] = call.arguments;
  if (more !== undefined || options !== undefined || prefix === undefined) return undefined;
  if (!compiler().isStringLiteralLike(prefix)) return undefined;
  const path = prefix.text.replace(/^\/|\/$/g, '');
  return path === '' ? '' : `/${path}`;
}

/** The statements after this one in its block. */
function following(statement: Statement): Statement[] {
  const { statements } = statement.parent as { statements?: readonly Statement[] };
  return statements === undefined ? [] : statements.slice(statements.indexOf(statement) + 1);
}

function listensOn(call: CallExpression, app: Node): boolean {
  const ts = compiler();
  const { expression } = call;
  if (!ts.isPropertyAccessExpression(expression) || expression.name.text !== 'listen') return false;
  return ts.isIdentifier(expression.expression) && expression.expression.text === (app as Identifier).text;
}

function nameOf({ expression }: CallExpression): string | undefined {
  return compiler().isPropertyAccessExpression(expression) ? expression.name.text : undefined;
}

/** Without `await`, brackets and casts. */
function unwrapped(node: Node | undefined): Node | undefined {
  const ts = compiler();
  let inner = node;
  while (
    inner !== undefined &&
    (ts.isAwaitExpression(inner) ||
      ts.isParenthesizedExpression(inner) ||
      ts.isAsExpression(inner) ||
      ts.isSatisfiesExpression(inner))
  ) {
    inner = inner.expression;
  }
  return inner;
}

function ancestor<T extends Node>(node: Node, is: (each: Node) => each is T): T | undefined {
  for (let each: Node | undefined = node; each !== undefined; each = each.parent) if (is(each)) return each;
  return undefined;
}

function callsIn(root: Node): CallExpression[] {
  const ts = compiler();
  const found: CallExpression[] = [];
  const visit = (node: Node): void => {
    if (ts.isCallExpression(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(root);
  return found;
}
