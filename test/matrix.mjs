// The packed package in real applications:
// npm run test:matrix [-- --corner nest11 --node 22 --tarball FILE --into FOLDER --rows 3]
// For each corner `nest new`, `nest add nestjs-foundation`, every generator, lint; then, under each Node, `nest build`,
// the application's own `npm test`, the application itself, and two nodes on a Redis: members, calls, channels,
// microservices, a take-over after SIGKILL. Last, under the first Node, the other builders and Jest.
// `--into` keeps the applications in a folder, and the rows that passed: a later run with the same package goes on from
// there. `--rows` is how many rows this run tries; the others are left to a later one.
// Needs a registry of npm. Prints a table; exits non-zero when a row fails or is left.
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { eventually } from 'nestjs-foundation/testing';
import { AskedChild } from '../dist/test/support/asked.child.js';
import { startRedis } from '../dist/test/support/redis-server.js';
import {
  addFoundation,
  copySpecs,
  generateAll,
  jestConfiguration,
  newApplication,
  served,
} from './matrix.application.mjs';
import { startRegistry } from './matrix.registry.mjs';
import { nodeOf } from './node.programs.mjs';
import { pack, run as ran } from './packed.mjs';

const SWC = { name: 'swc', install: ['@swc/cli', '@swc/core'], build: ['-b', 'swc'] };
const CORNERS = [
  { name: 'nest11', what: 'Nest 11, CommonJS, Jest', nest: 11, more: [SWC, { name: 'webpack', build: ['--webpack'] }] },
  { name: 'nest11-floor', what: 'the same, oldest bullmq', nest: 11, clients: ['ioredis@5.4', 'bullmq@5.23'] },
  // The clients of the other generation, under one Node: what they do there is what they do elsewhere.
  { name: 'nest11-bullmq6', what: 'Nest 11, bullmq 6', nest: 11, clients: ['ioredis@6', 'bullmq@6'], isCrossed: true },
  { name: 'nest12-bullmq5', what: 'Nest 12, bullmq 5', nest: 12, clients: ['ioredis@5', 'bullmq@5'], isCrossed: true },
  {
    name: 'nest12',
    what: 'Nest 12, ES modules, Vitest',
    nest: 12,
    // Nest 12 refuses webpack for ES modules.
    more: [
      SWC,
      {
        name: 'rspack',
        install: ['@rspack/core', 'webpack-node-externals', 'tsconfig-paths-webpack-plugin'],
        build: ['-b', 'rspack'],
      },
      { name: 'jest', install: ['jest@30', 'ts-jest@29', '@types/jest@30'], isRunner: true },
    ],
  },
];
const NODES = ['20', '22', '24'];
const LIMIT_MS = 30_000;

const { values } = parseArgs({
  options: {
    corner: { type: 'string', multiple: true },
    node: { type: 'string', multiple: true },
    tarball: { type: 'string' },
    into: { type: 'string' },
    rows: { type: 'string', default: 'Infinity' },
  },
});
const root = resolve(import.meta.dirname, '..');
const temp = values.into === undefined ? mkdtempSync(join(tmpdir(), 'foundation-matrix-')) : resolve(values.into);
mkdirSync(temp, { recursive: true });
const rows = [];
const tarball = values.tarball === undefined ? pack(root, temp) : resolve(values.tarball);
const before = passedBefore();
const redis = await startRedis();
const registry = await startRegistry(tarball, manifestOf(tarball));
let toTry = Number(values.rows);
let left = 0;
try {
  const binaries = new Map((values.node ?? NODES).map((version) => [version, nodeOf(version, temp)]));
  const [[first, binary]] = binaries;
  for (const corner of CORNERS.filter(({ name }) => values.corner?.includes(name) ?? true)) {
    const app = { folder: join(temp, corner.name), run };
    const isMade = await row(corner, 'nest add, generators, lint', first, () => make(corner, app));
    if (!isMade) continue;
    const nodes = corner.isCrossed ? [...binaries].slice(0, 1) : binaries;
    for (const [version, folder] of nodes) await row(corner, 'build, test, run', version, () => tried(app, folder));
    for (const more of corner.more ?? []) await row(corner, more.name, first, () => otherwise(app, more, binary));
  }
} finally {
  await registry.stop();
  await redis.stop();
  if (values.into === undefined) rmSync(temp, { recursive: true, force: true });
}
console.table(rows);
const failed = rows.filter(({ result }) => result !== 'ok').length;
console.log(`${rows.length - failed} passed, ${failed} failed${left > 0 ? `, ${left} or more left` : ''}`);
process.exitCode = failed > 0 || left > 0 || rows.length === 0 ? 1 : 0;

function run(command, args, cwd, env = {}) {
  return ran(command, args, cwd, { CI: '1', ...env });
}

/** The file, out of what is packed. */
function manifestOf(packed) {
  const file = join(temp, 'packed.json');
  writeFileSync(file, run('tar', ['-xOzf', packed, 'package/package.json'], temp));
  return file;
}

