/**
 * Where the application imports `FoundationModule`, and what it calls itself there.
 */
import { posix } from 'node:path';
import type { Tree } from '@angular-devkit/schematics';
import { parse } from '../syntax/edits';
import { modulesIn, namedText, optionsOf } from '../syntax/module.metadata';
import type { Application } from './application';
import { textOf } from './files';

export interface FoundationImport {
  path: string;
  /** The name of the cluster, where it is written out. */
  appName?: string;
}

/** The first module of the application that imports it, looked for in the sources but for specs. */
export function foundationIn(tree: Tree, { sourceRoot }: Application, without?: string): FoundationImport | undefined {
  let found: FoundationImport | undefined;
  tree.getDir(sourceRoot).visit((file) => {
    const path = posix.relative('/', file);
    if (found !== undefined || path === without || !/(?<!spec|\.d)\.ts$/.test(path)) return;
    const text = textOf(tree, path) ?? '';
    if (text.includes('FoundationModule')) found = importIn(path, text);
  });
  return found;
}

function importIn(path: string, text: string): FoundationImport | undefined {
  const source = parse(path, text);
  for (const { call } of modulesIn(source)) {
    const element = optionsOf(source, call, 'imports', 'FoundationModule');
    if (element !== undefined) return { path, appName: namedText(element.options, 'appName') };
  }
  return undefined;
}
