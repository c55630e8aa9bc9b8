/**
 * Imports of a source file: what is imported, and what to write to import more.
 */
import type { ImportDeclaration, NamedImports, SourceFile } from 'typescript';
import { Refusal } from '../refusal';
import { append, type Edit, newlineOf } from './edits';
import { compiler } from './typescript';

export function importsOf(source: SourceFile): ImportDeclaration[] {
  return source.statements.filter(compiler().isImportDeclaration);
}

/** The text of the module specifier. */
export function originOf(declaration: ImportDeclaration): string {
  return (declaration.moduleSpecifier as unknown as { text: string }).text;
}

/** Where a name of the file comes from: the module, and its name there (`default`, `*`). */
export function importOf(source: SourceFile, local: string): { from: string; name: string } | undefined {
  const ts = compiler();
  for (const declaration of importsOf(source)) {
    const from = originOf(declaration);
    const { importClause: clause } = declaration;
    if (clause?.name?.text === local) return { from, name: 'default' };
    const bindings = clause?.namedBindings;
    if (bindings === undefined) continue;
    if (ts.isNamespaceImport(bindings)) {
      if (bindings.name.text === local) return { from, name: '*' };
      continue;
    }
    const named = bindings.elements.find(({ name }) => name.text === local);
    if (named !== undefined) return { from, name: (named.propertyName ?? named.name).text };
  }
  return undefined;
}

/** What a name of a module is called in the file, if it is imported as a value. */
export function localNameOf(source: SourceFile, name: string, from: string): string | undefined {
  for (const { importClause } of importsOf(source).filter((each) => originOf(each) === from)) {
    if (importClause === undefined || importClause.isTypeOnly) continue;
    const named = namedOf(importClause.namedBindings)?.elements.find(
      (each) => !each.isTypeOnly && (each.propertyName ?? each.name).text === name,
    );
    if (named !== undefined) return named.name.text;
  }
  return undefined;
}

/** Imports a name as a value; nothing where it is. Refuses a name that the file has for something else. */
export function importEdits(source: SourceFile, name: string, from: string): Edit[] {
  if (localNameOf(source, name, from) !== undefined) return [];
  if (isTaken(source, name)) {
    throw new Refusal(
      `${source.fileName} has something else that is called ${name}`,
      `give that another name, or import ${name} from '${from}' by hand`,
    );
  }
  const existing = importsOf(source)
    .filter((each) => originOf(each) === from && each.importClause?.isTypeOnly === false)
    .map((each) => namedOf(each.importClause?.namedBindings))
    .find((bindings) => bindings !== undefined && bindings.elements.length > 0);
  if (existing !== undefined) return append(source, existing.elements, existing.getEnd() - 1, name);
  return newImport(source, `{ ${name} }`, from);
}

function newImport(source: SourceFile, clause: string, from: string): Edit[] {
  const { text } = source;
  const newline = newlineOf(text);
  const last = importsOf(source).at(-1);
  const quote = last?.moduleSpecifier.getText(source).startsWith('"') === true ? '"' : "'";
  const end = last === undefined || last.getText(source).endsWith(';') ? ';' : '';
  const line = `import ${clause} from ${quote}${from}${quote}${end}`;
  if (last === undefined) return [{ at: source.statements[0]?.getFullStart() ?? 0, text: line + newline }];
  const comments = compiler().getTrailingCommentRanges(text, last.getEnd()) ?? [];
  return [{ at: comments.at(-1)?.end ?? last.getEnd(), text: newline + line }];
}

function namedOf(bindings: unknown): NamedImports | undefined {
  const ts = compiler();
  return bindings !== undefined && ts.isNamedImports(bindings as NamedImports) ? (bindings as NamedImports) : undefined;
}

function isTaken(source: SourceFile, name: string): boolean {
  const ts = compiler();
  if (importOf(source, name) !== undefined) return true;
  return source.statements.some((statement) => {
    if (ts.isVariableStatement(statement)) {
      return statement.declarationList.declarations.some((each) => each.name.getText(source) === name);
    }
    return (statement as { name?: { text?: string } }).name?.text === name;
  });
}
