// npm run mutations -- --rooms leases,seal --sample 100 --seed 7: changes the sources of a room in one place each, and
// runs the specs that reach it. A mutant that no test notices survives; known ones are explained in `explained.mjs`.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { explanationOf, unused } from './explained.mjs';
import { mutantsOf } from './mutants.mjs';
import { ROOMS } from './rooms.mjs';

const { values } = parseArgs({
  options: {
    rooms: { type: 'string', default: Object.keys(ROOMS).join() },
    /** Only of files whose path contains it, and of lines that contain it. */
    file: { type: 'string', default: '' },
    text: { type: 'string', default: '' },
    /** Only with specs whose path contains it: sooner, and what survives is to be tried `--again` with all. */
    specs: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
    /** So many of each room, drawn by the seed; all by default. */
    sample: { type: 'string' },
    /** `2/5`: the second of five parts of these, for a run in pieces. */
    part: { type: 'string', default: '1/1' },
    /** Without so many at the beginning, which a run before has tried. */
    from: { type: 'string', default: '0' },
    jobs: { type: 'string', default: '2' },
    seconds: { type: 'string' },
    list: { type: 'boolean', default: false },
    out: { type: 'string' },
    /** Only those that survived in the run that was written there. */
    again: { type: 'string' },
  },
});
const root = new URL('../..', import.meta.url).pathname;
// Below the packages that the bundles import.
const work = join(root, 'node_modules/.cache/mutation', String(process.pid));
const LONGEST_MS = 90_000;
let stopAt = values.seconds === undefined ? Infinity : Date.now() + Number(values.seconds) * 1000;

const rooms = values.rooms.split(',');
for (const room of rooms) if (ROOMS[room] === undefined) throw new Error(`No room "${room}": ${Object.keys(ROOMS)}`);
const before = values.again === undefined ? undefined : JSON.parse(readFileSync(values.again, 'utf8'));
const results = [];
/** How many mutants of a file each spec has killed. */
const kills = new Map();
/** What ends the processes that run. */
const ends = new Set();
process.once('SIGTERM', () => {
  stopAt = 0;
  for (const end of ends) end();
});
mkdirSync(work, { recursive: true });
try {
  for (const room of rooms) results.push(...(await tryRoom(room)));
} finally {
  rmSync(work, { recursive: true, force: true });
}
if (!values.list) report();

async function tryRoom(room) {
  const specs = ROOMS[room].specs.flatMap(specsAt).filter((spec) => spec.includes(values.specs));
  const all = ROOMS[room].sources.flatMap((path) =>
    mutantsOf(path, readFileSync(join(root, path), 'utf8')).map((mutant) => ({ room, path, ...mutant })),
  );
  const asked = all.filter(
    ({ path, was, is }) =>
      path.includes(values.file) &&
      was.includes(values.text) &&
      (before === undefined || before.some((each) => each.path === path && each.was === was && each.is === is)),
  );
  const [part, parts] = values.part.split('/').map(Number);
  const some = values.sample === undefined ? asked : drawn(asked, Number(values.sample));
  const mutants = some.filter((_, index) => index % parts === part - 1).slice(Number(values.from));
  if (values.list) {
    for (const { path, line, was, is } of mutants) console.log(`${path}:${line}\n  - ${was}\n  + ${is}`);
    console.log(`${room}: ${mutants.length} of ${all.length}`);
    return [];
  }
  const reached = await reachOf(specs);
  const healthy = await run({ path: '', start: 0, end: 0, put: '' }, specs, LONGEST_MS);
  if (healthy.outcome !== 'survived') throw new Error(`${room} fails unchanged: ${healthy.by}`);
  console.error(
    `${room}: ${mutants.length} of ${all.length} mutants, ${healthy.by} in ${specs.length} specs, ${healthy.ms} ms unchanged`,
  );
  const left = [...mutants];
  const outcomes = [];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined && Date.now() < stopAt; next = left.shift()) {
      const reaching = specs.filter((spec) => reached.get(spec).has(next.path));
      const [first, ...others] = likeliestFirst(reaching, next.path);
      const mostMs = Math.min(LONGEST_MS, 2 * healthy.ms + 10_000);
      // Alone at first: most mutants are killed by it, and it is bundled and loaded sooner than all of them.
      let outcome = await run(next, first === undefined ? [] : [first], mostMs);
      if (outcome.outcome === 'survived' && others.length > 0) outcome = await run(next, others, mostMs);
      if (stopAt === 0) return;
      if (outcome.killer !== undefined) noteKiller(outcome.killer, next.path);
      outcomes.push({ ...next, ...outcome });
      if (outcome.outcome === 'survived' && explanationOf(next) === undefined) show('SURVIVED', next);
      if (outcome.outcome === 'timed out') show('TIMED OUT', next);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
  return outcomes;
}

function show(what, { path, line, was, is }) {
  console.log(`${what} ${path}:${line}\n  - ${was}\n  + ${is}`);
}

function specsAt(path) {
  if (!existsSync(join(root, path))) throw new Error(`No spec: ${path}`);
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path))
    .filter((name) => name.endsWith('.spec.ts'))
    .map((name) => join(path, name));
}

function noteKiller(spec, path) {
  const key = `${spec} ${path}`;
  kills.set(key, (kills.get(key) ?? 0) + 1);
}

/** The spec that has killed most of the file, then those without Redis, and last those that wait for the clock. */
function likeliestFirst(specs, path) {
  const rank = (spec) => (/ports|orders/.test(spec) ? 2 : spec.startsWith('test/') ? 1 : 0);
  const killed = (spec) => kills.get(`${spec} ${path}`) ?? 0;
  return specs.toSorted((one, other) => killed(other) - killed(one) || rank(one) - rank(other));
}

