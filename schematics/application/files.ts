/**
 * Files of the application as text. What was formatted with its Prettier is so again after a change; what was not is
 * left as it is.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Tree } from '@angular-devkit/schematics';
import { Refusal } from '../refusal';

interface Prettier {
  resolveConfig(path: string, options: { editorconfig: boolean }): Promise<object | null>;
  format(text: string, options: object): Promise<string>;
}

export function textOf(tree: Tree, path: string): string | undefined {
  return tree.read(path)?.toString('utf8');
}

/** Underneath: `prettier.format` of the application, with its own configuration; as it is where there is none. */
export async function formatted(path: string, text: string): Promise<string> {
  const prettier = prettierOfApplication();
  if (prettier === undefined) return text;
  try {
    const file = join(process.cwd(), path);
    const options = await prettier.resolveConfig(file, { editorconfig: true });
    return await prettier.format(text, { ...options, filepath: file });
  } catch {
    return text; // A plugin that is not there, a syntax it does not know.
  }
}

/** Writes what a file has become. */
export async function change(tree: Tree, path: string, text: string): Promise<void> {
  const before = textOf(tree, path);
  if (before === undefined || before === text) return;
  const isFormatted = (await formatted(path, before)) === before;
  tree.overwrite(path, isFormatted ? await formatted(path, text) : text);
}

/** Writes a new file, formatted. */
export async function create(tree: Tree, path: string, text: string): Promise<void> {
  if (tree.exists(path)) {
    throw new Refusal(`${path.replace(/^\//, '')} exists`, 'choose another name, or remove the file first');
  }
  tree.create(path, await formatted(path, text));
}

function prettierOfApplication(): Prettier | undefined {
  try {
    return createRequire(join(process.cwd(), 'package.json'))('prettier') as Prettier;
  } catch {
    return undefined;
  }
}
