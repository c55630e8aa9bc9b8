// All modules of all pages in one program, against the package as it is published: dist/libs/foundation, by the
// `exports` and the types that its users get.
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { withImports } from './modules.mjs';
import { ROOT } from './pages.mjs';

export const FOLDER = join(ROOT, 'dist/snippets');
/** Declarations of packages that migration pages come from. */
const OTHERS = join(ROOT, 'test/snippets/others.d.ts');
const PACKAGE = join(ROOT, 'dist/libs/foundation');
/** What pages need not import. */
const OBVIOUS = ['nestjs-foundation', '@nestjs/common'];

const OPTIONS = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts'],
  types: ['node', 'jest'],
  strict: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  allowJs: true,
  checkJs: false,
  // Neither do the types of the package hold what an application would be told off for.
  skipLibCheck: false,
  outDir: join(FOLDER, 'built'),
  rootDir: FOLDER,
};

/** Writes and compiles them; what the compiler says, with places on pages. */
export function compile(modules) {
  if (!existsSync(join(PACKAGE, 'package.json'))) throw new Error('There is no built package: npm run build:lib');
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(join(FOLDER, 'node_modules'), { recursive: true });
  symlinkSync(relative(join(FOLDER, 'node_modules'), PACKAGE), join(FOLDER, 'node_modules/nestjs-foundation'), 'dir');
  writeFileSync(join(FOLDER, 'package.json'), '{ "type": "module" }\n');

  const index = join(FOLDER, 'obvious.ts');
  writeFileSync(index, OBVIOUS.map((name, at) => `export * as p${at} from '${name}';\n`).join(''));
  const host = cachedHost();
  const first = ts.createProgram([index], OPTIONS, host);
  const exported = exportsOf(first, index);

  const files = modules.map((module) => {
    const file = join(FOLDER, `${module.name}.${module.language}`);
    writeFileSync(file, module.language === 'ts' ? withImports(module, exported) : module.text);
    return file;
  });
  const program = ts.createProgram([index, OTHERS, ...files], OPTIONS, host, first);
  // Types of others miss the optional packages of others.
  const isForeign = ({ file }) => file !== undefined && relative(ROOT, file.fileName).startsWith('node_modules');
  const found = ts.getPreEmitDiagnostics(program).filter((each) => !isForeign(each));
  if (found.length === 0) program.emit();
  return found.map((each) => sentence(each, modules));
}

function exportsOf(program, index) {
  const checker = program.getTypeChecker();
  const names = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(index)));
  return Object.fromEntries(
    names.map((namespace, at) => {
      const module = checker.getAliasedSymbol(namespace);
      return [OBVIOUS[at], checker.getExportsOfModule(module).map(({ name }) => name)];
    }),
  );
}

function sentence({ file, start, messageText }, modules) {
  const words = ts.flattenDiagnosticMessageText(messageText, '\n');
  if (file === undefined) return words;
  const module = modules.find(({ name }) => file.fileName.startsWith(join(FOLDER, `${name}.`)));
  const { line } = file.getLineAndCharacterOfPosition(start);
  return `${module?.page ?? relative(ROOT, file.fileName)}:${line + 1}: ${words}`;
}

function cachedHost() {
  const host = ts.createCompilerHost(OPTIONS);
  const read = host.getSourceFile.bind(host);
  const kept = new Map();
  host.getSourceFile = (file, ...rest) => {
    if (!kept.has(file)) kept.set(file, read(file, ...rest));
    return kept.get(file);
  };
  return host;
}
