/**
 * The `@Module()` of a class: what its lists have, and what to write to add to one.
 */
import type {
  ArrayLiteralExpression,
  CallExpression,
  ClassDeclaration,
  Expression,
  ObjectLiteralExpression,
  SourceFile,
} from 'typescript';
import { Refusal } from '../refusal';
import { append, type Edit, indentAt, indentUnit, newlineOf, prepend } from './edits';
import { importOf } from './import.edits';
import { compiler } from './typescript';

type List = 'imports' | 'providers';

/** The classes of a file with `@Module()` of Nest, each with the call in its decorator. */
export function modulesIn(source: SourceFile): { name: string; call: CallExpression }[] {
  const ts = compiler();
  return source.statements.filter(ts.isClassDeclaration).flatMap((each) => {
    const call = moduleCallOf(source, each);
    return call === undefined ? [] : [{ name: each.name?.text ?? 'default', call }];
  });
}

function moduleCallOf(source: SourceFile, declaration: ClassDeclaration): CallExpression | undefined {
  const ts = compiler();
  for (const { expression } of ts.getDecorators(declaration) ?? []) {
    if (!ts.isCallExpression(expression)) continue;
    const callee = expression.expression;
    const name = ts.isPropertyAccessExpression(callee) ? callee.name.text : callee.getText(source);
    if (name === 'Module' || importOf(source, name)?.name === 'Module') return expression;
  }
  return undefined;
}

/** Whether the list has an element that begins so: `Feed`, or `FoundationModule.forRoot(…)`. */
export function listHas(source: SourceFile, call: CallExpression, list: List, name: string): boolean {
  const elements = arrayOf(source, call, list)?.elements ?? [];
  return elements.some((element) => rootOf(element) === name);
}

/** The element of that name, with the first argument of its call: the options of `FoundationModule.forRoot(…)`. */
export function optionsOf(
  source: SourceFile,
  call: CallExpression,
  list: List,
  name: string,
): { options: Expression | undefined } | undefined {
  const element = arrayOf(source, call, list)?.elements.find((each) => rootOf(each) === name);
  if (element === undefined) return undefined;
  return { options: compiler().isCallExpression(element) ? element.arguments[0] : undefined };
}

/** The text that an object written out has under a name. */
export function namedText(object: Expression | undefined, name: string): string | undefined {
  const ts = compiler();
  if (object === undefined || !ts.isObjectLiteralExpression(object)) return undefined;
  const property = object.properties.find((each) => each.name !== undefined && textOf(each.name) === name);
  if (property === undefined || !ts.isPropertyAssignment(property)) return undefined;
  return ts.isStringLiteralLike(property.initializer) ? property.initializer.text : undefined;
}

/** The name that an element begins with: of `a.forRoot({…})` it is `a`. */
export function rootOf(element: Expression): string | undefined {
  const ts = compiler();
  let node = element;
  while (ts.isCallExpression(node) || ts.isPropertyAccessExpression(node)) node = node.expression;
  return ts.isIdentifier(node) ? node.text : undefined;
}

/**
 * Adds an element to a list of the module.
 *
 * @throws Refusal where the list is not written out, with what to add by hand.
 */
export function listEdits(source: SourceFile, call: CallExpression, list: List, element: string): Edit[] {
  const { text } = source;
  const newline = newlineOf(text);
  const indent = indentAt(text, call.getStart(source));
  const property = `${list}: [${element}]`;
  const line = `${newline}${indent}${indentUnit(text)}${property},`;
  if (call.arguments.length === 0) return [{ at: call.getEnd() - 1, text: `{${line}${newline}${indent}}` }];
  const object = objectOf(source, call, list, element);
  const array = arrayOf(source, call, list, element);
  if (array !== undefined) return append(source, array.elements, array.getEnd() - 1, element);
  const { properties } = object;
  if (properties.length > 0 && list === 'imports') return prepend(source, properties, property);
  const close = object.getEnd() - 1;
  if (properties.length > 0 || text.slice(properties.pos, close).trim() !== '') {
    return append(source, properties, close, property);
  }
  const ends = text.slice(properties.pos, close).includes('\n') ? '' : newline + indent;
  return [{ at: properties.pos, text: line + ends }];
}

function objectOf(source: SourceFile, call: CallExpression, list: List, element: string): ObjectLiteralExpression {
  const [metadata] = call.arguments;
  if (metadata !== undefined && compiler().isObjectLiteralExpression(metadata)) return metadata;
  throw unreadable(source, call, list, element, `its metadata is \`${brief(metadata?.getText(source) ?? '')}\``);
}

function arrayOf(
  source: SourceFile,
  call: CallExpression,
  list: List,
  element?: string,
): ArrayLiteralExpression | undefined {
  const ts = compiler();
  const [metadata] = call.arguments;
  if (metadata === undefined || !ts.isObjectLiteralExpression(metadata)) return undefined;
  const { properties } = metadata;
  const named = properties.filter((each) => each.name !== undefined && textOf(each.name) === list);
  const property = named.at(-1);
  const spread = properties.findLast(ts.isSpreadAssignment);
  if (element !== undefined && spread !== undefined && (property === undefined || spread.pos > property.pos)) {
    throw unreadable(source, call, list, element, `its metadata has \`${brief(spread.getText(source))}\``);
  }
  if (property === undefined) return undefined;
  const value = ts.isPropertyAssignment(property) ? property.initializer : undefined;
  if (value !== undefined && ts.isArrayLiteralExpression(value)) return value;
  if (element === undefined) return undefined;
  throw unreadable(source, call, list, element, `its ${list} are \`${brief((value ?? property).getText(source))}\``);
}

function textOf(name: object): string | undefined {
  return 'text' in name && typeof name.text === 'string' ? name.text : undefined;
}

function unreadable(source: SourceFile, call: CallExpression, list: List, element: string, why: string): Refusal {
  const owner = (call.parent.parent as ClassDeclaration).name?.text ?? 'the module';
  return new Refusal(
    `The ${list} of ${owner} in ${source.fileName} are not written out as a list, ${why}`,
    `add ${element} to them by hand`,
  );
}

function brief(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
