// The `npm test` entry: node test/run.mjs [floors|unit|schematics|integration|e2e|examples ...] [-- jest arguments];
// none = all.
// The fast suites need nothing and run first; the multi-process ones get a build and a real Redis, found below.
// The last line is the verdict over all of it: `N passed, N failed[, N skipped]`.
import { spawn, spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative, resolve } from 'node:path';

const FAST = ['floors', 'unit', 'schematics'];
const MULTI = ['integration', 'e2e', 'examples'];
const EMBEDDED_OK = /^\/\/ @redis embedded-ok\b/m; // a spec that says so also runs without a real Redis
const ANY_TOPOLOGY = /^\/\/ @redis any-topology\b/m; // a spec that says so also runs on a Redis Cluster and on sentinels
const EXIT_GRACE_MS = 15_000;
const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']; // as in support/browser.ts

const root = resolve(import.meta.dirname, '..');
const total = { passed: 0, failed: 0, skipped: 0 };
let running; // the child of the moment, leader of its own process group
let interrupted;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    signalGroup(interrupted ? 'SIGKILL' : signal); // the second one means it
    interrupted = signal;
  });
}

const { suites, jestArgs } = readArguments(process.argv.slice(2));
const temp = mkdtempSync(join(tmpdir(), 'foundation-test-'));
try {
  const fast = FAST.filter((suite) => suites.includes(suite));
  if (fast.length > 0) await jest(fast, ['--maxWorkers=2']);
  const multi = MULTI.filter((suite) => suites.includes(suite) && hasSpecs(suite));
  if (multi.length > 0 && !interrupted) await runMulti(multi);
} catch (error) {
  fail(error.message);
} finally {
  rmSync(temp, { recursive: true, force: true });
}

const { passed, failed, skipped } = total;
process.exitCode = interrupted ? 130 : failed > 0 || passed === 0 ? 1 : 0;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);

function readArguments(argv) {
  const at = argv.findIndex((argument) => argument.startsWith('-'));
  const names = at < 0 ? argv : argv.slice(0, at);
  const rest = at < 0 ? [] : argv.slice(argv[at] === '--' ? at + 1 : at);
  const known = [...FAST, ...MULTI];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    console.error(`No suite named ${unknown.join(', ')}. There are: ${known.join(', ')}. Jest arguments go after --.`);
    process.exit(2);
  }
  return { suites: names.length > 0 ? names : known, jestArgs: rest };
}

async function runMulti(multi) {
  const redis = await findRedis();
  const topology = process.env.FOUNDATION_TEST_TOPOLOGY;
  if (multi.includes('e2e') && redis !== 'embedded' && !topology) await findChromium();
  const only = redis === 'embedded' ? onEmbedded(multi) : topology ? onTopology(multi, topology) : undefined;
  const asked = only ? multi.filter((suite) => only.some((file) => file.includes(`/${suite}/`))) : multi;
  if (asked.length === 0) return;
  for (const script of ['build', 'build:test']) {
    if (interrupted) return;
    const { code } = await run('npm', ['run', '-s', script]);
    if (code !== 0) return fail(`npm run ${script} failed, so these did not run: ${asked.join(', ')}`, asked.length);
  }
  if (interrupted) return;
  await jest(asked, ['--maxWorkers=2', ...(only ?? [])], { FOUNDATION_TEST_REDIS_SERVER: redis });
}

async function jest(projects, flags, env = {}) {
  const report = join(temp, `${projects.join('-')}.json`);
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const own = ['--selectProjects', ...projects, '--passWithNoTests', '--json', `--outputFile=${report}`];
  const args = [...node, join(root, 'node_modules/jest/bin/jest.js'), ...own, ...flags, ...jestArgs];

  // Jest waits for ever on a handle that a test left open. That is no reason to hang.
  let reported;
  let hung = false;
  const watch = setInterval(() => {
    if (!existsSync(report)) return;
    reported ??= performance.now();
    if (performance.now() - reported < EXIT_GRACE_MS) return;
    hung = true;
    signalGroup('SIGKILL');
  }, 500);
  const { code } = await run(process.execPath, args, { env, sweep: true });
  clearInterval(watch);

  const names = projects.join(', ');
  if (!existsSync(report)) return fail(`Jest ended (${code}) without a report: ${names}`);
  const counts = JSON.parse(readFileSync(report, 'utf8'));
  const failures = counts.numFailedTests + counts.numRuntimeErrorTestSuites; // a suite that cannot run is a failure
  total.passed += counts.numPassedTests;
  total.failed += failures;
  total.skipped += counts.numPendingTests + counts.numTodoTests;
  if (hung) fail(`A test left something open and Jest was ended: ${names} (find it with -- --detectOpenHandles)`);
  else if (code !== 0 && failures === 0) fail(`Jest ended (${code}) although no test failed: ${names}`);
}

