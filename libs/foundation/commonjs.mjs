// The CommonJS twin of what tsc built, for applications and Jest configurations that `require`: from dist to dist/cjs.
// From the emitted JavaScript, not from the sources: the types are checked, and the metadata of Nest written, by then.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

/** What `import.meta` says, in words of CommonJS. What else it is asked for, the build refuses. */
const META = [
  [/\bimport\.meta\.dirname\b/g, '__dirname'],
  [/\bimport\.meta\.url\b/g, "require('node:url').pathToFileURL(__filename).href"],
];
/**
 * What tsc makes of `await import('x')`. A `require` in a function of its own is no longer within the `try` of the
 * source, and bundlers fail then, rather than warn, where the package is missing. In an async function both mean the
 * same.
 */
const LATE = /\bawait Promise\.resolve\(\)\.then\(\(\) => __importStar\((require\('[^']+'\))\)\)/g;
const compilerOptions = {
  module: ts.ModuleKind.CommonJS,
  target: ts.ScriptTarget.ES2022,
  esModuleInterop: true,
  removeComments: true,
};

/** Nobody requires the command line. */
const isProgram = (source) => source.startsWith('cli/');
/** What is CommonJS already is there once. */
const isShared = (source) => source.endsWith('.cjs');
const SHARED = /(?<=\bfrom ')\.\/(?=[^']+\.cjs')/g;

const changed = (path) => statSync(path).mtimeMs;

export function writeCommonJs(built) {
  const target = join(built, 'cjs');
  const sources = readdirSync(built, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.startsWith(target))
    .map((entry) => relative(built, join(entry.parentPath, entry.name)));
  const wanted = new Set(sources.filter((source) => !isProgram(source) && !isShared(source)));
  for (const file of existsSync(target) ? readdirSync(target, { recursive: true, withFileTypes: true }) : []) {
    const path = join(file.parentPath, file.name);
    if (file.isFile() && !wanted.has(relative(target, path))) rmSync(path);
  }
  for (const source of sources) {
    const [from, to] = [join(built, source), join(target, source)];
    if (/\.(map|tsbuildinfo)$/.test(source) || isProgram(source) || isShared(source)) continue;
    if (existsSync(to) && [from, import.meta.filename].every((path) => changed(to) > changed(path))) continue;
    mkdirSync(dirname(to), { recursive: true });
    if (source.endsWith('.js')) writeFileSync(to, commonJs(source, from));
    else cpSync(from, to);
  }
  writeFileSync(join(target, 'package.json'), `${JSON.stringify({ type: 'commonjs' })}\n`);
}

function commonJs(source, path) {
  let text = readFileSync(path, 'utf8').replace(/^\/\/# sourceMappingURL=.*\n?/gm, '');
  for (const [said, means] of META) text = text.replace(said, means);
  const up = source
    .split(/[\\/]/)
    .map(() => '..')
    .join('/');
  text = text.replace(SHARED, `${up}/${dirname(source)}/`);
  const { outputText: emitted, diagnostics } = ts.transpileModule(text, {
    fileName: path,
    compilerOptions,
    reportDiagnostics: true,
  });
  const outputText = emitted.replace(LATE, 'await __importStar($1)');
  const problems = diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
  if (outputText.includes('import.meta')) problems.push('it asks import.meta for something new');
  if (outputText.includes('=> __importStar(')) problems.push('it imports late without an await');
  // In CommonJS it is a name, and so may pass for a call.
  if (awaitsAtTop(ts.createSourceFile(path, text, ts.ScriptTarget.ES2022))) problems.push('it awaits at the top');
  if (problems.length > 0) throw new Error(`${source} cannot be CommonJS: ${problems.join(' ')}`);
  return outputText;
}

function awaitsAtTop(node) {
  if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier !== undefined)) return true;
  return !ts.isFunctionLike(node) && (ts.forEachChild(node, (child) => awaitsAtTop(child) || undefined) ?? false);
}
