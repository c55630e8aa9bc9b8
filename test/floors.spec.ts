// Reads the imports of the library and holds them to the floor plan: a room imports only from rooms below it.
// The checker is a pure function over { path: source }, so that the last test can show what it catches.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

type Sources = Record<string, string>;
type Edge = { from: string; to: string; line: number };

// From the ground up. Rooms of one floor never import each other; a folder that has no row belongs to the room around
// it.
const PLAN: string[][] = [
  ['errors', 'time', 'wire'],
  ['logging'],
  ['foreign'],
  ['telemetry', 'security'],
  ['context'],
  ['config'],
  ['backend/redis'],
  ['backend/transport/direct/stream'],
  ['backend/transport/direct/link'],
  // The ports: each a contract with its adapters.
  ['backend/leases', 'backend/directory', 'backend/tables', 'backend/streams', 'backend/restarts', 'backend/transport'],
  ['backend/transport/direct'],
  ['backend'],
  ['cluster'],
  ['cluster/topologies/announce'],
  [
    'cluster/topologies/kubernetes',
    'cluster/topologies/consul',
    'cluster/topologies/dns',
    'cluster/topologies/gossip',
    'cluster/topologies/mdns',
  ],
  ['cluster/topologies'],
  ['locator'],
  ['decorated'],
  ['foreign.decorators', 'idle.instances', 'late.modules'],
  ['schemas', 'enhancers'],
  ['calls'],
  ['processes/placement'],
  ['processes/declaration'],
  ['processes/table'],
  ['processes/instance'],
  ['processes/restarts'],
  ['processes/supervision'],
  ['processes', 'channels', 'services'],
  ['health', 'metrics', 'microservices', 'settings', 'cron', 'node.chronicle', 'copies', 'execution.host'],
  ['journal'],
  ['terminus', 'prometheus', 'opentelemetry', 'dashboard', 'cache', 'locks', 'outbox', 'socketio', 'v1', 'node.parts'],
  ['foundation.declarations', 'foundation.edges', 'foundation.offers', 'foundation.startup', 'node.witness'],
  ['foundation.lifecycle'],
  ['foundation.module'],
  // Nobody may import these.
  ['index', 'cli', 'testing'],
];
/** Of the generators, which are a program of their own and know nothing of the library. */
const SCHEMATICS = [['refusal'], ['syntax'], ['application'], ['nest-add', 'elements', 'deploy']].map((rooms) =>
  rooms.map((name) => `schematics/${name}`),
);
/** Parts of one room that share its other files, and import nothing of each other. */
const SIBLINGS: string[][] = [['channels/sending', 'channels/receiving', 'channels/durable']];
/** These stay apart with all their rooms, whatever their floors. */
const STORIES = ['processes', 'channels', 'services'];
const FLOORS = new Map([...PLAN, ...SCHEMATICS].flatMap((rooms, floor) => rooms.map((name) => [name, floor] as const)));
const TOOLS = /^(ioredis|redlock|bullmq)(\/|$)/;
const SELF = /^nestjs-foundation(\/|$)/;

/** The row of the table that a file belongs to: its longest beginning that has one. */
function roomOf(file: string): string | undefined {
  const parts = file.replace(/(\.d)?\.ts$/, '').split('/');
  for (let length = parts.length; length > 0; length--) {
    const name = parts.slice(0, length).join('/');
    if (FLOORS.has(name)) return name;
  }
  return undefined;
}

function edgesOf(from: string, source: string): Edge[] {
  const edges: Edge[] = [];
  const tree = ts.createSourceFile(from, source, ts.ScriptTarget.Latest, true);
  const add = (name: ts.Node | undefined) => {
    if (!name || !ts.isStringLiteralLike(name)) return;
    const inside = name.text.startsWith('.');
    const to = inside ? posix.join(posix.dirname(from), name.text).replace(/(\.js)?$/, '.ts') : name.text;
    edges.push({ from, to, line: tree.getLineAndCharacterOfPosition(name.getStart()).line + 1 });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    else if (ts.isExternalModuleReference(node)) add(node.expression);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal);
    else if (ts.isCallExpression(node) && /^(import|require)$/.test(node.expression.getText(tree)))
      add(node.arguments[0]);
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
    for (const edge of edges) if (edge.from === file) walk(edge.to, [...path, file]);
    done.add(file);
  };
  for (const { from } of edges) walk(from, []);
  return found;
}

