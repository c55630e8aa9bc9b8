// Puts the built package, ready for `npm pack`, into dist/libs/foundation.
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { writeCommonJs } from './commonjs.mjs';
import { removeUnreachable, withoutComments } from './smaller.mjs';

const here = import.meta.dirname;
const root = resolve(here, '../..');
const built = join(here, 'dist');
const target = join(root, 'dist/libs/foundation');

// tsc never deletes: what was built from a source since renamed or removed would be published with the rest.
for (const entry of readdirSync(built, { recursive: true, withFileTypes: true })) {
  const output = join(entry.parentPath, entry.name);
  if (output.startsWith(join(built, 'cjs'))) continue;
  const source = output.replace(built, join(here, 'src')).replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts');
  if (entry.isFile() && !entry.name.endsWith('.tsbuildinfo') && !existsSync(source)) rmSync(output);
}

// The page of the dashboard. From its sources the library reads the folder; what is published has it as a module,
// because bundlers take modules and leave files: one of CommonJS, which both formats load, so that it is there once.
const page = join(here, 'src/dashboard/page');
rmSync(join(built, 'dashboard/page'), { recursive: true, force: true });
const texts = Object.fromEntries(readdirSync(page).map((name) => [name, readFileSync(join(page, name), 'utf8')]));
const pageModule = join(built, 'dashboard/page.files.js');
const [comment = ''] = /^\/\*\*[^]*?\*\/\n/.exec(readFileSync(pageModule, 'utf8')) ?? [];
const shared = 'page.files.cjs';
writeFileSync(join(built, 'dashboard', shared), `module.exports = ${JSON.stringify(texts, undefined, 2)};\n`);
writeFileSync(pageModule, `${comment}import files from './${shared}';\nexport const PAGE_FILES = files;\n`);
writeCommonJs(built);

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
// Without maps, which lead to sources that are not in the package.
const isPublished = (path) => !path.endsWith('.tsbuildinfo') && !path.endsWith('.map');
cpSync(built, join(target, 'dist'), { recursive: true, filter: isPublished });
for (const entry of readdirSync(join(target, 'dist'), { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(js|d\.ts)$/.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  const isModule = path.endsWith('.js') && !path.startsWith(join(target, 'dist/cjs'));
  const text = readFileSync(path, 'utf8').replace(/^\/\/# sourceMappingURL=.*\n?/gm, '');
  writeFileSync(path, isModule ? withoutComments(path, text) : text);
}
// What README and the messages of errors lead to. Not the images, which are larger than all of the code.
const isPage = (path) => !/\.\w+$/.test(path) || path.endsWith('.md');
cpSync(join(root, 'docs'), join(target, 'docs'), { recursive: true, filter: (path) => isPage(basename(path)) });

// The generators of `nest add` and `nest g -c nestjs-foundation`, with the files of the deployment as their templates.
const [factories, schematics] = ['dist/schematics', 'schematics'].map((folder) => join(root, folder));
for (const file of readdirSync(schematics, { recursive: true })) {
  const output = file.endsWith('.ts') && !file.endsWith('.spec.ts') ? file.replace(/\.ts$/, '.js') : file;
  const from = join(file.endsWith('.ts') ? factories : schematics, output);
  const isShipped = /\.js$|(^|[\\/])(collection|schema|package)\.json$/.test(output) && existsSync(from);
  if (isShipped) cpSync(from, join(target, 'schematics', output));
}
// Never deploy/.env, which has the secrets of whoever builds.
const isTemplate = (path) => !/^\.env(?!\.example$)/.test(basename(path));
cpSync(join(root, 'deploy'), join(target, 'schematics/deploy/files'), { recursive: true, filter: isTemplate });

const manifest = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
for (const field of ['private', 'workspaces', 'scripts', 'devDependencies', 'overrides']) delete manifest[field];
// Where the project is to be found is not known yet: a name of the reserved domain stands for it, and is not published.
const isPlaceholder = (value) => JSON.stringify(value).includes('.example/');
for (const field of ['repository', 'homepage', 'bugs', 'funding'])
  if (isPlaceholder(manifest[field] ?? '')) delete manifest[field];
removeUnreachable(target, manifest);
writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);

// The page of a registry resolves links against the repository. While none is known, an image would be a broken one.
const forRegistry = (text) =>
  manifest.repository === undefined
    ? text
        .replace(/^<picture>[^]*?<\/picture>\n\n?/gm, '')
        .replace(/\[(`?)([^\]]*?)\1\]\(((?:docs\/|SECURITY|CONTRIBUTING)[^)]*)\)/g, (_, _tick, words, file) =>
          words === file ? `\`${file}\`` : `${words} (\`${file}\`)`,
        )
    : text;

for (const name of ['README.md', 'CHANGELOG.md', 'LICENSE']) {
  const file = [here, root].map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (file) writeFileSync(join(target, basename(file)), forRegistry(readFileSync(file, 'utf8')));
  else
    console.error(
      `stage: no ${name} in ${basename(dirname(here))}/${basename(here)} or at the root; staged without it`,
    );
}

// The same modes whatever the umask is, so that the same package is packed everywhere. tsc writes no file as
// executable, and whoever links to this folder instead of installing it would get a program that is not.
for (const entry of readdirSync(target, { recursive: true, withFileTypes: true }))
  if (entry.isFile()) chmodSync(join(entry.parentPath, entry.name), 0o644);
for (const program of Object.values(manifest.bin)) chmodSync(join(target, program), 0o755);
