// The package as its users get it: packed, and the program in it. For release.mjs, matrix.mjs and test/versions.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a command prints; the end of all that it printed is the error where it fails. */
export function run(command, args, cwd, env = {}) {
  try {
    return execFileSync(command, args, { cwd, env: { ...process.env, ...env }, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}: ${error.stdout}\n${error.stderr}`.slice(-3000), { cause: error });
  }
}

/** Packs what is built in a checkout into a folder that has no other package. */
export function pack(checkout, into) {
  run('npm', ['pack', '--silent', '--pack-destination', into, './dist/libs/foundation'], checkout);
  return packageIn(into);
}

export function packageIn(folder) {
  return join(
    folder,
    readdirSync(folder).find((file) => file.endsWith('.tgz')),
  );
}

/** The command line of the package that is installed in a folder. */
export function programIn(folder) {
  const manifest = join(folder, 'node_modules/nestjs-foundation/package.json');
  return join(manifest, '..', JSON.parse(readFileSync(manifest, 'utf8')).bin.foundation);
}
