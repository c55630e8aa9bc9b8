// Whether the commit that is checked out can be released: npm run release:check [-- --final --skip matrix -- --node 22]
// Its versions and what it says of itself; the package, built twice from clean clones at different paths, times and
// settings, byte for byte the same; that package in the applications of test/matrix.mjs, which takes what follows a
// second `--`. `--final`, before it is published, also refuses what a candidate may have: placeholders, changes without
// a version. Needs a registry of npm and some 30 minutes, most of them for the matrix. Exits non-zero when a row fails.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { packageIn, run } from './packed.mjs';

const root = resolve(import.meta.dirname, '..');
const argv = process.argv.slice(2);
const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
const { values } = parseArgs({
  args: argv.slice(0, end),
  options: {
    final: { type: 'boolean', default: false },
    skip: { type: 'string', multiple: true, default: [] },
    out: { type: 'string' },
  },
});
const temp = mkdtempSync(join(tmpdir(), 'foundation-release-'));
const rows = [];
try {
  check('versions', versions);
  check('metadata', metadata);
  const tarball = check('package', packedTwice);
  check('beside the last', besideTheLast);
  if (tarball !== undefined) check('matrix', () => matrix(tarball));
} finally {
  rmSync(temp, { recursive: true, force: true });
}
console.table(rows);
const failed = rows.filter(({ result }) => result === 'failed').length;
console.log(`${rows.filter(({ result }) => result === 'ok').length} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** A step returns a sentence, or `{ says, …what the next step needs }`; what it throws is why it failed. */
function check(step, work) {
  if (values.skip.includes(step)) {
    rows.push({ step, result: 'skipped', says: '' });
    return undefined;
  }
  try {
    const { says, then } = work();
    rows.push({ step, result: 'ok', says });
    return then;
  } catch (error) {
    console.error(`${step}: ${error.message}`);
    rows.push({ step, result: 'failed', says: error.message.split('\n')[0].slice(0, 100) });
    return undefined;
  }
}

function versions() {
  const { version } = jsonOf('libs/foundation/package.json');
  const source = /VERSION = '([^']+)'/.exec(textOf('libs/foundation/src/cluster/version.ts'))?.[1];
  const lock = jsonOf('package-lock.json').packages['libs/foundation'].version;
  const places = { 'package.json': jsonOf('package.json').version, 'version.ts': source, 'package-lock.json': lock };
  for (const [place, other] of Object.entries(places)) {
    if (other !== version) throw new Error(`${place} has ${other}, and libs/foundation/package.json ${version}`);
  }
  const sections = textOf('CHANGELOG.md').split(/^## /m).slice(1);
  const [unreleased, newest] = sections;
  if (!unreleased?.startsWith('[Unreleased]')) throw new Error('CHANGELOG.md does not begin with [Unreleased]');
  const dated = /^\[([^\]]+)\] - (\d{4}-\d\d-\d\d)$/m.exec(newest?.split('\n')[0] ?? '');
  if (dated?.[1] !== version) throw new Error(`The newest version of CHANGELOG.md is not [${version}] with a date`);
  const isEmpty = unreleased.trim() === '[Unreleased]';
  if (values.final && !isEmpty) throw new Error(`CHANGELOG.md has changes under [Unreleased]: they need a version`);
  return { says: `${version} of ${dated[2]}${isEmpty ? '' : ', and changes under [Unreleased]'}` };
}

function metadata() {
  const manifest = jsonOf('libs/foundation/package.json');
  const fields = ['description', 'license', 'engines', 'repository', 'homepage', 'bugs', 'funding', 'publishConfig'];
  const missing = fields.filter((field) => manifest[field] === undefined);
  if (missing.length > 0) throw new Error(`libs/foundation/package.json has no ${missing.join(', ')}`);
  const placeholders = fields.filter((field) => JSON.stringify(manifest[field]).includes('.example/'));
  if (values.final && placeholders.length > 0) throw new Error(`These are placeholders: ${placeholders.join(', ')}`);
  return { says: placeholders.length > 0 ? `placeholders, not published: ${placeholders.join(', ')}` : 'complete' };
}

function packedTwice() {
  const commit = run('git', ['rev-parse', 'HEAD'], root).trim();
  if (run('git', ['status', '--porcelain'], root) !== '') throw new Error('There are changes that are not committed');
  const settings = [
    ['a', { TZ: 'UTC', LC_ALL: 'C', umask: '022' }],
    [join('another', 'and longer', 'path'), { TZ: 'Asia/Tokyo', LC_ALL: 'C.UTF-8', umask: '077' }],
  ];
  const [first, second] = settings.map(([path, setting]) => packed(join(temp, path), commit, setting));
  const [a, b] = [first, second].map((file) => createHash('sha512').update(readFileSync(file)).digest('base64'));
  if (a !== b)
    throw new Error(`Two builds of ${commit} differ: ${differences(first, second).join(', ') || 'as archives'}`);
  const out = resolve(values.out ?? join(root, 'dist/release'));
  mkdirSync(out, { recursive: true });
  const kept = join(out, first.split(/[\\/]/).at(-1));
  copyFileSync(first, kept);
  console.log(`${kept}\nsha512-${a}`);
  return { says: `sha512-${a.slice(0, 16)}…, twice, ${readFileSync(first).length} bytes`, then: kept };
}

/** The package of a commit, from a clone of its own. */
function packed(folder, commit, { umask, ...env }) {
  mkdirSync(folder, { recursive: true });
  run('git', ['clone', '--quiet', '--no-hardlinks', root, folder], temp);
  run('git', ['checkout', '--quiet', commit], folder);
  const script = `umask ${umask}; npm ci --silent --no-audit --no-fund && npm run -s build:lib && npm run -s package:size`;
  run('sh', ['-c', `${script} && npm pack --silent --pack-destination . ./dist/libs/foundation`], folder, env);
  return packageIn(folder);
}

/** The files that are not the same in both archives. */
function differences(...archives) {
  const [a, b] = archives.map((file, index) => {
    const folder = join(temp, `unpacked-${index}`);
    mkdirSync(folder);
    run('tar', ['-xzf', file, '-C', folder], temp);
    return folder;
  });
  // It exits with 1 when it finds some.
  const { stdout } = spawnSync('diff', ['-rq', a, b], { encoding: 'utf8' });
  return stdout.split('\n').filter(Boolean).slice(0, 20);
}

/** Nodes of this version and of the last release in one cluster, as while it is rolled out. */
function besideTheLast() {
  const { status } = spawnSync(process.execPath, [join(root, 'test/versions/main.mjs')], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`Nodes of two versions: ended with ${status}`);
  return { says: 'all rows above' };
}

function matrix(tarball) {
  const args = [join(root, 'test/matrix.mjs'), '--tarball', tarball, ...argv.slice(end + 1)];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error(`The matrix ended with ${status}`);
  return { says: 'all rows above' };
}

function textOf(path) {
  return readFileSync(join(root, path), 'utf8');
}

function jsonOf(path) {
  return JSON.parse(textOf(path));
}
