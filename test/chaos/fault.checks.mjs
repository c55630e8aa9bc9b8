// What carries out one row: functions of test/chaos/faults, and specs that are run by Jest.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** `{ row, name, soak, load }` for functions, `{ row, name, spec }` for specs. */
export function checksOf({ row, checks, specs }, { specs: withSpecs, quick = false }) {
  const own = checks.filter(({ slow = false }) => !(quick && slow));
  return [
    ...own.map(({ run, soak }) => ({ row, name: run, soak, load: () => load(run) })),
    ...(withSpecs ? specs : []).map((spec) => ({ row, name: `${spec.file} ${spec.tests}`.trim(), spec })),
  ];
}

async function load(name) {
  const [file, key] = name.split('#');
  const { [key]: work } = await import(`./faults/${file}.mjs`);
  if (typeof work !== 'function') throw new Error(`test/chaos/faults/${file}.mjs exports no ${key}`);
  return work;
}

/** Runs the tests of a spec, and resolves with how many passed; rejects when one failed, or when there was none. */
export async function runSpec({ file, tests }, started) {
  const folder = mkdtempSync(join(tmpdir(), 'foundation-chaos-spec-'));
  const report = join(folder, 'report.json');
  const escaped = tests.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const args = [
    ...[
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      join(ROOT, 'node_modules/jest/bin/jest.js'),
    ],
    ...[
      '--selectProjects',
      file.split('/')[1],
      '--runTestsByPath',
      file,
      '--json',
      `--outputFile=${report}`,
      '--silent',
    ],
    ...(tests === '' ? [] : ['-t', escaped]),
  ];
  try {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'] });
    started(child);
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-20_000)));
    const code = await new Promise((done) => child.once('exit', (number, signal) => done(signal ?? number)));
    if (code !== 0) throw new Error(`${file} ended with ${code}:\n${said.slice(-6000)}`);
    const { numPassedTests } = JSON.parse(readFileSync(report, 'utf8'));
    if (numPassedTests === 0) throw new Error(`${file} has no test whose name contains "${tests}"`);
    return numPassedTests;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
