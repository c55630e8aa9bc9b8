/**
 * What a test cluster is started with, checked and completed.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { FoundationOptions } from '../../config/options.js';
import { show } from '../../errors/describe.js';
import { isOptions } from '../../foreign/given.options.js';
import type { LocalApplication } from './local.host.js';

/** Which node an application is made for. */
export interface NodeToMake {
  name: string;
  /** From 0, in the order in which nodes are started. */
  index: number;
}

/** Options of `TestCluster.start`. */
export interface TestClusterOptions {
  /** How many, called `node-1`, `node-2` …, or their names. Default 3. */
  nodes?: number | readonly string[];
  /**
   * The file that starts the application, from `cwd`: `dist/main.js` as it is deployed, or its TypeScript, which is
   * compiled by the package `typescript` of the application, file by file and without a check of types. Default: the
   * first of `src/main.ts`, `dist/main.js` and `dist/src/main.js` that there is.
   *
   * It listens on `process.env.PORT`; each node has its own.
   */
  entry?: string;
  /**
   * Runs the nodes in this process instead, which is quicker; they cannot be killed or frozen then. Makes one
   * application for each node: `() => NestFactory.create(AppModule)`, or a `TestingModule`. The cluster starts it
   * (`listen`, else `init`) and closes it.
   */
  inProcess?: (node: NodeToMake) => LocalApplication | Promise<LocalApplication>;
  /** The folder of the application: that of its `package.json`. Default: the working directory. */
  cwd?: string;
  /**
   * A URL, `embedded` for the package `js-redis-server`, or the program of a server. Default: a server of the test's
   * own from `redis-server` or `valkey-server` on the `PATH`; else the one at `FOUNDATION_REDIS_URL`; else
   * `js-redis-server`. In a Redis that the test did not start, the cluster has a name that nothing else has.
   */
  redis?: string;
  /**
   * Win over the options that the application gives `FoundationModule`, such as `{ lease: { ttl: 1000 } }`. As JSON,
   * except with `inProcess`. The kit says `cluster`, `topologies`, `redis` and `nodeName` by itself.
   */
  options?: FoundationOptions;
  /** Environment variables of the nodes, besides those of the test. Not with `inProcess`. */
  env?: Readonly<Record<string, string>> | ((node: NodeToMake) => Readonly<Record<string, string>>);
  /** Options of Node.js for the nodes, such as `['--enable-source-maps']`. Not with `inProcess`. */
  execArgv?: readonly string[];
  /** How long each wait may last, in milliseconds: for a start, an answer, an owner, an end. Default 30 000. */
  timeout?: number;
}

/** Options that are complete. */
export interface ClusterSettings extends TestClusterOptions {
  names: string[];
  /** Absolute. */
  cwd: string;
  /** Absolute; empty with `inProcess`. */
  entry: string;
  timeout: number;
}

const ENTRIES = ['src/main.ts', 'dist/main.js', 'dist/src/main.js'];
const KNOWN: readonly (keyof TestClusterOptions)[] = [
  ...(['nodes', 'entry', 'inProcess', 'cwd', 'redis', 'options', 'env', 'execArgv', 'timeout'] as const),
];
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;
/** Each is a process of some hundred megabytes. */
const MAX_NODES = 50;

/** @throws Error that says which option is wrong, and what it may be. */
export function completed(options: TestClusterOptions): ClusterSettings {
  const given: unknown = options;
  if (!isOptions(given)) throw wrong('options', given, 'an object');
  for (const name in options) {
    if (!KNOWN.includes(name as keyof TestClusterOptions)) {
      throw wrong(name, given[name], `no such option (known here: ${KNOWN.join(', ')})`);
    }
  }
  const { nodes = 3, inProcess, timeout = 30_000, env, execArgv } = options;
  if (!Number.isFinite(timeout) || timeout <= 0) throw wrong('timeout', timeout, 'milliseconds above 0');
  if (inProcess !== undefined && typeof inProcess !== 'function') {
    throw wrong(
      'inProcess',
      inProcess,
      'a function that makes an application, such as () => NestFactory.create(AppModule)',
    );
  }
  const names = namesOf(nodes);
  const ofProcesses = { entry: options.entry, env, execArgv };
  for (const [name, value] of Object.entries(ofProcesses)) {
    if (inProcess !== undefined && value !== undefined) throw wrong(name, value, 'nothing beside inProcess');
  }
  const cwd = resolve(options.cwd ?? '.');
  const entry = inProcess === undefined ? entryIn(cwd, options.entry) : '';
  return { ...options, cwd, entry, timeout, names };
}

function namesOf(nodes: number | readonly string[]): string[] {
  if (typeof nodes === 'number') {
    if (!Number.isInteger(nodes) || nodes < 1 || nodes > MAX_NODES)
      throw wrong('nodes', nodes, `1 to ${MAX_NODES}, or names`);
    return Array.from({ length: nodes }, (_, index) => nameAt(index));
  }
  if (!Array.isArray(nodes) || nodes.length < 1 || nodes.length > MAX_NODES)
    throw wrong('nodes', nodes, `1 to ${MAX_NODES} names`);
  for (const name of nodes) checkName(name);
  if (new Set(nodes).size < nodes.length) throw wrong('nodes', nodes, 'names that differ');
  return [...(nodes as readonly string[])];
}

/** The name of a node that has none. */
function nameAt(index: number): string {
  return `node-${index + 1}`;
}

/** The first of `node-1`, `node-2` … that is not taken. */
export function freeName(taken: { has(name: string): boolean }, index = 0): string {
  return taken.has(nameAt(index)) ? freeName(taken, index + 1) : nameAt(index);
}

/** @throws Error */
export function checkName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || !NAME.test(name) || name === 'redis') {
    throw wrong('nodes', name, 'names of letters, digits, "_", "." and "-", at most 100 characters; "redis" is none');
  }
}

function entryIn(cwd: string, given: string | undefined): string {
  const named = given === undefined ? ENTRIES : [given];
  const found = named.map((file) => resolve(cwd, file)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new Error(
    `TestCluster found no application to start: no ${named.join(', ')} in ${cwd}. Nothing was started. ` +
      `Build it, or say which file starts it: TestCluster.start({ entry: 'dist/main.js' })`,
  );
}

function wrong(option: string, received: unknown, expected: string): Error {
  return new Error(
    `TestCluster: invalid option "${option}": received ${show(received)}, expected ${expected}. Nothing was started.`,
  );
}
