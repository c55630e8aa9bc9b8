// The packed package in real applications: npm run test:matrix [-- --corner nest11 --node 22 --keep]
// For each corner `nest new`, the tarball and its peers; then, under each Node, `nest build`, the application's own
// `npm test`, and two nodes of it on a Redis: members, calls, channels, microservices, and a take-over after SIGKILL.
// Needs a registry of npm. Prints a table; exits non-zero when a corner fails.
import { execFileSync, fork } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { eventually } from 'nestjs-foundation/testing';
import { AskedChild } from '../dist/test/support/asked.child.js';
import { startRedis } from '../dist/test/support/redis-server.js';

const CORNERS = [
  { name: 'nest11', what: 'Nest 11, CommonJS, Jest', cli: 11, redis: ['ioredis@5', 'bullmq@5'] },
  { name: 'nest11-floor', what: 'the same, oldest bullmq', cli: 11, redis: ['ioredis@5.4', 'bullmq@5.23'] },
  { name: 'nest12', what: 'Nest 12, ES modules, Vitest', cli: 12, redis: ['ioredis@6', 'bullmq@6'] },
];
const NODES = ['20', '22', '24'];
const LIMIT_MS = 30_000;

const { values } = parseArgs({
  options: {
    corner: { type: 'string', multiple: true },
    node: { type: 'string', multiple: true },
    keep: { type: 'boolean', default: false },
  },
});
const root = resolve(import.meta.dirname, '..');
const temp = mkdtempSync(join(tmpdir(), 'foundation-matrix-'));
const rows = [];
const redis = await startRedis();
try {
  const tarball = pack();
  const binaries = new Map((values.node ?? NODES).map((version) => [version, nodeOf(version)]));
  for (const corner of CORNERS.filter(({ name }) => values.corner?.includes(name) ?? true)) {
    const app = application(corner, tarball);
    for (const [version, binary] of binaries) await row(corner, app, version, binary);
  }
} finally {
  await redis.stop();
  if (!values.keep) rmSync(temp, { recursive: true, force: true });
}
console.table(rows);
const failed = rows.filter(({ result }) => result !== 'ok').length;
console.log(`${rows.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 || rows.length === 0 ? 1 : 0;

function run(command, args, cwd, env = {}) {
  try {
    return execFileSync(command, args, {
      cwd,
      env: { ...process.env, CI: '1', ...env },
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}: ${error.stdout}\n${error.stderr}`.slice(-3000), { cause: error });
  }
}

function pack() {
  run('npm', ['pack', '--silent', '--pack-destination', temp], join(root, 'dist/libs/foundation'));
  return join(
    temp,
    readdirSync(temp).find((file) => file.endsWith('.tgz')),
  );
}

/** The folder of the program: of this process, or of a package of npm that carries it. */
function nodeOf(version) {
  if (process.versions.node.startsWith(`${version}.`)) return resolve(process.execPath, '..');
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(temp, `node-${version}`);
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', folder, `${name}@${version}`], temp);
  return join(folder, 'node_modules', name, 'bin');
}

function application({ name, cli, redis: clients }, tarball) {
  const began = performance.now();
  const create = ['-y', `@nestjs/cli@${cli}`, 'new', name, '--package-manager', 'npm', '--skip-git'];
  run('npx', create, temp);
  const app = join(temp, name);
  const nest = ['microservices'].map((each) => `@nestjs/${each}@${cli}`);
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', ...nest, ...clients, 'class-validator', tarball], app);
  const isModule = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')).type === 'module';
  for (const file of readdirSync(join(root, 'test/matrix'))) {
    const text = readFileSync(join(root, 'test/matrix', file), 'utf8');
    writeFileSync(
      join(app, 'src', file),
      isModule ? text : text.replace("'./foundation.node.js'", "'./foundation.node'"),
    );
  }
  console.log(`${name}: made in ${seconds(began)} s`);
  return app;
}

async function row({ name, what }, app, version, binary) {
  const began = performance.now();
  const env = { PATH: `${binary}${delimiter}${process.env.PATH}` };
  let result = 'ok';
  try {
    run('npx', ['nest', 'build'], app, env);
    run('npm', ['test'], app, env);
    await cluster(app, join(binary, 'node'));
  } catch (error) {
    result = 'failed';
    console.error(`${name}, Node ${version}: ${error.message}`);
  }
  rows.push({ corner: name, what, node: version, result, seconds: seconds(began) });
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
