// The fences of a page as modules of TypeScript: from top to bottom they are one module, and one that begins with an
// import begins the next, unless a hidden one stands before it. A module has the lines of the page, so that what the
// compiler says has the right one.
import ts from 'typescript';
import { isShown, listed } from './texts.mjs';

/** Modules by name: `{ name, page, text, isRun, line }`, without imports that nobody wrote. */
export function modulesOf(fences) {
  const modules = [];
  for (const [index, fence] of fences.entries()) {
    const { page, line, language, text, words } = fence;
    const before = fences[index - 1];
    if (!['ts', 'js'].includes(language) || isShown(fence) || listed(fence) !== undefined) continue;
    const last = modules.at(-1);
    const isPrepared = before?.isHidden && before.page === page;
    const begins = language === 'js' || (/^\s*import\s/.test(text) && !isPrepared);
    const isNext = last?.page !== page || last.language !== language || begins;
    if (isNext) {
      const number = modules.filter((each) => each.page === page).length + 1;
      const name = `${page.replaceAll('/', '__').replace(/\.md$/, '')}.${number}`;
      modules.push({ name, page, language, lines: [], line, isRun: false, output: undefined });
    }
    const current = modules.at(-1);
    for (const [offset, content] of text.split('\n').entries()) current.lines[line - 1 + offset] = content;
    current.isRun ||= words.includes('run');
  }
  return modules.map(({ lines, ...module }) => ({
    ...module,
    text: Array.from(lines, (each) => each ?? '').join('\n'),
  }));
}

/** What a running module has to print: the fence `text output` that comes next on the page. */
export function outputOf({ page, line }, fences) {
  const next = fences.filter((each) => each.page === page && each.line > line);
  const until = next.findIndex((each) => ['ts', 'js'].includes(each.language) && !each.isHidden);
  return next.slice(0, until < 0 ? undefined : until).find(({ words }) => words.includes('output'))?.text;
}

/**
 * The text with one more import for each name that it uses, does not declare, and a package of `exported` has.
 * Pages leave out the imports of what they are about; what is written wins. It goes into the first line, which is
 * empty: a page begins with its heading.
 */
export function withImports({ name, text }, exported) {
  const source = ts.createSourceFile(`${name}.ts`, text, ts.ScriptTarget.ES2022, true);
  const used = new Set();
  const declared = new Set();
  const visit = (node) => {
    if (ts.isIdentifier(node)) used.add(node.text);
    if ((isDeclaration(node) || ts.isImportSpecifier(node) || ts.isImportClause(node)) && node.name !== undefined) {
      if (ts.isIdentifier(node.name)) declared.add(node.name.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  const imports = Object.entries(exported).map(([from, names]) => {
    const wanted = names.filter((each) => used.has(each) && !declared.has(each));
    for (const each of wanted) declared.add(each);
    return wanted.length === 0 ? '' : `import { ${wanted.join(', ')} } from '${from}'; `;
  });
  return `${imports.join('')}export {};${text.startsWith('\n') ? '' : ' '}${text}`;
}

const isDeclaration = (node) =>
  ts.isClassDeclaration(node) ||
  ts.isFunctionDeclaration(node) ||
  ts.isInterfaceDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  ts.isVariableDeclaration(node) ||
  ts.isNamespaceImport(node);
