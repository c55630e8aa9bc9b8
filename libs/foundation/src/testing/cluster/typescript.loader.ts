/**
 * The hooks with which Node.js imports the TypeScript of an application; they run in the thread of its loader.
 * Registered by `typescript.hooks.ts`; underneath `node:module`'s customization hooks.
 */
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type CompilerPlace, isTypeScript, TypeScriptCompiler } from './typescript.compiler.js';

interface Resolved {
  url: string;
  format?: string | null;
  shortCircuit?: boolean;
}
interface Loaded {
  format: string;
  source?: string;
  shortCircuit?: boolean;
}

let compiler: TypeScriptCompiler | undefined;

export function initialize(place: CompilerPlace): void {
  compiler = new TypeScriptCompiler(place);
}

export async function resolve(
  specifier: string,
  context: { parentURL?: string },
  next: (specifier: string, context: object) => Promise<Resolved>,
): Promise<Resolved> {
  try {
    return await next(specifier, context);
  } catch (error) {
    const from = context.parentURL?.startsWith('file:') ? fileURLToPath(context.parentURL) : undefined;
    const found = from !== undefined && isTypeScript(from) ? compiler?.resolve(specifier, from) : undefined;
    if (found === undefined) throw error;
    return { url: pathToFileURL(found).href, shortCircuit: true };
  }
}

export async function load(
  url: string,
  context: object,
  next: (url: string, context: object) => Promise<Loaded>,
): Promise<Loaded> {
  const file = url.startsWith('file:') ? fileURLToPath(url.replace(/[?#].*$/, '')) : '';
  if (compiler === undefined || !isTypeScript(file)) return next(url, context);
  const format = compiler.formatOf(file);
  // What is required is compiled where it is required.
  if (format === 'commonjs') return { format, shortCircuit: true };
  return { format, source: compiler.compile(file), shortCircuit: true };
}
