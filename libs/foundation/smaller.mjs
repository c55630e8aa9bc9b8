// What the package can do without: declarations that no entry leads to, and comments of code whose declarations have
// them, too. Called by stage.mjs.
import { readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import ts from 'typescript';

/** Removes every `.d.ts` in `folder` that no entry of the manifest leads to: nobody can import it. */
export function removeUnreachable(folder, { exports }) {
  const waiting = Object.values(exports)
    .filter((entry) => typeof entry === 'object')
    .flatMap((entry) => [entry.import.types, entry.require.types])
    .map((file) => resolve(folder, file));
  const reached = new Set();
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    const text = readFileSync(file, 'utf8');
    for (const [, from] of text.matchAll(/\b(?:from|import)\s*\(?\s*['"](\.[^'"]+)\.js['"]/g))
      waiting.push(resolve(dirname(file), `${from}.d.ts`));
  }
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile() && file.endsWith('.d.ts') && !reached.has(file)) rmSync(file);
  }
  const folders = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isDirectory());
  // The deepest first.
  for (const entry of folders.map((each) => join(each.parentPath, each.name)).sort((a, b) => b.length - a.length))
    if (readdirSync(entry).length === 0) rmdirSync(entry);
}

/** An ES module without its comments; the line of a program stays. */
export function withoutComments(path, text) {
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2022,
    removeComments: true,
    // Imports stay, also those of which only an effect is used.
    verbatimModuleSyntax: true,
  };
  return ts.transpileModule(text, { fileName: path, compilerOptions }).outputText;
}