function siblingOf(file: string, parts: string[]): string | undefined {
  return parts.find((part) => file.startsWith(`${part}/`));
}

function wrongFloor({ from, to }: Edge): string[] {
  const [own, other] = [roomOf(from), roomOf(to)];
  if (own === undefined || other === undefined) return ['one of them is in no row of the floor table'];
  const siblings = SIBLINGS.find((parts) => [from, to].every((file) => siblingOf(file, parts) !== undefined)) ?? [];
  const [part, otherPart] = [siblingOf(from, siblings), siblingOf(to, siblings)];
  if (part !== otherPart) return [`${part} and ${otherPart} stay apart`];
  if (own === other) return [];
  const [ownStory, otherStory] = [own, other].map((room) =>
    STORIES.find((story) => `${room}/`.startsWith(`${story}/`)),
  );
  if (ownStory !== undefined && otherStory !== undefined && ownStory !== otherStory) {
    return [`${[ownStory, otherStory].sort().join(' and ')} stay apart`];
  }
  const [ownFloor, otherFloor] = [FLOORS.get(own)!, FLOORS.get(other)!];
  if (otherFloor > ownFloor) return [`${own} reaches up to ${other}`];
  return otherFloor === ownFloor ? [`${own} and ${other} stay apart`] : [];
}

/** The files of each name; those of the entries are all called `index.ts`. */
function byName(paths: string[]): Record<string, string[]> {
  const named: Record<string, string[]> = {};
  for (const path of paths) if (posix.basename(path) !== 'index.ts') (named[posix.basename(path)] ??= []).push(path);
  return named;
}

function check(sources: Sources) {
  const edges = Object.entries(sources).flatMap(([path, source]) => edgesOf(path, source));
  const inside = edges.filter((edge) => /\.ts$/.test(edge.to));
  const say = ({ from, line, to }: Edge, why: string) => `${from}:${line} imports ${to} (${why})`;
  return {
    floors: inside.flatMap((edge) => wrongFloor(edge).map((why) => say(edge, why))),
    cycles: cyclesIn(inside),
    names: Object.values(byName(Object.keys(sources))).filter((paths) => paths.length > 1),
    barrels: edges.filter(({ to }) => /(^|\/)index\.ts$/.test(to) || SELF.test(to)).map((edge) => say(edge, 'barrel')),
    tools: edges
      .filter(({ from, to }) => TOOLS.test(to) && !from.startsWith('backend/'))
      .map((edge) => say(edge, 'tool')),
  };
}

