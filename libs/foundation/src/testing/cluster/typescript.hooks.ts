/**
 * Lets Node.js run the TypeScript of an application: what is required in this thread, what is imported by
 * `typescript.loader.js` in the thread of the loader.
 */
import Module from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type CompilerPlace, isTypeScript, TypeScriptCompiler } from './typescript.compiler.js';

/** What Node.js keeps to itself, and every runner of TypeScript uses. */
interface ModuleInternals {
  _extensions: Record<string, (module: { _compile(code: string, file: string): void }, file: string) => void>;
  _resolveFilename(request: string, parent: { filename?: string } | undefined, ...rest: unknown[]): string;
  register(specifier: string, options: { parentURL: string; data: CompilerPlace }): void;
}

/** For this process, from now on. */
export function compileTypeScript(place: CompilerPlace): void {
  const compiler = new TypeScriptCompiler(place);
  const internals = Module as unknown as ModuleInternals;
  const plain = internals._extensions['.js']!;
  for (const extension of ['.ts', '.cts', '.tsx']) {
    internals._extensions[extension] = (module, file) => {
      if (!isTypeScript(file)) return plain(module, file);
      module._compile(compiler.compile(file), file);
    };
  }
  const find = internals._resolveFilename.bind(internals);
  internals._resolveFilename = (request, parent, ...rest) => {
    try {
      return find(request, parent, ...rest);
    } catch (error) {
      const from = parent?.filename;
      const found = from !== undefined && isTypeScript(from) ? compiler.resolve(request, from) : undefined;
      if (found === undefined) throw error;
      return found;
    }
  };
  const loader = pathToFileURL(join(import.meta.dirname, 'typescript.loader.js')).href;
  internals.register(loader, { parentURL: loader, data: place });
  process.setSourceMapsEnabled(true);
}
