// Holds docs/reference/bounds.md to the sources: each bound has the value that it says, each spec it names is there,
// and none is missing.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const root = join(import.meta.dirname, '../..');
const sources = join(root, 'libs/foundation/src');

/** Constants that are called like a bound and are none. Times end with `_MS` and need no line here. */
const NO_BOUNDS: Readonly<Record<string, string>> = {
  'processes/supervision/process.declarations.ts MAX_BATCH': 'of more names there are more questions',
  'backend/tables/table.replica.ts MAX_CONFLICTS': 'tries, then an error',
  'backend/tables/full.read.ts MAX_RESTARTS': 'tries, then an error',
  'settings/config.setter.ts MAX_OVERTAKEN': 'tries, then an error',
  'time/backoff.ts MAX_DOUBLINGS': 'of a time',
  'backend/transport/direct/stream/frames.ts MAX_PART': 'a larger text is sent in several parts',
  'backend/transport/direct/stream/frames.ts MAX_SEQ': 'as far as six bytes count',
  'backend/transport/direct/relay.ts MAX_LETTER': 'of more parts there are more letters',
  'backend/transport/outbox.ts MAX_TURN': 'the rest is handed over in the next turn',
  'dashboard/cluster.poller.ts MAX_LOOKS': 'how many reasons are looked for in a second',
};

interface Row {
  what: string;
  bound: string;
  file: string;
  constant: string;
  filledBy: string;
}

/** The rows of the tables; cells have no `|` in them. */
function rowsOf(markdown: string): Row[] {
  return markdown.split('\n').flatMap((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    const [, file = '', constant = ''] = /^`([^`]+)` `([^`]+)`$/.exec(cells[5] ?? '') ?? [];
    return file === '' ? [] : [{ what: cells[1]!, bound: cells[2]!, file, constant, filledBy: cells[6]! }];
  });
}

/** What a bound says first: `10,000`, `64 Mi characters`, `4 KiB`. */
function valueOf(bound: string): number | undefined {
  const [, digits, unit = ''] = /^([\d,]+)(?: (Ki|Mi|Gi)B?\b)?/.exec(bound) ?? [];
  const units: Record<string, number> = { '': 1, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 };
  const [, more, moreUnit = ''] = / and ([\d,]+)(?: (Ki|Mi|Gi)B?\b)/.exec(bound) ?? [];
  const number = (text: string): number => Number(text.replaceAll(',', ''));
  if (digits === undefined) return undefined;
  return number(digits) * units[unit]! + (more === undefined ? 0 : number(more) * units[moreUnit]!);
}

/** The constants of a file whose values are numbers, those of objects as `NAME.property`. */
function constantsOf(file: string, source: string): Map<string, number> {
  const constants = new Map<string, number>();
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const evaluate = (node: ts.Expression): number => {
    if (ts.isNumericLiteral(node)) return Number(node.text);
    if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node)) return evaluate(node.expression);
    if (ts.isIdentifier(node)) return constants.get(node.text) ?? imported(node.text);
    if (!ts.isBinaryExpression(node)) return NaN;
    const [a, b] = [evaluate(node.left), evaluate(node.right)];
    const { AsteriskToken, AsteriskAsteriskToken, PlusToken, MinusToken } = ts.SyntaxKind;
    const results = new Map<ts.SyntaxKind, number>([
      ...([
        [AsteriskToken, a * b],
        [PlusToken, a + b],
        [MinusToken, a - b],
      ] as const),
      [AsteriskAsteriskToken, a ** b],
    ]);
    return results.get(node.operatorToken.kind) ?? NaN;
  };
  const imported = (name: string): number => {
    const [, path = ''] = new RegExp(`import [^;]*\\b${name}\\b[^;]* from '([^']+)\\.js'`).exec(source) ?? [];
    const from = join(file, '..', `${path}.ts`);
    return path === '' ? NaN : (constantsOf(from, readFileSync(join(sources, from), 'utf8')).get(name) ?? NaN);
  };
  for (const statement of tree.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (!ts.isIdentifier(name) || initializer === undefined) continue;
      const inner = ts.isAsExpression(initializer) ? initializer.expression : initializer;
      if (!ts.isObjectLiteralExpression(inner)) constants.set(name.text, evaluate(initializer));
      else
        for (const each of inner.properties)
          if (ts.isPropertyAssignment(each)) {
            constants.set(`${name.text}.${each.name.getText(tree)}`, evaluate(each.initializer));
          }
    }
  }
  return constants;
}

/** What is called like a bound: `MAX_…`, `MOST_…`, `LIMITS`. */
function boundsOf(file: string, source: string): string[] {
  return [...source.matchAll(/^(?:export )?const ((?:MAX|MOST)_[A-Z_]+|LIMITS)\b/gm)]
    .map(([, name]) => `${file} ${name}`)
    .filter((name) => !name.endsWith('_MS') || name in NO_BOUNDS);
}

describe('docs/reference/bounds.md', () => {
  const rows = rowsOf(readFileSync(join(root, 'docs/reference/bounds.md'), 'utf8'));
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts') && !file.startsWith('testing/'));

  it('has rows', () => expect(rows.length).toBeGreaterThan(50));

  it.each(rows)('says the value of $constant in $file', ({ file, constant, bound }) => {
    const value = constantsOf(file, readFileSync(join(sources, file), 'utf8')).get(constant);
    expect(value).toBeDefined();
    expect(valueOf(bound)).toBe(value);
  });

  it('names specs that are there', () => {
    const lost = rows.filter(({ filledBy }) => {
      if (filledBy === '—') return false;
      const [, spec = '', title = ''] = /^`([^`]+)`: (.+)$/.exec(filledBy) ?? [];
      const path = join(spec.startsWith('test/') ? root : sources, spec);
      return !existsSync(path) || title === '' || !readFileSync(path, 'utf8').includes(title);
    });
    expect(lost).toEqual([]);
  });

  it('has every bound of the sources', () => {
    const known = new Set(rows.map(({ file, constant }) => `${file} ${constant.split('.')[0]}`));
    const found = files.flatMap((file) => boundsOf(file, readFileSync(join(sources, file), 'utf8')));
    expect(found.filter((name) => !known.has(name) && !(name in NO_BOUNDS))).toEqual([]);
  });

  it('would find a bound that is missing, and a value that is another one', () => {
    expect(boundsOf('a.ts', 'export const MAX_THINGS = 5;\nconst LIMITS = { a: 1 };\nconst MAX_WAIT_MS = 1;')).toEqual([
      'a.ts MAX_THINGS',
      'a.ts LIMITS',
    ]);
    const constants = constantsOf(
      'a.ts',
      'const A = 2 ** 4 - 1;\nconst B = { c: 64 * 1024 } as const;\nconst C = A + 1;',
    );
    expect(Object.fromEntries(constants)).toEqual({ A: 15, 'B.c': 65_536, C: 16 });
    expect(['10,000 of each', '64 Mi characters', '4 KiB', 'some'].map(valueOf)).toEqual([
      10_000,
      2 ** 26,
      4096,
      undefined,
    ]);
  });
});