function bundleOf(specs, { path, start, end, put }, options) {
  const changed = path === '' ? undefined : join(root, path);
  return build({
    entryPoints: Object.fromEntries(
      specs.map((spec, index) => [`${index}.${basename(spec, '.ts')}`, join(root, spec)]),
    ),
    absWorkingDir: root,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    outExtension: { '.js': '.mjs' },
    logLevel: 'silent',
    tsconfig: join(root, 'tsconfig.jest.json'),
    alias: {
      '@jest/globals': join(root, 'test/mutation/jest.globals.mjs'),
      'nestjs-foundation/testing': join(root, 'libs/foundation/src/testing/index.ts'),
      'nestjs-foundation': join(root, 'libs/foundation/src/index.ts'),
    },
    plugins: [
      {
        name: 'mutant',
        setup: (bundler) => {
          bundler.onLoad({ filter: /\.ts$/ }, ({ path: loaded }) => {
            if (loaded !== changed) return undefined;
            const text = readFileSync(loaded, 'utf8');
            return { contents: text.slice(0, start) + put + text.slice(end), loader: 'ts' };
          });
        },
      },
    ],
    ...options,
  });
}

/** Of each spec the files that are in its bundle. */
async function reachOf(specs) {
  const reached = new Map();
  for (const spec of specs) {
    const { metafile } = await bundleOf([spec], { path: '' }, { write: false, metafile: true, outdir: work });
    reached.set(spec, new Set(Object.keys(metafile.inputs)));
  }
  return reached;
}

async function run(mutant, specs, mostMs) {
  if (specs.length === 0) return { outcome: 'survived', by: 'no spec reaches it', ms: 0 };
  const outdir = join(work, String((run.count = (run.count ?? 0) + 1)));
  try {
    await bundleOf(specs, mutant, { outdir });
  } catch (error) {
    return { outcome: 'invalid', by: error.errors?.[0]?.text ?? error.message, ms: 0 };
  }
  const began = performance.now();
  const files = readdirSync(outdir).sort((one, other) => parseInt(one) - parseInt(other));
  const [code, said] = await child(
    files.map((name) => join(outdir, name)),
    mostMs,
  );
  const [, index, by = said] = (code === 0 ? undefined : /^(\d+) (.*)$/s.exec(said)) ?? [];
  rmSync(outdir, { recursive: true, force: true });
  // On a busy machine that may be the machine.
  const isLate = code === 'late' || by.startsWith('late: ');
  const outcome = code === 0 ? 'survived' : isLate ? 'timed out' : 'killed';
  return {
    outcome,
    by,
    killer: index === undefined ? undefined : specs[Number(index)],
    ms: Math.round(performance.now() - began),
  };
}

function child(files, mostMs) {
  return new Promise((resolve) => {
    // The seeds of generated values are the same for each mutant.
    const env = { ...process.env, FOUNDATION_ORDERS: '100', JEST_WORKER_ID: '1', NODE_OPTIONS: '' };
    const node = spawn(process.execPath, [join(root, 'test/mutation/child.mjs'), ...files], {
      stdio: ['ignore', 'pipe', process.env.MUTATION_SHOW ? 'inherit' : 'ignore'],
      detached: true,
      env,
    });
    let said = '';
    let isLate = false;
    const late = setTimeout(() => ((isLate = true), end()), mostMs);
    // With the server that it may have started.
    const end = () => {
      try {
        process.kill(-node.pid, 'SIGKILL');
      } catch {
        // It has gone.
      }
    };
    node.stdout.on('data', (data) => (said = (said + data).slice(-300)));
    ends.add(end);
    node.once('exit', (code) => {
      clearTimeout(late);
      ends.delete(end);
      end();
      resolve([isLate ? 'late' : (code ?? 1), said.trim()]);
    });
  });
}

/** By the seed (mulberry32). */
function drawn(list, count) {
  let state = Number(values.seed) >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  // Not put in order again, so that those of a run that ends too soon are drawn as well.
  return list
    .map((mutant) => [random(), mutant])
    .sort((one, other) => one[0] - other[0])
    .slice(0, count)
    .map(([, mutant]) => mutant);
}

function report() {
  console.log('\n| room | mutants | killed | explained | survived | score |\n| --- | --- | --- | --- | --- | --- |');
  let survivors = 0;
  for (const room of rooms) {
    const some = results.filter((each) => each.room === room && each.outcome !== 'invalid');
    const alive = some.filter(({ outcome }) => outcome === 'survived');
    const explained = alive.filter((each) => explanationOf(each) !== undefined).length;
    const killed = some.length - alive.length;
    survivors += alive.length - explained;
    const score = some.length === explained ? 100 : (100 * killed) / (some.length - explained);
    console.log(
      `| ${room} | ${some.length} | ${killed} | ${explained} | ${alive.length - explained} | ${score.toFixed(1)} % |`,
    );
  }
  for (const each of unused(results)) console.log(`Explained but not survived: ${each.file}: ${each.is}`);
  if (values.out !== undefined)
    writeFileSync(
      values.out,
      JSON.stringify(
        results.filter(({ outcome }) => outcome === 'survived'),
        undefined,
        1,
      ),
    );
  const late = results.filter(({ outcome }) => outcome === 'timed out').length;
  console.log(`\n${results.length} mutants, ${survivors} survived without an explanation; seed ${values.seed}`);
  if (late > 0) console.log(`${late} of those that were killed only took too long`);
  process.exitCode = survivors > 0 ? 1 : 0;
}