/** The rows that earlier runs into the same folder have seen pass, with this very package. */
function passedBefore() {
  const sha512 = createHash('sha512').update(readFileSync(tarball)).digest('base64');
  const file = join(temp, 'passed.json');
  const kept = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { sha512, rows: [] };
  if (kept.sha512 !== sha512) throw new Error(`${temp} has the applications of another package`);
  const isSame = (a) => (b) => a.corner === b.corner && a.step === b.step && a.node === b.node;
  return {
    find: (row) => kept.rows.find(isSame(row)),
    add(row) {
      kept.rows.push(row);
      writeFileSync(file, JSON.stringify(kept));
    },
  };
}

async function row({ name, what }, step, version, work) {
  const known = before.find({ corner: name, step, node: version });
  if (known !== undefined) {
    rows.push(known);
    return true;
  }
  if (toTry-- <= 0) {
    left += 1;
    return false;
  }
  const began = performance.now();
  let result = 'ok';
  try {
    await work();
  } catch (error) {
    result = 'failed';
    console.error(`${name}, ${step}, Node ${version}: ${error.message}`);
  }
  const seen = { corner: name, what, step, node: version, result, seconds: seconds(began) };
  rows.push(seen);
  if (result === 'ok') before.add(seen);
  console.log(`${name}, ${step}, Node ${version}: ${result}, ${seconds(began)} s`);
  return result === 'ok';
}

async function make({ name, nest, clients = [] }, app) {
  rmSync(app.folder, { recursive: true, force: true }); // a run before may have ended amid it
  newApplication(app, temp, name, nest);
  run(
    'npm',
    ['install', '--silent', '--no-audit', '--no-fund', `@nestjs/microservices@${nest}`, ...clients],
    app.folder,
  );
  const took = addFoundation(app, registry.url);
  console.log(`${name}: nest add took ${(took / 1000).toFixed(1)} s`);
  generateAll(app);
  copySpecs(app, join(root, 'test/matrix'));
}

async function tried(app, binary) {
  const env = { PATH: `${binary}${delimiter}${process.env.PATH}` };
  app.run('npx', ['nest', 'build'], app.folder, env);
  app.run('npm', ['test'], app.folder, env);
  app.run('npm', ['run', 'test:e2e'], app.folder, { ...env, FOUNDATION_CLUSTER: 'off' });
  await served(app, join(binary, 'node'), redis.url);
  await cluster(app.folder, join(binary, 'node'));
}

/** Another builder, or another runner of tests. */
async function otherwise(app, { install = [], build, isRunner }, binary) {
  const env = { PATH: `${binary}${delimiter}${process.env.PATH}` };
  if (install.length > 0) run('npm', ['install', '--silent', '--no-audit', '--no-fund', '-D', ...install], app.folder);
  if (isRunner) return jestConfiguration(app, env);
  app.run('npx', ['nest', 'build', ...build], app.folder, env);
  await served(app, join(binary, 'node'), redis.url);
}

function seconds(since) {
  return Math.round((performance.now() - since) / 1000);
}

async function cluster(app, execPath) {
  const script = readdirSync(join(app, 'dist'), { recursive: true }).find((file) => /foundation\.node\.js$/.test(file));
  const nodes = ['a', 'b'].map((node) => {
    const env = { ...process.env, MATRIX_NODE: '1', REDIS: redis.url, NODE_NAME: node };
    return new AskedChild(node, fork(join(app, 'dist', script), { execPath, env, cwd: app, silent: true }));
  });
  /** Asks until the answer is right. */
  const until = async (node, question, isRight) => {
    let seen;
    const look = async () => isRight((seen = await node.ask(...question)));
    await eventually(look, { timeout: LIMIT_MS, what: `${question.join(' ')} of ${node.name}`, lastSeen: () => seen });
    return seen;
  };
  try {
    const [a, b] = nodes;
    await Promise.race([Promise.all(nodes.map(({ ready }) => ready)), tooLate()]);
    for (const node of nodes) await until(node, ['members'], (members) => members === 2);
    const price = await until(a, ['price', 'EUR'], (text) => /^EUR from [ab]$/.test(text));
    await until(b, ['price', 'EUR'], (text) => text === price);
    await until(b, ['sum', 1, 2, 3], (sum) => sum === 6);
    await a.ask('say');
    await a.ask('emit');
    await until(b, ['heard'], (heard) => heard === 'a,rpc a');
    const [owner, other] = price === 'EUR from a' ? [a, b] : [b, a];
    owner.child.kill('SIGKILL');
    await until(other, ['price', 'USD'], (text) => text === `USD from ${other.name}`);
    const left = new Promise((done) => other.child.once('exit', (code, signal) => done(signal ?? code)));
    other.child.kill('SIGTERM');
    const end = await Promise.race([left, tooLate()]);
    if (end !== 'SIGTERM' && end !== 0) throw new Error(`${other.name} ended with ${end} after SIGTERM`);
  } finally {
    for (const { child } of nodes) child.kill('SIGKILL');
  }
}

async function tooLate() {
  await delay(LIMIT_MS, undefined, { ref: false });
  throw new Error(`It did not come in ${LIMIT_MS} ms`);
}
