// Runs what is marked `run`: modules with Node, shell with bash, each in time and beside a Redis that the caller names.
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { FOLDER } from './compile.mjs';
import { ROOT } from './pages.mjs';

const LIMIT_MS = 60_000;
/** What Nest says last of an application that stays: it is ended then, in order. */
const STARTED = 'Nest application successfully started';

/** Ends by itself, or once it has started and printed what its page promises; the promise has what it printed. */
export function runModule({ name, expected }, env) {
  const isOver = (output) =>
    expected === undefined ? output.includes(STARTED) : missingLines(expected, output).length === 0;
  return ended(process.execPath, [join(FOLDER, 'built', `${name}.js`)], { cwd: FOLDER, env }, isOver);
}

/** A node that goes on; resolves when it has started, with what ends it in order. */
export function startModule({ name }, env) {
  return new Promise((started, failed) => {
    let end;
    const isOver = (output, child) => {
      if (end === undefined && output.includes(STARTED)) started({ stop: (end = () => (child.kill('SIGTERM'), over)) });
      return false;
    };
    const over = ended(process.execPath, [join(FOLDER, 'built', `${name}.js`)], { cwd: FOLDER, env }, isOver);
    over.catch((error) => (end === undefined ? failed(error) : undefined));
  });
}

/** In an empty folder, where `npx foundation` is the built one and `redis-cli` asks the Redis of the test. */
export async function runShell({ text }, env, { redisCli = 'redis-cli', redisUrl }) {
  const folder = mkdtempSync(join(tmpdir(), 'foundation-snippet-'));
  try {
    const programs = join(folder, 'bin');
    mkdirSync(programs);
    const cli = join(ROOT, 'dist/libs/foundation/dist/cli/main.js');
    program(join(programs, 'npx'), `shift; exec '${process.execPath}' '${cli}' "$@"`);
    program(
      join(programs, 'redis-cli'),
      `PATH="\${PATH#*:}" exec '${redisCli}' -u '${redisUrl}' --no-auth-warning -e "$@"`,
    );
    const PATH = `${programs}:${process.env.PATH}`;
    return await ended('bash', ['-euo', 'pipefail', '-c', text], { cwd: folder, env: { ...env, PATH } }, () => false);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The expected lines that are not there in this order; `…` stands for any text, and a line of it for any lines. */
export function missingLines(expected, output) {
  const lines = stripVTControlCharacters(output).split('\n');
  let from = 0;
  return expected
    .split('\n')
    .filter((line) => line.trim() !== '' && line.trim() !== '…')
    .filter((line) => {
      const parts = line
        .trim()
        .split('…')
        .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
      const pattern = new RegExp(parts.join('.*'));
      const at = lines.findIndex((each, index) => index >= from && pattern.test(each));
      if (at >= 0) from = at + 1;
      return at < 0;
    });
}

function program(path, line) {
  writeFileSync(path, `#!/bin/bash\n${line}\n`);
  chmodSync(path, 0o755);
}

function ended(command, words, { cwd, env }, isOver) {
  return new Promise((done, failed) => {
    const child = spawn(command, words, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let isTold = false;
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
        if (isTold || !isOver(output, child)) return;
        isTold = true;
        child.kill('SIGTERM');
      });
    }
    child.once('error', failed);
    child.once('close', (code, signal) => {
      clearTimeout(limit);
      if (code === 0 || signal === 'SIGTERM') done(output);
      else failed(new Error(`ended with ${code ?? signal}:\n${output.slice(-4000)}`));
    });
  });
}
