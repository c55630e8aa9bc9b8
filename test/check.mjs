// The `npm run check` entry: everything that needs no Redis and runs nothing of the library. Two lanes for two cores;
// the first step that fails ends the run. What a step keeps for the next run lies in node_modules/.cache, so that a
// second run only looks at what has changed; a clean checkout has none of it and looks at everything.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const cache = join(root, 'node_modules/.cache/foundation-check');
mkdirSync(cache, { recursive: true });

const staged = 'dist/libs/foundation';
// What a step reads, where that is cheaper to compare than the step is to run.
const LANES = [
  [{ name: 'format:check' }, { name: 'lint' }],
  [
    { name: 'types' },
    { name: 'floors' },
    { name: 'build:lib' },
    // Both of what has just been built.
    {
      name: 'api',
      script: 'api:compare',
      reads: [staged, 'libs/foundation/api', 'libs/foundation/api.mjs', 'package-lock.json'],
    },
    { name: 'package:check', script: 'package:lint', reads: [staged, 'package-lock.json'] },
    {
      name: 'docs:snippets',
      reads: [staged, 'README.md', 'CONTRIBUTING.md', 'docs', 'examples', 'test/snippets', 'package-lock.json'],
    },
  ],
];

const began = performance.now();
const running = new Set();
let failed;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop((failed ??= signal)));

await Promise.all(LANES.map(lane));
console.log(failed === undefined ? `check: all well, ${since(began)}` : `check: ${failed} failed, ${since(began)}`);
process.exitCode = failed === undefined ? 0 : 1;

async function lane(steps) {
  for (const { name, script = name, reads } of steps) {
    if (failed !== undefined) return;
    const start = performance.now();
    const stamp = reads && join(cache, `${name.replace(':', '-')}.sha256`);
    const hash = reads && hashOf(reads);
    if (hash !== undefined && hash === textOf(stamp)) {
      console.log(`check: ${name}: nothing has changed`);
      continue;
    }
    const { code, output } = await run(['run', '-s', script]);
    if (failed !== undefined) return; // ended because the other lane failed
    if (code !== 0) {
      failed = name;
      console.error(`\n${output.trimEnd()}\n`);
      return stop();
    }
    console.log(`check: ${name}: ${since(start)}`);
    if (stamp) writeFileSync(stamp, hashOf(reads));
  }
}

// Each the leader of its group, so that one signal ends also what it started.
function run(args) {
  return new Promise((done) => {
    let output = '';
    const child = spawn('npm', args, { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.once('error', (error) => (output += error.message));
    child.once('close', (code) => {
      running.delete(child);
      done({ code, output });
    });
  });
}

function stop() {
  for (const { pid } of running) {
    try {
      if (pid) process.kill(-pid, 'SIGTERM');
    } catch {
      // It has ended.
    }
  }
}

/** Of the names and contents of files, and of all files in folders. */
function hashOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths.flatMap(filesIn)) hash.update(`${path}\0${textOf(join(root, path))}\0`);
  return hash.digest('hex');
}

function filesIn(path) {
  try {
    const entries = readdirSync(join(root, path), { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    return files.map((file) => file.slice(root.length + 1)).sort();
  } catch {
    return [path]; // a file, or not there
  }
}

function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function since(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}