describe('the floors of the library', () => {
  const root = join(import.meta.dirname, '../libs/foundation/src');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((file) => file.replaceAll('\\', '/'));
  const sources = files.filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'));
  const found = check(Object.fromEntries(sources.map((file) => [file, readFileSync(join(root, file), 'utf8')])));

  it('has sources to read, each in a room of the floor table', () => {
    expect(sources).not.toEqual([]);
    expect(sources.filter((file) => roomOf(file) === undefined)).toEqual([]);
  });
  it('imports only from rooms below', () => expect(found.floors).toEqual([]));
  it('has no import cycles between files, types included', () => expect(found.cycles).toEqual([]));
  it('gives no two files one name', () => expect(found.names).toEqual([]));
  it('imports no barrel', () => expect(found.barrels).toEqual([]));
  it('keeps ioredis, redlock and bullmq inside the backend', () => expect(found.tools).toEqual([]));

  it('has schematics that know nothing of it, and need only Node.js and the compiler of the application', () => {
    const folder = join(import.meta.dirname, '../schematics');
    const own = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((file) => file.replaceAll('\\', '/'))
      .filter((file) => /(?<!\.spec)\.ts$/.test(file) && !file.startsWith('support/'))
      .map((file) => [`schematics/${file}`, readFileSync(join(folder, file), 'utf8')] as const);
    expect(own.length).toBeGreaterThan(10);
    const { floors, cycles } = check(Object.fromEntries(own));
    expect([...floors, ...cycles]).toEqual([]);
    // With pnpm nothing else is there for a package that does not ask for it; types are gone by then.
    const required = own.flatMap(([file, text]) =>
      edgesOf(file, text.replace(/^import type [^;]*;/gm, '')).filter(({ to }) => !/^(node:|schematics\/)/.test(to)),
    );
    expect(required).toEqual([]);
  });

  it('would catch a violation of each kind', () => {
    const bad = check({
      'errors/refusal.ts': "import type { Lease } from '../backend/leases/leases.js';",
      'decorated.ts': "export * from './channels/sending/router.js';",
      'processes/spec.ts': "import { a } from '../decorated.js';\nconst b = () => import('../services/mesh.js');",
      'processes/table/rows.ts':
        "import { p } from '../supervision/host.js'; import { q } from '../placement/rank.js';",
      'services/mesh.ts': "import type { R } from '../processes/table/rows.js';",
      'health/monitor.ts': "import { c } from '../testing/harness.js';\nlet d: import('../metrics/names.js').Names;",
      'backend/leases/keys.ts':
        "import 'ioredis'; import { e } from './lease.js'; import { f } from '../../helpers/f.js';",
      'backend/leases/lease.ts': "import { g } from './keys.js'; import { type H } from './records.js';",
      'backend/leases/records.ts': "import type { I } from './lease.js'; import { j } from '../tables/rows.js';",
      'channels/durable/log.ts': "import { p } from '../receiving/queue.js'; import { q } from '../names.js';",
      'cluster/keys.ts': "import { k } from './topologies/dns/dns.js'; import { l } from '../backend/leases/lease.js';",
      'testing/harness.ts': "import { m } from '../index.js'; import type { Queue } from 'bullmq';",
      'metrics/names.ts': "import n from 'nestjs-foundation'; const o = require('redlock/dist/index.js');",
    });
    expect(bad.floors).toEqual([
      'errors/refusal.ts:1 imports backend/leases/leases.ts (errors reaches up to backend/leases)',
      'decorated.ts:1 imports channels/sending/router.ts (decorated reaches up to channels)',
      'processes/spec.ts:2 imports services/mesh.ts (processes and services stay apart)',
      'processes/table/rows.ts:1 imports processes/supervision/host.ts (processes/table reaches up to processes/supervision)',
      'services/mesh.ts:1 imports processes/table/rows.ts (processes and services stay apart)',
      'health/monitor.ts:1 imports testing/harness.ts (health reaches up to testing)',
      'health/monitor.ts:2 imports metrics/names.ts (health and metrics stay apart)',
      'backend/leases/keys.ts:1 imports helpers/f.ts (one of them is in no row of the floor table)',
      'backend/leases/records.ts:1 imports backend/tables/rows.ts (backend/leases and backend/tables stay apart)',
      'channels/durable/log.ts:1 imports channels/receiving/queue.ts (channels/durable and channels/receiving stay apart)',
      'cluster/keys.ts:1 imports cluster/topologies/dns/dns.ts (cluster reaches up to cluster/topologies/dns)',
      'testing/harness.ts:1 imports index.ts (testing and index stay apart)',
    ]);
    expect(bad.cycles).toEqual([
      'backend/leases/keys.ts -> backend/leases/lease.ts -> backend/leases/keys.ts',
      'backend/leases/lease.ts -> backend/leases/records.ts -> backend/leases/lease.ts',
    ]);
    expect(bad.names).toEqual([['backend/leases/keys.ts', 'cluster/keys.ts']]);
    expect(bad.barrels).toEqual([
      'testing/harness.ts:1 imports index.ts (barrel)',
      'metrics/names.ts:1 imports nestjs-foundation (barrel)',
    ]);
    expect(bad.tools).toEqual([
      'testing/harness.ts:1 imports bullmq (tool)',
      'metrics/names.ts:1 imports redlock/dist/index.js (tool)',
    ]);
  });
});
