// Nodes of this version beside nodes of another one, as in a rolling release:
// npm run test:versions [-- --against 4e38e8a|FOLDER|TARBALL --into FOLDER]
// Without `--against` the other one is the last release: the newest tag `v*`, or the commit that wrote the newest
// version into CHANGELOG.md. Both are packed, installed in applications of their own, and run on a Redis of the test's
// own, over both transports. `--into` keeps the applications for the next run. Needs a registry of npm, and the history
// of git for anything but a tarball. Prints a table; exits non-zero when a row fails.
import { fork } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { AskedChild } from '../../dist/test/support/asked.child.js';
import { startRedis } from '../../dist/test/support/redis-server.js';
import { pack, programIn, run } from '../packed.mjs';
import { ROWS } from './rows.mjs';

const COOKIE = 'nobody but these nodes knows this cookie';
const { values } = parseArgs({ options: { against: { type: 'string' }, into: { type: 'string' } } });
const root = resolve(import.meta.dirname, '../..');
const temp = values.into === undefined ? mkdtempSync(join(tmpdir(), 'foundation-versions-')) : resolve(values.into);
const results = [];
try {
  const folders = { now: applicationOf('now', () => packed(root)), before: applicationOf('before', theOther) };
  for (const transport of ['redis', 'direct']) await all(transport, folders);
} finally {
  if (values.into === undefined) rmSync(temp, { recursive: true, force: true });
}
console.table(results);
const failed = results.filter(({ result }) => result !== 'ok').length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** Every row has a Redis and nodes of its own. */
async function all(transport, folders) {
  for (const [what, row] of Object.entries(ROWS)) {
    const redis = await startRedis();
    const nodes = [];
    const start = async (which, name, classes = []) => {
      const options = { which, classes, nodeName: name, appName: 'versions', redis: redis.url, transport };
      const node = nodeIn(folders[which], name, { ...options, security: { cookie: COOKIE } });
      nodes.push(node);
      await node.ready;
      return node;
    };
    const foundation = (which, ...args) => commandIn(folders[which], redis.url, args);
    let result = 'ok';
    try {
      await row({ start, foundation });
    } catch (error) {
      console.error(`${transport}, ${what}: ${error.stack}`);
      for (const { name, output } of nodes) if (output !== '') console.error(`${name} said: ${output.slice(-2000)}`);
      result = error.message.split('\n')[0].slice(0, 100);
    }
    for (const { child } of nodes) child.kill('SIGKILL');
    await redis.stop();
    results.push({ transport, what, result });
    console.log(`${transport}: ${what}: ${result}`);
  }
}

function nodeIn(folder, name, options) {
  const env = { ...process.env, VERSIONS_NODE: JSON.stringify(options), NO_COLOR: '1', NODE_ENV: 'production' };
  const child = fork(join(folder, 'node.mjs'), { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const node = new AskedChild(name, child);
  const { ask } = node;
  node.ask = async (...words) => {
    const answer = await ask.apply(node, words);
    if (answer?.error !== undefined) throw new Error(`${name}: ${words[0]}: ${answer.error}`);
    return answer;
  };
  return node;
}

/** What the command line of a version says; it reads its settings as a user would give them. */
function commandIn(folder, redis, args) {
  const env = {
    FOUNDATION_REDIS_URL: redis,
    FOUNDATION_APP_NAME: 'versions',
    FOUNDATION_COOKIE: COOKIE,
  };
  return run(process.execPath, [programIn(folder), ...args], folder, env);
}

/** An application with one version of the package and what it needs beside itself. */
function applicationOf(which, tarball) {
  const folder = join(temp, which);
  if (!existsSync(join(folder, 'package.json'))) {
    mkdirSync(folder, { recursive: true });
    const file = tarball();
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const known = { ...devDependencies, ...dependencies };
    const needs = ['@nestjs/common', '@nestjs/core', 'bullmq', 'cron', 'ioredis', 'reflect-metadata', 'rxjs'];
    const used = Object.fromEntries(needs.map((name) => [name, known[name]]));
    const manifest = { type: 'module', private: true, dependencies: { ...used, 'nestjs-foundation': `file:${file}` } };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    run('npm', ['install', '--silent', '--no-audit', '--no-fund'], folder);
  }
  copyFileSync(join(import.meta.dirname, 'node.mjs'), join(folder, 'node.mjs'));
  return folder;
}

function theOther() {
  const { against } = values;
  if (against?.endsWith('.tgz')) return resolve(against);
  if (against !== undefined && existsSync(against)) return packed(resolve(against));
  const commit = against ?? lastRelease();
  console.log(`The other version is that of ${commit}`);
  const folder = join(temp, 'source');
  run('git', ['clone', '--quiet', '--no-hardlinks', root, folder], temp);
  run('git', ['checkout', '--quiet', commit], folder);
  run('npm', ['ci', '--silent', '--no-audit', '--no-fund'], folder);
  run('npm', ['run', '-s', 'build:lib'], folder);
  return packed(folder);
}

function lastRelease() {
  const [tag] = run('git', ['tag', '--list', 'v*', '--sort=-v:refname'], root).split('\n');
  if (tag) return tag;
  const version = /^## (\[\d[^\]]*\])/m.exec(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'))[1];
  return run('git', ['log', '--format=%H', '-S', `## ${version}`, '--', 'CHANGELOG.md'], root)
    .trim()
    .split('\n')
    .at(-1);
}

/** Of what is built there. */
function packed(checkout) {
  return pack(checkout, mkdtempSync(join(temp, 'packed-')));
}