// Detached, hence the leader of a group: one signal reaches the child and everything it started.
function run(command, args, { env = {}, sweep = false } = {}) {
  return new Promise((done) => {
    const end = (code) => {
      if (sweep) signalGroup('SIGKILL'); // applications and servers that a failed or interrupted test left running
      running = undefined;
      done({ code });
    };
    const stdio = ['ignore', 'inherit', 'inherit'];
    running = spawn(command, args, { cwd: root, stdio, detached: true, env: { ...process.env, ...env } });
    running.once('error', (error) => end(error.message));
    running.once('exit', (code, signal) => end(signal ?? code));
  });
}

function signalGroup(signal) {
  try {
    if (running?.pid) process.kill(-running.pid, signal);
  } catch {
    // The group has gone.
  }
}

function fail(why, count = 1) {
  total.failed += count;
  console.error(`\n${why}\n`);
}

function specsOf(suite) {
  const folder = suite === 'examples' ? join(root, suite) : join(root, 'test', suite);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.spec.ts'));
  return names.map((name) => relative(root, join(folder, name)));
}

function hasSpecs(suite) {
  const some = specsOf(suite).length > 0;
  if (!some) console.error(`No spec files in test/${suite}.`);
  return some;
}

function onEmbedded(multi) {
  const specs = multi.flatMap(specsOf);
  const able = specs.filter((file) => EMBEDDED_OK.test(readFileSync(join(root, file), 'utf8')));
  const left = specs.filter((file) => !able.includes(file));
  total.skipped += left.length;
  const bar = '!'.repeat(100);
  console.error(
    [
      ...['', bar, `NO REAL REDIS: ${left.length} of ${specs.length} spec files are SKIPPED:`],
      ...left.map((file) => `  ${file}`),
      ...(able.length > 0 ? ['These run on the embedded js-redis-server, which is not real Redis:'] : []),
      ...able.map((file) => `  ${file}`),
      'To run them all: apt-get install redis-server | brew install redis | put valkey-server on the PATH,',
      'or name a binary: FOUNDATION_TEST_REDIS_SERVER=/path/to/redis-server npm test',
      ...[bar, ''],
    ].join('\n'),
  );
  return able;
}

// The others break the one server they started, or look into it.
function onTopology(multi, topology) {
  const specs = multi.flatMap(specsOf).filter((file) => ANY_TOPOLOGY.test(readFileSync(join(root, file), 'utf8')));
  console.error(`Redis of every test is a ${topology} now; these specs run on it:\n  ${specs.join('\n  ')}`);
  return specs;
}

async function findRedis() {
  const named = process.env.FOUNDATION_TEST_REDIS_SERVER;
  if (named === 'embedded') return named;
  if (named && !onPath(named)) throw new Error(`FOUNDATION_TEST_REDIS_SERVER=${named} is not an executable file`);
  const here = () => (named ? onPath(named) : (onPath('redis-server') ?? onPath('valkey-server')));
  const binary = here() ?? ((await installRedis()) ? here() : undefined);
  if (!binary) return 'embedded';
  const version = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  if (version.status !== 0) throw new Error(`${binary} --version failed: ${version.error?.message ?? version.stderr}`);
  console.error(`Redis for the tests: ${binary}, ${version.stdout.trim().split(' sha=')[0]}`);
  return binary;
}

function onPath(name) {
  const folders = name.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => resolve(folder, name)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function installRedis() {
  return install('redis-server', { brew: 'redis' });
}

async function findChromium() {
  if (process.env.FOUNDATION_TEST_CHROMIUM || CHROMIUM.some(onPath) || (await install('chromium'))) return;
  const bar = '!'.repeat(100);
  console.error(
    `\n${bar}\nNO CHROMIUM: the specs that look at the dashboard are SKIPPED. Install it, or name a binary:\n` +
      `FOUNDATION_TEST_CHROMIUM=/path/to/chromium npm test\n${bar}\n`,
  );
}

async function install(name, { brew } = {}) {
  if (process.env.FOUNDATION_TEST_INSTALL === '0') return false;
  if (brew && process.platform === 'darwin' && onPath('brew')) {
    console.error(`No ${name} found: brew install ${brew}`);
    return (await run('brew', ['install', brew])).code === 0;
  }
  if (process.platform !== 'linux' || process.getuid() !== 0 || !onPath('apt-get')) return false;
  console.error(`No ${name} found: apt-get install ${name}`);
  // A package may start a service, such as Redis on port 6379, where a node under test looks for one of its own accord.
  const policy = '/usr/sbin/policy-rc.d';
  const mine = !existsSync(policy);
  if (mine) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const env = { env: { DEBIAN_FRONTEND: 'noninteractive' } };
    const update = await run('apt-get', ['update', '-q'], env);
    if (update.code !== 0) console.error('apt-get update failed; trying with the lists as they are');
    const install = ['install', '-y', '-q', '--no-install-recommends', name];
    return (await run('apt-get', install, env)).code === 0;
  } finally {
    if (mine) rmSync(policy, { force: true });
  }
}
