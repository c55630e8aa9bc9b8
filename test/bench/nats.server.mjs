// A nats-server of the benchmark's own: FOUNDATION_BENCH_NATS_SERVER, the one on the PATH, or the program out of the
// package of Debian, which is unpacked into the temporary folder and not installed. No package of npm brings it.
import { execFileSync, spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

const START_MS = 10_000;
const INSTALL_MS = 120_000;
const UNPACKED = join(tmpdir(), 'foundation-bench-nats-server');

/** Throws why there is none. */
export async function startNats() {
  const program = find();
  const folder = mkdtempSync(join(tmpdir(), 'foundation-nats-'));
  const child = spawn(program, ['-a', '127.0.0.1', '-p', '-1'], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = new Promise((done) => {
    child.once('error', (error) => done(error.message));
    child.once('exit', (code, signal) => done(signal ?? code));
  });
  let log = '';
  let impatience;
  const listening = new Promise((done, failed) => {
    child.stderr.on('data', (chunk) => {
      // What it prints later is nobody's concern, and would be kept.
      if (impatience === undefined) return;
      log += chunk;
      const port = /client connections on \S+?:(\d+)/.exec(log)?.[1];
      if (port !== undefined && log.includes('Server is ready')) done(port);
    });
    impatience = setTimeout(() => failed(new Error(`${program} is not ready after ${START_MS / 1000} s`)), START_MS);
    void exited.then((how) => failed(new Error(`${program} ended with ${how} before it was ready`)));
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true });
  };
  try {
    const port = await listening;
    return { url: `127.0.0.1:${port}`, pid: child.pid, version: /Version:\s+(\S+)/.exec(log)?.[1], stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(impatience);
    impatience = undefined;
  }
}

function find() {
  const named = process.env.FOUNDATION_BENCH_NATS_SERVER;
  if (named) {
    if (isExecutable(named)) return resolve(named);
    throw new Error(`FOUNDATION_BENCH_NATS_SERVER=${named} is not an executable file`);
  }
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'nats-server'));
  const there = [...onPath, '/usr/sbin/nats-server', unpacked()].find(isExecutable);
  if (there !== undefined) return there;
  if (process.env.FOUNDATION_TEST_INSTALL !== '0' && process.platform === 'linux' && isExecutable('/usr/bin/apt-get')) {
    return fromDebian();
  }
  throw new Error('no nats-server on the PATH, and FOUNDATION_BENCH_NATS_SERVER names none');
}

function fromDebian() {
  console.error(`No nats-server found: apt-get download nats-server, unpacked into ${UNPACKED}`);
  const scratch = mkdtempSync(join(tmpdir(), 'foundation-nats-package-'));
  const run = (command, args) => {
    execFileSync(command, args, { cwd: scratch, stdio: ['ignore', 'ignore', 'pipe'], timeout: INSTALL_MS });
  };
  const download = ['-q', 'download', 'nats-server'];
  try {
    try {
      run('apt-get', download);
    } catch (error) {
      // A machine that has never updated its lists knows no package.
      if (process.getuid() !== 0) throw error;
      run('apt-get', ['update', '-q']);
      run('apt-get', download);
    }
    run('dpkg', ['-x', readdirSync(scratch).find((name) => name.endsWith('.deb')), 'package']);
    mkdirSync(UNPACKED, { recursive: true });
    renameSync(join(scratch, 'package/usr/sbin/nats-server'), unpacked());
    return unpacked();
  } catch (error) {
    const said = String(error.stderr ?? error.message)
      .trim()
      .split('\n')
      .at(-1)
      .replace(/https?:\S+/g, '…');
    throw new Error(`no nats-server on the PATH, and apt-get has none: ${said}`, { cause: error });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function unpacked() {
  return join(UNPACKED, 'nats-server');
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
