// Reads the imports of the library and holds them to the floor plan: a room imports only from rooms below it.
// The checker is a pure function over { path: source }, so that the last test can show what it catches.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

type Sources = Record<string, string>;
type Edge = { from: string; to: string; line: number; typeOnly: boolean };

// `decorated` lies just under the rooms of floor 4, which share it; `testing` is above all: nobody may import it.
const PLAN: [number, string[]][] = [
  [0, ['errors', 'foreign', 'telemetry']],
  [1, ['config']],
  [2, ['tools']],
  [3, ['cluster']],
  [3.5, ['decorated']],
  [4, ['processes', 'channels', 'services']],
  [5, ['health', 'metrics', 'v1', 'microservices', 'prometheus', 'opentelemetry', 'dashboard']],
  [6, ['foundation.module', 'foundation.lifecycle', 'index']],
  [7, ['testing', 'cli']],
];
const FLOORS = Object.fromEntries(PLAN.flatMap(([floor, rooms]) => rooms.map((name) => [name, floor] as const)));
const SEPARATE = 4;
const TOOLS = /^(ioredis|redlock|bullmq)(\/|$)/;
const SELF = /^nestjs-foundation(\/|$)/;

const room = (file: string) => (file.split('/')[0] ?? file).replace(/(\.d)?\.ts$/, '');

function edgesOf(from: string, source: string): Edge[] {
  const edges: Edge[] = [];
  const tree = ts.createSourceFile(from, source, ts.ScriptTarget.Latest, true);
  const add = (name: ts.Node | undefined, typeOnly: boolean) => {
    if (!name || !ts.isStringLiteralLike(name)) return;
    const inside = name.text.startsWith('.');
    const to = inside ? posix.join(posix.dirname(from), name.text).replace(/\.js$/, '.ts') : name.text;
    edges.push({ from, to, typeOnly, line: tree.getLineAndCharacterOfPosition(name.getStart()).line + 1 });
  };
  const allTypes = (names: ts.Node | undefined) =>
    !!names && (ts.isNamedImports(names) || ts.isNamedExports(names)) && names.elements.length > 0
      ? names.elements.every((element) => element.isTypeOnly)
      : false;
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause;
      const typeOnly = clause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      add(node.moduleSpecifier, typeOnly || (!clause?.name && allTypes(clause?.namedBindings)));
    } else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly || allTypes(node.exportClause));
    else if (ts.isExternalModuleReference(node)) add(node.expression, false);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && /^(import|require)$/.test(node.expression.getText(tree)))
      add(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return edges;
}

function cyclesIn(edges: Edge[]): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const walk = (file: string, path: string[]): void => {
    if (path.includes(file)) return void found.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    if (done.has(file)) return;
    for (const edge of edges) if (edge.from === file && !edge.typeOnly) walk(edge.to, [...path, file]);
    done.add(file);
  };
  for (const { from } of edges) walk(from, []);
  return found;
}

function wrongFloor({ from, to }: Edge): string[] {
  const [own, other] = [FLOORS[room(from)], FLOORS[room(to)]];
  if (own === undefined || other === undefined) return ['one of them is in no row of the floor table'];
  if (other > own) return [`floor ${own} reaches up to floor ${other}`];
  return own === SEPARATE && other === SEPARATE && room(from) !== room(to) ? [`rooms of floor ${own} stay apart`] : [];
}

function check(sources: Sources) {
  const edges = Object.entries(sources).flatMap(([path, source]) => edgesOf(path, source));
  const inside = edges.filter((edge) => /\.ts$/.test(edge.to));
  const say = ({ from, line, to }: Edge, why: string) => `${from}:${line} imports ${to} (${why})`;
  return {
    floors: inside.flatMap((edge) => wrongFloor(edge).map((why) => say(edge, why))),
    cycles: cyclesIn(inside),
    barrels: edges.filter(({ to }) => /(^|\/)index\.ts$/.test(to) || SELF.test(to)).map((edge) => say(edge, 'barrel')),
    tools: edges.filter(({ from, to }) => TOOLS.test(to) && room(from) !== 'tools').map((edge) => say(edge, 'tool')),
  };
}

describe('the floors of the library', () => {
  const root = join(import.meta.dirname, '../libs/foundation/src');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((file) => file.replaceAll('\\', '/'));
  const sources = files.filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'));
  const found = check(Object.fromEntries(sources.map((file) => [file, readFileSync(join(root, file), 'utf8')])));

  it('has sources to read, each in a room of the floor table', () => {
    expect(sources).not.toEqual([]);
    expect(sources.filter((file) => FLOORS[room(file)] === undefined)).toEqual([]);
  });
  it('imports only from rooms below', () => expect(found.floors).toEqual([]));
  it('has no import cycles between files', () => expect(found.cycles).toEqual([]));
  it('imports no barrel', () => expect(found.barrels).toEqual([]));
  it('keeps ioredis, redlock and bullmq inside tools', () => expect(found.tools).toEqual([]));

  it('would catch a violation of each kind', () => {
    const bad = check({
      'errors.ts': "import type { Lease } from './tools/lease.js';",
      'decorated.ts': "export * from './channels/router.js';",
      'processes/spec.ts': "import { a } from '../decorated.js';\nconst b = () => import('../services/mesh.js');",
      'health/monitor.ts': "import { c } from '../testing/harness.js';\nlet d: import('../v1/events.js').Events;",
      'tools/keys.ts': "import 'ioredis'; import { e } from './lease.js'; import { f } from '../helpers/f.js';",
      'tools/lease.ts': "import { g } from './keys.js'; import { type H } from './records.js';",
      'tools/records.ts': "import { i } from './lease.js';",
      'testing/harness.ts': "import { j } from '../index.js'; import type { Queue } from 'bullmq';",
      'v1/events.ts': "import k from 'nestjs-foundation'; const l = require('redlock/dist/index.js');",
    });
    expect(bad.floors).toEqual([
      'errors.ts:1 imports tools/lease.ts (floor 0 reaches up to floor 2)',
      'decorated.ts:1 imports channels/router.ts (floor 3.5 reaches up to floor 4)',
      'processes/spec.ts:2 imports services/mesh.ts (rooms of floor 4 stay apart)',
      'health/monitor.ts:1 imports testing/harness.ts (floor 5 reaches up to floor 7)',
      'tools/keys.ts:1 imports helpers/f.ts (one of them is in no row of the floor table)',
    ]);
    expect(bad.cycles).toEqual(['tools/keys.ts -> tools/lease.ts -> tools/keys.ts']);
    expect(bad.barrels).toEqual([
      'testing/harness.ts:1 imports index.ts (barrel)',
      'v1/events.ts:1 imports nestjs-foundation (barrel)',
    ]);
    expect(bad.tools).toEqual([
      'testing/harness.ts:1 imports bullmq (tool)',
      'v1/events.ts:1 imports redlock/dist/index.js (tool)',
    ]);
  });
});
