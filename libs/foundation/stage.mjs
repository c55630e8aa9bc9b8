// Puts the built package, ready for `npm pack`, into dist/libs/foundation.
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

const here = import.meta.dirname;
const root = resolve(here, '../..');
const built = join(here, 'dist');
const target = join(root, 'dist/libs/foundation');

// tsc never deletes: what was built from a source since renamed or removed would be published with the rest.
for (const entry of readdirSync(built, { recursive: true, withFileTypes: true })) {
  const output = join(entry.parentPath, entry.name);
  const source = output.replace(built, join(here, 'src')).replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts');
  if (entry.isFile() && !entry.name.endsWith('.tsbuildinfo') && !existsSync(source)) rmSync(output);
}

// The page of the dashboard is read as it is.
cpSync(join(here, 'src/dashboard/page'), join(built, 'dashboard/page'), { recursive: true });

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
cpSync(built, join(target, 'dist'), { recursive: true, filter: (path) => !path.endsWith('.tsbuildinfo') });

const manifest = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
for (const field of ['private', 'workspaces', 'scripts', 'devDependencies', 'overrides']) delete manifest[field];
writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);

// tsc writes no file as executable, and whoever links to this folder instead of installing it would get one that is
// not.
for (const program of Object.values(manifest.bin)) chmodSync(join(target, program), 0o755);

for (const name of ['README.md', 'CHANGELOG.md', 'LICENSE']) {
  const file = [here, root].map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (file) cpSync(file, join(target, basename(file)));
  else
    console.error(
      `stage: no ${name} in ${basename(dirname(here))}/${basename(here)} or at the root; staged without it`,
    );
}
