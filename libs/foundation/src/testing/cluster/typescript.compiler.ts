/**
 * Compiles one file of an application at a time, as its `tsconfig.json` says, by the TypeScript that it has.
 * Used by the hooks of Node.js in the process of a node; underneath `ts.transpileModule`, so types are not checked.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join, resolve } from 'node:path';
import type TypeScript from 'typescript';

/** Where the application is, and where compiled files are kept until its test ends. */
export interface CompilerPlace {
  cwd: string;
  folder: string;
}

/** What a module of Node.js is, by its file and its `package.json`. */
export type ModuleFormat = 'module' | 'commonjs';

const TYPESCRIPT = /(?<!\.d)\.[cm]?tsx?$/;

/** Whether the file is the application's own TypeScript. */
export function isTypeScript(file: string): boolean {
  return TYPESCRIPT.test(file) && !/[\\/]node_modules[\\/]/.test(file);
}

/** See the file header. */
export class TypeScriptCompiler {
  #typescript?: typeof TypeScript;
  #options?: TypeScript.CompilerOptions;
  readonly #formats = new Map<string, ModuleFormat>();

  constructor(private readonly place: CompilerPlace) {}

  /** The JavaScript of a file, with its source map inside. @throws SyntaxError */
  compile(file: string): string {
    const text = readFileSync(file, 'utf8');
    const key = createHash('sha256').update(`${file}\n${text}`).digest('hex');
    const kept = join(this.place.folder, `${key}.js`);
    if (existsSync(kept)) return readFileSync(kept, 'utf8');
    const compiled = this.#transpile(file, text);
    // Renamed, so that a node that starts at the same time reads it whole or not at all.
    const written = `${kept}.${process.pid}`;
    writeFileSync(written, compiled);
    renameSync(written, kept);
    return compiled;
  }

  /** As Node.js tells: by the extension, else by the nearest `package.json`. */
  formatOf(file: string): ModuleFormat {
    const extension = extname(file);
    if (/^\.m/.test(extension)) return 'module';
    if (/^\.c/.test(extension)) return 'commonjs';
    return this.#formatIn(dirname(file));
  }

  /** The TypeScript that a specifier means: `./a.js` for `a.ts`, a path without an extension, an alias of `paths`. */
  resolve(specifier: string, from: string): string | undefined {
    const near = /^\.{0,2}\//.test(specifier) ? resolve(dirname(from), specifier) : undefined;
    const source = near?.replace(/\.([cm]?)js(x?)$/, '.$1ts$2');
    if (source !== undefined && source !== near && existsSync(source)) return source;
    const { resolvedModule } = this.#compiler.resolveModuleName(
      specifier,
      from,
      this.#compilerOptions,
      this.#compiler.sys,
    );
    const found = resolvedModule?.resolvedFileName;
    return found !== undefined && isTypeScript(found) ? found : undefined;
  }

  #formatIn(folder: string): ModuleFormat {
    const known = this.#formats.get(folder);
    if (known !== undefined) return known;
    const manifest = join(folder, 'package.json');
    const parent = dirname(folder);
    const format: ModuleFormat = existsSync(manifest)
      ? typeIn(readFileSync(manifest, 'utf8'))
      : parent === folder
        ? 'commonjs'
        : this.#formatIn(parent);
    this.#formats.set(folder, format);
    return format;
  }

  #transpile(file: string, text: string): string {
    const ts = this.#compiler;
    // What `nodenext` means follows from the package, which a single text does not show.
    const kind =
      this.formatOf(file) === 'module'
        ? { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }
        : { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 };
    const { outputText, diagnostics = [] } = ts.transpileModule(text, {
      fileName: file.replace(/\.[cm]ts$/, '.ts'),
      reportDiagnostics: true,
      compilerOptions: { ...this.#compilerOptions, ...kind },
    });
    // What is said of the options is no matter of this file, and the build of the application says it as well.
    const errors = diagnostics.filter((each) => each.file !== undefined);
    if (errors.length > 0) {
      const host = { getCanonicalFileName: String, getCurrentDirectory: () => this.place.cwd, getNewLine: () => '\n' };
      throw new SyntaxError(ts.formatDiagnostics(errors, host));
    }
    return outputText;
  }

  get #compiler(): typeof TypeScript {
    if (this.#typescript !== undefined) return this.#typescript;
    try {
      const load = createRequire(join(this.place.cwd, 'package.json'));
      this.#typescript = load('typescript') as typeof TypeScript;
      return this.#typescript;
    } catch (error) {
      throw new Error(
        `The entry of the nodes is TypeScript, and there is no package typescript in ${this.place.cwd} to compile it. ` +
          `Build the application, and start the cluster with entry: 'dist/main.js'`,
        { cause: error },
      );
    }
  }

  get #compilerOptions(): TypeScript.CompilerOptions {
    if (this.#options !== undefined) return this.#options;
    const ts = this.#compiler;
    const file = ts.findConfigFile(this.place.cwd, (path) => ts.sys.fileExists(path));
    const config =
      file === undefined ? {} : (ts.readConfigFile(file, (path) => ts.sys.readFile(path)).config as object);
    const host = { ...ts.sys, readDirectory: () => [] };
    const { options } = ts.parseJsonConfigFileContent(
      config,
      host,
      file === undefined ? this.place.cwd : dirname(file),
    );
    const own = { inlineSourceMap: true, inlineSources: true, sourceMap: false, isolatedModules: true, noEmit: false };
    const none = { declaration: false, declarationMap: false, composite: false, incremental: false, outDir: undefined };
    this.#options = { ...options, ...own, ...none, emitDeclarationOnly: false, noEmitOnError: false };
    return this.#options;
  }
}

function typeIn(manifest: string): ModuleFormat {
  try {
    return (JSON.parse(manifest) as { type?: unknown }).type === 'module' ? 'module' : 'commonjs';
  } catch {
    return 'commonjs';
  }
}
