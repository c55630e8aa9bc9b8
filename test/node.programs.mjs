// Node.js of another version, for runs beside the one that runs: a package of npm carries the program of each platform.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The folder of the program: of this process, or of a package that is installed in `folder`. Throws what npm said. */
export function nodeOf(version, folder) {
  if (process.versions.node.split('.')[0] === version || process.versions.node === version) {
    return resolve(process.execPath, '..');
  }
  const name = `node-${process.platform}-${process.arch}`;
  const prefix = join(folder, `node-${version}`);
  const bin = join(prefix, 'node_modules', name, 'bin');
  if (existsSync(join(bin, 'node'))) return bin;
  const args = ['install', '--silent', '--no-audit', '--no-fund', '--prefix', prefix, `${name}@${version}`];
  try {
    execFileSync('npm', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe', env: { ...process.env, CI: '1' } });
  } catch (error) {
    const said = `${error.stdout ?? ''}\n${error.stderr ?? ''}`.trim().slice(-1000);
    throw new Error(`npm cannot install Node ${version} as ${name}@${version}: ${said || error.message}`, {
      cause: error,
    });
  }
  return bin;
}
