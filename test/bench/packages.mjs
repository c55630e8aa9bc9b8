// Peers with packages of their own: installed from a manifest and lock file beside this file, when first needed.
// They go to the temporary folder, so that neither the repository nor its node_modules ever holds them.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const FILES = ['package.json', 'package-lock.json'];

/** The folder with the packages; throws when npm cannot install them. */
export function installed(name) {
  const folder = folderOf(name);
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return folder;
  console.error(`Installing the packages of test/bench/${name} in ${folder}`);
  mkdirSync(folder, { recursive: true });
  for (const file of FILES) copyFileSync(join(import.meta.dirname, name, file), join(folder, file));
  const npm = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', npm, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'], timeout: 300_000 });
  writeFileSync(complete, '');
  return folder;
}

/** `import()` as if from inside the folder. */
export function importFrom(name, specifier) {
  const require = createRequire(join(folderOf(name), 'package.json'));
  return import(pathToFileURL(require.resolve(specifier)).href);
}

function folderOf(name) {
  const hash = createHash('sha256');
  for (const file of FILES) hash.update(readFileSync(join(import.meta.dirname, name, file)));
  return join(tmpdir(), `foundation-bench-${name}-${hash.digest('hex').slice(0, 12)}`);
}
