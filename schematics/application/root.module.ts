/**
 * The module that the application starts with: by what its main file hands to `NestFactory`, or as it is told.
 */
import { posix } from 'node:path';
import type { Tree } from '@angular-devkit/schematics';
import type { SourceFile } from 'typescript';
import { Refusal } from '../refusal';
import { startedModules } from '../syntax/bootstrap';
import { parse } from '../syntax/edits';
import { importOf } from '../syntax/import.edits';
import { modulesIn } from '../syntax/module.metadata';
import type { Application } from './application';
import { textOf } from './files';

export interface RootModule {
  path: string;
  name: string;
}

const BY_HAND =
  'name the file of the root module with --module src/app.module.ts, or add FoundationModule.forRoot({ cluster: true }) ' +
  'to its imports and app.enableShutdownHooks() to the main file by hand';

export function rootModuleOf(tree: Tree, application: Application, module: string | undefined): RootModule {
  return module === undefined ? startedModule(tree, application) : namedModule(tree, application, module);
}

function namedModule(tree: Tree, { sourceRoot }: Application, module: string): RootModule {
  const folders = ['', sourceRoot];
  const paths = folders.flatMap((folder) =>
    [module, `${module}.ts`, `${module}.module.ts`].map((each) => posix.join(folder, each)),
  );
  const path = paths.map((each) => each.replace(/^\//, '')).find((each) => each.endsWith('.ts') && tree.exists(each));
  if (path === undefined)
    throw new Refusal(`There is no ${module} in this application`, 'give the path of a file to --module');
  const [found, more] = modulesIn(parse(path, textOf(tree, path)!));
  if (found === undefined) throw new Refusal(`${path} has no class with @Module()`, BY_HAND);
  if (more !== undefined) {
    throw new Refusal(`${path} has more than one class with @Module()`, 'put the root module into a file of its own');
  }
  return { path, name: found.name };
}

function startedModule(tree: Tree, { entry }: Application): RootModule {
  const main = `${entry}.ts`;
  if (!tree.exists(main)) {
    const script = ['js', 'mjs', 'cjs'].map((suffix) => `${entry}.${suffix}`).find((each) => tree.exists(each));
    throw script === undefined
      ? new Refusal(`There is no ${main}, where the application would start`, BY_HAND)
      : new Refusal(`The application starts with ${script}, and only TypeScript can be changed`, BY_HAND);
  }
  const source = parse(main, textOf(tree, main)!);
  const [name, more] = startedModules(source);
  if (name === undefined) throw new Refusal(`${main} does not call NestFactory.create()`, BY_HAND);
  if (more !== undefined) throw new Refusal(`${main} starts more than one module`, BY_HAND);
  if (name === '') throw new Refusal(`${main} does not give the class of a module to NestFactory`, BY_HAND);
  const origin = importOf(source, name);
  const path = origin === undefined ? main : fileOf(tree, main, origin.from);
  const from = path === undefined ? undefined : parse(path, textOf(tree, path)!);
  const declared = from && modulesIn(from).find((each) => each.name === classIn(from, origin?.name ?? name));
  if (path === undefined || declared === undefined) {
    throw new Refusal(`The root module ${name} was not found where ${main} takes it from`, BY_HAND);
  }
  return { path, name: declared.name };
}

/** Under which name the file declares what it exports under this one. */
function classIn(source: SourceFile, exported: string): string {
  if (exported !== 'default') return exported;
  return modulesIn(source)[0]?.name ?? exported;
}

/** The TypeScript file that a relative import leads to. */
function fileOf(tree: Tree, from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const path = posix.join(posix.dirname(from), specifier).replace(/\.[cm]?js$/, '');
  return [`${path}.ts`, path, `${path}/index.ts`].find((each) => each.endsWith('.ts') && tree.exists(each));
}
