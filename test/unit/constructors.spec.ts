// A constructor that takes much takes it by name, so that no swap of two arguments compiles.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const SRC = join(import.meta.dirname, '../../libs/foundation/src');
const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'),
);

function constructorsIn(node: ts.Node): ts.ConstructorDeclaration[] {
  const found: ts.ConstructorDeclaration[] = ts.isConstructorDeclaration(node) ? [node] : [];
  node.forEachChild((child) => void found.push(...constructorsIn(child)));
  return found;
}

const constructors = sources.flatMap((name) => {
  const text = readFileSync(join(SRC, name), 'utf8');
  return constructorsIn(ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true)).map(
    ({ parent, parameters }) => ({
      name: `${name}: ${(parent as ts.ClassDeclaration).name?.text}`,
      // Of a class that Nest makes, each says by a token what it is.
      isInjected: parameters.some((each) => (ts.getDecorators(each) ?? []).length > 0),
      types: parameters.map(({ type, initializer }) => type?.getText() ?? initializer?.getText()),
    }),
  );
});

describe('the constructors of the library', () => {
  it('are found', () => expect(constructors.length).toBeGreaterThan(100));

  it('take five arguments at most; else one object of named parts', () => {
    expect(constructors.filter(({ types, isInjected }) => types.length > 5 && !isInjected)).toEqual([]);
  });

  it('take no two arguments of one type, except errors, whose sentences the spec of each has', () => {
    const others = constructors.filter(({ name }) => !name.startsWith('errors/'));
    expect(others.filter(({ types }) => new Set(types).size < types.length)).toEqual([]);
  });
});
